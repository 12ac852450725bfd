"""The commands that train, list, compare and choose models, and the start of a desk."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bot.settings import ROOT, Settings
from intents.models import ModelStore
from intents.paths import EnginePaths
from intents.release import release
from intents.training import TrainingFailed, content_hash
from switchboard import engine, plugins
from switchboard.cli import main
from tests.support.models import SWAPPED, Steps, write


class Commands:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["switchboard", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        self.out, self.err = self._capsys.readouterr()
        return ended.value.code if isinstance(ended.value.code, int) else 0


@pytest.fixture
def switchboard(
    paths: EnginePaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Commands]:
    def engine_paths(_settings: Settings) -> EnginePaths:
        return paths

    monkeypatch.setattr("switchboard.engine.engine_paths", engine_paths)
    monkeypatch.setenv("SWITCHBOARD_VAR", str(paths.var))
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(ROOT / "config.yml"))
    monkeypatch.delenv("RASA_URL", raising=False)
    handlers = logging.getLogger().handlers
    yield Commands(monkeypatch, capsys)
    # Each command set up logging to a standard error that ends with this test.
    logging.getLogger().handlers = handlers
    structlog.reset_defaults()


def test_train_refuses_and_accepts(paths: EnginePaths, store: ModelStore, switchboard: Commands) -> None:
    assert switchboard("train") == 0
    first = content_hash(paths)
    assert switchboard.out == f"{store.path(first)}\n"
    write(paths, SWAPPED)
    second = content_hash(paths)
    for _ in range(2):
        assert switchboard("train") == 1
        assert switchboard.out == ""
        said = switchboard.err
        assert f"model {second} is worse than the live one, {first}, on 4 messages" in said
        assert "1 more have an intent that the content has not" in said
        assert "wrong answers: 75.0 points up, 0.5 allowed" in said
        assert "100.0 %" in said
        assert "answered rightly   answered as thanks   hello" in said
        assert "switchboard train --accept" in said
    assert store.find("live") == first
    assert switchboard("train", "--accept") == 0
    assert switchboard.out == f"{store.path(second)}\n"
    assert store.find("live") == second


def test_train_without_a_usable_content(paths: EnginePaths, store: ModelStore, switchboard: Commands) -> None:
    assert switchboard("train") == 0
    live = store.live()
    (paths.data / "nlu" / "all.yml").write_text("nlu: [\n")
    assert switchboard("train") == 2
    assert "Training ended with status 1" in switchboard.err
    assert store.live() == live


def test_models_lists_compares_and_rolls_back(paths: EnginePaths, store: ModelStore, switchboard: Commands) -> None:
    assert switchboard("models") == 0
    assert "None is live yet" in switchboard.err
    paths.real_words.write_text("text\tlabel\talso\nhello\tgreet\t\nhi\trefund\tgreet\n", encoding="utf-8")
    assert switchboard("train") == 0
    first = content_hash(paths)
    write(paths, SWAPPED)
    second = content_hash(paths)
    assert switchboard("train", "--accept") == 0

    def line(model: str) -> list[str]:
        return next(line.split() for line in switchboard.out.splitlines() if line.strip().startswith(model))

    assert switchboard("models") == 0
    assert line(first)[-5:] == ["–", "–", "–", "–", "previous"]
    assert line(second)[-6:] == ["–", "–", "–", "–", "live,", "content"]
    assert "--measure" in switchboard.err
    assert switchboard("models", "--measure") == 0
    figures = "3 2 100.0 % 100.0 % 0.0 % 100.0 % acted on, 100.0 % of that right, 0 of 0 urgent ones reached previous"
    assert " ".join(line(first)).endswith(figures)
    assert " ".join(line(second)).endswith(
        "100.0 % acted on, 0.0 % of that right, 0 of 0 urgent ones reached live, content"
    )
    assert line(second)[7:13] == ["0.0", "%", "0.0", "%", "75.0", "%"]
    assert "--measure" not in switchboard.err

    assert switchboard("models", "compare", "previous", second[:6]) == 0
    assert "3 worse" in switchboard.out
    assert line("real words: right")[-5:] == ["%", "0.0", "%", "-100.0", "1"]
    assert "better" not in switchboard.out
    assert any(line.split() == ["greet", "2", "2", "0", "-2"] for line in switchboard.out.splitlines())
    assert switchboard("models", "compare", second, "previous") == 0
    assert "3 better" in switchboard.out

    assert switchboard("models", "rollback") == 0
    assert (store.find("live"), store.find("previous")) == (first, second)
    assert switchboard("train") == 0
    assert switchboard.out == f"{store.path(first)}\n"
    assert "train --accept" in switchboard.err
    assert switchboard("models", "use", "content") == 0
    assert store.find("live") == second


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("models", "use", "zzz"), "no model 'zzz'"),
        (("models", "rollback"), "no previous model"),
        (("models", "compare", "live", "previous"), "no previous model"),
    ],
)
def test_a_model_that_is_not_there_is_explained(switchboard: Commands, arguments: tuple[str, ...], why: str) -> None:
    assert switchboard("train") == 0
    assert switchboard(*arguments) == 2
    assert why in switchboard.err
    assert "Traceback" not in switchboard.err


def test_a_remote_engine_is_left_alone(switchboard: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert switchboard("train") == 0
    monkeypatch.setenv("RASA_URL", "http://rasa.example")
    for arguments in (("models", "use", "live"), ("models", "rollback")):
        assert switchboard(*arguments) == 2
        assert "RASA_URL is set" in switchboard.err
    for arguments in (("models",), ("train",)):
        assert switchboard(*arguments) == 0
        assert "RASA_URL is set" in switchboard.err


def test_a_lost_pointer_is_explained_and_mended(paths: EnginePaths, store: ModelStore, switchboard: Commands) -> None:
    assert switchboard("train") == 0
    (store.folder / "live.json").write_text("?")
    assert switchboard("models") == 2
    assert "models use <hash>" in switchboard.err
    assert switchboard("models", "use", content_hash(paths)) == 0
    assert store.find("live") == content_hash(paths)


@pytest.fixture
def settings(switchboard: Commands) -> Settings:
    return plugins.load_settings()


@asynccontextmanager
async def engine_of(settings: Settings, report: Steps, **more: Any) -> AsyncIterator[engine.Running]:
    async with engine.intent_engine(settings, report, **more) as running:
        await running.first_ready()
        yield running


async def test_a_desk_starts_with_the_live_model_whatever_the_content(
    paths: EnginePaths, settings: Settings, report: Steps
) -> None:
    async with engine_of(settings, report) as running:
        assert running.notice is None
        assert (await running.engine.predict("hello")).intent == "greet"
    first = content_hash(paths)

    write(paths, SWAPPED)
    with capture_logs() as logs:
        async with engine_of(settings, report) as running:
            assert running.notice is not None
            assert f"Model {content_hash(paths)}" in running.notice
            assert f"worse than {first}" in running.notice
            assert (await running.engine.predict("hello")).intent == "greet"
    assert [entry["log_level"] for entry in logs if entry.get("action") == "model_refused"] == ["error"]

    (paths.data / "nlu" / "all.yml").write_text("nlu: [\n")
    with capture_logs() as logs:
        async with engine_of(settings, report) as running:
            assert running.notice is not None
            assert f"Model {first} answers" in running.notice
            assert (await running.engine.predict("hello")).intent == "greet"
    assert any(entry.get("action") == "model_failed" for entry in logs)


async def test_without_a_live_model_broken_content_is_an_error(
    paths: EnginePaths, settings: Settings, report: Steps
) -> None:
    (paths.data / "nlu" / "all.yml").write_text("nlu: [\n")
    with pytest.raises(TrainingFailed):
        async with engine_of(settings, report):
            pass


async def test_a_trial_makes_nothing_live(
    paths: EnginePaths, settings: Settings, store: ModelStore, report: Steps
) -> None:
    live = (await release(paths, report.step)).live
    write(paths, SWAPPED)
    async with engine_of(settings, report, trial=True) as running:
        assert (await running.engine.predict("hello")).intent == "thanks"
    assert store.live() == live
