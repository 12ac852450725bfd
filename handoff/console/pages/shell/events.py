"""The console's event stream: names of what changed, and the page gets it anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from bot.domain.operations import LiveEvent
from bot.domain.said import Said
from bot.domain.staff import Agent
from bot.runtime.feed import Feed
from bot.store.errors import is_transient
from handoff.console.context import SESSION_COOKIE, CurrentConsole, SignedIn, current_agent
from handoff.passwords import token_hash

log = structlog.get_logger(__name__)

KEEPALIVE = 4.0
"""Seconds within which a stream says something, so that pages tell a dead line from a silent desk, and within which it
ends after its session."""
PAUSE = 0.3
"""Seconds between two signals: a turn makes several events at once, and a page needs one look at them."""
LOOK = 1.0
"""Seconds after which a stream notices that the desk stops."""
AGENT = "Switchboard-Agent"
"""The header in which a page says whose it is."""

router = APIRouter()


def _of_the_page(request: Request, agent: SignedIn) -> Agent:
    """The agent; refuses a page of another one: they signed in meanwhile, in another tab of the same browser."""
    if request.headers.get(AGENT, str(agent.id)) != str(agent.id):
        raise HTTPException(409, Said("console.problem.other_agent", {"name": agent.name}))
    return agent


OfThePage = Annotated[Agent, Depends(_of_the_page)]


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, console: CurrentConsole, agent: OfThePage) -> Response:
    async def still_signed_in() -> bool:
        try:
            return await current_agent(request, console) is not None
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("event stream ended", action="console_events_ended", error=type(error).__name__)
            return False

    stream = StreamingResponse(
        signals(console.feed, still_signed_in, console.stopping),
        media_type="text/event-stream",
        # Proxies must not wait for the end of a stream that has none.
        headers={"X-Accel-Buffering": "no"},
    )
    session = token_hash(request.cookies[SESSION_COOKIE])
    headers = {"Retry-After": "15", "Connection": "close"}
    refusal = PlainTextResponse(console.pages.speech(request, agent).say("console.problem.too_many_open"), 503, headers)
    return console.streams.to_agent(session, stream=stream, refusal=refusal)


@router.get("/alive", status_code=204, response_class=Response)
async def alive(_: OfThePage) -> Response:
    """Desk and database can be reached, and the page's agent is signed in: what a page asks without a stream."""
    return Response(status_code=204)


async def signals(
    feed: Feed, still_welcome: Callable[[], Awaitable[bool]], stopping: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Server-sent events without content: ``list``, ``conversation-<id>``, ``signs``, ``refresh`` for a page that may
    have missed some, and ``alive`` every ``KEEPALIVE`` seconds. Ends when the desk stops, and when ``still_welcome`` no
    longer holds: it is asked at every ``alive``, and when something changed about an agent."""
    names: set[str] = set()
    doubted = False

    def wants(event: LiveEvent) -> bool:
        nonlocal doubted
        if event.kind == "agent":
            doubted = True
            return True
        names.add(f"conversation-{event.conversation_id}")
        if event.kind == "dead_letter":
            names.add("signs")
        if event.kind != "delivery":
            names.add("list")
        return True

    with feed.watch(wants) as watch:
        # Also how a stream begins that was interrupted.
        yield b"retry: 1000\n\n" + _event("refresh")
        heard = time.monotonic()
        while not stopping():
            left = heard + KEEPALIVE - time.monotonic()
            woken = await watch.changed(timeout=max(0.0, min(LOOK, left)))
            # The feed wakes without an event after a gap of its own.
            gap = woken and not names and not doubted
            if gap:
                names.add("refresh")
            said = b"".join(map(_event, sorted(names)))
            names.clear()
            due = time.monotonic() - heard >= KEEPALIVE
            if due:
                heard = time.monotonic()
                said += _event("alive")
            if said:
                yield said
            if due or gap or doubted:
                doubted = False
                if not await still_welcome():
                    return
            if woken:
                await asyncio.sleep(PAUSE)


def _event(name: str) -> bytes:
    # Browsers drop events without data.
    return f"event: {name}\ndata: -\n\n".encode()
