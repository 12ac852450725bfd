"""What the wiring does when a part of it fails."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from bot.domain.staff import Agent
from bot.runtime.http import bind
from bot.store import Store
from switchboard import start, supervise


class WithoutDatabase:
    async def agents(self) -> list[Agent]:
        raise ConnectionError("terminating connection due to unexpected postmaster exit")


async def test_a_desk_that_runs_does_not_end_for_want_of_a_first_sign_in() -> None:
    with bind("127.0.0.1", 0) as listening:
        ready = await start.ready_at(cast(Store, WithoutDatabase()), listening, None)
    assert ready.sign_in is None
    assert ready.console.endswith("/console")


async def test_a_part_that_loses_its_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "STOPS_WITHIN", 0.05)
    told = 0

    async def part() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
        raise asyncio.CancelledError

    async with asyncio.timeout(5):
        async with supervise.background("deaf", part):
            await asyncio.sleep(0.01)
    assert told == 2


async def test_a_part_that_ends_with_an_error_when_it_is_stopped_is_not_started_again() -> None:
    starts = 0

    async def part() -> None:
        nonlocal starts
        starts += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("the database went first") from None

    async with asyncio.timeout(5):
        async with supervise.background("queue", part):
            await asyncio.sleep(0.01)
    assert starts == 1
