"""The report of an evaluation: headline figures, the page, the JSON."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from intents.charts import HEAT_MAP_INTENTS, heat_map
from intents.evaluate import Evaluation, Pipeline, Result
from intents.headline import Cell, headline
from intents.metrics import Row, figures
from intents.report import to_html, visible, write_report

HOSTILE = """<script>alert("x")</script></title></svg>'"&amp; \x00\x1b[31m\ud83d\uffff ${x} {{ 7*7 }}"""


def row(label: str, intent: str, confidence: float, text: str = "…", **more: str) -> Row:
    prediction = Prediction(
        text, intent, confidence, (Ranked(intent, confidence),), confidence > 0.5 and intent != OUT_OF_SCOPE
    )
    return Row(label, prediction, milliseconds=confidence * 10, **more)


def result(name: str, rows: list[Row], training: float = 50.0, memory: int = 500_000_000) -> Result:
    found = figures(rows, trained_languages=("en", "zh"))
    return Result(Pipeline(name, Path(f"{name}.yml")), tuple(rows), found, (training, training), (4.0,), memory)


def evaluation(*results: Result, what: str = "a test", notes: tuple[str, ...] = ()) -> Evaluation:
    return Evaluation(what, datetime(2030, 1, 2, 3, 4, tzinfo=UTC), 90.0, 100, notes, results)


GOOD = [
    *(row(f"topic {i % 5}", f"topic {i % 5}", 0.6 + i / 250, language="en") for i in range(100)),
    row("topic 1", "topic 2", 0.55, language="zh"),
    *(row(OUT_OF_SCOPE, OUT_OF_SCOPE, 0.8, kind="far") for _ in range(9)),
    row(OUT_OF_SCOPE, "topic 3", 0.3, kind="near"),
]
BAD = [row(f"topic {i % 5}", f"topic {i % 5 if i % 5 < 3 else 0}", 0.9, f"text {i}", language="en") for i in range(100)]


def cells(results: list[Result]) -> dict[str, tuple[str, tuple[Cell, ...]]]:
    return {line.name: (line.target, line.cells) for line in headline(results)}


def test_shares_stand_beside_their_targets() -> None:
    found = cells([result("good", GOOD), result("bad", BAD)])
    target, (good, bad) = found["Right topic"]
    assert (target, good.value, good.met, bad.value, bad.met) == ("≥ 93 %", "99.0 %", True, "60.0 %", False)
    assert good.detail.startswith("100 of 101 · 94.6 – 99.8")
    target, (good, bad) = found["Out of scope, yet answered"]
    assert (target, good.value, good.met) == ("≤ 3 %", "0.0 %", True)
    # Of a pipeline that was asked nothing of the sort nothing is said.
    assert (bad.value, bad.met) == ("–", None)


def test_lines_of_which_nothing_is_known_are_left_out() -> None:
    found = cells([result("bad", BAD)])
    assert "Out of scope, yet answered" not in found
    assert "Right topic, other languages" not in found
    assert "Accuracy" in found


def test_languages_without_training_have_a_target_of_their_own() -> None:
    rows = [row("a", "a", 0.9, language="en"), row("a", "b", 0.9, language="th"), row("a", "a", 0.9, language="th")]
    found = cells([result("one", rows)])
    assert "Right topic" not in found
    assert found["Right topic, languages trained"][1][0].value == "100.0 %"
    target, (other,) = found["Right topic, other languages"]
    assert (target, other.value, other.met) == ("≥ 85 %", "50.0 %", False)


def test_costs_have_targets_beside_the_stock_pipeline_only() -> None:
    fast, slow = result("shipped", BAD, training=10), result("stock", BAD, training=100, memory=250_000_000)
    found = cells([fast, slow])
    assert found["Training time"] == ("≤ 0.1 × stock", (Cell("10.0 s", "0.1 × stock", True), Cell("100.0 s")))
    assert found["Peak memory"] == ("≤ 1 × stock", (Cell("500 MB", "2 × stock", False), Cell("250 MB")))
    assert found["Parse time, p50"][1][0] == Cell("9.0 ms", "1 × stock", True)
    assert cells([fast])["Training time"] == ("", (Cell("10.0 s"),))


# --- the page -----------------------------------------------------------------------------------


def svgs(page: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_hostile_text_stays_text() -> None:
    rows = [
        *GOOD,
        row(HOSTILE, HOSTILE + "2", 0.99, HOSTILE, language=HOSTILE),
        row(OUT_OF_SCOPE, "a", 0.9, HOSTILE, kind=HOSTILE),
    ]
    page = to_html(evaluation(result(HOSTILE, rows), result("other", BAD), what=HOSTILE, notes=(HOSTILE,)))
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "{{ 7*7 }}" in page
    assert page.count("</title>") == page.count("<title>")
    assert not re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff\uffff]", page)
    page.encode()


def test_the_pictures_are_valid_xml_and_nothing_comes_from_elsewhere() -> None:
    rows = [*GOOD, row(HOSTILE, "topic 1", 0.99, HOSTILE)]
    page = to_html(evaluation(result("<one>", rows), result("two", BAD)))
    drawn = svgs(page)
    assert len(drawn) == 4
    for svg in drawn:
        assert [float(number) for number in svg.attrib["viewBox"].split()][2:] > [0, 0]
        for circle in svg.iter("circle"):
            assert 0 <= float(circle.attrib["cx"]) <= 520
            assert 0 <= float(circle.attrib["cy"]) <= 360
    assert not re.search(r"""(src|href)\s*=|url\(|@import|<link|<script""", page)


def test_curves_have_a_line_for_each_pipeline() -> None:
    reliability, coverage, *_ = svgs(to_html(evaluation(result("one", GOOD), result("two", BAD))))
    assert [path.attrib["d"][0] for path in reliability.iter("path")] == ["M", "M"]
    # Of the one at the confidence 0.9 throughout all bins are at the same place, those of the other rise.
    dots = [float(circle.attrib["cy"]) for circle in reliability.iter("circle")]
    assert len(dots) == 30
    titles = [title.text or "" for title in coverage.iter("title")]
    assert any(title.startswith("one: as it stands: ") for title in titles)
    assert any(title.startswith("two: as it stands: 100.0 % answered, 60.0 % of it right") for title in titles)


def test_the_most_confident_wrong_answers_come_first() -> None:
    rows = [*GOOD, row("topic 1", "topic 2", 0.97, "surely wrong"), row("topic 1", "topic 2", 0.4, "left unanswered")]
    page = to_html(evaluation(result("one", rows)))
    assert "surely wrong" in page
    assert "left unanswered" not in page
    assert page.index("surely wrong") < page.rindex("0.550")


def test_a_perfect_pipeline_and_one_that_knows_nothing() -> None:
    perfect = [row("a", "a", 1.0), row("b", "b", 1.0)]
    nothing = [row("a", "", 0.0), row("b", "", 0.0)]
    page = to_html(evaluation(result("perfect", perfect), result("nothing", nothing)))
    assert "None: every answer given was right." in page
    assert "the best candidate was always right" in page
    assert len(svgs(page)) == 3


def test_the_heat_map_has_the_most_mistaken_first_and_a_limit() -> None:
    found = heat_map(result("one", [*GOOD, row("topic 4", "topic 0", 0.9), row("topic 4", "topic 0", 0.9)]))
    assert found is not None
    assert found.rows[:2] == ("topic 0", "topic 4")
    shares = {(found.rows[s.row], found.columns[s.column]): s.share for s in found.squares}
    assert shares["topic 4", "topic 0"] == pytest.approx(2 / 22)
    assert heat_map(result("many", [row(f"i{i}", f"i{i}", 0.9) for i in range(HEAT_MAP_INTENTS + 1)])) is None


def test_what_is_visible() -> None:
    assert visible("你好 😂\n") == "你好 😂\n"
    assert visible("a\x00b\ud83d") == "a\ufffdb\ufffd"
    assert len(visible("x" * 5000)) == 240


# --- files --------------------------------------------------------------------------------------


def test_the_files(tmp_path: Path) -> None:
    rows = [*GOOD, row("topic 1", "topic 2", 0.97, "half \ud83d", language="th")]
    page, data = write_report(evaluation(result("one", rows), notes=("a note",)), tmp_path / "new" / "folder")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    found = json.loads(data.read_text(encoding="utf-8"))
    assert (found["what"], found["began"], found["notes"]) == ("a test", "2030-01-02T03:04:00+00:00", ["a note"])
    (one,) = found["results"]
    assert one["pipeline"] == {"name": "one", "path": "one.yml"}
    assert one["figures"]["accuracy_in_scope"]["count"] == 100
    assert one["figures"]["accuracy_untrained_languages"]["value"] == 0.0
    assert one["figures"]["confusion"][0] == ["topic 0", "topic 0", 20]
    assert len(one["rows"]) == len(rows)
    assert one["rows"][-1] == {
        "text": "half ?",
        "label": "topic 1",
        "language": "th",
        "kind": None,
        "intent": "topic 2",
        "confidence": 0.97,
        "answered": True,
        "ranking": [["topic 2", 0.97]],
        "milliseconds": 9.7,
    }
