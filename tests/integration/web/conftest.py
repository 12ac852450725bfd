"""The web chat on a server of its own, over a desk in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from bot.domain.message import Button, Incoming, Message
from tests.support.stand_in_desk import Site, StandInDesk, message


def echo(incoming: Incoming) -> Iterable[Message]:
    return [message(f"you said **{incoming.text}**", buttons=[Button("Fees", "topic:fees")])]


@pytest.fixture
async def desk() -> StandInDesk:
    return StandInDesk(answer=echo)


@pytest.fixture
async def site(desk: StandInDesk) -> AsyncIterator[Site]:
    async with Site(desk).serving() as site:
        yield site


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.visitor() as visitor:
        yield visitor
