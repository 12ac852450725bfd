"""A running engine follows the choice of the live model without one failed prediction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot.domain.engine import EngineUnavailable
from intents.models import ModelStore
from intents.paths import EnginePaths
from intents.rasa import RasaEngine
from intents.sidecar import Sidecar
from tests.support.models import add
from tests.support.waiting import until


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
