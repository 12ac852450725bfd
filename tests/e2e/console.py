"""An agent's browser, reduced to its HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.e2e.desk import DeskProcess
from tests.e2e.test_takeover import PASSWORD, switchboard


class AgentBrowser:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def latest(self) -> str:
        """The path of the conversation that was waiting for the shortest time."""
        return re.findall(r'href="[^"]*(/console/conversations/\d+)', (await self.http.get("/console/")).text)[-1]

    async def page(self, path: str) -> str:
        return (await self.http.get(path)).text

    async def does(self, path: str, what: str, **form: str) -> None:
        """Submits the conversation's form ``what`` (``claim``, ``messages``, ``messages/7/edit``)."""
        answer = await self.http.post(f"{path}/{what}", data=form)
        assert answer.status_code == 303, answer.text


@asynccontextmanager
async def signed_in(desk: DeskProcess, name: str = "Mei") -> AsyncIterator[AgentBrowser]:
    await switchboard(desk, "agent", "add", name, "--password-stdin", stdin=PASSWORD + "\n")
    async with httpx.AsyncClient(base_url=desk.url, timeout=20) as http:
        signed = await http.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert signed.status_code == 303
        yield AgentBrowser(http)
