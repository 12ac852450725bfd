"""Agents of a desk in a process of its own: commands beside it, and an agent's browser, reduced to its HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.support.desk_process import SWITCHBOARD, DeskProcess

PASSWORD = "a long enough password"


async def switchboard(desk: DeskProcess, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Runs a command beside the running desk; its exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        SWITCHBOARD,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=desk.variables,
    )
    output, _ = await process.communicate(stdin.encode())
    return process.returncode, output.decode()


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
async def signed_in(desk: DeskProcess, name: str = "Mei", role: str = "lead") -> AsyncIterator[AgentBrowser]:
    await switchboard(desk, "agent", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD + "\n")
    async with httpx.AsyncClient(base_url=desk.url, timeout=20) as http:
        signed = await http.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert signed.status_code == 303
        yield AgentBrowser(http)
