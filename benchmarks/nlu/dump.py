"""What a model makes of the measured sets, message by message, as lines of JSON: what the policy's costs are tuned on.

    python -m benchmarks.nlu.dump OUT [MODEL]

OUT gets ``regression.jsonl`` and ``real.jsonl``, each line ``{set, text, label, also, language, ranking, sure}``, the
ranking as the ten best ``[name, probability]``. MODEL is the live one unless told. Files appear complete.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from bot.domain.engine import Prediction
from bot.settings import ROOT
from intents.datasets import Example, read_dataset
from intents.models import ModelStore
from intents.offline import parse_all
from intents.paths import EnginePaths

RANKED = 10


def main(out: Path, model: Annotated[str, typer.Argument()] = "live") -> None:
    paths = EnginePaths(ROOT / "data", ROOT / "var")
    store = ModelStore(paths.models)
    out.mkdir(parents=True, exist_ok=True)
    for name, file in (("regression", paths.regression), ("real", paths.real_words)):
        rows = read_dataset(file).examples
        parses = asyncio.run(parse_all(paths, store.path(store.find(model)), [row.text for row in rows]))
        lines = (_line(name, row, parse.prediction) for row, parse in zip(rows, parses.rows, strict=True))
        unfinished = out / f"{name}.jsonl.new"
        unfinished.write_text("".join(lines), encoding="utf-8")
        unfinished.replace(out / f"{name}.jsonl")
        typer.echo(out / f"{name}.jsonl")


def _line(name: str, row: Example, prediction: Prediction) -> str:
    line = {
        "set": name,
        "text": row.text,
        "label": row.label,
        "also": row.also,
        "language": row.language,
        "ranking": [[ranked.name, round(ranked.confidence, 4)] for ranked in prediction.ranking[:RANKED]],
        "sure": prediction.sure,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    typer.run(main)
