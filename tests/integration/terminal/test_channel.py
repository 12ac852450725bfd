"""The terminal channel over real sockets, against a desk in memory."""

from __future__ import annotations

import asyncio
import errno
import getpass
import json
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.channel import PermanentError
from bot.domain.message import Author, Command
from connectors.terminal import TerminalConnector, socket_path
from tests.support.stand_in_desk import StandInDesk, message
from tests.support.terminal import echo, listening
from tests.support.words import WORDS


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def put(self, line: Any) -> None:
        self.writer.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")

    async def get(self, key: str) -> Any:
        """The next object with that key, over what comes before it."""
        async with asyncio.timeout(5):
            while key not in (said := json.loads(await self.reader.readline())):
                pass
        return said if key == "refused" else said[key]


@asynccontextmanager
async def connected(var: Path, after: int = 0) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_unix_connection(str(socket_path(var))))
    client.put({"hello": {"after": after, "name": "impostor"}})
    yield client
    client.writer.close()


async def test_a_line_is_recorded_once_and_its_answer_streamed(var: Path) -> None:
    desk = StandInDesk(answer=echo)
    async with listening(desk, var), connected(var) as client:
        ready = await client.get("ready")
        assert ready == {"after": 0, "name": getpass.getuser()}, "the kernel's word goes before the client's"
        client.put({"id": "1", "text": "hello"})
        client.put({"id": "1", "text": "hello"})
        assert (await client.get("message"))["external_id"] == "1"
        answer = await client.get("message")
        assert (answer["author"], answer["text"], answer["format"]) == ("bot", "you said **hello**", "markdown")
    assert [said.text for said in desk.received] == ["hello"]


async def test_commands_and_buttons_arrive_as_such(var: Path) -> None:
    desk = StandInDesk()
    async with listening(desk, var), connected(var) as client:
        client.put({"id": "1", "text": "/start transfer_delay"})
        client.put({"id": "2", "button": "helped:yes", "label": "Yes"})
        assert [await client.get("accepted"), await client.get("accepted")] == ["1", "2"]
    start, button = desk.received
    assert (start.command, start.argument) == (Command.START, "transfer_delay")
    assert (button.button, button.text) == ("helped:yes", "Yes")


async def test_who_connects_again_goes_on_behind_the_cursor(var: Path) -> None:
    desk = StandInDesk(answer=echo)
    async with listening(desk, var):
        async with connected(var) as client:
            client.put({"id": "1", "text": "one"})
            while (seen := await client.get("message"))["author"] != "bot":
                pass
        await desk.deliver(getpass.getuser(), message("meanwhile", Author.AGENT))
        async with connected(var, after=seen["revision"]) as client:
            assert (await client.get("message"))["text"] == "meanwhile"


async def test_edits_and_deletions_come_as_such_and_a_deleted_text_never(var: Path) -> None:
    desk, user = StandInDesk(), getpass.getuser()
    first = await desk.deliver(user, message("helo", Author.AGENT))
    second = await desk.deliver(user, message("my secret", Author.AGENT, attachments=(desk.keep("a.pdf", "", b"x"),)))
    async with listening(desk, var), connected(var) as client:
        shown = [await client.get("message") for _ in range(2)]
        assert [(said["text"], said["files"]) for said in shown] == [("helo", []), ("my secret", ["a.pdf"])]
        assert (await client.get("ready"))["after"] == second.revision
        await desk.edit(user, first, "hello")
        edited = await client.get("message")
        assert (edited["cursor"], edited["text"], edited["edited"]) == (first.cursor, "hello", True)
        await desk.delete(user, second)
        deleted = await client.get("message")
        assert (deleted["cursor"], deleted["deleted"]) == (second.cursor, True)
    async with listening(desk, var), connected(var) as client:
        assert "my secret" not in str(said := [await client.get("message") for _ in range(2)])
        assert "a.pdf" not in str(said)
        assert (await client.get("ready"))["after"] == deleted["revision"]


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"[" * 10_000,
        b"\xff\xfe",
        b"{}",
        b'{"id": "a b", "text": "x"}',
        b'{"id": "1", "text": "\\ud800"}',
        b"x" * 70_000,
    ],
)
async def test_what_cannot_be_read_is_refused_and_the_line_stays(var: Path, line: bytes) -> None:
    desk = StandInDesk()
    async with listening(desk, var), connected(var) as client:
        await client.get("ready")
        client.put(line)
        refused = await client.get("refused")
        assert refused["refused"] is None
        assert refused["why"]
        client.put({"id": "1", "text": "still here"})
        assert await client.get("accepted") == "1"


async def test_what_the_desk_cannot_record_is_worth_another_try(var: Path) -> None:
    desk = StandInDesk(failures=1)
    async with listening(desk, var), connected(var) as client:
        client.put({"id": "1", "text": "hello"})
        assert (await client.get("refused"))["again"] is True
        client.put({"id": "1", "text": " "})
        assert (await client.get("refused"))["again"] is False


async def test_without_a_hello_the_line_is_closed(var: Path) -> None:
    async with listening(StandInDesk(), var):
        client = Client(*await asyncio.open_unix_connection(str(socket_path(var))))
        client.put({"id": "1", "text": "hello"})
        assert "hello" in (await client.get("refused"))["why"]
        assert await client.reader.read() == b""


async def test_a_client_that_leaves_is_forgotten(var: Path) -> None:
    desk = StandInDesk()
    async with listening(desk, var):
        async with connected(var) as client:
            await client.get("ready")
            assert desk.followers == 1
        async with asyncio.timeout(5):
            while desk.followers:
                await asyncio.sleep(0.01)


async def test_the_socket_is_the_users_own_and_replaces_a_dead_one(var: Path) -> None:
    var.mkdir()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(var / "terminal.sock"))
    dead.close()  # as a killed desk leaves it
    async with listening(StandInDesk(), var):
        assert stat.S_IMODE(socket_path(var).stat().st_mode) == 0o600
        async with connected(var) as client:
            await client.get("ready")
        with pytest.raises(PermanentError, match="another desk"):
            await TerminalConnector(StandInDesk(), var, words=WORDS).run(StandInDesk().receive)


async def test_a_desk_that_cannot_be_asked_keeps_its_socket(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(StandInDesk(), var):
        with monkeypatch.context() as patch:

            def refuse(*_: object) -> None:
                raise BlockingIOError(errno.EAGAIN, "its queue is full")

            patch.setattr(socket.socket, "connect", refuse)
            with pytest.raises(PermanentError, match="another desk"):
                await asyncio.wait_for(TerminalConnector(StandInDesk(), var, words=WORDS).run(StandInDesk().receive), 5)
        async with connected(var) as client:
            await client.get("ready")


async def test_a_socket_that_cannot_be_tried_is_not_taken_for_a_dead_one(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_handles(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with listening(StandInDesk(), var):
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", out_of_handles)
            with pytest.raises(OSError, match="Too many open files"):
                await TerminalConnector(StandInDesk(), var, words=WORDS).run(StandInDesk().receive)
        async with connected(var) as client:
            await client.get("ready")


async def test_a_path_too_long_for_a_socket_moves_to_a_private_folder(tmp_path: Path) -> None:
    var = tmp_path / ("v" * 120)
    async with listening(StandInDesk(), var):
        path = socket_path(var)
        assert path.parent != var
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        async with connected(var) as client:
            await client.get("ready")
    assert not path.parent.exists()
    assert not (var / "terminal.path").exists()
