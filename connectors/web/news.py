"""How news come to a page: as an event stream, or as the answer to a poll, which waits for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import structlog

from bot.domain.message import Message
from connectors.web.messages import events, shown

log = structlog.get_logger(__name__)

LONGEST_WAIT = 25
"""Seconds that a poll may wait: proxies commonly give an answer half a minute or more."""
_OPENING = "retry: 2000\n\n"
_TYPING = "event: typing\ndata: {}\n\n"
_ALIVE = "event: alive\ndata: {}\n\n"
"""An event rather than a comment: a page cannot hear comments, and tells by it a dead line from a silent desk."""


async def stream(
    news: AsyncIterator[list[Message]], typing: asyncio.Event, closing: asyncio.Event
) -> AsyncIterator[str]:
    """The news as server-sent events, until the desk stops or its database does; a browser then comes again."""
    yield _OPENING + _ALIVE
    try:
        async with aclosing(_until(closing, news, typing)) as coming:
            async for messages in coming:
                yield _TYPING if messages is None else events(messages) or _ALIVE
    except Exception as error:
        log.warning("event stream ended", action="web_events_ended", error=type(error).__name__)


async def poll(
    news: AsyncIterator[list[Message]], typing: asyncio.Event, closing: asyncio.Event, wait: float
) -> AsyncIterator[str]:
    """The first news as JSON, or that there are none: after ``wait`` seconds, or when the desk stops. One piece,
    behind which the answer ends: its beginning is with the client already, and so it counts as begun
    (``Limits.starting``)."""
    found: list[Message] | None = []
    try:
        async with asyncio.timeout(wait), aclosing(_until(closing, news, typing)) as coming:
            async for found in coming:
                if found is None or found:
                    break
    except TimeoutError:
        pass
    except Exception as error:
        log.warning("poll ended", action="web_poll_ended", error=type(error).__name__)
        yield json.dumps({"messages": [], "error": "unavailable"})
        return
    said = [shown(message) for message in found or ()]
    yield json.dumps({"messages": said, "typing": found is None}, ensure_ascii=False)


async def _until(
    closing: asyncio.Event, news: AsyncIterator[list[Message]], typing: asyncio.Event
) -> AsyncGenerator[list[Message] | None]:
    """What comes until ``closing`` is set; None each time that ``typing`` is."""
    closed = asyncio.ensure_future(closing.wait())
    typed = asyncio.ensure_future(typing.wait())
    coming: asyncio.Future[list[Message]] | None = None
    try:
        while not closing.is_set():
            coming = coming or asyncio.ensure_future(anext(news))
            await asyncio.wait((coming, closed, typed), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                found, coming = coming.result(), None
                yield found
            elif typed.done():
                typing.clear()
                typed = asyncio.ensure_future(typing.wait())
                yield None
    finally:
        waiting = [future for future in (closed, typed, coming) if future is not None]
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
