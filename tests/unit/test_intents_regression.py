from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.engine import OUT_OF_SCOPE
from bot.settings import ROOT
from intents.datasets import DatasetError, Example, read_dataset
from intents.metrics import Share
from intents.models import Guess
from intents.paths import EnginePaths
from intents.real_words import RealWords, read_real_words, real_words, urgent_topics
from intents.regression import Comparison, Figures, Outcome, figures, losses, outcome, read_rows

IN, OUT = Example("in", "greet"), Example("out", OUT_OF_SCOPE)


def guess(intent: str, sure: bool = True) -> Guess:
    return Guess(intent=intent, confidence=0.5, sure=sure)


def counted(top_1: int = 900, served: int = 850, wrong: int = 5) -> Figures:
    return Figures(Share(top_1, 1000), Share(served, 1000), Share(wrong, 1200))


@pytest.mark.parametrize(
    ("row", "said", "expected"),
    [
        (IN, guess("greet"), Outcome.RIGHT),
        (IN, guess("thanks"), Outcome.WRONG),
        (IN, guess("greet", sure=False), Outcome.UNANSWERED),
        (IN, guess("thanks", sure=False), Outcome.UNANSWERED),
        (IN, guess(OUT_OF_SCOPE, sure=False), Outcome.UNANSWERED),
        (IN, guess("", sure=False), Outcome.UNANSWERED),
        (OUT, guess("greet"), Outcome.WRONG),
        (OUT, guess("greet", sure=False), Outcome.RIGHT),
        (OUT, guess(OUT_OF_SCOPE, sure=False), Outcome.RIGHT),
    ],
)
def test_what_becomes_of_a_message(row: Example, said: Guess, expected: Outcome) -> None:
    assert outcome(row, said) is expected


def test_figures() -> None:
    rows = [Example(text, "greet") for text in "abcd"] + [Example(text, OUT_OF_SCOPE) for text in "xy"]
    said = {
        "a": guess("greet"),
        "b": guess("greet", sure=False),
        "c": guess("thanks"),
        "d": guess(OUT_OF_SCOPE, sure=False),
        "x": guess("thanks"),
        "y": guess("greet", sure=False),
    }
    assert figures(rows, said) == Figures(top_1=Share(2, 4), served=Share(1, 4), wrong=Share(2, 6))


@pytest.mark.parametrize(
    ("new", "lost"),
    [
        (counted(), []),
        (counted(top_1=950, served=900, wrong=0), []),
        # Just what is allowed, and one message more.
        (counted(top_1=890), []),
        (counted(top_1=889), ["in scope, best candidate right"]),
        (counted(served=830), []),
        (counted(served=829), ["in scope, answered rightly"]),
        (counted(wrong=11), []),
        (counted(wrong=12), ["wrong answers"]),
        # No gain makes up for a loss elsewhere.
        (counted(top_1=1000, served=1000, wrong=12), ["wrong answers"]),
        (counted(0, 0, 1200), ["in scope, best candidate right", "in scope, answered rightly", "wrong answers"]),
    ],
)
def test_what_makes_a_model_worse(new: Figures, lost: list[str]) -> None:
    assert [loss.what for loss in losses(counted(), new)] == lost


def test_a_few_messages_are_counted_whole() -> None:
    # One of a hundred is exactly one point, which no rounding turns into more.
    old = Figures(Share(58, 100), Share(58, 100), Share(0, 200))
    assert losses(old, Figures(Share(57, 100), Share(56, 100), Share(1, 200))) == ()


def test_nothing_in_scope_is_no_loss() -> None:
    nothing = Figures(Share(0, 0), Share(0, 0), Share(0, 0))
    assert losses(nothing, nothing) == ()


def test_a_comparison_shows_what_costs_most_first() -> None:
    rows = (*(Example(text, "greet") for text in "abcdef"), Example("g", OUT_OF_SCOPE))
    right, unsure, other, wrong = (
        guess("greet"),
        guess("greet", sure=False),
        guess("deny", sure=False),
        guess("deny"),
    )
    old = dict(zip("abcdefg", (right, right, unsure, unsure, wrong, unsure, wrong), strict=True))
    new = dict(zip("abcdefg", (unsure, wrong, unsure, right, right, other, unsure), strict=True))
    comparison = Comparison("a" * 12, "b" * 12, rows, 0, old, new)
    assert [(change.row.text, change.worse) for change in comparison.changes] == [
        ("b", True),
        ("a", True),
        ("f", True),
        ("e", False),
        ("g", False),
        ("d", False),
    ]
    assert comparison.right_by_intent == (("greet", 6, 2, 2), (OUT_OF_SCOPE, 1, 0, 1))
    assert comparison.old_figures == Figures(Share(5, 6), Share(2, 6), Share(2, 7))


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    data = tmp_path / "data"
    (data / "nlu").mkdir(parents=True)
    (data / "nlu" / "greet.yml").write_text('version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hello\n')
    return EnginePaths(data, tmp_path / "var")


def test_rows_whose_intent_is_gone_are_left_out_and_counted(paths: EnginePaths) -> None:
    paths.regression.write_text(
        'text\tlabel\tlanguage\tkind\n"hi\tgreet\ten\tcustomer\nbye\tgoodbye\ten\tcustomer\nrain?\tout_of_scope\ten\tfar\n',
        encoding="utf-8",
    )
    rows, skipped = read_rows(paths)
    assert rows == (Example('"hi', "greet", "en", "customer"), Example("rain?", OUT_OF_SCOPE, "en", "far"))
    assert skipped == 1


def test_content_without_a_regression_file(paths: EnginePaths) -> None:
    assert read_rows(paths) == ((), 0)


def test_a_broken_row_is_named(paths: EnginePaths) -> None:
    paths.regression.write_text("text\tlabel\nhi\tgreet\n\tgreet\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 3"):
        read_rows(paths)


def test_real_words() -> None:
    rows = (
        Example("a", "stolen"),
        Example("b", "stolen"),
        Example("c", "late", also=("failed", "stolen")),
        Example("d", "late"),
        Example("e", OUT_OF_SCOPE),
    )
    said = {
        "a": guess("stolen", sure=False),
        "b": guess("late"),
        "c": guess("failed"),
        "d": guess("late"),
        "e": guess("late"),
    }
    found = real_words(rows, said, {"stolen"})
    assert found == RealWords(acted=Share(3, 4), right=Share(2, 4), urgent=Share(1, 2))
    assert str(found) == "75.0 % acted on, 50.0 % of that right, 1 of 2 urgent ones reached"


def test_the_shipped_real_words_fit_the_shipped_content() -> None:
    paths = EnginePaths(ROOT / "data", ROOT / "var")
    rows = read_real_words(paths)
    assert len(rows) == len(read_dataset(paths.real_words).examples) > 100
    examples = read_dataset(paths.data / "nlu").examples
    labels = {example.label for example in examples}
    assert {label for row in rows for label in (row.label, *row.also)} <= labels
    assert not {row.text for row in rows} & {example.text for example in examples}
    assert {"funds_stolen", "person_in_danger"} <= urgent_topics(paths)


def test_the_shipped_file_fits_the_shipped_content() -> None:
    paths = EnginePaths(ROOT / "data", ROOT / "var")
    rows, skipped = read_rows(paths)
    assert skipped == 0
    assert len(rows) > 1000
    assert len({row.text for row in rows}) == len(rows)
    examples = read_dataset(paths.data / "nlu").examples
    labels = {example.label for example in examples}
    assert {row.label for row in rows} == labels
    # What a model has learnt by heart measures nothing. A few hellos are the same for everybody.
    learnt = {example.text for example in examples}
    assert sum(row.text in learnt for row in rows) < len(rows) / 10
    trained = {example.language for example in examples}
    # Some languages stay without examples, so that it is measured what the engine makes of those.
    assert {row.language for row in rows} - trained == {"nl"}
