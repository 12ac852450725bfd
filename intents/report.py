"""An evaluation for people, as one HTML page without scripts or other files, and for programs, as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from intents.charts import HeatMap, coverage_chart, heat_map, reliability_chart
from intents.evaluate import Evaluation, Result
from intents.headline import headline, percent
from intents.metrics import Row, Share

_WRONG_ANSWERS = 25
_TAKEN_FOR = 4
_LONGEST_TEXT = 240
_RANKED = 3

_UNPRINTABLE = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\ufffe\uffff]")


def write_report(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Writes ``report.html`` and ``report.json`` into ``folder``, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / "report.html", folder / "report.json"
    page.write_text(to_html(evaluation), encoding="utf-8")
    data.write_text(to_json(evaluation), encoding="utf-8")
    return page, data


# --- JSON ---------------------------------------------------------------------------------------


def to_json(evaluation: Evaluation) -> str:
    """Everything: the figures, and every text with what each pipeline said of it."""
    return json.dumps(_plain(evaluation), ensure_ascii=False, indent=1) + "\n"


def _plain(value: Any) -> Any:
    match value:
        case Row():
            return _plain_row(value)
        case Share():
            return {
                "value": _plain(value.value),
                "count": value.count,
                "of": value.of,
                "interval": _plain(value.interval),
            }
        case tuple() | list():
            return [_plain(item) for item in value]
        case float():
            return round(value, 6)
        case datetime():
            return value.isoformat(timespec="seconds")
        case Path():
            return str(value)
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _plain_row(row: Row) -> dict[str, Any]:
    ranking = row.prediction.ranking[:_RANKED]
    return {
        # Half an emoji cannot be written as UTF-8.
        "text": row.prediction.text.encode(errors="replace").decode(),
        "label": row.label,
        "language": row.language,
        "kind": row.kind,
        "intent": row.prediction.intent,
        "confidence": round(row.prediction.confidence, 6),
        "answered": row.answered,
        "ranking": [[ranked.name, round(ranked.confidence, 6)] for ranked in ranking],
        "milliseconds": round(row.milliseconds, 3),
    }


# --- HTML ---------------------------------------------------------------------------------------


def to_html(evaluation: Evaluation) -> str:
    results = evaluation.results
    lines = headline(results)
    environment = Environment(
        loader=PackageLoader("intents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "percent": percent, "share": _share}
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        lines=lines,
        any_target=any(line.target for line in lines),
        charts=(reliability_chart(results), coverage_chart(results)),
        sections=[_section(result) for result in results],
    )


def visible(text: str) -> str:
    """``text`` as it can stand on a page: no control characters, nothing that would break XML, and not endless."""
    shown = _UNPRINTABLE.sub("\ufffd", text)
    return shown if len(shown) <= _LONGEST_TEXT else shown[: _LONGEST_TEXT - 1] + "…"


def _share(share: Share) -> str:
    return "–" if share.value is None else percent(share.value)


@dataclass(frozen=True, slots=True)
class Confusion:
    """One intent that was not always recognised."""

    intent: str
    n: int
    wrong: int
    taken_for: tuple[tuple[str, int], ...]
    attracted: int
    """Texts of other intents that were taken for it."""


@dataclass(frozen=True, slots=True)
class Section:
    """What the page shows of one pipeline alone."""

    result: Result
    confusions: tuple[Confusion, ...]
    heat_map: HeatMap | None
    wrong_answers: tuple[Row, ...]
    """The most confident first."""
    wrong_answers_in_all: int


def _section(result: Result) -> Section:
    wrong = sorted(
        (row for row in result.rows if row.answered and not row.right), key=lambda row: -row.prediction.confidence
    )
    return Section(
        result=result,
        confusions=_confusions(result),
        heat_map=heat_map(result),
        wrong_answers=tuple(wrong[:_WRONG_ANSWERS]),
        wrong_answers_in_all=len(wrong),
    )


def _confusions(result: Result) -> tuple[Confusion, ...]:
    taken_for: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    attracted: Counter[str] = Counter()
    for label, predicted, count in result.figures.confusion:
        if label != predicted:
            taken_for[label].append((predicted, count))
            attracted[predicted] += count
    found = [
        Confusion(
            intent=intent.intent,
            n=intent.n,
            wrong=sum(count for _, count in taken_for[intent.intent]),
            taken_for=tuple(taken_for[intent.intent][:_TAKEN_FOR]),
            attracted=attracted[intent.intent],
        )
        for intent in result.figures.intents
        if taken_for[intent.intent]
    ]
    return tuple(sorted(found, key=lambda confusion: (-confusion.wrong, confusion.intent)))
