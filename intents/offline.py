"""A model asked without a server: many texts, one after the other, as customers' messages would be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from bot.domain.engine import EngineUnavailable, Prediction
from intents.parsing import FALLBACK, Parsed, as_sent, to_prediction
from intents.paths import EnginePaths
from intents.process import ProcessFailed, Progress, run_script

NO_INTENT = ""
"""The intent of a text of which the pipeline ranks nothing (none of its features occur in it)."""


class ParsingFailed(Exception):
    """Rasa could not load the model or parse the texts; the message ends with the last lines it said."""


@dataclass(frozen=True, slots=True)
class Parse:
    prediction: Prediction
    milliseconds: float
    """In the engine, without the way there and back."""


@dataclass(frozen=True, slots=True)
class Parses:
    rows: tuple[Parse, ...]
    """One for each text, in their order."""
    load_seconds: float
    """Importing Rasa and reading the model."""
    peak_memory: int
    """Bytes, of the whole process."""


async def parse_all(paths: EnginePaths, model: Path, texts: Sequence[str], progress: Progress | None = None) -> Parses:
    """What ``model`` makes of each of ``texts``: ``sure`` and all else as ``RasaEngine`` would have it.

    Cancelling ends the parsing. Raises ``ValueError`` for a text without a visible character,
    ``EngineNotInstalled`` or ``ParsingFailed``.
    """
    sent = [as_sent(text) for text in texts]
    with TemporaryDirectory(prefix="switchboard-") as folder:
        asked, answered = Path(folder) / "texts.jsonl", Path(folder) / "parses.jsonl"
        asked.write_text("".join(f"{json.dumps(text)}\n" for text in sent), encoding="utf-8")
        try:
            last = await run_script(paths, "parse.py", model, asked, answered, cwd=Path(folder), progress=progress)
            lines = answered.read_text(encoding="utf-8").splitlines()
        except ProcessFailed as error:
            raise ParsingFailed(f"Parsing {error}") from None
        except FileNotFoundError:
            raise ParsingFailed("Parsing ended well but left no parses.") from None
    if len(lines) != len(sent):
        raise ParsingFailed(f"Parsing ended well but left {len(lines)} parses of {len(sent)} texts.")
    rows = tuple(_parse(text, json.loads(line)) for text, line in zip(texts, lines, strict=True))
    return Parses(rows, last["load_seconds"], last["peak_memory"])


def _parse(text: str, row: dict[str, Any]) -> Parse:
    try:
        return Parse(_prediction(text, row), row["milliseconds"])
    except (ValidationError, EngineUnavailable):
        # Without the cause, which may quote the text.
        raise ParsingFailed(f"The model's parse is not a prediction: {json.dumps(row)[:300]}") from None


def _prediction(text: str, row: dict[str, Any]) -> Prediction:
    # The desk would take this for an engine out of order; here it is a text that the pipeline knows nothing of.
    if all(intent["name"] in (None, FALLBACK) for intent in (row["intent"], *row["intent_ranking"])):
        return Prediction(text, NO_INTENT, 0.0, ranking=(), sure=False)
    return to_prediction(text, Parsed.model_validate(row))
