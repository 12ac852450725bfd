"""The desk's side of the terminal."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from structlog.typing import FilteringBoundLogger

from bot.domain.channel import Capabilities, Outgoing
from bot.domain.message import Incoming, Sender, parse_command
from bot.domain.said import fault
from bot.ports import Health, NullHealth, Receive, Transcript, Words
from connectors.terminal.sockets import listening_at, peer_of
from connectors.terminal.wire import MAX_LINE, Greeting, Hello, Said, first_error, lines_of, put, shown

log: FilteringBoundLogger = structlog.get_logger(__name__)


class TerminalSettings(BaseModel):
    """The section ``channels.terminal`` of ``config.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True


class TerminalConnector:
    """Customers at this machine's terminals; each local user is one contact."""

    name = "terminal"
    account = "terminal"
    capabilities = Capabilities(
        edits=True,
        idempotent=True,
        reaches_absent=False,
        max_length=100_000,
        icon="M4 5h16v14H4zM7 10l2.5 2L7 14m5 0h4",
    )

    def __init__(self, transcript: Transcript, var: Path, health: Health | None = None, *, words: Words) -> None:
        self._transcript = transcript
        self._words = words
        self._var = var
        self._health = health or NullHealth()

    async def run(self, receive: Receive) -> None:
        """Listens until cancelled, which ends every conversation's connection."""
        loop = asyncio.get_running_loop()
        with listening_at(self._var) as listening:
            self._health.connected(self.account)
            async with asyncio.TaskGroup() as connections:
                while True:
                    try:
                        accepted, _ = await loop.sock_accept(listening)
                    except OSError as error:  # too many open files, or the client has already left
                        log.warning("connection not accepted", action="terminal_accept_failed", error=str(error))
                        self._health.trouble(
                            fault(
                                "a terminal could not connect: {why}. It may try again.",
                                "terminal.fault.connect",
                                why=str(error),
                            )
                        )
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
        reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=MAX_LINE)
        try:
            await self._converse(lines_of(reader), writer, peer_of(accepted), receive)
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
            hello = Greeting.model_validate_json(first or b"").hello
        except ValidationError as error:
            await put(writer, refused=None, why=f"expected a hello: {first_error(error)}", again=False)
            return
        contact = peer or hello.name or "local"
        async with asyncio.TaskGroup() as both:
            following = both.create_task(self._follow(writer, contact, hello))
            async for line in lines:
                await put(writer, **await self._take(line, contact, hello.language, receive))
            following.cancel()

    async def _follow(self, writer: asyncio.StreamWriter, contact: str, hello: Hello) -> None:
        locale, after = self._words.match(hello.language), hello.after

        def say(key: str) -> str:
            return self._words.say(key, locale)

        for message in await self._transcript.read(self.name, self.account, contact, after):
            await put(writer, message=shown(message, say))
            after = max(after, message.revision or 0)
        await put(writer, ready={"after": after, "name": contact})
        async for messages in self._transcript.follow(self.name, self.account, contact, after):
            for message in messages:
                await put(writer, message=shown(message, say))

    async def _take(self, line: bytes | None, contact: str, language: str, receive: Receive) -> dict[str, Any]:
        """What became of one line of the client."""
        locale = self._words.match(language)
        if line is None:
            return {
                "refused": None,
                "why": self._words.say("terminal.refused.line_too_long", locale, n=MAX_LINE),
                "again": False,
            }
        try:
            said = Said.model_validate_json(line)
        except ValidationError as error:
            return {"refused": None, "why": first_error(error), "again": False}
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
            self._health.trouble(
                fault(
                    "a message could not be recorded ({kind}); the terminal tries again. See the log.",
                    "terminal.fault.not_recorded",
                    kind=kind,
                )
            )
            return {"refused": said.id, "why": self._words.say("terminal.refused.unavailable", locale), "again": True}
        return {"accepted": said.id}
