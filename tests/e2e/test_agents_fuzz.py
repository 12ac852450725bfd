"""Random agents at the console. ``SWITCHBOARD_FUZZ_DAYS=100:20`` lives through twenty days, the first with seed 100."""

from __future__ import annotations

import os

import pytest
from playwright.async_api import Browser

from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.fuzz.agents import Day
from tests.support.console_pages import queued

FIRST, MANY = map(int, os.environ.get("SWITCHBOARD_FUZZ_DAYS", "1:1").split(":"))
ACTS = 50 if MANY == 1 else 150


@pytest.mark.parametrize("seed", range(FIRST, FIRST + MANY))
async def test_no_note_reaches_a_customer_and_no_word_is_lost(
    seed: int,
    chromium: Browser,
    address: str,
    store: Store,
    desk: Desk,
    agents: dict[str, Agent],
) -> None:
    conversations = {name: await queued(store, name=name) for name in ("Ann", "Bob")}
    context = await chromium.new_context(viewport={"width": 1440, "height": 900})
    day = Day(context, address, store, desk, agents, conversations, seed)
    try:
        await day.begin()
        await day.live(ACTS)
        await day.settle()
    finally:
        await context.close()
    assert not day.defects, "\n".join(day.log)
    assert day.sent, "nothing was sent, so nothing was proved"
