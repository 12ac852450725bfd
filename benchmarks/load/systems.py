"""What is measured: Rasa's parse, Rasa's REST channel, and the desk on its web chat and on Telegram.

Each is something that is asked a text, and returns when the reply is there."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from benchmarks.load.client import Client
from benchmarks.load.measuring import Ask
from bot.store.database import embedded
from intents.paths import EnginePaths
from intents.process import run_script
from tests.peers.telegram import PeerUser, TelegramPeer
from tests.support.desk_process import DeskProcess, config_file
from tests.support.ports import HeldPort

SCRIPT = Path(__file__).parent / "rasa_rest.py"


class NoReply(Exception):
    """The system answered with something else than a reply."""


@dataclass(frozen=True)
class Rasa:
    """A Rasa server with the HTTP API and the REST channel."""

    url: str
    token: str
    process: psutil.Process


async def train(paths: EnginePaths, answers: dict[str, str], folder: Path) -> Path:
    """A model with the shipped pipeline and one rule an intent."""
    words = folder / "answers.json"
    words.write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    model = folder / "model.tar.gz"
    await run_script(
        paths, str(SCRIPT), Path("train"), paths.server / "pipeline.yml", paths.data / "nlu", words, model, cwd=folder
    )
    return model


@asynccontextmanager
async def rasa(paths: EnginePaths, model: Path, log: Path) -> AsyncIterator[Rasa]:
    """Serving, and warm."""
    token = secrets.token_urlsafe(16)
    held = HeldPort()
    port = held.number
    with log.open("ab") as said:
        child = await asyncio.create_subprocess_exec(
            *(paths.python(), SCRIPT, "serve", model, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=said,
            stderr=said,
            env={**paths.process_environment(), "RASA_TOKEN": token},
        )
    try:
        server = Rasa(f"http://127.0.0.1:{port}", token, psutil.Process(child.pid))
        async with parse(server) as ask, asyncio.timeout(120):
            while True:
                try:
                    await ask("hello")
                    break
                except aiohttp.ClientError:
                    if child.returncode is not None:
                        raise RuntimeError(f"Rasa ended: {log.read_text()[-2000:]}") from None
                    await asyncio.sleep(0.2)
        yield server
    finally:
        child.kill()
        await child.wait()
        held.close()


@asynccontextmanager
async def parse(server: Rasa) -> AsyncIterator[Ask]:
    """Rasa's ``/model/parse``: what no desk can do without."""
    async with Client(server.url) as http:

        async def ask(text: str) -> None:
            async with http.post("/model/parse", params={"token": server.token}, json={"text": text}) as answer:
                answer.raise_for_status()
                await answer.json()

        yield ask


@asynccontextmanager
async def rest(server: Rasa, customers: int = 200) -> AsyncIterator[Ask]:
    """Rasa's own REST channel: a conversation a customer, in Rasa's memory."""
    async with Client(server.url) as http:
        senders = deque(secrets.token_hex(8) for _ in range(customers))

        async def ask(text: str) -> None:
            senders.rotate()
            message = {"sender": senders[0], "message": text}
            async with http.post("/webhooks/rest/webhook", json=message) as answer:
                answer.raise_for_status()
                if not await answer.json():
                    raise NoReply(text)

        yield ask


@dataclass
class Desk:
    """A desk process, and the PostgreSQL behind it."""

    process: DeskProcess
    database_url: str
    postmaster: psutil.Process

    def processes(self) -> list[psutil.Process]:
        assert self.process.process is not None
        return [psutil.Process(self.process.process.pid)]

    def database(self) -> list[psutil.Process]:
        return [self.postmaster, *self.postmaster.children(recursive=True)]


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The embedded PostgreSQL, as the desk starts it: every commit is on disk before it is told."""
    with embedded(folder / "postgres") as url:
        yield url, psutil.Process(int((folder / "postgres/postmaster.pid").read_text().splitlines()[0]))


@asynccontextmanager
async def desk(
    folder: Path, database: tuple[str, psutil.Process], server: Rasa, telegram: TelegramPeer | None = None
) -> AsyncIterator[Desk]:
    """``switchboard run``, on that database and that Rasa."""
    config = "logs:\n  level: info\n"
    environment = {"DATABASE_URL": database[0], "RASA_URL": server.url, "RASA_TOKEN": server.token}
    if telegram is not None:
        config += f"channels:\n  telegram:\n    base_url: {telegram.base_url}\n"
        environment["TELEGRAM_BOT_TOKEN"] = telegram.token
    process = DeskProcess(folder / "var", config_file(folder / "config.yml", config), environment)
    try:
        yield Desk(await process.start(), *database)
    finally:
        await process.end()


class WebVisitor:
    """A chat page: it says something, and reads its event stream until the reply to it stands there."""

    def __init__(self, url: str) -> None:
        # One of its own: a visitor is a cookie.
        self._http = Client(url)
        self._reply: asyncio.Future[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def come(self) -> None:
        async with self._http.get("/chat") as page:
            page.raise_for_status()
        opened = asyncio.Event()
        self._reading = asyncio.create_task(self._read(opened))
        await opened.wait()

    async def leave(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        await self._http.close()

    async def ask(self, text: str) -> None:
        self._reply = asyncio.get_running_loop().create_future()
        body = {"id": _uuid(), "text": text}
        async with self._http.post("/chat/messages", json=body) as answer:
            answer.raise_for_status()
        await self._reply

    async def _read(self, opened: asyncio.Event) -> None:
        async with self._http.get("/chat/events") as stream:
            async for line in stream.content:
                opened.set()
                replied = line.startswith(b'data: {"') and b'"author": "bot"' in line
                if replied and self._reply is not None and not self._reply.done():
                    self._reply.set_result(None)


def _uuid() -> str:
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-8{raw[17:20]}-{raw[20:]}"


@asynccontextmanager
async def web(at: Desk, visitors: int) -> AsyncIterator[Ask]:
    """The desk's web chat, by as many pages as are open."""
    free: asyncio.Queue[WebVisitor] = asyncio.Queue()
    everybody = [WebVisitor(at.process.url) for _ in range(visitors)]
    for visitor in everybody:
        await visitor.come()
        free.put_nowait(visitor)

    async def ask(text: str) -> None:
        visitor = await free.get()
        try:
            await visitor.ask(text)
        finally:
            free.put_nowait(visitor)

    try:
        yield ask
    finally:
        for visitor in everybody:
            await visitor.leave()


@asynccontextmanager
async def messenger(peer: TelegramPeer, customers: int, first: int = 1000) -> AsyncIterator[Ask]:
    """The desk on Telegram, by a stand-in for Telegram in this process. Customers are numbered from ``first``."""
    free: asyncio.Queue[PeerUser] = asyncio.Queue()
    for number in range(customers):
        free.put_nowait(peer.user(first + number, first_name="Ann", language_code="en"))

    async def ask(text: str) -> None:
        user = await free.get()
        try:
            before = len(peer.sent(user.id))
            user.writes(text)
            await peer.wait_sent(user.id, before + 1, timeout=60)
        finally:
            free.put_nowait(user)

    yield ask
