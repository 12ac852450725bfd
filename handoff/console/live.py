"""The console's event stream: names of what changed, and the page gets it anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from bot.feed import Feed
from bot.model import Event

KEEPALIVE = 15.0
PAUSE = 0.3
"""Seconds between two signals: a turn makes several events at once, and a page needs one look at them."""
LOOK = 1.0
"""Seconds after which a stream notices that the desk stops."""


async def signals(
    feed: Feed, still_welcome: Callable[[], Awaitable[bool]], stopping: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Server-sent events without content: ``list``, ``conversation-<id>``, ``signs``, and ``refresh`` for a page that
    may have missed some. Ends when the desk stops, and when ``still_welcome`` no longer holds."""
    names: set[str] = set()
    doubted = False

    def wants(event: Event) -> bool:
        nonlocal doubted
        if event.kind == "agent":
            doubted = True
            return True
        names.add(f"conversation-{event.conversation_id}")
        if event.kind == "aside":
            names.add("signs")
        if event.kind != "delivery":
            names.add("list")
        return True

    with feed.watch(wants) as watch:
        # Also how a stream begins that was interrupted.
        yield b"retry: 1000\n\n" + _event("refresh")
        heard = time.monotonic()
        while not stopping():
            if await watch.changed(timeout=LOOK):
                # The feed wakes without an event after a gap of its own.
                if doubted:
                    doubted = False
                    if not await still_welcome():
                        return
                changed = sorted(names) or ["refresh"]
                names.clear()
                yield b"".join(map(_event, changed))
                await asyncio.sleep(PAUSE)
            if time.monotonic() - heard > KEEPALIVE:
                if not await still_welcome():
                    return
                heard = time.monotonic()
                yield b": keep-alive\n\n"


def _event(name: str) -> bytes:
    # Browsers drop events without data.
    return f"event: {name}\ndata: -\n\n".encode()
