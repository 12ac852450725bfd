"""Strangers who open all the connections they can, and how long others wait meanwhile.

Everything comes from one address, so nobody can be told by that.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextlib import AsyncExitStack

from tests.support.agents import AgentBrowser
from tests.support.customers import WebCustomer
from tests.support.desk_process import SWITCHBOARD, DeskProcess

HANDLES = 1024
WITH_FEW_HANDLES = ("sh", "-c", f'ulimit -Sn {HANDLES // 2}; ulimit -Hn {HANDLES}; exec "$0" "$@"', SWITCHBOARD)
"""The soft limit is for the desk to raise."""


def connect(desk: DeskProcess) -> socket.socket:
    host, _, port = desk.url.removeprefix("http://").partition(":")
    line = socket.create_connection((host, int(port)))
    line.setblocking(False)
    return line


async def flood(desk: DeskProcess, requests: Iterable[bytes], stack: AsyncExitStack) -> list[socket.socket]:
    """Opens a connection for each, and says it."""
    lines = []
    for request in requests:
        lines.append(stack.enter_context(await asyncio.to_thread(connect, desk)))
        await asyncio.get_running_loop().sock_sendall(lines[-1], request)
    return lines


def events(cookie: str | None = None) -> bytes:
    """A stream for a visitor whom nobody has seen before."""
    cookie = cookie or secrets.token_urlsafe(32)
    return f"GET /chat/events HTTP/1.1\r\nHost: desk\r\nCookie: switchboard_visitor={cookie}\r\n\r\n".encode()


async def first_lines(lines: Iterable[socket.socket]) -> Counter[str]:
    """What was heard on each by now."""
    await asyncio.sleep(0.2)
    heard: Counter[str] = Counter()
    for line in lines:
        try:
            said = line.recv(65536)
        except BlockingIOError:
            heard["silence"] += 1
        except ConnectionResetError:
            heard["reset"] += 1
        else:
            status = said.partition(b"\r\n")[0].decode()
            heard[status + (" later" if b"retry-after: " in said.lower() else "") if said else "closed"] += 1
    return heard


async def longest_wait(
    desk: DeskProcess, customer: WebCustomer, agent: AgentBrowser, question: str, rounds: int = 2
) -> float:
    """What the slowest answer took to a customer, a newcomer, an agent, and whoever looks after the desk."""
    waits: Counter[str] = Counter()

    async def within(what: str, work: Awaitable[object]) -> None:
        began = time.monotonic()
        await work
        waits[what] = max(waits[what], time.monotonic() - began)

    for _ in range(rounds):
        async with WebCustomer(desk.url) as newcomer:
            await asyncio.gather(
                within("customer", customer.asks(question)),
                within("newcomer", newcomer.asks(question)),
                within("agent", agent.page("/console/")),
                within("ready", agent.http.get("/readyz")),
                within("alive", agent.http.get("/healthz")),
            )
    assert (await agent.http.get("/readyz")).status_code == 200
    return max(waits.values())
