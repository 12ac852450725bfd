"""Customers and agents as programs: over the same HTTP as the pages."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx


@dataclass
class WebCustomer:
    """A visitor of the chat page."""

    url: str
    http: httpx.AsyncClient = field(init=False)
    cursor: int = 0

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30)

    async def __aenter__(self) -> Self:
        (await self.http.get("/chat")).raise_for_status()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def says(self, text: str, id: str | None = None) -> str:
        """Returns the id it was sent with, once the desk has recorded it."""
        id = id or str(uuid4())
        (await self.tries(text, id)).raise_for_status()
        return id

    async def tries(self, text: str, id: str) -> httpx.Response:
        """The desk's answer, whatever it is; a page sends the same again under the same id."""
        return await self.http.post("/chat/messages", json={"id": id, "text": text})

    async def presses(self, button: dict[str, str]) -> None:
        body = {"id": str(uuid4()), "button": button}
        (await self.http.post("/chat/messages", json=body)).raise_for_status()

    async def transcript(self, after: int = 0) -> list[dict[str, Any]]:
        found = await self.http.get("/chat/messages", params={"after": after})
        found.raise_for_status()
        return list(found.json()["messages"])

    async def hears(self, seconds: float = 30) -> dict[str, Any]:
        """The next message that is not the customer's own."""
        async with asyncio.timeout(seconds):
            while True:
                for message in await self.transcript(self.cursor):
                    self.cursor = message["cursor"]
                    if message["author"] != "customer":
                        return message
                await asyncio.sleep(0.05)

    async def asks(self, text: str) -> dict[str, Any]:
        await self.says(text)
        return await self.hears()


def words(message: dict[str, Any]) -> str:
    """What a message says, without markup."""
    return message.get("text") or re.sub(r"<[^>]+>", "", message["html"])
