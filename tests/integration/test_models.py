"""How models go live: the release, its commands and the running engine, over a Rasa that learns by heart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bot import app as desk_app
from bot.cli import main
from bot.model import EngineUnavailable
from bot.settings import ROOT, Settings
from intents.datasets import DatasetError
from intents.models import ModelError, ModelStore
from intents.offline import ParsingFailed
from intents.paths import EnginePaths
from intents.rasa import RasaEngine
from intents.release import choose, compare, release
from intents.sidecar import Sidecar
from intents.training import TrainingFailed, code_hash, content_hash
from tests.peers import rasa
from tests.support.waiting import until

ROWS = "text\tlabel\nhello\tgreet\nhi\tgreet\nthank you\tthanks\nrain?\tout_of_scope\nrefund\trefund\n"
GOOD = {"greet": "hello | hi", "thanks": "thank you"}
SWAPPED = {"greet": "thank you | cheers", "thanks": "hello | hi"}


class Steps:
    """A report that remembers what took time."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    @contextmanager
    def step(self, what: str, expected: float) -> Iterator[Callable[[float], None]]:
        self.taken.append(what)
        yield lambda share: None


@pytest.fixture
def report() -> Steps:
    return Steps()


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    server = tmp_path / "server"
    (server / "components").mkdir(parents=True)
    for name in ("pipeline.yml", "requirements.txt", "components/classifier.py"):
        (server / name).write_text("# 1\n")
    rasa.install(server / ".venv")
    paths = EnginePaths(tmp_path / "data", tmp_path / "var", server, server / ".venv")
    (paths.data / "nlu").mkdir(parents=True)
    paths.regression.write_text(ROWS, encoding="utf-8")
    write(paths, GOOD)
    return paths


@pytest.fixture
def store(paths: EnginePaths) -> ModelStore:
    return ModelStore(paths.models)


def write(paths: EnginePaths, content: dict[str, str]) -> None:
    (paths.data / "nlu" / "all.yml").write_text(rasa.examples(**content), encoding="utf-8")


def add(store: ModelStore, name: str, **model: Any) -> str:
    """A model that no content led to."""
    with store.adding(name) as path:
        path.write_text(json.dumps({"by_heart": {"hello": name}} | model))
    return name


# --- the release --------------------------------------------------------------------------------


async def test_the_first_model_goes_live_unmeasured(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    released = await release(paths, report.step)
    assert report.taken == ["Training the intent model"]
    assert released.live.model == released.live.content == content_hash(paths)
    assert (released.comparison, released.refused) == (None, False)
    info = store.info(released.live.model)
    assert (info.examples, info.intents, info.content, info.measured) == (3, 2, content_hash(paths), None)
    assert info.seconds is not None
    # Decided is decided.
    assert await release(paths, report.step) == released
    assert len(report.taken) == 1


async def test_a_worse_one_is_refused_and_the_live_one_stays(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    first = (await release(paths, report.step)).live
    write(paths, SWAPPED)
    bad = content_hash(paths)
    report.taken.clear()
    released = await release(paths, report.step)
    assert report.taken == ["Training the intent model", f"Measuring model {bad}", f"Measuring model {first.model}"]
    assert released.refused
    assert released.live == store.live() == first
    assert released.comparison is not None
    assert [loss.what for loss in released.comparison.losses] == [
        "in scope, best candidate right",
        "in scope, answered rightly",
        "wrong answers",
    ]
    assert [change.row.text for change in released.comparison.changes] == ["hello", "hi", "thank you"]
    assert (len(released.comparison.rows), released.comparison.skipped) == (4, 1)

    # Once more, without measuring anything twice.
    report.taken.clear()
    assert (await release(paths, report.step)).refused
    assert report.taken == []

    accepted = await release(paths, report.step, accept=True)
    assert (accepted.live.model, accepted.live.previous, accepted.refused) == (bad, first.model, False)
    assert report.taken == []


async def test_a_better_one_goes_live(paths: EnginePaths, report: Steps) -> None:
    write(paths, SWAPPED)
    bad = (await release(paths, report.step)).live
    write(paths, GOOD)
    released = await release(paths, report.step)
    assert not released.refused
    assert (released.live.model, released.live.previous) == (content_hash(paths), bad.model)
    assert f"not worse than {bad.model}" in released.live.why


async def test_a_rollback_holds_until_the_content_changes(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    first = (await release(paths, report.step)).live.model
    write(paths, GOOD | {"deny": "no"})
    second = (await release(paths, report.step)).live.model
    await choose(paths, report.step, store.find("previous"), "rolled back")
    assert (await release(paths, report.step)).live.model == first
    write(paths, GOOD | {"deny": "no | never"})
    third = (await release(paths, report.step)).live
    assert (third.model, third.previous) == (content_hash(paths), first)
    # The content is again that of the second, and the decision of then is over.
    write(paths, GOOD | {"deny": "no"})
    assert (await release(paths, report.step)).live.model == second


async def test_a_change_that_is_taken_back_needs_no_measuring(paths: EnginePaths, report: Steps) -> None:
    first = (await release(paths, report.step)).live
    write(paths, SWAPPED)
    assert (await release(paths, report.step)).refused
    write(paths, GOOD)
    report.taken.clear()
    released = await release(paths, report.step)
    assert (released.live.model, released.refused, report.taken) == (first.model, False, [])


async def test_only_new_rows_are_measured(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    await release(paths, report.step)
    write(paths, GOOD | {"refund": "refund"})
    live = (await release(paths, report.step)).live.model
    # A row that was skipped counts as soon as the content has its intent.
    measured = store.info(live).measured
    assert measured is not None
    assert list(measured.guesses) == ["hello", "hi", "thank you", "rain?", "refund"]
    with paths.regression.open("a") as file:
        file.write("cheers\tthanks\n")
    (paths.server / "parse.log").write_text("")
    write(paths, SWAPPED | {"refund": "refund"})
    assert (await release(paths, report.step)).refused
    measured = store.info(live).measured
    assert measured is not None
    assert list(measured.guesses)[-1] == "cheers"


async def test_without_a_regression_file_nothing_can_be_refused(paths: EnginePaths, report: Steps) -> None:
    await release(paths, report.step)
    paths.regression.unlink()
    write(paths, SWAPPED)
    released = await release(paths, report.step)
    assert released.live.model == content_hash(paths)
    assert "not measured" in released.live.why
    with pytest.raises(ModelError, match="no messages to compare"):
        await compare(paths, report.step, released.live.model, released.live.model)


async def test_a_live_one_that_new_components_cannot_load_makes_way(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    old = (await release(paths, report.step)).live.model
    await compare(paths, report.step, old, old)
    store.path(old).write_text(json.dumps({"breaks": True}))
    (paths.server / "components" / "classifier.py").write_text("# 2\n")
    write(paths, SWAPPED)
    released = await release(paths, report.step)
    # What was measured with the components of before does not count.
    assert released.live.model == content_hash(paths)
    assert "cannot be loaded" in released.live.why
    with pytest.raises(ModelError, match=r"cannot be loaded any more.*no such component"):
        await choose(paths, report.step, old, "")
    assert store.live() == released.live


async def test_what_cannot_be_made_or_measured_leaves_the_live_one(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    live = (await release(paths, report.step)).live
    (paths.data / "nlu" / "all.yml").write_text("nlu: [\n")
    with pytest.raises(TrainingFailed):
        await release(paths, report.step)
    write(paths, GOOD | {"deny": "no"})
    add(store, content_hash(paths), breaks=True)
    with pytest.raises(ParsingFailed):
        await release(paths, report.step)
    write(paths, GOOD | {"deny": "no | never"})
    paths.regression.write_text("text\nhello\n")
    with pytest.raises(DatasetError):
        await release(paths, report.step)
    assert store.live() == live


async def test_a_live_model_without_its_file_is_none(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    first = (await release(paths, report.step)).live
    store.path(first.model).unlink()
    assert (await release(paths, report.step)).live.model == first.model
    assert store.has(first.model)
    assert report.taken == ["Training the intent model"] * 2


async def test_an_old_model_goes_only_when_it_is_neither_live_nor_the_one_before(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    made = []
    for number in range(6):
        write(paths, GOOD | {"deny": f"no {number}"})
        made.append((await release(paths, report.step)).live.model)
        if number == 1:
            break
    for number in range(2, 6):
        write(paths, SWAPPED | {"deny": f"no {number}"})
        assert (await release(paths, report.step)).refused
        made.append(content_hash(paths))
    assert set(store.models()) == {*made[:2], *made[-3:]}


# --- the commands -------------------------------------------------------------------------------


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

    monkeypatch.setattr(desk_app, "engine_paths", engine_paths)
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
    assert switchboard("train") == 0
    first = content_hash(paths)
    write(paths, SWAPPED)
    second = content_hash(paths)
    assert switchboard("train", "--accept") == 0

    def line(model: str) -> list[str]:
        return next(line.split() for line in switchboard.out.splitlines() if line.strip().startswith(model))

    assert switchboard("models") == 0
    assert line(first)[-4:] == ["–", "–", "–", "previous"]
    assert line(second)[-5:] == ["–", "–", "–", "live,", "content"]
    assert "--measure" in switchboard.err
    assert switchboard("models", "--measure") == 0
    assert line(first)[-9:] == ["3", "2", "100.0", "%", "100.0", "%", "0.0", "%", "previous"]
    assert line(second)[-8:-2] == ["0.0", "%", "0.0", "%", "75.0", "%"]
    assert "--measure" not in switchboard.err

    assert switchboard("models", "compare", "previous", second[:6]) == 0
    assert "3 worse" in switchboard.out
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


# --- the start of a desk ------------------------------------------------------------------------


@pytest.fixture
def settings(switchboard: Commands) -> Settings:
    return desk_app.load_settings()


@asynccontextmanager
async def engine_of(settings: Settings, report: Steps, **more: Any) -> AsyncIterator[desk_app.Running]:
    async with desk_app.intent_engine(settings, report, **more) as running:
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


# --- the running engine -------------------------------------------------------------------------


class Customers:
    """Who ask without a break; every failure is kept."""

    def __init__(self) -> None:
        self.intents: list[str] = []
        self.failures: list[EngineUnavailable] = []

    async def ask(self, engine: RasaEngine) -> None:
        while True:
            try:
                self.intents.append((await engine.predict("hello")).intent)
            except EngineUnavailable as error:
                self.failures.append(error)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(sidecar: Sidecar, customers: Customers | None = None) -> AsyncIterator[RasaEngine]:
    async with RasaEngine(sidecar.endpoint, timeout=20) as engine:
        tasks = [asyncio.create_task(sidecar.run())]
        try:
            await asyncio.wait_for(sidecar.first_ready.wait(), 20)
            if customers is not None:
                tasks += [asyncio.create_task(customers.ask(engine)) for _ in range(4)]
            yield engine
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


A, B, C = ("a" * 12, "b" * 12, "c" * 12)


@pytest.fixture
def following(paths: EnginePaths, store: ModelStore) -> Sidecar:
    store.make_live(add(store, A), A, "")
    return Sidecar(paths, store.path(A), follow=store)


async def test_a_model_takes_over_without_one_failure(following: Sidecar, store: ModelStore) -> None:
    # Slow answers, so that there are always some under way.
    add(store, A, answers_after=0.2)
    add(store, B, answers_after=0.2, loads_for=1)
    customers = Customers()
    async with serving(following, customers):
        first = following.pid
        assert first is not None
        await until(lambda: len(customers.intents) > 20)
        store.make_live(B, B, "")
        await until(lambda: following.model == store.path(B))
        await until(lambda: gone(first))
        await until(lambda: customers.intents[-20:] == [B] * 20)
        # And back.
        store.make_live(A, A, "")
        await until(lambda: customers.intents[-20:] == [A] * 20)
    assert customers.failures == []


async def test_what_is_under_way_is_answered_by_the_model_it_was_asked_of(
    following: Sidecar, store: ModelStore
) -> None:
    add(store, A, answers_after=2.5)
    add(store, B)
    async with serving(following) as engine:
        first = following.pid
        assert first is not None
        asked = asyncio.create_task(engine.predict("hello"))
        await asyncio.sleep(0.2)
        store.make_live(B, B, "")
        await until(lambda: following.model == store.path(B))
        assert (await engine.predict("hello")).intent == B
        assert not asked.done()
        assert not gone(first)
        assert (await asked).intent == A
        await until(lambda: gone(first), 5)


async def test_a_change_is_noticed_within_two_seconds(following: Sidecar, store: ModelStore) -> None:
    add(store, B, loads_for=60)
    async with serving(following):
        with capture_logs() as logs:
            store.make_live(B, B, "")
            await until(lambda: any(entry.get("action") == "model_starting" for entry in logs), 2)


@pytest.mark.parametrize("broken", [{"breaks": True}, None])
async def test_a_model_that_does_not_get_ready_changes_nothing(
    following: Sidecar, store: ModelStore, broken: dict[str, object] | None
) -> None:
    customers = Customers()
    if broken is not None:
        add(store, B, **broken)
    async with serving(following, customers):
        first = following.pid
        with capture_logs() as logs:
            store.make_live(B, B, "")
            await until(lambda: any(entry.get("action") == "model_not_ready" for entry in logs))
            # No second try for the same choice.
            await asyncio.sleep(2.5)
        assert [entry["log_level"] for entry in logs if entry.get("action") == "model_not_ready"] == ["error"]
        assert (following.pid, following.model) == (first, store.path(A))
        # Chosen again, mended meanwhile.
        add(store, B)
        store.make_live(B, B, "again")
        await until(lambda: customers.intents[-1] == B)
    assert customers.failures == []


async def test_another_choice_meanwhile_goes_before(following: Sidecar, store: ModelStore) -> None:
    add(store, B, loads_for=60)
    add(store, C)
    async with serving(following):
        with capture_logs() as logs:
            store.make_live(B, B, "")
            await until(lambda: any(entry.get("action") == "model_starting" for entry in logs))
            store.make_live(C, C, "")
            await until(lambda: following.model == store.path(C), 10)
        assert following.ready


async def test_the_old_one_dies_while_the_new_one_starts(following: Sidecar, store: ModelStore) -> None:
    add(store, B, loads_for=3)
    async with serving(following) as engine:
        first = following.pid
        assert first is not None
        with capture_logs() as logs:
            store.make_live(B, B, "")
            await until(lambda: any(entry.get("action") == "model_starting" for entry in logs))
            os.kill(first, signal.SIGKILL)
            await until(lambda: not following.ready, 5)
            # Whichever is the first answers.
            await until(lambda: following.ready)
            assert (await engine.predict("hello")).intent in (A, B)
            await until(lambda: following.model == store.path(B))
        assert (await engine.predict("hello")).intent == B
        second = following.pid
        assert second is not None
        # The new one is looked after like the old one.
        os.kill(second, signal.SIGKILL)
        await until(lambda: not following.ready, 5)
        await until(lambda: following.ready)
        assert (await engine.predict("hello")).intent == B


async def test_the_model_that_serves_is_not_removed(following: Sidecar, store: ModelStore) -> None:
    async with serving(following):
        for number in range(5):
            store.make_live(add(store, f"{number}" * 12, breaks=True), "", "")
        await asyncio.sleep(1.5)
        store.remove_old()
        assert store.has(A)
        assert following.model == store.path(A)


async def test_nothing_is_left_when_it_ends_in_the_middle(following: Sidecar, store: ModelStore) -> None:
    add(store, B, loads_for=60)
    async with serving(following):
        with capture_logs() as logs:
            store.make_live(B, B, "")
            await until(lambda: any(entry.get("action") == "model_starting" for entry in logs))
        pids = [process.pid for process in following._processes]
        assert len(pids) == 2
    await until(lambda: all(pid is None or gone(pid) for pid in pids), 5)


async def test_a_pointer_that_cannot_be_read_changes_nothing(following: Sidecar, store: ModelStore) -> None:
    add(store, B)
    async with serving(following):
        with capture_logs() as logs:
            (store.folder / "live.json").write_text("?")
            await until(lambda: any(entry.get("action") == "model_unknown" for entry in logs), 5)
            await asyncio.sleep(1.5)
        assert sum(entry.get("action") == "model_unknown" for entry in logs) == 1
        assert following.model == store.path(A)
        store.make_live(B, B, "")
        await until(lambda: following.model == store.path(B))


def test_the_components_count_and_not_the_examples(paths: EnginePaths) -> None:
    before = code_hash(paths)
    write(paths, SWAPPED)
    assert code_hash(paths) == before
    (paths.server / "components" / "classifier.py").write_text("# 2\n")
    assert code_hash(paths) != before
