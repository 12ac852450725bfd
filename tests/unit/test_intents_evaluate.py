"""Evaluations of a Rasa that learns by heart (tests/peers/rasa.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.domain.engine import OUT_OF_SCOPE
from intents.datasets import Dataset, DatasetError, Example
from intents.evaluate import (
    Pipeline,
    PipelineError,
    Split,
    cross_validation,
    distinct,
    evaluate,
    find_pipeline,
    hold_out,
)
from intents.metrics import Share
from intents.paths import SERVER, EnginePaths
from intents.training import TrainingFailed
from tests.peers import rasa


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    rasa.install(tmp_path / "rasa")
    return EnginePaths(tmp_path / "data", tmp_path / "var", environment=tmp_path / "rasa")


class Steps:
    """What a person would see."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.shares: list[float] = []

    @contextmanager
    def step(self, what: str, expected: float) -> Iterator[Callable[[float], None]]:
        self.seen.append(what)
        yield self.shares.append


EXAMPLES = tuple(Example(f"{label} {i}", label, "en") for label in ("a", "b", OUT_OF_SCOPE) for i in range(6))
ONE, OTHER = Pipeline("one", Path("one.yml")), Pipeline("other", Path("other.yml"))


async def test_each_pipeline_is_asked_the_same(paths: EnginePaths) -> None:
    test = (Example("a 0", "a", "th"), Example("a 1", "b"), Example("unheard of", "a"), Example("b 0", "b", None, "k"))
    steps = Steps()
    found = await evaluate(paths, (ONE, OTHER), [Split(EXAMPLES, test)], "a test", steps.step, notes=("first",))
    assert (found.what, found.trained) == ("a test", 18)
    assert [result.pipeline for result in found.results] == [ONE, OTHER]
    for result in found.results:
        assert [row.prediction.text for row in result.rows] == [example.text for example in test]
        assert [(row.label, row.language, row.kind) for row in result.rows][3] == ("b", None, "k")
        assert [row.answered and row.right for row in result.rows] == [True, False, False, True]
        assert [row.answered for row in result.rows] == [True, True, False, True]
        assert result.figures.accuracy_untrained_languages == Share(1, 1)
        assert result.figures.served == Share(2, 4)
        assert (result.load_seconds, result.peak_memory) == ((0.1,), 1)
        assert 0 < result.training_seconds[0] < 30
    assert steps.seen == ["Training one", "Asking one", "Training other", "Asking other"]
    assert steps.shares[-1] == 1.0
    assert found.notes == ("first", "Test texts that are also training examples, 3, flatter the figures.")


async def test_cross_validation_asks_everything_once(paths: EnginePaths) -> None:
    splits = cross_validation(Dataset(EXAMPLES), 3)
    steps = Steps()
    (result,) = (await evaluate(paths, (ONE,), splits, "…", steps.step)).results
    assert sorted(row.prediction.text for row in result.rows) == sorted(example.text for example in EXAMPLES)
    # Nothing was asked that was trained: who learns by heart knows none of it.
    assert result.figures.answered == Share(0, 18)
    assert len(result.training_seconds) == 3
    assert steps.seen[:3] == ["Training one, 1 of 3", "Asking one, 1 of 3", "Training one, 2 of 3"]


async def test_an_intent_that_was_never_trained_is_counted_and_said(paths: EnginePaths) -> None:
    train = tuple(example for example in EXAMPLES if example.label != OUT_OF_SCOPE)
    test = (Example("x", "new"), Example("y", "new"), Example("z", "newer"), Example("w", OUT_OF_SCOPE))
    found = await evaluate(paths, (ONE,), [Split(train, test)], "…", Steps().step)
    assert found.results[0].figures.accuracy == Share(0, 4)
    assert "Test texts whose intent was never trained, 3, count as wrong: new, newer." in found.notes
    assert any(note.startswith("out_of_scope was never trained") for note in found.notes)


async def test_one_intent_is_none(paths: EnginePaths) -> None:
    with pytest.raises(DatasetError, match="at least two"):
        await evaluate(paths, (ONE,), [Split(EXAMPLES[:6], EXAMPLES)], "…", Steps().step)


async def test_a_training_that_fails(tmp_path: Path) -> None:
    paths = EnginePaths(tmp_path, tmp_path, environment=tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho 'no such component' >&2\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    with pytest.raises(TrainingFailed, match="no such component"):
        await evaluate(paths, (ONE,), [Split(EXAMPLES, EXAMPLES)], "…", Steps().step)


# --- data and pipelines -------------------------------------------------------------------------


def test_hold_out(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label,id\nhi,greet,1\nbye,goodbye,2\n")
    (tmp_path / "test.tsv").write_text("text\tlabel\tlanguage\nhello\tgreet\ten\n")
    split, notes = hold_out(tmp_path / "train.csv", tmp_path / "test.tsv")
    assert split.train == (Example("hi", "greet"), Example("bye", "goodbye"))
    assert split.test == (Example("hello", "greet", "en"),)
    assert split.source is None
    assert notes == [f"{tmp_path / 'train.csv'}: nothing is done with the column id."]


def test_rasa_gets_its_own_files_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "nlu").mkdir()
    (tmp_path / "nlu" / "a.yml").write_text(rasa.examples(greet="hi|hello"))
    (tmp_path / "test.csv").write_text("text,label\nhello,greet\n")
    for source in (tmp_path / "nlu", tmp_path / "nlu" / "a.yml"):
        split, notes = hold_out(source, tmp_path / "test.csv")
        assert split.source == source
        assert len(split.train) == 2
        assert notes == []


def test_pipelines_that_ship_have_names(paths: EnginePaths) -> None:
    assert find_pipeline("shipped", paths) == Pipeline("shipped", SERVER / "pipeline.yml")
    assert find_pipeline("stock", paths) == Pipeline("stock", SERVER / "pipelines" / "stock.yml")
    # By its path it is the same: figures are compared with it.
    assert find_pipeline(str(SERVER / "pipelines" / "stock.yml"), paths).name == "stock"


def test_a_pipeline_of_ones_own(paths: EnginePaths, tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("pipeline:\n- name: WhitespaceTokenizer\n")
    assert find_pipeline(str(tmp_path / "mine.yml"), paths) == Pipeline("mine", tmp_path / "mine.yml")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file.*one of shipped, stock"),
        ("pipeline: [", "cannot be read"),
        ("language: en\n", "no list named pipeline"),
        ("pipeline: []\n", "no list named pipeline"),
        ("- pipeline\n", "no list named pipeline"),
    ],
)
def test_what_is_no_pipeline(paths: EnginePaths, tmp_path: Path, content: str | None, why: str) -> None:
    if content is not None:
        (tmp_path / "mine.yml").write_text(content)
    with pytest.raises(PipelineError, match=why):
        find_pipeline(str(tmp_path / "mine.yml"), paths)


def test_pipelines_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, other = Pipeline("mine", tmp_path / "a" / "mine.yml"), Pipeline("mine", tmp_path / "b" / "mine.yml")
    assert [p.name for p in distinct([one, other, one])] == [str(one.path), str(other.path)]
    assert distinct([one, one]) == (one,)
