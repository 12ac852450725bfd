"""The figures that a pipeline is judged by, written out beside their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from intents.evaluate import STOCK, Result
from intents.metrics import RIGHT_ANSWERS, Share

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one pipeline."""

    value: str
    detail: str = ""
    """What the value was counted from and the range of its 95 % confidence, or its relation to the stock pipeline's."""
    met: bool | None = None
    """Whether it is as good as the target; None without a target or a value."""


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    meaning: str
    target: str
    cells: tuple[Cell, ...]
    """One for each pipeline."""


def headline(results: Sequence[Result]) -> tuple[Line, ...]:
    """The lines of which anything is known. Times and memory have a target only if Rasa's stock pipeline is among
    the results: what a machine takes is no figure without the other one beside it.
    """
    languages = any(result.figures.accuracy_untrained_languages.of for result in results)
    shares = (*_BY_LANGUAGE, *_SHARES) if languages else (_RIGHT_TOPIC, *_SHARES)
    lines = [
        *(shown.line(results) for shown in shares),
        *(shown.line(results) for shown in _SCORES),
        *_costs(results),
    ]
    return tuple(line for line in lines if any(cell.value != NOTHING for cell in line.cells))


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class _Proportion:
    """How a share becomes a line. Of the two bounds one is set at most."""

    name: str
    meaning: str
    of: Callable[[Result], Share]
    at_least: float | None = None
    at_most: float | None = None

    def line(self, results: Sequence[Result]) -> Line:
        target = ""
        if self.at_least is not None:
            target = f"≥ {self.at_least * 100:g} %"
        elif self.at_most is not None:
            target = f"≤ {self.at_most * 100:g} %"
        return Line(self.name, self.meaning, target, tuple(self._cell(self.of(result)) for result in results))

    def _cell(self, share: Share) -> Cell:
        value, interval = share.value, share.interval
        if value is None or interval is None:
            return Cell(NOTHING)
        met = None
        if self.at_least is not None:
            met = value >= self.at_least
        elif self.at_most is not None:
            met = value <= self.at_most
        low, high = interval
        return Cell(percent(value), f"{share.count} of {share.of} · {low * 100:.1f} – {high * 100:.1f}", met)


@dataclass(frozen=True, slots=True)
class _Score:
    name: str
    meaning: str
    of: Callable[[Result], float | None]

    def line(self, results: Sequence[Result]) -> Line:
        values = [self.of(result) for result in results]
        cells = tuple(Cell(NOTHING if value is None else f"{value:.3f}") for value in values)
        return Line(self.name, self.meaning, "", cells)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Something of which less is better; ``at_most`` is a multiple of the stock pipeline's."""

    name: str
    meaning: str
    of: Callable[[Result], float]
    write: Callable[[float], str]
    at_most: float | None = None

    def line(self, results: Sequence[Result], stock: Result | None) -> Line:
        target = f"≤ {self.at_most:g} × stock" if stock and self.at_most else ""
        return Line(self.name, self.meaning, target, tuple(self._cell(result, stock) for result in results))

    def _cell(self, result: Result, stock: Result | None) -> Cell:
        own = self.of(result)
        if stock is None or result is stock or not self.of(stock):
            return Cell(self.write(own))
        ratio = own / self.of(stock)
        return Cell(self.write(own), f"{ratio:.2g} × stock", None if self.at_most is None else ratio <= self.at_most)


_RIGHT_TOPIC = _Proportion(
    "Right topic", "in scope; the best candidate, sure or not", lambda r: r.figures.accuracy_in_scope, at_least=0.93
)
_BY_LANGUAGE = (
    replace(
        _RIGHT_TOPIC, name="Right topic, languages trained", of=lambda result: result.figures.accuracy_trained_languages
    ),
    _Proportion(
        "Right topic, other languages",
        "in scope; not one training example in them",
        lambda result: result.figures.accuracy_untrained_languages,
        at_least=0.85,
    ),
)
_SHARES = (
    _Proportion(
        "Answers that are right",
        "of all answers given",
        lambda result: result.figures.right_answers,
        at_least=RIGHT_ANSWERS,
    ),
    _Proportion(
        "Served without an agent", "in scope; answered, and rightly", lambda r: r.figures.served, at_least=0.80
    ),
    _Proportion(
        "Out of scope, yet answered",
        "as if it were in scope",
        lambda result: result.figures.out_of_scope_answered,
        at_most=0.03,
    ),
    _Proportion(
        "Out of scope, recognised", "the best candidate is out_of_scope", lambda r: r.figures.out_of_scope_recall
    ),
    _Proportion(
        "Asked back rightly",
        "in scope, not answered; the right topic is offered",
        lambda result: result.figures.asked_back_rightly,
    ),
    _Proportion("Answered", "of all texts", lambda result: result.figures.answered),
    _Proportion("Accuracy", "all texts; out_of_scope is one label more", lambda result: result.figures.accuracy),
)
_SCORES = (
    _Score("Macro F1", "the mean over all labels", lambda result: result.figures.macro_f1),
    _Score(
        "Calibration error",
        "how far confidence is from how often it is right",
        lambda result: result.figures.calibration_error,
    ),
    _Score(
        "Threshold that would do",
        f"the lowest at which {RIGHT_ANSWERS:.0%} of answers are right".replace("%", " %"),
        lambda result: result.figures.threshold,
    ),
)


def _costs(results: Sequence[Result]) -> list[Line]:
    stock = next((result for result in results if result.pipeline.name == STOCK), None)
    shown = (
        _Cost("Parse time, p50", "one text at a time", lambda r: r.figures.times.p50, _milliseconds, at_most=1.0),
        _Cost("Parse time, p99", "", lambda result: result.figures.times.p99, _milliseconds),
        _Cost(
            "Training time",
            "with start-up; the mean if there were several",
            lambda result: result.mean_training_seconds,
            _seconds,
            at_most=0.1,
        ),
        _Cost("Time to load", "with start-up", lambda r: sum(r.load_seconds) / len(r.load_seconds), _seconds),
        _Cost("Peak memory", "of the process that parses", lambda r: r.peak_memory, _megabytes, at_most=1.0),
    )
    return [cost.line(results, stock) for cost in shown]


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"
