"""How good a model is, from what it said of texts whose intent is known: pure functions over rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from bot.domain.engine import OUT_OF_SCOPE, Prediction

BINS = 15
"""Of equal size, for calibration."""

RIGHT_ANSWERS = 0.98
"""The share of answers that must be right, by which thresholds are chosen."""

OFFERS = 3
"""Topics offered when the desk asks back."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text, its intent, and what the model said."""

    label: str
    prediction: Prediction
    language: str | None = None
    kind: str | None = None
    """What sort of a text it is, such as ``far`` or ``gibberish`` of an out-of-scope one."""
    milliseconds: float = 0.0

    @property
    def in_scope(self) -> bool:
        return self.label != OUT_OF_SCOPE

    @property
    def right(self) -> bool:
        return self.prediction.intent == self.label

    @property
    def answered(self) -> bool:
        return self.prediction.sure


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``of``; no value without anything to count."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share lies with 95 % confidence (Wilson's score interval)."""
        if not self.of:
            return None
        z2, p, n = 1.959964**2, self.count / self.of, self.of
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class IntentFigures:
    intent: str
    n: int
    precision: float
    """0 if it was never predicted."""
    recall: float
    f1: float
    answered_rightly: Share


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The rows of one language, or the out-of-scope rows of one kind."""

    name: str
    accuracy: Share
    """Of all rows of the group, in scope or not."""
    answered: Share
    right_answers: Share


@dataclass(frozen=True, slots=True)
class Bin:
    lowest: float
    highest: float
    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True, slots=True)
class Point:
    """If every intent were answered from ``threshold`` upwards: the share of all that would be answered, and the
    share of those answers that would be right."""

    threshold: float
    coverage: float
    precision: float


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds a text."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is known of one model on one set of texts."""

    n: int
    accuracy: Share
    """The best candidate is the label, sure or not, ``out_of_scope`` being a label like others."""
    accuracy_in_scope: Share
    accuracy_trained_languages: Share
    """In scope, in languages that there are training examples of; of all if the languages are not known."""
    accuracy_untrained_languages: Share
    """In scope, in languages without a single training example; of none if the languages are not known."""
    macro_f1: float
    calibration_error: float
    """Expected calibration error over ``BINS`` bins of equal size."""
    answered: Share
    right_answers: Share
    """Of the answers given. An answer to an out-of-scope text is wrong."""
    served: Share
    """In-scope texts that are answered, and rightly."""
    asked_back_rightly: Share
    """In-scope texts that are not answered, of which the right topic is among the first ``OFFERS`` offered."""
    out_of_scope_recall: Share
    """Out-of-scope texts whose best candidate is ``out_of_scope``."""
    out_of_scope_answered: Share
    """Out-of-scope texts answered as if in scope."""
    threshold: float | None
    """The lowest at which ``RIGHT_ANSWERS`` of the answers would be right; None if there is none."""
    times: Times
    languages: tuple[GroupFigures, ...]
    out_of_scope_kinds: tuple[GroupFigures, ...]
    intents: tuple[IntentFigures, ...]
    confusion: tuple[tuple[str, str, int], ...]
    """(label, predicted, how often), the most frequent first, right ones included."""
    reliability: tuple[Bin, ...]
    risk_coverage: tuple[Point, ...]


def figures(
    rows: Sequence[Row],
    *,
    trained_languages: Iterable[str] | None = None,
    never_offered: Iterable[str] = (OUT_OF_SCOPE,),
) -> Figures:
    """All figures of ``rows``, of which there must be one.

    ``never_offered`` are intents that no question back offers.
    """
    if not rows:
        raise ValueError("there are no rows to judge")
    in_scope = [row for row in rows if row.in_scope]
    out_of_scope = [row for row in rows if not row.in_scope]
    curve = risk_coverage(rows)
    times = sorted(row.milliseconds for row in rows)
    known = {primary(language) for language in trained_languages or ()}

    def foreign(row: Row) -> bool:
        return bool(known and row.language) and primary(row.language or "") not in known

    return Figures(
        n=len(rows),
        accuracy=share(rows, _right),
        accuracy_in_scope=share(in_scope, _right),
        accuracy_trained_languages=share((row for row in in_scope if not foreign(row)), _right),
        accuracy_untrained_languages=share(filter(foreign, in_scope), _right),
        macro_f1=macro_f1(rows),
        calibration_error=calibration_error(rows),
        answered=share(rows, _answered),
        right_answers=share(filter(_answered, rows), _right),
        served=share(in_scope, lambda row: row.answered and row.right),
        asked_back_rightly=asked_back_rightly(in_scope, never_offered),
        out_of_scope_recall=share(out_of_scope, _right),
        out_of_scope_answered=share(out_of_scope, _answered),
        threshold=threshold_for(curve),
        times=Times(percentile(times, 0.5), percentile(times, 0.99)),
        languages=groups(rows, lambda row: row.language),
        out_of_scope_kinds=groups(out_of_scope, lambda row: row.kind),
        intents=per_intent(rows),
        confusion=confusion(rows),
        reliability=reliability(rows),
        risk_coverage=curve,
    )


def share(rows: Iterable[Row], condition: Callable[[Row], bool]) -> Share:
    judged = [condition(row) for row in rows]
    return Share(sum(judged), len(judged))


def per_intent(rows: Sequence[Row]) -> tuple[IntentFigures, ...]:
    """One for each label that occurs, in the order of their names."""
    predicted = Counter(row.prediction.intent for row in rows)
    by_label: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_label[row.label].append(row)
    found = []
    for intent, own in sorted(by_label.items()):
        hits = sum(row.right for row in own)
        found.append(
            IntentFigures(
                intent=intent,
                n=len(own),
                precision=hits / predicted[intent] if hits else 0.0,
                recall=hits / len(own),
                f1=2 * hits / (predicted[intent] + len(own)),
                answered_rightly=share(own, lambda row: row.answered and row.right),
            )
        )
    return tuple(found)


def macro_f1(rows: Sequence[Row]) -> float:
    """The mean over the labels that occur; rare ones count as much as frequent ones."""
    scores = [figures.f1 for figures in per_intent(rows)]
    return math.fsum(scores) / len(scores)


def confusion(rows: Iterable[Row]) -> tuple[tuple[str, str, int], ...]:
    counted = Counter((row.label, row.prediction.intent) for row in rows)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple((label, predicted, count) for (label, predicted), count in ordered)


def groups(rows: Iterable[Row], of: Callable[[Row], str | None]) -> tuple[GroupFigures, ...]:
    """The rows by the name that ``of`` gives them, the largest group first; those without a name are left out."""
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        name = of(row)
        if name:
            by_name[name].append(row)
    return tuple(
        GroupFigures(
            name=name,
            accuracy=share(own, _right),
            answered=share(own, _answered),
            right_answers=share(filter(_answered, own), _right),
        )
        for name, own in sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def asked_back_rightly(in_scope: Iterable[Row], never_offered: Iterable[str]) -> Share:
    hidden = frozenset(never_offered)

    def offered(row: Row) -> bool:
        topics = [ranked.name for ranked in row.prediction.ranking if ranked.name not in hidden]
        return row.label in topics[:OFFERS]

    return share((row for row in in_scope if not row.answered), offered)


def reliability(rows: Iterable[Row], bins: int = BINS) -> tuple[Bin, ...]:
    """``bins`` bins of equal size, or one for each row if there are fewer, from the least confident on."""
    ordered = sorted(rows, key=lambda row: row.prediction.confidence)
    bins = min(bins, len(ordered))
    cuts = [round(i * len(ordered) / bins) for i in range(bins + 1)] if bins else []
    found = []
    for start, end in pairwise(cuts):
        own = ordered[start:end]
        confidences = [row.prediction.confidence for row in own]
        found.append(
            Bin(
                lowest=confidences[0],
                highest=confidences[-1],
                confidence=math.fsum(confidences) / len(own),
                accuracy=sum(row.right for row in own) / len(own),
                n=len(own),
            )
        )
    return tuple(found)


def calibration_error(rows: Sequence[Row], bins: int = BINS) -> float:
    """The mean distance between how confident the model is and how often it is right then."""
    return math.fsum(b.n * abs(b.confidence - b.accuracy) for b in reliability(rows, bins)) / len(rows)


def risk_coverage(rows: Sequence[Row]) -> tuple[Point, ...]:
    """A point for each confidence that occurs, the highest threshold first.

    What is classified as out of scope is answered at no threshold.
    """
    candidates = sorted(
        (row for row in rows if row.prediction.ranking and row.prediction.intent != OUT_OF_SCOPE),
        key=_confidence,
        reverse=True,
    )
    points = []
    answers = right = 0
    # Rows of the same confidence are answered together or not at all.
    for confidence, same in groupby(candidates, key=_confidence):
        judged = [row.right for row in same]
        answers, right = answers + len(judged), right + sum(judged)
        points.append(Point(confidence, answers / len(rows), right / answers))
    return tuple(points)


def threshold_for(curve: Iterable[Point], target: float = RIGHT_ANSWERS) -> float | None:
    """The lowest threshold at which ``target`` of the answers are right."""
    return min((point.threshold for point in curve if point.precision >= target), default=None)


def percentile(ascending: Sequence[float], part: float) -> float:
    """Between the two nearest values, as numpy and spreadsheets have it."""
    place = part * (len(ascending) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (place - below)


def primary(language: str) -> str:
    """``zh`` of ``zh-Hant`` and ``zh_TW``."""
    return language.replace("_", "-").partition("-")[0].lower()


def _right(row: Row) -> bool:
    return row.right


def _answered(row: Row) -> bool:
    return row.answered


def _confidence(row: Row) -> float:
    return row.prediction.confidence
