"""How the channels are doing: told by whoever runs them, kept where every replica reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.message import Incoming, Sender
from bot.domain.said import Fault
from bot.ports import Health
from bot.runtime import channel_status as health_module
from bot.runtime.channel_status import ChannelHealth, write_health
from bot.store import Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATUS = ChannelStatus("test", "bot", ChannelState.CONNECTED, NOON, NOON)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "LOOK", 0.01)


@asynccontextmanager
async def writing(store: Store, *channels: ChannelHealth) -> AsyncIterator[None]:
    task = asyncio.create_task(write_health(store.channels, channels))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def shown(store: Store, condition: Callable[[ChannelStatus], object]) -> ChannelStatus:
    async with asyncio.timeout(5):
        while True:
            found = await store.channels.all()
            if found and condition(found[0]):
                return found[0]
            await asyncio.sleep(0.01)


# --- the store ----------------------------------------------------------------------------------


async def test_what_is_no_news_is_kept(store: Store) -> None:
    told = replace(STATUS, last_received_at=NOON, lag=0.5, last_sent_at=NOON, error=Fault("cut"), error_at=NOON)
    await store.channels.record(told)
    assert await store.channels.all() == [told]
    later = NOON + timedelta(minutes=1)
    await store.channels.record(replace(STATUS, state=ChannelState.CONNECTING, since=later, updated_at=later))
    (now,) = await store.channels.all()
    assert now == replace(told, state=ChannelState.CONNECTING, since=later, updated_at=later)


async def test_news_replace_what_was_known_and_times_never_go_back(store: Store) -> None:
    later, earlier = NOON + timedelta(hours=1), NOON - timedelta(hours=1)
    told = replace(STATUS, last_received_at=NOON, lag=0.5, last_sent_at=NOON, error=Fault("cut"), error_at=NOON)
    await store.channels.record(told)
    await store.channels.record(
        replace(
            STATUS,
            account="bot2",
            last_received_at=earlier,
            lag=9.0,
            last_sent_at=later,
            error=Fault("x"),
            error_at=later,
        )
    )
    (now,) = await store.channels.all()
    assert (now.account, now.last_received_at, now.last_sent_at, now.lag) == ("bot2", NOON, later, 9.0)
    assert (now.error, now.error_at) == (Fault("x"), later)


async def test_channels_come_by_name(store: Store) -> None:
    for name in ("web", "discord", "telegram"):
        await store.channels.record(replace(STATUS, channel=name))
    assert [status.channel for status in await store.channels.all()] == ["discord", "telegram", "web"]


# --- the channel --------------------------------------------------------------------------------


def test_a_channel_is_what_connectors_are_given() -> None:
    def takes(_: Health) -> None: ...

    takes(ChannelHealth("test"))


def test_a_channel_that_nobody_runs_here_has_nothing_to_say() -> None:
    channel = ChannelHealth("test")
    channel.trouble("an answer could not be sent")
    assert channel.status() is None
    channel.connecting()
    assert channel.status() is not None
    channel.not_here()
    assert channel.status() is None


def test_a_state_lasts_since_it_began() -> None:
    channel = ChannelHealth("test")
    channel.connecting()
    began = channel.status()
    assert began is not None
    channel.connecting()
    assert channel.status().since == began.since  # type: ignore[union-attr]
    channel.connected("bot")
    connected = channel.status()
    assert connected is not None
    assert (connected.state, connected.account) == (ChannelState.CONNECTED, "bot")
    assert connected.since > began.since
    channel.trouble("cut")
    assert channel.status().since == connected.since  # type: ignore[union-attr]
    assert channel.status().state is ChannelState.CONNECTED  # type: ignore[union-attr]
    channel.off("the token is refused: set TEST_TOKEN")
    off = channel.status()
    assert off is not None
    assert (off.state, off.error) == (ChannelState.OFF, Fault("the token is refused: set TEST_TOKEN"))
    assert off.error_at is not None
    channel.connecting()
    assert channel.status().error == off.error  # type: ignore[union-attr]


def test_an_error_is_not_endless() -> None:
    channel = ChannelHealth("test")
    channel.trouble("x" * 10_000)
    assert channel.error == Fault("x" * health_module.MAX_ERROR)


def test_the_lag_is_that_of_the_platforms_clock_and_never_negative() -> None:
    channel = ChannelHealth("test")
    incoming = Incoming("test", "bot", "1", Sender("7"), "7", "hello")
    channel.received(incoming)
    assert (channel.lag, channel.last_received_at is not None) == (None, True)
    channel.received(replace(incoming, sent_at=datetime.now(UTC) - timedelta(seconds=3)))
    assert channel.lag == pytest.approx(3, abs=1)
    channel.received(replace(incoming, sent_at=datetime.now(UTC) + timedelta(seconds=3)))
    assert channel.lag == 0


# --- writing ------------------------------------------------------------------------------------


async def test_news_are_written(store: Store) -> None:
    channel = ChannelHealth("test")
    async with writing(store, channel):
        channel.connecting()
        await shown(store, lambda status: status.state is ChannelState.CONNECTING)
        channel.connected("bot")
        status = await shown(store, lambda status: status.state is ChannelState.CONNECTED)
        assert status.account == "bot"
        channel.received(Incoming("test", "bot", "1", Sender("7"), "7", "hello"))
        await shown(store, lambda status: status.last_received_at)
        channel.sent()
        await shown(store, lambda status: status.last_sent_at)
        channel.trouble("cut")
        await shown(store, lambda status: status.error == Fault("cut"))


async def test_a_standby_writes_nothing(store: Store) -> None:
    runs, waits = ChannelHealth("test"), ChannelHealth("test")
    runs.connected("bot")
    async with writing(store, runs), writing(store, waits):
        before = await shown(store, lambda status: status.state is ChannelState.CONNECTED)
        waits.trouble("an answer was not sent from here")
        waits.sent()
        await asyncio.sleep(0.2)
        assert await store.channels.all() == [before]
        # The other takes over.
        runs.not_here()
        waits.connecting()
        await shown(store, lambda status: status.state is ChannelState.CONNECTING)


async def test_a_channel_without_news_is_written_now_and_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = ChannelHealth("test")
    channel.connected("bot")
    async with writing(store, channel):
        first = await shown(store, lambda _: True)
        await asyncio.sleep(0.2)
        assert await store.channels.all() == [first]
        monkeypatch.setattr(health_module, "HEARTBEAT", 0.1)
        later = await shown(store, lambda status: status.updated_at > first.updated_at)
        assert later.since == first.since


async def test_a_store_that_fails_is_written_to_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def fails(_: ChannelStatus) -> None:
        nonlocal tries
        tries += 1
        raise ConnectionError("the database is gone")

    monkeypatch.setattr(store.channels, "record", fails)
    channel, other = ChannelHealth("test"), ChannelHealth("web")
    channel.connected("bot")
    other.connected("web")
    async with writing(store, channel, other), asyncio.timeout(5):
        while tries < 4:
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        await shown(store, lambda status: status.state is ChannelState.CONNECTED)
        while len(await store.channels.all()) < 2:
            await asyncio.sleep(0.01)
