"""``chat``: the client behind ``switchboard chat``."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from bot.domain.channel import PermanentError
from bot.domain.message import Author
from bot.ports import Words
from connectors.terminal.screen import Screen, language_of, read_lines, terminal_restored, user
from connectors.terminal.sockets import NO_SOCKETS, socket_path
from connectors.terminal.wire import MAX_LINE, put

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
    talk = _Talk(Screen(screen, words, prompt=os.isatty(stdin) and screen.is_terminal))
    connection = await _connect(var, _STARTING)
    with terminal_restored(stdin), talk.screen.left():
        lines = read_lines(stdin, talk.screen)
        async with asyncio.TaskGroup() as tasks:
            staying = tasks.create_task(talk.stay(var, *connection))
            while (line := await lines.get()) is not None:
                talk.say(line)
            await talk.settle(quiet, patience)
            staying.cancel()


async def _connect(var: Path, patience: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not hasattr(socket, "AF_UNIX"):
        raise PermanentError(NO_SOCKETS)
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

    def __init__(self, screen: Screen) -> None:
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
        if len(json.dumps(text).encode()) > MAX_LINE - 1024:
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
            await put(writer, hello={"after": self._after, "name": user(), "language": language_of(os.environ)})
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
