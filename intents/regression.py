"""Is a new model worse than the live one? Both are measured on the same fixed messages, ``data/regression.tsv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bot.domain.engine import OUT_OF_SCOPE
from intents.datasets import Example, read_dataset
from intents.metrics import Share
from intents.models import Guess, Measured, ModelStore
from intents.offline import parse_all
from intents.paths import EnginePaths
from intents.process import Progress
from intents.real_words import RealWords, real_words
from intents.training import code_hash

# What a new model may lose and still go live, in hundredths of what is counted. Not zero: of a thousand messages some
# change sides whenever a handful of examples does, and a topic may cost its neighbours a little. Not much more: losses
# that are allowed add up over many trainings.

TOP_1_MAY_FALL = 1.0
"""Points of the in-scope messages whose best candidate is right: the model's skill, whatever the threshold."""

SERVED_MAY_FALL = 2.0
"""Points of the in-scope messages that are answered, and rightly. Each one lost is a customer who waits for an agent:
dear, but never wrong. Hence the widest."""

WRONG_MAY_RISE = 0.5
"""Points of all messages that are answered wrongly, in scope or out of it. A wrong answer costs a customer money. Hence
the narrowest."""


class Outcome(IntEnum):
    """What becomes of a message, from the best to the worst."""

    RIGHT = 0
    """Answered rightly or, out of scope, not answered."""
    UNANSWERED = 1
    """In scope and not answered: asked back, or handed to an agent."""
    WRONG = 2
    """Answered wrongly."""


@dataclass(frozen=True, slots=True)
class Figures:
    top_1: Share
    """In-scope messages whose best candidate is right, answered or not."""
    served: Share
    """In-scope messages that are answered, and rightly."""
    wrong: Share
    """Messages that are answered wrongly, or though out of scope."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One figure that fell, or rose, by more than it may."""

    what: str
    old: Share
    new: Share
    allowed: float
    """In points."""

    def __str__(self) -> str:
        points = abs(self.new.count - self.old.count) * 100 / self.new.of
        way = "up" if self.new.count > self.old.count else "down"
        return f"{self.what}: {points:.1f} points {way}, {self.allowed:.1f} allowed"


@dataclass(frozen=True, slots=True)
class Change:
    """A message with which two models stand differently: its outcome, or whether the best candidate is right."""

    row: Example
    old: Guess
    new: Guess

    @property
    def before(self) -> Outcome:
        return outcome(self.row, self.old)

    @property
    def after(self) -> Outcome:
        return outcome(self.row, self.new)

    @property
    def worse(self) -> bool:
        return _standing(self.row, self.new) > _standing(self.row, self.old)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same rows."""

    old: str
    new: str
    rows: tuple[Example, ...]
    skipped: int
    """Rows of the file whose label the content does not have."""
    old_guesses: Mapping[str, Guess]
    new_guesses: Mapping[str, Guess]
    real: tuple[Example, ...] = ()
    """Messages in real customers' words, which decide nothing; the guesses have them too."""
    urgent: frozenset[str] = frozenset()
    """The topics that are urgent."""

    @property
    def old_real(self) -> RealWords:
        return real_words(self.real, self.old_guesses, self.urgent)

    @property
    def new_real(self) -> RealWords:
        return real_words(self.real, self.new_guesses, self.urgent)

    @property
    def old_figures(self) -> Figures:
        return figures(self.rows, self.old_guesses)

    @property
    def new_figures(self) -> Figures:
        return figures(self.rows, self.new_guesses)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Why the new model is worse; empty if it is not."""
        return losses(self.old_figures, self.new_figures)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Those for the worse before those for the better, and what costs or cost most first."""
        pairs = (Change(row, self.old_guesses[row.text], self.new_guesses[row.text]) for row in self.rows)
        changes = (pair for pair in pairs if _standing(pair.row, pair.old) != _standing(pair.row, pair.new))
        return tuple(sorted(changes, key=lambda change: (not change.worse, -max(change.before, change.after))))

    @property
    def right_by_intent(self) -> tuple[tuple[str, int, int, int], ...]:
        """For each label: its messages, and with how many the old and the new model are right."""
        of = Counter(row.label for row in self.rows)
        old = Counter(row.label for row in self.rows if outcome(row, self.old_guesses[row.text]) is Outcome.RIGHT)
        new = Counter(row.label for row in self.rows if outcome(row, self.new_guesses[row.text]) is Outcome.RIGHT)
        return tuple((label, of[label], old[label], new[label]) for label in sorted(of))


def read_rows(paths: EnginePaths) -> tuple[tuple[Example, ...], int]:
    """The rows of the regression file whose label the content has, and how many others there are. What is out of scope
    stays so, whether or not there are training examples of it. Nothing at all if there is no such file.

    Raises ``DatasetError``.
    """
    if not paths.regression.exists():
        return (), 0
    rows = read_dataset(paths.regression).examples
    intents = {example.label for example in read_dataset(paths.data / "nlu").examples}
    kept = tuple(row for row in rows if row.label in intents or row.label == OUT_OF_SCOPE)
    return kept, len(rows) - len(kept)


def outcome(row: Example, guess: Guess) -> Outcome:
    if guess.sure:
        return Outcome.RIGHT if guess.intent == row.label else Outcome.WRONG
    return Outcome.UNANSWERED if row.label != OUT_OF_SCOPE else Outcome.RIGHT


def _standing(row: Example, guess: Guess) -> tuple[Outcome, bool]:
    """Smaller is better."""
    return outcome(row, guess), row.label != OUT_OF_SCOPE and guess.intent != row.label


def figures(rows: Sequence[Example], guesses: Mapping[str, Guess]) -> Figures:
    in_scope = [row for row in rows if row.label != OUT_OF_SCOPE]
    return Figures(
        top_1=Share(sum(guesses[row.text].intent == row.label for row in in_scope), len(in_scope)),
        served=Share(sum(outcome(row, guesses[row.text]) is Outcome.RIGHT for row in in_scope), len(in_scope)),
        wrong=Share(sum(outcome(row, guesses[row.text]) is Outcome.WRONG for row in rows), len(rows)),
    )


def losses(old: Figures, new: Figures) -> tuple[Loss, ...]:
    """What a model with the ``new`` figures loses against one with the ``old``, beyond what it may.

    Both on the same rows.
    """
    found = (
        (
            Loss("in scope, best candidate right", old.top_1, new.top_1, TOP_1_MAY_FALL),
            old.top_1.count - new.top_1.count,
        ),
        (
            Loss("in scope, answered rightly", old.served, new.served, SERVED_MAY_FALL),
            old.served.count - new.served.count,
        ),
        (Loss("wrong answers", old.wrong, new.wrong, WRONG_MAY_RISE), new.wrong.count - old.wrong.count),
    )
    # In whole messages: a loss of just what is allowed must not turn on a rounding.
    return tuple(loss for loss, messages in found if messages * 100 > loss.allowed * loss.new.of)


async def measure(
    paths: EnginePaths, model: str, rows: Sequence[Example], progress: Progress | None = None
) -> Mapping[str, Guess]:
    """What ``model`` makes of ``rows``, by their text; asked once and kept beside the model.

    Raises ``EngineNotInstalled``, or ``ParsingFailed`` for a model that the components of today cannot load.
    """
    store = ModelStore(paths.models)
    guesses = known(paths, model)
    asked = list(dict.fromkeys(row.text for row in rows if row.text not in guesses))
    if asked:
        parses = await parse_all(paths, store.path(model), asked, progress)
        for text, parse in zip(asked, parses.rows, strict=True):
            found = parse.prediction
            guesses[text] = Guess(intent=found.intent, confidence=round(found.confidence, 4), sure=found.sure)
        info = store.info(model)
        store.keep_info(model, info.model_copy(update={"measured": Measured(code=code_hash(paths), guesses=guesses)}))
    return guesses


def known(paths: EnginePaths, model: str) -> dict[str, Guess]:
    """What has been measured of ``model`` and still holds."""
    measured = ModelStore(paths.models).info(model).measured
    return dict(measured.guesses) if measured is not None and measured.code == code_hash(paths) else {}
