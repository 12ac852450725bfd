"""How a model goes live: trained for the content, measured against the live one, and refused if it is worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from intents.datasets import Example
from intents.models import Guess, Live, ModelError, ModelStore
from intents.offline import ParsingFailed, parse_all
from intents.paths import EnginePaths
from intents.real_words import read_real_words, urgent_topics
from intents.regression import Comparison, known, measure, read_rows
from intents.training import content_hash, ensure_model

log = structlog.get_logger(__name__)

TRAINING_SECONDS = 40.0
MEASURING_SECONDS = 30.0
LOADING_SECONDS = 8.0

Step = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]
"""Shows a person what takes time, and the seconds expected. Yields what takes the share done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Release:
    """What became of the content's own model."""

    live: Live
    """What answers customers now; its ``model`` is the content's own one if that has the content's hash."""
    comparison: Comparison | None = None
    """The model that was live before against the content's own one, if they were measured now."""

    @property
    def refused(self) -> bool:
        """The content's own model was worse, and the one before stays."""
        return self.comparison is not None and self.live.model == self.comparison.old


async def release(paths: EnginePaths, step: Step, *, accept: bool = False) -> Release:
    """Makes the content's own model live, unless it is worse than the live one.

    What was decided for this content stays decided: nothing happens then. Without a live model there is nothing to be
    compared with, and no measuring. ``accept`` makes it live whatever it is like and whatever was decided.

    Raises ``EngineNotInstalled``, ``TrainingFailed``, ``ParsingFailed`` (the new model cannot be loaded),
    ``DatasetError`` (the regression file cannot be read) or ``ModelError``; whatever was live is so still.
    """
    store = ModelStore(paths.models)
    content = content_hash(paths)
    live = present(store)
    if live is not None and live.content == content and (live.model == content or not accept):
        return Release(live)
    await _ensure(paths, step, store, content)
    comparison = None
    if live is None:
        why = "the first model"
    elif live.model == content:
        why = "the content is again what it was trained on"
    elif accept:
        why = "accepted by hand"
    else:
        comparison, why = await _judge(paths, step, live.model, content)
        if comparison is not None and comparison.losses:
            return Release(live, comparison)
    live = store.make_live(content, content, why)
    store.remove_old()
    return Release(live, comparison)


async def compare(paths: EnginePaths, step: Step, old: str, new: str) -> Comparison:
    """Two models on the regression file.

    Raises ``ModelError`` if there is nothing to compare them on, ``EngineNotInstalled``, ``ParsingFailed`` or
    ``DatasetError``.
    """
    rows, skipped = read_rows(paths)
    if not rows:
        raise ModelError(f"{paths.regression} has no messages to compare models on.")
    real = read_real_words(paths)
    old_guesses = await measured(paths, step, old, rows + real)
    new_guesses = await measured(paths, step, new, rows + real)
    return Comparison(old, new, rows, skipped, old_guesses, new_guesses, real, urgent_topics(paths))


async def measured(paths: EnginePaths, step: Step, model: str, rows: Sequence[Example]) -> Mapping[str, Guess]:
    """What ``model`` makes of ``rows``, by their text: asked now unless it is known."""
    guesses = known(paths, model)
    if all(row.text in guesses for row in rows):
        return guesses
    with step(f"Measuring model {model}", MEASURING_SECONDS) as done:
        return await measure(paths, model, rows, lambda _step, share: done(share))


async def choose(paths: EnginePaths, step: Step, model: str, why: str) -> Live:
    """Makes ``model`` live by hand, for the content as it is now: it stays so until the content changes.

    Raises ``ModelError`` for one that cannot be loaded, ``EngineNotInstalled``.
    """
    store = ModelStore(paths.models)
    if not known(paths, model):
        with step(f"Trying model {model}", LOADING_SECONDS) as done:
            try:
                await parse_all(paths, store.path(model), ["hello"], lambda _step, share: done(share))
            except ParsingFailed as error:
                last = str(error).rstrip().rpartition("\n")[2]
                raise ModelError(f"Model {model} cannot be loaded any more, and was not made live: {last}") from None
    live = store.make_live(model, content_hash(paths), why)
    store.remove_old()
    return live


def present(store: ModelStore) -> Live | None:
    """The live model, if its file is there. Raises ``ModelError``."""
    live = store.live()
    if live is not None and not store.has(live.model):
        log.warning("the file of the live model is gone", action="model_gone", model=live.model)
        return None
    return live


async def _judge(paths: EnginePaths, step: Step, old: str, new: str) -> tuple[Comparison | None, str]:
    """The comparison, if there can be one, and why the new model goes live if it does."""
    rows, skipped = read_rows(paths)
    if not rows:
        return None, f"not measured: {paths.regression} has no messages for this content"
    # First the new one: if it cannot be loaded, it is no use to know that the other can.
    real = read_real_words(paths)
    new_guesses = await measured(paths, step, new, rows + real)
    try:
        old_guesses = await measured(paths, step, old, rows + real)
    except ParsingFailed as error:
        # It was trained with other components than there are now, and could not serve either.
        log.warning("the live model cannot be loaded any more", action="model_unusable", model=old, error=str(error))
        return None, f"{old}, live before, cannot be loaded any more"
    comparison = Comparison(old, new, rows, skipped, old_guesses, new_guesses, real, urgent_topics(paths))
    return comparison, f"measured, not worse than {old}"


async def _ensure(paths: EnginePaths, step: Step, store: ModelStore, content: str) -> None:
    if store.has(content):
        await ensure_model(paths)
        return
    with step("Training the intent model", TRAINING_SECONDS) as done:
        await ensure_model(paths, lambda _step, share: done(share))
