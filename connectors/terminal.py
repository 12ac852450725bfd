"""The terminal as a channel: a Unix socket at the desk, and ``chat``, the client behind ``switchboard chat``.

Both sides write JSON objects, one a line. The client begins:

    {"hello": {"after": 0, "name": "anna", "language": "zh"}}  how far it has read, who it is, and in which language
    {"id": "…", "text": "…"}                                   said
    {"id": "…", "button": "helped:yes", "label": "Yes"}        pressed

and the desk answers, besides with the transcript:

    {"message": {"cursor": 7, "revision": 7, "author": "bot", "text": "…", "format": "markdown", "buttons": […], …}}
    {"ready": {"after": 7, "name": "anna"}}                    what was before is history, what follows is news
    {"accepted": "…"}                                          recorded; the same id is recorded once
    {"refused": "…" | null, "why": "…", "again": false}        not recorded; where ``again``, worth another try

A message that was edited or deleted comes again, with the cursor that it had and a higher revision; of a deleted one
nothing comes of what it said.

The socket is ``var/terminal.sock``, for the desk's own user only. Where that path is longer than a Unix socket's may
be, it is in a private folder under the system's temporary one, and ``var/terminal.path`` says where.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import io
import json
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text
from structlog.typing import FilteringBoundLogger

from bot.domain.channel import Capabilities, Outgoing, PermanentError
from bot.domain.message import Author, Incoming, Message, MessageFormat, Sender, parse_command
from bot.ports import ConnectorContext, Health, NullHealth, Plugin, Receive, Transcript, Words

log: FilteringBoundLogger = structlog.get_logger(__name__)

_LONGEST_PATH = 100
"""Bytes: Linux allows 107, macOS 103."""
_MAX_LINE = 64 * 1024


class TerminalSettings(BaseModel):
    """The section ``channels.terminal`` of ``config.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True


# --- the desk's side ------------------------------------------------------------------------------


class TerminalConnector:
    """Customers at this machine's terminals; each local user is one contact."""

    name = "terminal"
    account = "terminal"
    capabilities = Capabilities(edits=True, idempotent=True, max_length=100_000)

    def __init__(self, transcript: Transcript, var: Path, health: Health | None = None, *, words: Words) -> None:
        self._transcript = transcript
        self._words = words
        self._var = var
        self._health = health or NullHealth()

    async def run(self, receive: Receive) -> None:
        """Listens until cancelled, which ends every conversation's connection."""
        loop = asyncio.get_running_loop()
        with _listening(self._var) as listening:
            self._health.connected(self.account)
            async with asyncio.TaskGroup() as connections:
                while True:
                    try:
                        accepted, _ = await loop.sock_accept(listening)
                    except OSError as error:  # too many open files, or the client has already left
                        log.warning("connection not accepted", action="terminal_accept_failed", error=str(error))
                        self._health.trouble(f"a terminal could not connect: {error}. It may try again.")
                        await asyncio.sleep(0.5)
                        continue
                    connections.create_task(self._serve(accepted, receive))

    async def send(self, message: Outgoing) -> str:  # noqa: ARG002 - clients read the transcript
        """Nothing to do, and so it cannot fail: a client reads the transcript, where the message appears, with its
        cursor, in the moment the outbox records this very delivery. A repeated send shows nothing twice."""
        return uuid4().hex

    async def edit(self, message: Outgoing, external_id: str) -> None:
        """Nothing to do, as for ``send``: the transcript brings the message anew in the moment it is edited."""

    async def delete(self, chat_id: str, external_id: str) -> None:
        """Nothing to do: the transcript tells that the message was taken back."""

    async def _serve(self, accepted: socket.socket, receive: Receive) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=_MAX_LINE)
        try:
            await self._converse(_lines(reader), writer, _peer(accepted), receive)
        except* OSError:
            pass  # the client left
        except* Exception as errors:
            # The client connects anew. The errors' words may hold a customer's, which never reach a log.
            kinds = sorted({type(error).__name__ for error in errors.exceptions})
            log.error("terminal connection failed", action="terminal_failed", errors=kinds)
        finally:
            writer.close()

    async def _converse(
        self, lines: AsyncIterator[bytes | None], writer: asyncio.StreamWriter, peer: str | None, receive: Receive
    ) -> None:
        first = await anext(lines, None)
        try:
            hello = _Greeting.model_validate_json(first or b"").hello
        except ValidationError as error:
            await _put(writer, refused=None, why=f"expected a hello: {_first(error)}", again=False)
            return
        contact = peer or hello.name or "local"
        async with asyncio.TaskGroup() as both:
            following = both.create_task(self._follow(writer, contact, hello.after))
            async for line in lines:
                await _put(writer, **await self._take(line, contact, hello.language, receive))
            following.cancel()

    async def _follow(self, writer: asyncio.StreamWriter, contact: str, after: int) -> None:
        for message in await self._transcript.read(self.name, self.account, contact, after):
            await _put(writer, message=_shown(message))
            after = max(after, message.revision or 0)
        await _put(writer, ready={"after": after, "name": contact})
        async for messages in self._transcript.follow(self.name, self.account, contact, after):
            for message in messages:
                await _put(writer, message=_shown(message))

    async def _take(self, line: bytes | None, contact: str, language: str, receive: Receive) -> dict[str, Any]:
        """What became of one line of the client."""
        locale = self._words.match(language)
        if line is None:
            return {
                "refused": None,
                "why": self._words.say("terminal.refused.line_too_long", locale, n=_MAX_LINE),
                "again": False,
            }
        try:
            said = _Said.model_validate_json(line)
        except ValidationError as error:
            return {"refused": None, "why": _first(error), "again": False}
        text = said.text.strip() if said.button is None else said.label or said.button
        if not text:
            return {"refused": said.id, "why": self._words.say("terminal.refused.empty", locale), "again": False}
        command = parse_command(text) if said.button is None else None
        incoming = Incoming(
            channel=self.name,
            account=self.account,
            external_id=said.id,
            sender=Sender(contact, name=contact, language=language or None),
            chat_id=contact,
            text=text,
            command=command and command[0],
            argument=command[1] if command else "",
            button=said.button,
        )
        try:
            await receive(incoming)
        except Exception as error:
            kind = type(error).__name__
            log.error("not recorded", action="terminal_receive_failed", error=kind)
            self._health.trouble(f"a message could not be recorded ({kind}); the terminal tries again. See the log.")
            return {"refused": said.id, "why": self._words.say("terminal.refused.unavailable", locale), "again": True}
        return {"accepted": said.id}


class _Hello(BaseModel):
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")] = ""
    """Used only where the system does not tell who connects."""
    language: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9-]*$")] = ""
    """Of the terminal, as a tag: ``zh-CN``; empty where it has none."""


class _Greeting(BaseModel):
    hello: _Hello


class _Said(BaseModel):
    id: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")]
    text: str = ""
    button: Annotated[str, Field(pattern=r"^[\w:.-]{1,64}$")] | None = None
    label: Annotated[str, Field(max_length=200)] = ""


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}".removeprefix(": ")


def _shown(message: Message) -> dict[str, Any]:
    deleted = message.deleted_at is not None
    return {
        "cursor": message.cursor,
        "revision": message.revision,
        "author": message.author.value,
        "text": "" if deleted else message.text,
        "format": message.format.value,
        "buttons": []
        if deleted
        else [{"label": button.label, "payload": button.payload} for button in message.buttons],
        "files": [] if deleted else [attachment.name or attachment.kind for attachment in message.attachments],
        "time": message.created_at.isoformat(),
        "agent_name": message.agent_name,
        "external_id": message.external_id if message.author is Author.CUSTOMER else None,
        "edited": message.edited_at is not None,
        "deleted": deleted,
    }


async def _put(writer: asyncio.StreamWriter, **said: Any) -> None:
    writer.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")
    await writer.drain()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Whole lines; None for one that is too long, of which nothing is kept."""
    too_long = False
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            too_long = True
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        else:
            yield None if too_long else line
            too_long = False


def _peer(accepted: socket.socket) -> str | None:
    """The user at the other end, as the kernel vouches; None where it does not say."""
    if sys.platform != "linux":
        return None
    import pwd

    credentials = struct.Struct("3i")
    _, uid, _ = credentials.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without an entry
        return str(uid)


# --- the socket -----------------------------------------------------------------------------------


def socket_path(var: Path) -> Path:
    """Where a desk that keeps its state in ``var`` listens."""
    try:
        return Path((var / "terminal.path").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return var / "terminal.sock"


@contextmanager
def _listening(var: Path) -> Iterator[socket.socket]:
    """A listening socket that only this user can reach. One left by a desk that was killed is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise PermanentError("this system has no Unix sockets, which the terminal channel needs")
    var.mkdir(parents=True, exist_ok=True)
    left = socket_path(var)
    if len(os.fsencode(left)) <= _LONGEST_PATH and _answers(left):
        raise PermanentError(f"another desk listens at {left}: stop it, or set SWITCHBOARD_VAR to another folder")
    _remove(left, var)
    path = var / "terminal.sock"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        path = Path(tempfile.mkdtemp(prefix="switchboard-")) / path.name
        (var / "terminal.path").write_text(str(path), encoding="utf-8")
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            # Nobody can connect before ``listen``, and so nobody slips in before the mode is set.
            path.chmod(0o600)
            listening.listen()
            listening.setblocking(False)
            yield listening
    except OSError as error:
        raise PermanentError(f"cannot listen at {path}: {error}") from error
    finally:
        _remove(path, var)


def _answers(path: Path) -> bool:
    """False only where certainly nobody listens: any other error says nothing of that, and is raised."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # its queue is full: it is busy, and alive
            return True
    return True


def _remove(path: Path, var: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent != var:
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    (var / "terminal.path").unlink(missing_ok=True)


# --- the client -----------------------------------------------------------------------------------

_PROMPT = "› "
_SHOWN_HISTORY = 20
_STARTING = 1.0
"""Seconds in which a desk that is just starting may begin to listen."""
_RETRY = 2.0


class NotRunning(Exception):
    """No desk listens here: start one with ``switchboard run``."""


async def chat(
    var: Path,
    words: Words,
    *,
    stdin: int = 0,
    console: Console | None = None,
    quiet: float = 2.0,
    patience: float = 15.0,
) -> None:
    """Talks to the desk that keeps its state in ``var``, in the terminal's language; raises ``NotRunning`` if there is
    none.

    At a terminal, until Ctrl-D. From a pipe, every line is a message; after the last one this returns when it was
    answered and nothing more came for ``quiet`` seconds, or when nothing at all came for ``patience`` seconds,
    as where a person has the conversation. A desk that restarts meanwhile is waited for: nothing is lost or shown
    twice.
    """
    screen = Console(highlight=False) if console is None else console
    talk = _Talk(_Screen(screen, words, prompt=os.isatty(stdin) and screen.is_terminal))
    connection = await _connect(var, _STARTING)
    with _terminal_restored(stdin), talk.screen.left():
        lines = _read(stdin, talk.screen)
        async with asyncio.TaskGroup() as tasks:
            staying = tasks.create_task(talk.stay(var, *connection))
            while (line := await lines.get()) is not None:
                talk.say(line)
            await talk.settle(quiet, patience)
            staying.cancel()


async def _connect(var: Path, patience: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not hasattr(socket, "AF_UNIX"):
        raise PermanentError("this system has no Unix sockets, which the terminal channel needs")
    deadline = time.monotonic() + patience
    while True:
        try:
            return await asyncio.open_unix_connection(str(socket_path(var)), limit=1024 * 1024)
        except OSError:
            if time.monotonic() >= deadline:
                raise NotRunning(str(NotRunning.__doc__)) from None
        await asyncio.sleep(0.1)


class _Talk:
    """What was said and seen, over any number of connections."""

    def __init__(self, screen: _Screen) -> None:
        self.screen = screen
        self._after = 0
        """The revision up to which everything was received."""
        self._known: dict[int, int] = {}
        """Revisions by cursor of what was received, shown or not."""
        self._own: set[str] = set()
        """Ids of lines said here: they stand on the screen already."""
        self._unsent: dict[str, str] = {}
        """Lines by id, oldest first, until the desk has them."""
        self._writer: asyncio.StreamWriter | None = None
        """Where to write; None until the desk is ready."""
        self._answered = True
        self._heard = asyncio.Event()

    def say(self, text: str) -> None:
        """Sends a line, at once or when the desk is back."""
        id = uuid4().hex
        text = text.encode(errors="replace").decode().strip()
        if not text:
            return
        if len(json.dumps(text).encode()) > _MAX_LINE - 1024:
            self.screen.note("terminal.too_long")
            return
        self._own.add(id)
        self._unsent[id] = text
        self._answered = False
        self._send(id)

    async def settle(self, quiet: float, patience: float) -> None:
        """Waits for the desk to take what was said and, unless the customer can see to that, for its answers."""
        while self._own:
            wait: float | None
            if self.screen.prompt:
                wait = quiet if self._unsent else 0
            elif self._unsent:
                wait = None
            else:
                wait = quiet if self._answered else patience
            self._heard.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def stay(self, var: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shows what comes, and connects anew whenever the line breaks. Until cancelled."""
        while True:
            try:
                await self._converse(reader, writer)
            finally:
                self._writer = None
                writer.close()
            self.screen.note("terminal.away")
            reader, writer = await _connect(var, float("inf"))
            self.screen.note("terminal.back")

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = self._after == 0
        history: list[dict[str, Any]] = []
        try:
            await _put(writer, hello={"after": self._after, "name": _user(), "language": language_of(os.environ)})
            async for line in reader:
                said = json.loads(line)
                self._heard.set()
                match said:
                    case {"message": dict(message)}:
                        before = self._known.get(message["cursor"])
                        if before is not None and before >= message["revision"]:
                            continue
                        self._known[message["cursor"]] = message["revision"]
                        if first and self._writer is None:
                            history.append(message)
                        elif before is None:
                            self._show(message)
                        else:
                            self.screen.revised(message)
                        if self._writer is not None:
                            self._after = message["revision"]
                    case {"ready": {"after": int(after)}}:
                        self._after = after
                        self.screen.history(history[-_SHOWN_HISTORY:])
                        self._writer = writer
                        for id in self._unsent:
                            self._send(id)
                    case {"accepted": str(id)}:
                        self._unsent.pop(id, None)
                    case {"refused": str(id), "again": True}:
                        asyncio.get_running_loop().call_later(_RETRY, self._send, id)
                    case {"refused": id, "why": why}:
                        self._unsent.pop(id, None)
                        self.screen.note("terminal.not_sent", why=why)
        except OSError:
            return

    def _show(self, message: dict[str, Any]) -> None:
        self._answered = message["author"] != Author.CUSTOMER
        if message["external_id"] not in self._own and not message["deleted"]:
            self.screen.message(message)

    def _send(self, id: str) -> None:
        if self._writer is not None and id in self._unsent:
            line = json.dumps({"id": id, "text": self._unsent[id]}, ensure_ascii=False)
            self._writer.write(line.encode() + b"\n")


class _Screen:
    """Prints above the prompt, if there is one."""

    def __init__(self, console: Console, words: Words, *, prompt: bool) -> None:
        self.prompt = prompt
        self._console = console
        self._words = words
        self._locale = words.match(language_of(os.environ))

    @contextmanager
    def left(self) -> Iterator[None]:
        """Ends the prompt's line at the end: the shell's prompt does not belong behind ours."""
        try:
            yield
        finally:
            if self.prompt:
                self._console.print()

    def message(self, message: dict[str, Any]) -> None:
        with self._above_prompt():
            self._print(message)

    def revised(self, message: dict[str, Any]) -> None:
        """What stands further up has other words now, or none."""
        with self._above_prompt():
            if message["deleted"]:
                said = datetime.fromisoformat(message["time"]).astimezone()
                self._console.print(Text(self._say("terminal.deleted", time=f"{said:%H:%M}"), style="dim italic"))
            else:
                self._print(message)

    def history(self, messages: list[dict[str, Any]]) -> None:
        """What was said before: for a person, not for a pipe."""
        if self.prompt and messages:
            with self._above_prompt():
                for message in messages:
                    if not message["deleted"]:
                        self._print(message)
                self._console.rule(style="dim")

    def note(self, key: str, **values: object) -> None:
        with self._above_prompt():
            self._console.print(Text(self._say(key, **values), style="dim italic"))

    def _say(self, key: str, **values: object) -> str:
        return self._words.say(key, self._locale, **values)

    @contextmanager
    def _above_prompt(self) -> Iterator[None]:
        if not self.prompt:
            yield
            return
        self._console.file.write("\r\x1b[K")
        yield
        self._console.file.write(_PROMPT + _typed())
        self._console.file.flush()

    def _print(self, message: dict[str, Any]) -> None:
        agent = message["agent_name"] or self._say("terminal.support")
        who, style = {
            Author.CUSTOMER: (self._say("terminal.you"), "bold"),
            Author.BOT: (self._say("terminal.assistant"), "bold cyan"),
            Author.AGENT: (self._say("terminal.agent", name=agent), "bold green"),
            Author.SYSTEM: ("—", "dim"),
        }[Author(message["author"])]
        text = _printable(message["text"])
        rich = message["format"] == MessageFormat.MARKDOWN and self._console.is_terminal
        if message["edited"]:
            text = self._say("terminal.edited", text=text)
        self._console.print(Text(_printable(who), style=style))
        if text:
            self._console.print(Padding(Markdown(text, hyperlinks=False) if rich else Text(text), (0, 0, 0, 2)))
        for name in message["files"]:
            self._console.print(Text(f"  [{_printable(name)}]"))
        for number, button in enumerate(message["buttons"], 1):
            self._console.print(Text(f"  [{number}] {_printable(button['label'])}", style="cyan"))


def _printable(text: str) -> str:
    """Without the control characters by which words could take over a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


def _typed() -> str:
    """What stands behind the prompt, not yet entered."""
    try:
        import readline
    except ImportError:
        return ""
    return readline.get_line_buffer()


def language_of(environment: Mapping[str, str]) -> str:
    """The language that the terminal is set to, as a tag: ``zh-CN``; empty where it is set to none."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    tag = said.partition(".")[0].partition("@")[0].replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag) else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry
        return ""


def _read(stdin: int, screen: _Screen) -> asyncio.Queue[str | None]:
    """The lines of ``stdin`` as they come; None at its end. A thread reads: it may wait for ever, and is left to."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the chat is over
            loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=_prompted if screen.prompt else _piped, args=(stdin, put), daemon=True).start()
    return lines


def _prompted(_: int, put: Callable[[str | None], None]) -> None:
    _typed()  # readline, once imported, edits what ``input`` reads
    try:
        while True:
            put(builtins.input(_PROMPT))
    except EOFError:
        put(None)


def _piped(stdin: int, put: Callable[[str | None], None]) -> None:
    # Unbuffered: a thread left inside a buffered stdin would abort the interpreter at its end.
    with io.FileIO(stdin, closefd=False) as raw:
        for line in raw:
            put(line.decode(errors="replace"))
    put(None)


@contextmanager
def _terminal_restored(stdin: int) -> Iterator[None]:
    """Leaves a terminal as it was found, whatever mode the reading thread had put it in."""
    if not os.isatty(stdin):
        yield
        return
    import termios

    before = termios.tcgetattr(stdin)
    try:
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _build(settings: TerminalSettings, surroundings: ConnectorContext) -> TerminalConnector:  # noqa: ARG001 - nothing to set
    return TerminalConnector(surroundings.transcript, surroundings.var, surroundings.health, words=surroundings.words)


plugin = Plugin(TerminalSettings, _build)
