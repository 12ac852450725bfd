"""What is fuzzed: connectors, with what receives from them. Each takes the examples of one customer, and raises
``AssertionError`` where a promise is broken: the connector runs on, the well-formed message behind it all is recorded,
nothing waits for ever, nothing that a customer said is in a log.

Fast ones have everything of the connector and, behind it, a stand-in that takes exactly what PostgreSQL takes.
``tests/fuzz/whole.py`` has the whole desk.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from bot.ports import NullHealth
from bot.runtime import http
from connectors.discord import intake as discord_intake
from connectors.discord.background import DiscordTasks
from connectors.discord.connection import Connection
from connectors.discord.gateway import Session
from connectors.telegram import WEBHOOK_HEADER, TelegramConnector, TelegramSettings
from connectors.terminal import TerminalConnector, socket_path
from connectors.web import WebConnector, WebSettings
from tests.fuzz.discord import BOT
from tests.fuzz.discord import message as discord_message
from tests.fuzz.fuzzed import PATIENCE, Fuzzed, logs_watched
from tests.fuzz.hostile import of, without_depth
from tests.fuzz.web import VISITOR, Request
from tests.support.records import MemoryRecords
from tests.support.words import WORDS as SHIPPED_WORDS

# --- Telegram -------------------------------------------------------------------------------------

TOKEN = "700100200:AAF-stand_in-token-of-the-bot-0000000"


class Telegram(Fuzzed):
    """The webhook, without a socket: body in, status out."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        settings = TelegramSettings(base_url="http://127.0.0.1:9", mode="webhook", webhook_url="https://desk.example")
        connector = TelegramConnector(settings, TOKEN, words=SHIPPED_WORDS)
        connector._tasks.run = lambda work: work.close()  # type: ignore[method-assign]  # nobody is there
        self._secret = connector._secret().encode()
        self._app = http.application([connector.routes(self.desk.receive)], {})
        with logs_watched() as self.logs:
            yield
        await connector.close()

    async def bring(self, wires: Sequence[bytes]) -> None:
        person = self.begin()
        for wire in wires:
            status = await self._post(of(person, wire))
            self.counts[f"answered {status}"] += 1
            assert status == 200 or status == _refusal(wire), f"Telegram brings it again for ever: {status}"
        said = f"well-formed {person}"
        user = {"id": person, "is_bot": False, "first_name": "Ann"}
        message = {
            "message_id": 2**40,
            "date": 1,
            "chat": {"id": person, "type": "private"},
            "from": user,
            "text": said,
        }
        assert await self._post(json.dumps({"update_id": 1, "message": message}).encode()) == 200
        assert said in self.desk.texts, "the well-formed message was not recorded"
        assert not self.desk.faults, self.desk.faults
        self.check_logs()

    async def _post(self, body: bytes) -> int:
        headers = ((WEBHOOK_HEADER.lower().encode(), self._secret),)
        return (await asked(self._app, Request("POST", b"/telegram/webhook", b"", headers, body)))[0]


def _refusal(wire: bytes) -> int | None:
    """What Telegram would never send is not taken for an update: what is no JSON, and more than any update has."""
    if len(wire) > 1_000_000:
        return 413
    try:
        json.loads(without_depth(wire).decode("utf-8", "replace"))
    except (json.JSONDecodeError, RecursionError):
        return 400
    except ValueError:  # too many digits, which are JSON all the same
        pass
    return None


# --- Discord --------------------------------------------------------------------------------------


class _History:
    """Discord's REST API, as far as chats are read: pages as they are put here, and then empty ones."""

    def __init__(self) -> None:
        self.pages: list[Any] = []

    async def call(self, method: str, path: str, **_: Any) -> Any:
        if method == "GET" and path.endswith("/messages"):
            return self.pages.pop(0) if self.pages else []
        return {"id": "1300000000000000900"} if path == "/users/@me/channels" else {}


class Discord(Fuzzed):
    """The gateway's events and the history of chats, from where discord.py hands them over."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        before = {name: getattr(discord_intake, name) for name in ("_FIRST_PAUSE", "SWEEP_PAUSE")}
        discord_intake._FIRST_PAUSE = discord_intake.SWEEP_PAUSE = 0.001
        try:
            with logs_watched() as self.logs:
                yield
        finally:
            for name, value in before.items():
                setattr(discord_intake, name, value)

    async def bring(self, example: tuple[Sequence[tuple[str, Any]], Sequence[Any]]) -> None:
        events, pages = example
        person = self.begin()
        api = _History()
        intake = discord_intake.Intake(api, MemoryRecords(), self.desk.receive, BOT, [])  # type: ignore[arg-type]
        tasks = DiscordTasks(api, NullHealth(), SHIPPED_WORDS)  # type: ignore[arg-type]
        connection = Connection(BOT, intake, tasks, NullHealth(), _keep_nothing, shards=1, session=None)
        take = connection._gateway._connection.parsers
        api.pages = [_of(person, page) for page in pages]
        for name, data in events:
            take[name](_of(person, data))
            self.counts[name] += 1
            # As between two events that come by a socket.
            await asyncio.sleep(0)
        said = f"well-formed {person}"
        last = discord_message(content=said, id=str(2**62), channel_id=str(person), author={"id": str(person)})
        take["MESSAGE_CREATE"](last)
        intake.begin_session()
        try:
            async with asyncio.timeout(PATIENCE):
                while said not in self.desk.texts or intake.committed(0) < 0 or _busy(intake):
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise AssertionError(f"a chat is stuck: {self.logs[-2:]}") from None
        finally:
            await intake.close()
            await tasks.close()
        assert not self.desk.faults, self.desk.faults
        self.check_logs()


async def _keep_nothing(_: Session) -> None:
    pass


def _busy(intake: discord_intake.Intake) -> bool:
    return any(chat.worker is not None for chat in intake._chats.values())


def _of(person: int, data: Any) -> Any:
    return json.loads(of(person, json.dumps(data).encode()))


# --- web ------------------------------------------------------------------------------------------


class Web(Fuzzed):
    """The chat's routes in the desk's HTTP application, without a socket."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        connector = WebConnector(
            WebSettings(), self.desk, "BitPie", uploads=self.desk, streams=http.Streams(), words=SHIPPED_WORDS
        )
        connector._throttle.wait = lambda _: 0.0  # type: ignore[method-assign]
        self._app = http.application([connector.routes(self.desk.receive)], {})
        with logs_watched() as self.logs:
            yield

    async def bring(self, requests: Sequence[Request]) -> None:
        person = self.begin()
        for request in requests:
            await checked(self._app, request.of(person), self.counts)
        said = f"well-formed {person}"
        body = json.dumps({"id": f"00000000-0000-4000-8000-00{person}", "text": said}).encode()
        cookie = f"switchboard_visitor={VISITOR}".encode()
        headers = ((b"host", b"desk"), (b"cookie", of(person, cookie)))
        status, _, _ = await asked(self._app, Request("POST", b"/chat/messages", b"", headers, body))
        assert status == 202
        status, _, transcript = await asked(self._app, Request("GET", b"/chat/messages", b"", headers))
        assert (status, said) == (200, json.loads(transcript)["messages"][-1]["text"])
        assert not self.desk.faults, self.desk.faults
        self.check_logs()


async def checked(app: ASGIApp, request: Request, counts: Counter[str]) -> int:
    """Asks, and holds the answer against what every answer of the desk promises."""
    status, headers, body = await asked(app, request)
    counts[f"answered {status}"] += 1
    assert status < 500, f"{request.method} {request.path!r} was answered with {status}"
    kind = headers.get(b"content-type", b"")
    if kind.startswith(b"application/json") and body:
        json.loads(body)
    elif kind.startswith((b"text/", b"image/svg")):
        body.decode()
    assert headers[b"x-content-type-options"] == b"nosniff"
    return status


async def asked(app: ASGIApp, request: Request) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request to the application; of a stream, the beginning. The client then leaves."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path.decode("ascii")),
        "raw_path": request.path,
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers),
        "client": ("127.0.0.1", 1),
        "server": ("desk", 80),
        "state": {},
    }
    coming: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]
    answer: list[Message] = []
    begun = asyncio.Event()

    async def receive() -> Message:
        if coming:
            return coming.pop()
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.append(message)
        if message["type"] == "http.response.body":
            begun.set()

    try:
        async with asyncio.timeout(PATIENCE):
            await app(scope, receive, send)
    except TimeoutError:
        raise AssertionError(f"{request.method} {request.path!r} was never answered") from None
    except Exception as failure:
        # The server answers 500, and the application raises it once more.
        raise AssertionError(f"{request.method} {request.path!r} failed: {failure!r}") from failure
    start = answer[0]
    body = b"".join(part.get("body", b"") for part in answer[1:])
    return start["status"], dict(start["headers"]), body


# --- terminal -------------------------------------------------------------------------------------


class Terminal(Fuzzed):
    """The real socket."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="switchboard-") as folder:
            self._var = Path(folder)
            connector = TerminalConnector(self.desk, self._var, words=SHIPPED_WORDS)
            running = asyncio.create_task(connector.run(self.desk.receive))
            with logs_watched() as self.logs:
                while not socket_path(self._var).exists():
                    await asyncio.sleep(0.01)
                yield
            assert not running.done(), "the connector ended"
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def bring(self, example: tuple[bytes, Sequence[bytes]]) -> None:
        person = self.begin()
        greeting, lines = example
        await self._talk(greeting, [of(person, line) for line in lines])
        said = f"well-formed {person}"
        last = json.dumps({"id": f"last-{person}", "text": said}).encode()
        answers = await self._talk(b'{"hello": {}}', [last])
        assert {"accepted": f"last-{person}"} in answers, answers
        assert said in self.desk.texts
        assert not self.desk.faults, self.desk.faults
        self.check_logs()

    async def _talk(self, greeting: bytes, lines: Sequence[bytes]) -> list[Any]:
        """Says it all; every line is answered, unless the greeting was refused."""
        reader, writer = await asyncio.open_unix_connection(str(socket_path(self._var)), limit=2**26)
        answers: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE):
                sent = greeting + b"\n" + b"".join(line + b"\n" for line in lines)
                expected = sent.count(b"\n") - 1
                writer.write(sent)
                refused = 0
                while len(answers) < expected:
                    line = await reader.readline()
                    if not line:
                        break
                    said = json.loads(line)
                    if said.keys() & {"accepted", "refused"}:
                        answers.append(said)
                        self.counts["accepted" if "accepted" in said else "refused"] += 1
                        assert not said.get("again"), "it is told to try again, for ever"
                        refused += str(said.get("why", "")).startswith("expected a hello")
                        if refused:
                            break
                assert refused or len(answers) == expected, "the connection ended"
        except ConnectionError:
            self.counts["cut"] += 1
        except TimeoutError:
            raise AssertionError("a line was never answered") from None
        finally:
            writer.close()
        return answers
