"""What the wiring does when a part of it fails."""

from __future__ import annotations

from bot import app
from bot.http import bind


class WithoutDatabase:
    async def first_sign_in(self) -> str | None:
        raise ConnectionError("terminating connection due to unexpected postmaster exit")


async def test_a_desk_that_runs_does_not_end_for_want_of_a_first_sign_in() -> None:
    with bind("127.0.0.1", 0) as listening:
        ready = await app._ready(WithoutDatabase(), listening, None)
    assert ready.sign_in is None
    assert ready.console.endswith("/console")
