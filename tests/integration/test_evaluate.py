"""``switchboard evaluate``: as a person uses it over a Rasa that learns by heart, and once over the real one."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import yaml

from bot.domain.engine import OUT_OF_SCOPE
from bot.settings import ROOT
from intents.datasets import Example, read_dataset, write_rasa
from intents.evaluate import Pipeline, Split, evaluate
from intents.offline import ParsingFailed, parse_all
from intents.paths import SERVER, EnginePaths
from intents.report import write_report
from intents.training import train
from switchboard.cli import evaluate as command
from switchboard.cli import main
from tests.peers import rasa
from tests.support.nasty_texts import ENTITIES, NASTY

# --- the command --------------------------------------------------------------------------------

CONTENT = {"greet": "hello | hi | hey", "thanks": "thank you | cheers | ta", OUT_OF_SCOPE: "rain? | taxes? | 2+2"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs ``switchboard evaluate`` in a folder with content, and gives status, output and errors."""
    rasa.install(tmp_path / "rasa")
    (tmp_path / "data" / "nlu").mkdir(parents=True)
    (tmp_path / "data" / "nlu" / "all.yml").write_text(rasa.examples(**CONTENT))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yml").write_text("data: data\n")
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(tmp_path / "config.yml"))
    monkeypatch.setenv("SWITCHBOARD_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(command, "EnginePaths", partial(EnginePaths, environment=tmp_path / "rasa"))
    # Wide enough for a table of two pipelines.
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["switchboard", "evaluate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


def test_cross_validation_of_the_content(run: Run, tmp_path: Path) -> None:
    code, out, said = run("--folds", "3")
    assert code == 0, said
    *_, page, data = out.splitlines()
    # A new folder each time, by the clock.
    assert re.fullmatch(rf"{tmp_path}/var/evaluation/\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\dZ/report\.html", page)
    found = json.loads(Path(data).read_text())
    assert found["what"] == f"{tmp_path / 'data' / 'nlu'}, 3-fold cross-validation"
    assert sorted(row["text"] for row in found["results"][0]["rows"]) == sorted(
        text.strip() for texts in CONTENT.values() for text in texts.split("|")
    )
    assert "Training shipped, 3 of 3" in said
    assert re.search(r"Right topic +≥ 93 % ", out)


def test_one_set_against_another_and_two_pipelines(run: Run, tmp_path: Path) -> None:
    Path("test.tsv").write_text("text\tlabel\tsource\nhello\tgreet\tx\nwhere?\tplaces\ty\n")
    code, out, said = run("--train", "data/nlu", "--test", "test.tsv", "--compare", "stock", "--out", "report")
    assert code == 0, said
    assert out.splitlines()[-2:] == ["report/report.html", "report/report.json"]
    assert re.search(r"target +shipped +stock", out)
    assert "nothing is done with the column source" in said
    assert "whose intent was never trained, 1, count as wrong: places" in said
    assert "also training examples, 1" in said
    names = [result["pipeline"]["name"] for result in json.loads(Path("report/report.json").read_text())["results"]]
    assert names == ["shipped", "stock"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--train", "a.csv"), "--train needs --test as well"),
        (("--test", "a.csv"), "--test needs --train as well"),
        (("--train", "a.csv", "--test", "b.csv", "--folds", "3"), "--folds is for cross-validation"),
        (("--train", "a.csv", "--test", "b.csv"), "a.csv: cannot be read: No such file"),
        (("--train", "wrong.csv", "--test", "b.csv"), "wrong.csv, line 1: the header is words, label; it needs text"),
        (("--folds", "1"), "--folds is at least 2, not 1"),
        (("--folds", "10"), "9 different examples cannot be dealt into 10 folds"),
        (("--pipeline", "mine"), "mine: cannot be read: No such file or directory. Give a file, or one of"),
        (("--out", "wrong.csv"), "wrong.csv: the report cannot be written there"),
    ],
)
def test_wrong_use_is_explained(run: Run, arguments: tuple[str, ...], why: str) -> None:
    Path("wrong.csv").write_text("words,label\nhi,greet\n")
    code, out, said = run(*arguments)
    assert code == 2
    assert why in said
    assert (out, "Traceback" in said, Path("var").exists()) == ("", False, False)


def test_a_failure_leaves_no_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rasa" / "bin" / "python").write_text("#!/bin/sh\necho 'no such component' >&2\nexit 1\n")
    Path("mine").mkdir()
    for out in ("new", "mine"):
        code, _, said = run("--folds", "3", "--out", out)
        assert (code, "no such component" in said) == (2, True)
    assert not Path("new").exists()
    assert Path("mine").exists()


# --- the real Rasa ------------------------------------------------------------------------------

TINY = """
recipe: default.v1
assistant_id: tiny
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 3
- name: LogisticRegressionClassifier
- name: FallbackClassifier
  threshold: 0.4
policies: []
"""

TRAIN = {
    "password": ("forgot my password", "reset my password", "password lost", "忘记密码", "密码怎么重置"),
    "transfer": ("where is my transfer", "transfer not arrived", "my transfer is late", "转账没到账", "转账怎么还没到"),
    OUT_OF_SCOPE: ("will it rain today", "what is the weather", "tell me a joke", "今天天气怎么样", "讲个笑话"),
}


@contextmanager
def step(_what: str, _expected: float) -> Iterator[Callable[[float], None]]:
    yield lambda _share: None


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> EnginePaths:
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "tiny.yml").write_text(TINY)
    return EnginePaths(folder, folder)


@pytest.fixture(scope="module")
def tiny(paths: EnginePaths) -> Pipeline:
    return Pipeline("tiny", paths.var / "tiny.yml")


def examples() -> tuple[Example, ...]:
    return tuple(Example(text, label) for label, texts in TRAIN.items() for text in texts)


async def test_train_ask_judge_and_report(paths: EnginePaths, tiny: Pipeline, tmp_path: Path) -> None:
    test = (
        Example("I forgot my password", "password", "en"),
        Example("忘记密码了", "password", "zh"),
        Example("/transfer not arrived", "transfer", "en"),
        Example("will it rain", OUT_OF_SCOPE, "en", "far"),
        Example("where is my transfer", "password", "en"),
    )
    evaluation = await evaluate(paths, (tiny,), [Split(examples(), test)], "tiny", step)
    (result,) = evaluation.results
    assert [row.prediction.intent for row in result.rows] == [
        "password",
        "password",
        "transfer",
        OUT_OF_SCOPE,
        "transfer",
    ]
    assert [row.prediction.text for row in result.rows] == [example.text for example in test]
    found = result.figures
    assert (found.accuracy.count, found.accuracy.of) == (4, 5)
    assert (found.out_of_scope_recall.value, found.out_of_scope_answered.value) == (1.0, 0.0)
    assert all(len(row.prediction.ranking) == len(TRAIN) for row in result.rows)
    assert 0.1 < found.times.p50 < 1000
    assert 1 < result.load_seconds[0] < 120
    assert 1 < result.training_seconds[0] < 120
    # Rasa alone is more than 200 MB, and nothing here needs gigabytes.
    assert 200e6 < result.peak_memory < 3e9
    page, data = write_report(evaluation, tmp_path)
    assert "will it rain" not in page.read_text(encoding="utf-8")
    assert json.loads(data.read_text(encoding="utf-8"))["results"][0]["figures"]["accuracy"]["count"] == 4


async def test_an_engine_that_fails_says_what_rasa_said(paths: EnginePaths, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no model")
    with pytest.raises(ParsingFailed, match=r"(?s)status 1.*tar"):
        await parse_all(paths, tmp_path / "model.tar.gz", ["hello"])


async def test_cancelling_leaves_no_process(paths: EnginePaths, tiny: Pipeline) -> None:
    before = set(psutil.Process().children(recursive=True))
    task = asyncio.create_task(evaluate(paths, (tiny,), [Split(examples(), examples())], "tiny", step))
    async with asyncio.timeout(20):
        while not (started := set(psutil.Process().children(recursive=True)) - before):
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(process.is_running() for process in started)


_READ = """
import json, sys
from rasa.shared.nlu.training_data.loading import load_data
found = load_data(sys.argv[1]).training_examples
rows = [(e.get("text"), e.get("intent"), (e.get("metadata") or {}).get("intent"), e.get("entities")) for e in found]
json.dump(rows, open(sys.argv[2], "w"))
"""


def test_rasa_reads_nasty_texts_as_they_are(paths: EnginePaths, tmp_path: Path) -> None:
    texts = (*NASTY, *ENTITIES)
    write_rasa(
        [Example(text, f"topic {i % 3}", ["no", None][i % 2]) for i, text in enumerate(texts)], tmp_path / "nlu.yml"
    )
    subprocess.run(
        [paths.python(), "-c", _READ, tmp_path / "nlu.yml", tmp_path / "read.json"],
        env=paths.process_environment(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    read = json.loads((tmp_path / "read.json").read_text())
    languages = [{"language": "no"}, None]
    got = [[text.replace("［", "["), *rest] for text, *rest in read]
    wanted = [[text, f"topic {i % 3}", languages[i % 2], None] for i, text in enumerate(texts)]
    assert sorted(got, key=str) == sorted(wanted, key=str)


def test_the_stock_pipeline_is_rasas_own(paths: EnginePaths) -> None:
    (theirs,) = paths.environment.glob("lib/python*/site-packages/rasa/engine/recipes/config_files/default_config.yml")
    stock = yaml.safe_load((SERVER / "pipelines" / "stock.yml").read_text())
    default = yaml.safe_load(theirs.read_text())
    assert stock["pipeline"] == default["pipeline"]
    assert (stock["recipe"], stock["language"]) == (default["recipe"], default["language"])


@pytest.mark.long  # the first test here trains what a fold writes, and e2e the shipped examples
async def test_the_shipped_examples_go_through_a_fold(paths: EnginePaths, tiny: Pipeline, tmp_path: Path) -> None:
    """The content as it is, a little of each file: what a cross-validation writes, Rasa trains."""
    few: dict[tuple[str, str | None], list[Example]] = {}
    for example in read_dataset(ROOT / "data" / "nlu").examples:
        few.setdefault((example.label, example.language), []).append(example)
    write_rasa([example for own in few.values() for example in own[:3]], tmp_path / "nlu.yml")
    await train(paths, tiny.path, tmp_path, tmp_path / "model.tar.gz")
    assert (tmp_path / "model.tar.gz").stat().st_size > 1000
