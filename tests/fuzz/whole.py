"""The whole desk, as ``switchboard.wiring`` builds it: every connector over its real sockets to the stand-ins of the
platforms, store, queue, turns, outbox and console on a real PostgreSQL. Only the engine is scripted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import httpx
import psycopg
from sqlalchemy.exc import IntegrityError

from bot.domain.channel import ChannelState
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.message import Incoming, Sender
from bot.domain.staff import Role
from bot.runtime import http
from bot.settings import ROOT
from bot.store import migrate
from bot.store.database import conninfo, embedded
from connectors.terminal import socket_path
from handoff import passwords
from handoff.console.context import SESSION_COOKIE
from switchboard import plugins, wiring
from switchboard.process import Switchboard
from tests.fuzz.fuzzed import FIRST_PERSON, PATIENCE, logs_watched
from tests.fuzz.hostile import WORDS, as_sent, of
from tests.fuzz.web import SESSION, VISITOR, Request
from tests.peers.discord import DiscordPeer
from tests.peers.discord.entities import Channel, Message
from tests.peers.telegram import Chat, TelegramPeer

ANSWERED_WITHIN = 30.0
"""Seconds, of which other customers' updates take the most."""


class _Engine:
    """Sure of some, as every engine is."""

    async def predict(self, text: str) -> Prediction:
        if not text.strip():
            raise ValueError("there is no text to classify")
        name = "fee_explained" if len(text) % 3 else OUT_OF_SCOPE
        return Prediction(text, name, 0.9, (Ranked(name, 0.9), Ranked("fee_reduce", 0.05)), sure=name != OUT_OF_SCOPE)

    async def healthy(self) -> bool:
        return True


class WholeDesk:
    """``url`` is an empty, migrated database; without one it has a PostgreSQL of its own."""

    def __init__(self, url: str | None = None) -> None:
        self.people = itertools.count(FIRST_PERSON)
        self.telegram = TelegramPeer()
        self.telegram.as_sent = as_sent
        self.discord = DiscordPeer()
        self.discord.route_limit = (100_000, 1.0)
        self._url = url

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="switchboard-")))
            if self._url is None:
                self._url = stack.enter_context(embedded(folder / "postgres"))
                await migrate(self._url)
            await stack.enter_async_context(self.telegram)
            await stack.enter_async_context(self.discord)
            desk = self._build(folder / "var")
            listening = http.bind("127.0.0.1", 0)
            self.address = listening.getsockname()[:2]
            self.logs = stack.enter_context(logs_watched())
            await stack.enter_async_context(desk.running(listening, lambda: True, _at_once))
            self.desk = desk
            self.agent = await desk.store.agents.add("Mei", Role.ADMIN, None)
            await self.discord.connected()
            yield

    def _build(self, var: Path) -> Switchboard:
        var.mkdir()
        self.var = var
        config = var / "config.yml"
        config.write_text(
            f"data: {ROOT / 'data'}\nchannels:\n"
            f"  telegram: {{base_url: '{self.telegram.base_url}', poll_timeout: 1}}\n"
            f"  discord: {{api_base: '{self.discord.api_base}'}}\n",
            encoding="utf-8",
        )
        given = {
            "SWITCHBOARD_VAR": str(var),
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            "DISCORD_BOT_TOKEN": self.discord.token,
        }
        with mock.patch.dict(os.environ, given):
            settings = plugins.load_settings(config)
        assert self._url is not None
        return wiring.build(settings, self._url, _Engine())

    async def settled(self) -> None:
        """All that was brought is dealt with: no work is left but the files that their platform does not give now, no
        channel is down, every conversation can be looked at, and no log has a customer's words."""
        await until(lambda: self._left() == [], "work is left in the queue", self._left)
        for name in self.desk.connectors:
            doing = self.desk._health[name]
            assert doing.state is ChannelState.CONNECTED, f"{name} is {doing.state}: {doing.error}"
        await self._look()
        told = [line for line in self.logs if WORDS in line]
        assert not told, f"a customer's words are in the log: {told[0][:2_000]}"
        broken = [line for line in self.logs if "Traceback" in line or '"part' in line]
        assert not broken, broken[0][-3_000:]
        self.logs.clear()

    def _left(self) -> list[Any]:
        assert self._url is not None
        with psycopg.connect(conninfo(self._url)) as connection:
            return connection.execute(
                "SELECT task_name, status, attempts, args FROM procrastinate_jobs WHERE NOT (task_name = 'fetch'"
                " AND status = 'todo' AND scheduled_at IS NOT NULL)"
            ).fetchall()

    async def _look(self) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.address[1]}", timeout=30) as browser:
            browser.cookies.set(SESSION_COOKIE, await self.signed_in(0))
            for number in self._conversations():
                page = await browser.get(f"/console/conversations/{number}")
                why = [line[-3_000:] for line in self.logs if "Traceback" in line][-1:]
                assert page.status_code == 200, f"conversation {number} was answered with {page.status_code}: {why}"
                assert "<script>alert(" not in page.text
            assert (await browser.get("/console/")).status_code == 200
            assert (await browser.get("/readyz")).status_code == 200

    async def signed_in(self, person: int) -> str:
        """The token in an agent's cookie."""
        token = of(person, SESSION).decode()
        until = datetime.now(UTC) + timedelta(hours=1)
        with contextlib.suppress(IntegrityError):  # it is there already
            await self.desk.store.agents.add_session(self.agent.id, passwords.token_hash(token), until)
        return token

    async def converse(self) -> None:
        """A few conversations that there are for sure."""
        if self._conversations():
            return
        for number, channel in enumerate(("web", "telegram", "discord")):
            account = self.desk.connectors[channel].account
            sender = Sender(str(number), f"Ann {WORDS}", "en")
            for at in range(3):
                await self.desk.store.incoming.record(
                    Incoming(channel, account, str(at), sender, str(number + 1), WORDS)
                )

    def _conversations(self) -> list[int]:
        """The latest."""
        assert self._url is not None
        with psycopg.connect(conninfo(self._url)) as connection:
            found = connection.execute("SELECT id FROM conversation ORDER BY id DESC LIMIT 300").fetchall()
        return [number for (number,) in found]


async def _at_once() -> None:
    pass


async def until(holds: Callable[[], bool], problem: str, explain: Callable[[], object] = str) -> None:
    try:
        async with asyncio.timeout(ANSWERED_WITHIN):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{problem}: {explain()}") from None


class _Through:
    """One way into the whole desk."""

    def __init__(self, desk: WholeDesk | None = None) -> None:
        self.whole = desk or WholeDesk()
        self.counts: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.whole.running():
            yield
            await self.whole.settled()

    async def bring(self, example: Any) -> None:
        await self._bring(next(self.whole.people), example)
        self.counts["customers"] += 1


class Telegram(_Through):
    async def _bring(self, person: int, updates: Sequence[Any]) -> None:
        peer = self.whole.telegram
        user = peer.user(person)
        user.met = True
        for update in updates:
            if isinstance(update, dict):
                # Telegram numbers what it brings, or nobody could confirm it.
                peer.push_raw(_of(person, {name: value for name, value in update.items() if name != "update_id"}))
                self.counts["updates"] += 1
        # With a number that no other message has, or it might be taken for one that came before.
        peer.chats[person] = Chat(person, "private", last_id=2**40)
        asked = user.writes("/human")
        await until(lambda: not peer.pending, "updates are fetched again and again", lambda: peer.pending[:2])
        await until(
            lambda: any(sent["message_id"] > asked for sent in peer.sent(person)),
            f"{person} was not answered",
            lambda: self.whole.logs[-3:],
        )


class Discord(_Through):
    async def _bring(self, person: int, example: tuple[Sequence[tuple[str, Any]], Any]) -> None:
        peer, state = self.whole.discord, self.whole.discord.state
        user = peer.user(id=person)
        user.channel_id = person
        channel = state.channels[person] = Channel(person, person)
        for name, data in example[0]:
            data = _of(person, data)
            self.counts[name] += 1
            if name == "MESSAGE_CREATE" and isinstance(data, dict):
                # In the history as well, where a desk reads it on.
                message = Message(state.new_id(), channel, user.profile, extra=data)
                channel.messages[message.id] = message
            for session in peer.live_sessions:
                session.add(name, data)
        asked = user.writes("/human")
        await until(
            lambda: any(int(sent["id"]) > asked for sent in user.sees),
            f"{person} was not answered",
            lambda: self.whole.logs[-3:],
        )


class Web(_Through):
    async def _bring(self, person: int, requests: Sequence[Request]) -> None:
        for request in requests:
            status = await raw(self.whole.address, request.of(person))
            self.counts[f"answered {status}"] += 1
            assert status < 500, f"{request} was answered with {status}"
        address = f"http://127.0.0.1:{self.whole.address[1]}"
        cookie = {"switchboard_visitor": of(person, VISITOR.encode()).decode()}
        async with httpx.AsyncClient(base_url=address, cookies=cookie, timeout=PATIENCE) as page:
            body = {"id": f"00000000-0000-4000-8000-00{person}", "text": "/human"}
            while (answer := await page.post("/chat/messages", json=body)).status_code == 429:
                await asyncio.sleep(0.5)
            assert answer.status_code == 202
            try:
                async with asyncio.timeout(ANSWERED_WITHIN):
                    while True:
                        seen = (await page.get("/chat/messages")).json()["messages"]
                        asked = [one["cursor"] for one in seen if one["external_id"] == body["id"]]
                        if asked and any(one["author"] == "bot" and one["cursor"] > asked[0] for one in seen):
                            break
                        await asyncio.sleep(0.02)
            except TimeoutError:
                raise AssertionError(f"{person} was not answered") from None


class Console(_Through):
    """An agent's browser gone mad, beside a few conversations."""

    async def _bring(self, person: int, requests: Sequence[Request]) -> None:
        await self.whole.converse()
        for request in requests:
            await self.whole.signed_in(person)  # a new password ends every session
            status = await raw(self.whole.address, request.of(person))
            self.counts[f"answered {status}"] += 1
            assert status < 500, f"{request} was answered with {status}"
        token = await self.whole.signed_in(person)
        address = f"http://127.0.0.1:{self.whole.address[1]}"
        async with httpx.AsyncClient(base_url=address, cookies={SESSION_COOKIE: token}, timeout=PATIENCE) as browser:
            for path in ("/", *(f"/conversations/{number}" for number in self.whole._conversations()[:6])):
                page = await browser.get(f"/console{path}")
                assert page.status_code == 200, f"{path} was answered with {page.status_code} afterwards"


async def raw(address: tuple[str, int], request: Request) -> int:
    """The status of the answer to a request that is written as it stands; 0 where the server rather hangs up."""
    target = request.path + (b"?" + request.query if request.query else b"")
    length = (
        () if b"content-length" in dict(request.headers) else ((b"content-length", str(len(request.body)).encode()),)
    )
    lines = [name + b": " + value for name, value in (*request.headers, *length, (b"connection", b"close"))]
    reader, writer = await asyncio.open_connection(*address, limit=2**24)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(
                b"\r\n".join([request.method.encode() + b" " + target + b" HTTP/1.1", *lines, b"", request.body])
            )
            if not length:
                writer.write_eof()  # or it would wait for what never comes
            line = await reader.readline()
        return int(line.split()[1]) if line else 0
    except ConnectionError:
        return 0
    except TimeoutError:
        raise AssertionError(f"{request} was never answered") from None
    finally:
        writer.close()


class Terminal(_Through):
    async def _bring(self, person: int, example: tuple[bytes, Sequence[bytes]]) -> None:
        greeting, lines = example
        for first, others in ((greeting, lines), (b'{"hello": {"after": 0}}', ())):
            reader, writer = await asyncio.open_unix_connection(str(socket_path(self.whole.var)), limit=2**26)
            try:
                async with asyncio.timeout(ANSWERED_WITHIN):
                    writer.write(first + b"\n" + b"".join(of(person, line) + b"\n" for line in others))
                    if others:
                        writer.write_eof()
                        async for line in reader:
                            said = json.loads(line)
                            self.counts.update(said.keys() & {"accepted", "refused"})
                            assert not said.get("again"), "it is told to try again, for ever"
                        continue
                    name = f"last-{person}"
                    writer.write(json.dumps({"id": name, "text": "/human"}).encode() + b"\n")
                    asked = None
                    said = []
                    async for line in reader:
                        said.append(line[:300])
                        message = json.loads(line).get("message", {})
                        if message.get("external_id") == name:
                            asked = message["cursor"]
                        elif asked is not None and message.get("author") == "bot" and message["cursor"] > asked:
                            break
                    else:
                        raise AssertionError("the connection ended")
            except ConnectionError:
                self.counts["cut"] += 1
            except TimeoutError:
                raise AssertionError(f"{person} was not answered: {said}") from None
            finally:
                writer.close()


def _of(person: int, data: Any) -> Any:
    return json.loads(of(person, json.dumps(data).encode()))
