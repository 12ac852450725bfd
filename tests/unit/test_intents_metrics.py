"""Figures against small cases that were computed by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from intents.metrics import (
    Point,
    Row,
    Share,
    calibration_error,
    confusion,
    figures,
    macro_f1,
    per_intent,
    percentile,
    reliability,
    risk_coverage,
    threshold_for,
)
from intents.offline import NO_INTENT


def row(
    label: str,
    intent: str,
    confidence: float = 0.9,
    *others: str,
    sure: bool = True,
    language: str | None = None,
    kind: str | None = None,
    milliseconds: float = 1.0,
) -> Row:
    """``others`` follow the intent in the ranking."""
    rest = (1 - confidence) / max(1, len(others))
    ranking = (Ranked(intent, confidence), *(Ranked(name, rest) for name in others))
    prediction = Prediction("…", intent, confidence, ranking, sure=sure and intent != OUT_OF_SCOPE)
    return Row(label, prediction, language, kind, milliseconds)


UNRANKED = Row("a", Prediction("…", NO_INTENT, 0.0, (), sure=False))


def test_accuracy_in_scope_and_overall() -> None:
    found = figures([row("a", "a"), row("a", "b"), row("b", "b"), row(OUT_OF_SCOPE, OUT_OF_SCOPE)])
    assert found.n == 4
    assert found.accuracy_in_scope == Share(2, 3)
    assert found.accuracy == Share(3, 4)


def test_an_intent_that_is_right_counts_as_such_sure_or_not() -> None:
    found = figures([row("a", "a", sure=False), row("b", "b")])
    assert found.accuracy == Share(2, 2)
    assert found.answered == Share(1, 2)
    assert found.served == Share(1, 2)


def test_answers_that_are_right_and_customers_who_are_served() -> None:
    found = figures(
        [
            row("a", "a"),
            row("a", "b"),
            row("b", "b", sure=False),
            row("b", OUT_OF_SCOPE),
            row(OUT_OF_SCOPE, "a"),
            row(OUT_OF_SCOPE, OUT_OF_SCOPE),
        ]
    )
    assert found.answered == Share(3, 6)
    assert found.right_answers == Share(1, 3)
    assert found.served == Share(1, 4)
    assert found.out_of_scope_recall == Share(1, 2)
    assert found.out_of_scope_answered == Share(1, 2)


def test_out_of_scope_by_kind() -> None:
    found = figures(
        [
            row(OUT_OF_SCOPE, "a", kind="near"),
            row(OUT_OF_SCOPE, "a", kind="near", sure=False),
            row(OUT_OF_SCOPE, OUT_OF_SCOPE, kind="near"),
            row(OUT_OF_SCOPE, OUT_OF_SCOPE, kind="far"),
            row("a", "a", kind="typo"),
        ]
    )
    assert [(g.name, g.answered, g.accuracy) for g in found.out_of_scope_kinds] == [
        ("near", Share(1, 3), Share(1, 3)),
        ("far", Share(0, 1), Share(1, 1)),
    ]


def test_the_right_topic_among_the_first_three_offered() -> None:
    found = figures(
        [
            row("a", "a", 0.4, "b", "c", sure=False),
            row("a", OUT_OF_SCOPE, 0.4, "greet", "b", "c", "a"),
            row("a", "d", 0.4, "b", "c", "a", sure=False),
            row("a", "b", 0.9, "a", "c"),
            row(OUT_OF_SCOPE, "a", 0.4, sure=False),
        ],
        never_offered=(OUT_OF_SCOPE, "greet"),
    )
    assert found.asked_back_rightly == Share(2, 3)


def test_languages() -> None:
    rows = [
        row("a", "a", language="zh-Hant"),
        row("a", "b", language="en"),
        row("a", "a", language="th"),
        row("a", "b", language="th"),
        row("a", "b"),
        row(OUT_OF_SCOPE, "a", language="th"),
    ]
    found = figures(rows, trained_languages=("zh", "en"))
    assert found.accuracy_trained_languages == Share(1, 3)
    assert found.accuracy_untrained_languages == Share(1, 2)
    assert [(g.name, g.accuracy.of) for g in found.languages] == [("th", 3), ("en", 1), ("zh-Hant", 1)]
    assert figures(rows).accuracy_untrained_languages == Share(0, 0)
    assert figures(rows).accuracy_trained_languages == Share(2, 5)


def test_precision_recall_and_f1_of_each_intent() -> None:
    # a: 2 of 3 found, and one b taken for it. b: 1 of 2. c: never found. d: predicted, but nothing is about it.
    rows = [row("a", "a"), row("a", "a"), row("a", "d"), row("b", "a"), row("b", "b"), row("c", "d")]
    a, b, c = per_intent(rows)
    assert (a.intent, a.n, a.precision, a.recall, a.f1) == ("a", 3, 2 / 3, 2 / 3, pytest.approx(2 / 3))
    assert (b.intent, b.n, b.precision, b.recall, b.f1) == ("b", 2, 1.0, 0.5, pytest.approx(2 / 3))
    assert (c.intent, c.n, c.precision, c.recall, c.f1) == ("c", 1, 0.0, 0.0, 0.0)
    assert macro_f1(rows) == pytest.approx(4 / 9)
    assert confusion(rows) == (("a", "a", 2), ("a", "d", 1), ("b", "a", 1), ("b", "b", 1), ("c", "d", 1))


def test_bins_are_of_equal_size() -> None:
    rows = [row("a", "a" if i % 2 else "b", i / 100) for i in range(100)]
    bins = reliability(rows, 15)
    assert sum(b.n for b in bins) == 100
    assert {b.n for b in bins} <= {6, 7}
    assert all(below.highest <= above.lowest for below, above in pairwise(bins))
    assert len(reliability(rows[:4], 15)) == 4


def test_calibration_error() -> None:
    # Two bins: 0.5 and 0.7 with one of two right, 0.9 and 1.0 with both.
    rows = [row("a", "a", 0.5), row("a", "b", 0.7), row("a", "a", 0.9), row("a", "a", 1.0)]
    assert calibration_error(rows, 2) == pytest.approx(0.5 * abs(0.6 - 0.5) + 0.5 * abs(0.95 - 1.0))
    assert calibration_error([row("a", "a", 1.0)] * 30, 15) == 0


def test_the_curve_falls_with_the_threshold() -> None:
    rows = [
        row("a", "a", 0.9),
        row("a", "a", 0.8),
        row("a", "b", 0.8),
        row("a", "a", 0.5, sure=False),
        row(OUT_OF_SCOPE, OUT_OF_SCOPE, 0.99),
    ]
    assert risk_coverage(rows) == (Point(0.9, 1 / 5, 1.0), Point(0.8, 3 / 5, 2 / 3), Point(0.5, 4 / 5, 3 / 4))


def test_the_lowest_threshold_that_reaches_the_target() -> None:
    # 1 wrong of 50 is 98 %, 1 of 49 is not; the second wrong one is too much.
    good = [row("a", "a", 0.9) for _ in range(48)]
    rows = [*good, row("a", "b", 0.8), row("a", "a", 0.7), row("a", "b", 0.6), row("a", "a", 0.5)]
    assert threshold_for(risk_coverage(rows)) == 0.7
    assert figures(rows).threshold == 0.7
    assert threshold_for(risk_coverage(rows), 0.999) == 0.9
    assert threshold_for(risk_coverage([row("a", "b")])) is None


def test_a_text_of_which_nothing_is_ranked() -> None:
    found = figures([UNRANKED, row("a", "a")])
    assert found.accuracy == Share(1, 2)
    assert found.answered == Share(1, 2)
    assert found.risk_coverage == (Point(0.9, 0.5, 1.0),)


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [([7.0], 0.5, 7.0), ([1.0, 3.0], 0.5, 2.0), ([1.0, 2.0, 3.0, 4.0], 0.99, 3.97), ([1.0, 2.0], 1.0, 2.0)],
)
def test_percentiles(values: list[float], part: float, expected: float) -> None:
    assert percentile(values, part) == pytest.approx(expected)


def test_times() -> None:
    found = figures([row("a", "a", milliseconds=m) for m in (30.0, 10.0, 20.0)])
    assert found.times.p50 == 20.0
    assert found.times.p99 == pytest.approx(29.8)


def test_a_share_and_its_interval() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    assert Share(9, 10).value == 0.9
    # By hand, from Wilson's formula with z = 1.96.
    assert Share(9, 10).interval == pytest.approx((0.5958, 0.9821), abs=1e-4)
    low, high = Share(10, 10).interval or (0.0, 0.0)
    assert (low, high) == (pytest.approx(0.7225, abs=1e-4), pytest.approx(1.0))


def test_nothing_to_judge() -> None:
    with pytest.raises(ValueError, match="no rows"):
        figures([])
