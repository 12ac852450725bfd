"""The client that readers are given, as a process of its own, and a desk with its real store, over lines that lose
requests and answers. Both are ended in the middle of it: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from bot import guard
from bot.content.answers import Answers
from bot.domain.message import Author, DeliveryState, Incoming, Receipt
from bot.domain.staff import Role
from bot.pipeline import outbox as outbox_module
from bot.pipeline.notices import StoredNotices
from bot.pipeline.outbox import Outbox
from bot.pipeline.speech import Speech
from bot.queue import Queue
from bot.runtime import http
from bot.store import Store
from connectors.api import ApiConnector, ApiSettings, AppSettings, sending
from handoff.desk import Desk
from tests.support.api_channel import DOCS, SECRET, VARIABLE, api_connector
from tests.support.ports import HOST, HeldPort
from tests.support.scene import no_files, scripted_engine, scripted_language
from tests.support.serving import served
from tests.support.turns import turns_of
from tests.support.waiting import until

MESSAGES = 12


class LossyLine:
    """Between the two: of three connections one is cut, before the request arrives or before the answer does."""

    def __init__(self, to: int, seed: int) -> None:
        self._to = to
        self._random = Random(seed)
        self.lost: list[str] = []

    async def __aenter__(self) -> LossyLine:
        self._server = await asyncio.start_server(self._carry, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self._random.choice(["carried", "carried", "carried", "carried", "request", "answer"])
        there: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            request = head + await reader.readexactly(length)
            if fate != "request":
                answers, there = await asyncio.open_connection(HOST, self._to)
                there.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                answer = await answers.read()
                if fate == "carried":
                    writer.write(answer)
                    await writer.drain()
            if fate != "carried":
                self.lost.append(fate)
        for one in (writer, there):
            if one is not None:
                one.close()


class ClientProcess:
    """``client.py`` beside the page, with shorter pauses."""

    def __init__(self, folder: Path, desk: int) -> None:
        self.database = folder / "chat.db"
        self.port = HeldPort()
        self._desk = desk
        self._folder = folder
        self._process: Process | None = None

    async def start(self) -> None:
        hurried = "import client; client.FIRST_PAUSE = 0.02; client.LONGEST_PAUSE = 0.1; client.main()"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", hurried, "--desk", f"http://{HOST}:{self._desk}"),
            *("--listen", f"{HOST}:{self.port.number}", "--database", str(self.database)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=(self._folder / "client.log").open("ab"),
            cwd=self._folder,
            env=os.environ | {"API_SECRET": SECRET},
        )
        assert b"listening" in await self._process.stdout.readline()  # type: ignore[union-attr]

    async def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def types(self, text: str) -> None:
        """Returns once the client has it: what a person typed into a dying program nobody can keep."""
        assert self._process is not None
        self._process.stdin.write(f"{text}\n".encode())  # type: ignore[union-attr]
        await until(lambda: text in self.shown("customer"))

    def shown(self, author: str) -> list[str]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as database:
            rows = database.execute("SELECT text FROM screen WHERE author = ? ORDER BY number", (author,))
            return [row[0] for row in rows]


@asynccontextmanager
async def at_work(store: Store, queue: Queue, answers: Answers, connector: ApiConnector) -> AsyncIterator[None]:
    turns = turns_of(store, answers, scripted_engine, scripted_language)
    outbox = Outbox(store.deliveries, store.files, {"api": connector}, {})
    queue.serve(turn=turns.take, deliver=outbox.deliver, fetch=no_files)
    working = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_kills_and_lost_answers_lose_and_double_nothing(
    store: Store, queue: Queue, answers: Answers, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FIRST_PAUSE", timedelta(milliseconds=20)), ("MAX_PAUSE", timedelta(milliseconds=100))):
        monkeypatch.setattr(outbox_module, name, value)
    monkeypatch.setattr(sending, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.02)
    shutil.copy(DOCS / "client.py", tmp_path)
    desk_port = HeldPort()

    async def receive(incoming: Incoming) -> Receipt:
        return await store.incoming.record(guard.incoming(incoming))

    async def until_recorded(text: str) -> None:
        async def is_recorded() -> bool:
            return text in await from_customer()

        await until(is_recorded)

    async def from_customer() -> list[str]:
        contact = await store.contacts.get("api", "sample", "me")
        if contact is None:
            return []
        said = await store.messages.transcript(contact.id)
        return [message.text for message in said if message.author is Author.CUSTOMER]

    async with LossyLine(desk_port.number, 1) as to_desk:
        client = ClientProcess(tmp_path, to_desk.port)
        async with LossyLine(client.port.number, 2) as to_client:
            connector = ApiConnector(
                ApiSettings(apps={"sample": AppSettings(webhook_url=f"http://{HOST}:{to_client.port}/", rate=1000)}),
                {VARIABLE: SECRET},
                files=store.files,
                notices=StoredNotices(store.notices, answers, Speech(answers), {}),
                receipts=store.receipts,
                egress=[HOST],
            )
            app = http.application([connector.routes(receive)], {})
            await client.start()
            async with at_work(store, queue, answers, connector):
                async with served(app, desk_port.number):
                    await client.types("hello")
                    await until_recorded("hello")
                    contact = await store.contacts.get("api", "sample", "me")
                    assert contact is not None
                    conversation = (await store.messages.transcript(contact.id))[-1].conversation_id
                    mei = await store.agents.add("Mei", Role.AGENT, None)
                    await desk.claim(conversation, mei)
                for number in range(MESSAGES):
                    await desk.reply(conversation, mei, f"answer {number}")
                    await client.types(f"message {number}")
                    if number % 4 == 1:
                        # The desk is down before this, and the client dies while it comes up.
                        async with served(app, desk_port.number):
                            await client.kill()
                            await client.start()
                async with served(app, desk_port.number):
                    await until_recorded(f"message {MESSAGES - 1}")
                    await until(lambda: f"answer {MESSAGES - 1}" in client.shown("desk"))
                    all_said = await store.messages.of(conversation)
                    sent = [message for message in all_said if message.author is Author.AGENT]
                    await until(lambda: _all_sent(store, [message.id for message in sent]))
                    await client.types("thanks")  # whoever types has read all that stands there
                    await until(lambda: _all_read(store, [message.id for message in sent]))
            await client.kill()
            await connector.close()
    assert to_desk.lost
    assert to_client.lost
    assert await from_customer() == ["hello", *(f"message {number}" for number in range(MESSAGES)), "thanks"]
    answered = [text for text in client.shown("desk") if text.startswith("answer")]
    assert answered == [f"answer {number}" for number in range(MESSAGES)]


async def _all_sent(store: Store, ids: list[int]) -> bool:
    found = await store.messages.some(ids)
    return all(message.delivery is DeliveryState.SENT for message in found.values())


async def _all_read(store: Store, ids: list[int]) -> bool:
    found = await store.messages.some(ids)
    return all(message.read_at is not None for message in found.values())


async def test_the_walk_with_curl_goes_as_the_page_shows_it(store: Store, answers: Answers) -> None:
    if not (shutil.which("curl") and shutil.which("openssl")):
        pytest.skip("this machine has no curl or no openssl")

    async def receive(incoming: Incoming) -> Receipt:
        return await store.incoming.record(guard.incoming(incoming))

    connector = api_connector("https://bridge.example/hook")
    connector._intake._files = store.files  # type: ignore[assignment]
    connector._intake._receipts = store.receipts
    async with served(http.application([connector.routes(receive)], {})) as address:
        walk = await asyncio.create_subprocess_exec(
            *("bash", str(DOCS / "walk.sh")),
            env=os.environ | {"DESK": address, "APP": "sample", "API_SECRET": SECRET},
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await walk.communicate()
    await connector.close()
    assert (walk.returncode, err) == (0, b"")
    statuses = [int(line.rsplit(" ", 1)[1]) for line in out.decode().splitlines() if line.startswith("{")]
    assert statuses == [200, 200, 200, 200, 200, 200, 409, 422]
    assert '"duplicate":true' in out.decode().splitlines()[3]
    contact = await store.contacts.get("api", "sample", "walk-1")
    assert contact is not None
    hello, bill = [m for m in await store.messages.transcript(contact.id) if m.author is Author.CUSTOMER]
    assert (hello.text, bill.deleted_at is not None) == ("Hello", True)
    assert await store.files.get(bill.attachments[0].sha256) == b"a bill"
