"""The pictures of a report: what is drawn where. The template draws it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intents.evaluate import Result
from intents.headline import percent
from intents.metrics import RIGHT_ANSWERS, Point

HEAT_MAP_INTENTS = 80
"""More do not fit on a screen; the table of confusions has them all the same."""

_LONGEST_NAME = 28
_CURVE_POINTS = 300


@dataclass(frozen=True, slots=True)
class Square:
    column: int
    row: int
    share: float
    """Of the texts of its row."""
    right: bool
    title: str

    @property
    def ink(self) -> float:
        """How full its colour is: even one text in many must be seen."""
        return round(0.25 + 0.75 * self.share, 2)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows are what texts are about, columns what they were taken for; where most goes wrong is top left."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    squares: tuple[Square, ...]

    @property
    def cell(self) -> int:
        return 15 if len(self.columns) <= 55 else 11

    @property
    def left(self) -> int:
        return 12 + 6 * min(_LONGEST_NAME, max(map(len, self.rows)))

    @property
    def top(self) -> int:
        # The names lean.
        return 16 + 5 * min(_LONGEST_NAME, max(map(len, self.columns)))

    @property
    def width(self) -> int:
        return self.left + len(self.columns) * self.cell + self.top // 2

    @property
    def height(self) -> int:
        return self.top + len(self.rows) * self.cell + 4

    def name(self, intent: str) -> str:
        intent = intent or "nothing"
        return intent if len(intent) <= _LONGEST_NAME else intent[: _LONGEST_NAME - 1] + "…"


def heat_map(result: Result) -> HeatMap | None:
    counts = result.figures.confusion
    errors: Counter[str] = Counter()
    for label, predicted, count in counts:
        if label != predicted:
            errors.update({label: count, predicted: count})
    sizes = {intent.intent: intent.n for intent in result.figures.intents}
    columns = sorted(
        {name for label, predicted, _ in counts for name in (label, predicted)}, key=lambda n: (-errors[n], n)
    )
    if len(columns) > HEAT_MAP_INTENTS:
        return None
    rows = [name for name in columns if name in sizes]
    squares = tuple(
        Square(
            column=columns.index(predicted),
            row=rows.index(label),
            share=count / sizes[label],
            right=label == predicted,
            title=f"{label} → {predicted or 'nothing'}: {count} of {sizes[label]}",
        )
        for label, predicted, count in counts
    )
    return HeatMap(tuple(rows), tuple(columns), squares)


@dataclass(frozen=True, slots=True)
class Axis:
    title: str
    low: float
    high: float
    step: float
    in_percent: bool = True

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [self.low + i * self.step for i in range(count + 1)]

    def write(self, value: float) -> str:
        return f"{value * 100:.0f} %" if self.in_percent else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    title: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    path: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over two axes of shares, in the units of its SVG."""

    title: str
    explanation: str
    across: Axis
    up: Axis
    series: tuple[Series, ...] = ()
    level: float | None = None
    """A value of ``up`` that is marked."""
    diagonal: bool = False

    width: int = 520
    height: int = 360
    left: int = 72
    right: int = 24
    top: int = 12
    bottom: int = 48

    def x(self, value: float) -> float:
        part = (value - self.across.low) / (self.across.high - self.across.low)
        return round(self.left + part * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        part = (value - self.up.low) / (self.up.high - self.up.low)
        return round(self.height - self.bottom - part * (self.height - self.top - self.bottom), 1)

    def with_series(self, name: str, points: Iterable[tuple[float, float]], dots: Iterable[Dot]) -> Chart:
        path = "L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)
        placed = tuple(dataclasses.replace(dot, x=self.x(dot.x), y=self.y(dot.y)) for dot in dots)
        return dataclasses.replace(self, series=(*self.series, Series(name, f"M{path}" if path else "", placed)))


def reliability_chart(results: Sequence[Result]) -> Chart:
    chart = Chart(
        title="Is it as sure as it is right?",
        explanation="Each dot is a fifteenth of the texts. On the dotted line, confidence is what it says:"
        " of the texts at 0.8, eight in ten are right. Below it the model is too sure, above it too modest.",
        across=Axis("confidence", 0.0, 1.0, 0.2, in_percent=False),
        up=Axis("right", 0.0, 1.0, 0.2),
        diagonal=True,
    )
    for result in results:
        bins = result.figures.reliability
        chart = chart.with_series(
            result.pipeline.name,
            [(b.confidence, b.accuracy) for b in bins],
            [
                Dot(
                    b.confidence,
                    b.accuracy,
                    f"{b.n} texts with confidence {b.lowest:.2f} to {b.highest:.2f}: {percent(b.accuracy)} right",
                )
                for b in bins
            ],
        )
    return chart


def coverage_chart(results: Sequence[Result]) -> Chart:
    precisions = [point.precision for result in results for point in _steady(result)]
    # From the first tenth below the lowest, and at least from 0.9.
    low = min(0.9, *(int(precision * 10) / 10 for precision in precisions)) if precisions else 0.0
    chart = Chart(
        title="How many can be answered, and how rightly?",
        explanation="Along each line the threshold falls: more is answered, and less of it is right. The full dot is"
        " what the pipeline answers as it stands, the open one the lowest threshold that would reach the dashed line."
        " The right end is what a desk would get that answers whatever is not taken for out of scope.",
        across=Axis("texts answered", 0.0, 1.0, 0.2),
        up=Axis("answers that are right", low, 1.0, 0.02 if low >= 0.9 else 0.1),
        level=RIGHT_ANSWERS,
    )
    for result in results:
        figures = result.figures
        dots = []
        if figures.answered.value and figures.right_answers.value is not None:
            coverage, precision = figures.answered.value, figures.right_answers.value
            title = f"as it stands: {percent(coverage)} answered, {percent(precision)} of it right"
            dots.append(Dot(coverage, max(low, precision), title))
        for point in figures.risk_coverage:
            if point.threshold == figures.threshold:
                title = f"threshold {point.threshold:.3f}: {percent(point.coverage)} answered"
                dots.append(Dot(point.coverage, point.precision, title, open=True))
        chart = chart.with_series(
            result.pipeline.name, [(point.coverage, point.precision) for point in _steady(result)], dots
        )
    return chart


def _steady(result: Result) -> list[Point]:
    """The curve, thinned, and without its first few answers, of which a single wrong one would be a cliff."""
    curve = [point for point in result.figures.risk_coverage if point.coverage >= min(0.02, 20 / result.figures.n)]
    thinning = max(1, len(curve) // _CURVE_POINTS)
    return [*curve[:-1:thinning], *curve[-1:]]
