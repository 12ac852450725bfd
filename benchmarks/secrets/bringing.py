"""Customers with a secret: each is new, and brings it in one of the ways that their platform has."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

import aiohttp

from benchmarks.secrets.planting import Planted
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer

SPLIT = "over messages"
_AGAIN = 0.2


@dataclass
class Case:
    """One customer."""

    number: int
    kind: str
    texts: list[str]
    secret: tuple[str, ...]
    """Its parts."""
    way: str
    channel: str
    contact: str = ""
    """The id of the contact, as the desk has it."""
    handle: Any = None
    """What the channel needs to look at the customer's screen."""
    written: int = field(default=0)
    """How often the customer has asked whether anybody is there."""


class Channel(Protocol):
    name: str
    ways: Sequence[str]
    pause: float
    """Seconds between looks at a screen: some cost the desk."""

    async def bring(self, case: Case) -> None:
        """Returns when the platform has it all."""

    async def sees(self, case: Case) -> list[str]:
        """The desk's messages, as words."""

    async def asks(self, case: Case) -> None:
        """Says that somebody waits."""


NUDGE = "hello, is anybody there?"
_FORWARD = {"type": "hidden_user", "sender_user_name": "somebody", "date": 1_790_000_000}


class OnTelegram:
    name = "telegram"
    pause = 0.1
    ways = ("message", "caption", "edit", "quote", "forward", "file name", "text file", SPLIT)

    def __init__(self, peer: TelegramPeer) -> None:
        self._peer = peer

    async def bring(self, case: Case) -> None:
        user = case.handle = self._peer.user(10_000 + case.number, language_code="en")
        case.contact = str(user.id)
        text = case.texts[0]
        match case.way:
            case "caption":
                user.sends_photo(text)
            case "edit":
                user.edits(user.writes("one moment please"), text)
            case "quote":
                first = user.writes(text)
                user.sends(
                    text="what is wrong with this?",
                    reply_to_message={
                        "message_id": first,
                        "date": 1_790_000_000,
                        "chat": {"id": user.id},
                        "text": text,
                    },
                    quote={"text": text, "position": 0, "is_manual": True},
                )
            case "forward":
                user.sends(text=text, forward_origin=_FORWARD)
            case "file name":
                user.sends_document(f"{text}.txt", "text/plain", "have a look", b"nothing here")
            case "text file":
                user.sends_document("words.txt", "text/plain", "have a look", text.encode())
            case _:
                for one in case.texts:
                    user.writes(one)

    async def sees(self, case: Case) -> list[str]:
        return [one.get("text", "") for one in self._peer.sent(case.handle.id)]

    async def asks(self, case: Case) -> None:
        case.handle.writes(NUDGE)


class OnDiscord:
    name = "discord"
    pause = 0.1
    ways = ("message", "caption", "edit", "quote", "forward", "file name", "text file", SPLIT)

    def __init__(self, peer: DiscordPeer) -> None:
        self._peer = peer

    async def bring(self, case: Case) -> None:
        user = case.handle = self._peer.user(f"customer {case.number}")
        case.contact = str(user.id)
        text = case.texts[0]
        match case.way:
            case "caption":
                user.writes(text, [("picture.png", b"\x89PNG\r\n\x1a\n", "image/png")])
            case "edit":
                user.edits(user.writes("one moment please"), text)
            case "quote":
                user.writes("what is wrong with this?", reply_to=user.writes(text))
            case "forward":
                user.forwards(user.writes(text))
            case "file name":
                user.writes("have a look", [(f"{text}.txt", b"nothing here", "text/plain")])
            case "text file":
                user.writes("have a look", [("words.txt", text.encode(), "text/plain")])
            case _:
                for one in case.texts:
                    user.writes(one)

    async def sees(self, case: Case) -> list[str]:
        return [one["content"] for one in case.handle.sees]

    async def asks(self, case: Case) -> None:
        case.handle.writes(NUDGE)


class OnTheWeb:
    name = "web"
    pause = 1.0
    ways = ("message", "button", "file name", "text file", SPLIT)

    def __init__(self, url: str, http: aiohttp.ClientSession, random: Random) -> None:
        """``http`` keeps no cookies: everybody is somebody else."""
        self._url, self._http, self._random = url, http, random

    async def bring(self, case: Case) -> None:
        while not case.contact:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, KeyError):
                async with self._http.get(f"{self._url}/chat") as page:
                    case.handle = page.cookies["switchboard_visitor"].value
                    case.contact = hashlib.sha256(case.handle.encode()).hexdigest()[:32]
                    break
            await asyncio.sleep(_AGAIN)
        text = case.texts[0]
        match case.way:
            case "button":
                await self._says(case, {"button": {"payload": "helped:no", "label": text}})
            case "file name" | "text file":
                id = self._id()
                name, content = (
                    (f"{text}.txt", b"nothing here") if case.way == "file name" else ("words.txt", text.encode())
                )
                headers = {"Switchboard-File-Name": quote(name), "Content-Type": "text/plain"}
                await self._post(case, f"/chat/uploads/{id}", data=content, headers=headers)
                await self._says(case, {"text": "have a look", "files": [id]})
            case _:
                for one in case.texts:
                    await self._says(case, {"text": one})

    async def _says(self, case: Case, said: dict[str, Any]) -> None:
        await self._post(case, "/chat/messages", json={"id": self._id(), **said})

    async def _post(self, case: Case, path: str, headers: dict[str, str] | None = None, **what: Any) -> None:
        headers = {"Cookie": f"switchboard_visitor={case.handle}", **(headers or {})}
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.post(f"{self._url}{path}", headers=headers, **what) as answer:
                    if answer.status < 300:
                        return
                    if answer.status < 500 and answer.status != 429:
                        raise RuntimeError(f"the web chat refuses: {answer.status} {await answer.text()}")
            await asyncio.sleep(_AGAIN)

    async def sees(self, case: Case) -> list[str]:
        headers = {"Cookie": f"switchboard_visitor={case.handle}"}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.get(f"{self._url}/chat/messages?after=0", headers=headers) as answer:
                if answer.status == 200:
                    shown = (await answer.json())["messages"]
                    return [_words(one) for one in shown if one["author"] != "customer"]
        return []

    async def asks(self, case: Case) -> None:
        await self._says(case, {"text": NUDGE})

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


def _words(message: dict[str, Any]) -> str:
    return str(message.get("text") or html.unescape(re.sub(r"<[^>]+>", "", message["html"])))


class ByApi:
    name = "api"
    pause = 0.5
    ways = ("message", "edit", "quote", "forward", "file name", "text file", SPLIT)

    def __init__(self, client: Any) -> None:
        """``client`` is that of docs/channel-api, which brings what it has until the desk takes it."""
        self._client = client

    async def bring(self, case: Case) -> None:
        await asyncio.to_thread(self._bring, case)

    def _bring(self, case: Case) -> None:
        client, who, text = self._client, f"customer-{case.number}", case.texts[0]
        case.contact = case.handle = who
        match case.way:
            case "edit":
                client.edits(who, client.says(who, "one moment please"), text)
            case "quote":
                client.says(who, "what is wrong with this?", quote=text)
            case "forward":
                client.says(who, text, forwarded={"name": "somebody"})
            case "file name" | "text file":
                name, content = (
                    (f"{text}.txt", b"nothing here") if case.way == "file name" else ("words.txt", text.encode())
                )
                client.says(who, "look", files=[{"content": content, "name": name, "media_type": "text/plain"}])
            case _:
                for one in case.texts:
                    client.says(who, one)

    async def sees(self, case: Case) -> list[str]:
        return [one["text"] for one in await asyncio.to_thread(self._client.screen, case.handle)]

    async def asks(self, case: Case) -> None:
        await asyncio.to_thread(self._client.says, case.handle, NUDGE)


def cases(planted: Sequence[Planted], channels: Sequence[Channel]) -> list[Case]:
    """Each secret with a channel and a way: in turn, so that all meet all."""
    turns = {one.name: itertools.count() for one in channels}
    made = []
    for number, one in enumerate(planted):
        channel = channels[number % len(channels)]
        way = SPLIT
        if len(one.texts) == 1:
            single = [name for name in channel.ways if name != SPLIT and _fits(name, one.texts[0])]
            way = single[next(turns[channel.name]) % len(single)]
        made.append(Case(number, one.kind, one.texts, one.secret, way, channel.name))
    return made


def _fits(way: str, text: str) -> bool:
    """Whether people can give that text that way."""
    if way == "file name":
        return len(text) < 180 and not re.search(r'[\n/\\:"<>|?*]', text)
    return len(text) < (60 if way == "button" else 1_000) or way in ("message", "text file", "edit", "forward")
