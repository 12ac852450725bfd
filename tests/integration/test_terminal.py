"""The terminal channel over real sockets, against a desk in memory."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import getpass
import io
import json
import os
import socket
import stat
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bot.model import Author, Button, Command, Incoming, Message, PermanentError
from connectors.terminal import NotRunning, TerminalConnector, chat, socket_path
from tests.support.stand_in_desk import StandInDesk, message


def echo(incoming: Incoming) -> Iterable[Message]:
    return [message(f"you said **{incoming.text}**")]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


@asynccontextmanager
async def listening(desk: StandInDesk, var: Path) -> AsyncIterator[None]:
    running = asyncio.create_task(TerminalConnector(desk, var).run(desk.receive))
    try:
        async with asyncio.timeout(5):
            while not answers(socket_path(var)):
                await asyncio.sleep(0.01)
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not socket_path(var).exists()


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
            await TerminalConnector(StandInDesk(), var).run(StandInDesk().receive)


async def test_a_desk_that_cannot_be_asked_keeps_its_socket(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(StandInDesk(), var):
        with monkeypatch.context() as patch:

            def refuse(*_: object) -> None:
                raise BlockingIOError(errno.EAGAIN, "its queue is full")

            patch.setattr(socket.socket, "connect", refuse)
            with pytest.raises(PermanentError, match="another desk"):
                await asyncio.wait_for(TerminalConnector(StandInDesk(), var).run(StandInDesk().receive), 5)
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
                await TerminalConnector(StandInDesk(), var).run(StandInDesk().receive)
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


# --- the client -----------------------------------------------------------------------------------


class Pipe:
    """A chat whose input is a pipe."""

    def __init__(self, var: Path) -> None:
        self.output = io.StringIO()
        reading, self.writing = os.pipe()
        console = Console(file=self.output, width=200, highlight=False)
        self.chatting = asyncio.create_task(chat(var, stdin=reading, console=console, quiet=0.2, patience=1.0))

    def say(self, text: str) -> None:
        os.write(self.writing, text.encode())

    async def end(self) -> str:
        os.close(self.writing)
        await asyncio.wait_for(self.chatting, 10)
        return self.output.getvalue()

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self.output.getvalue():
                await asyncio.sleep(0.01)


async def test_piped_lines_are_sent_and_their_answers_awaited(var: Path) -> None:
    desk = StandInDesk(answer=lambda said: [message("which one?", buttons=[Button("Fees", "topic:fees")])])
    await desk.deliver(getpass.getuser(), message("from yesterday"))
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("one\n\n你好\n")
        output = await pipe.end()
    assert [said.text for said in desk.received] == ["one", "你好"]
    assert output.count("which one?") == 2
    assert "[1] Fees" in output
    assert "yesterday" not in output


async def test_a_desk_that_restarts_is_waited_for(var: Path) -> None:
    desk = StandInDesk(answer=echo)
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("before\n")
        await pipe.shows("you said **before**")
    await pipe.shows("away")
    await desk.deliver(getpass.getuser(), message("meanwhile"))
    pipe.say("during\n")
    async with listening(desk, var):
        await pipe.shows("you said **during**")
        output = await pipe.end()
    assert [said.text for said in desk.received] == ["before", "during"]
    assert output.index("meanwhile") < output.index("you said **during**")
    assert output.count("you said **before**") == 1


async def test_edits_and_deletions_are_told_and_files_named(var: Path) -> None:
    desk, user = StandInDesk(), getpass.getuser()
    desk.answer = lambda said: [message("helo", Author.AGENT, attachments=(desk.keep("账单.pdf", "", b"x"),))]
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("one\n")
        await pipe.shows("[账单.pdf]")
        delivered = (await desk.read("terminal", "terminal", user, 0))[-1]
        await desk.edit(user, delivered, "hello")
        await pipe.shows("(edited) hello")
        await desk.delete(user, delivered)
        await pipe.shows("(deleted) the message of ")
        output = await pipe.end()
    assert output.count("helo") == output.count("hello") == 1


async def test_what_changed_while_the_desk_was_away_is_told_once(var: Path) -> None:
    desk, user = StandInDesk(answer=echo), getpass.getuser()
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("before\n")
        await pipe.shows("you said **before**")
    await pipe.shows("away")
    answered = (await desk.read("terminal", "terminal", user, 0))[-1]
    meanwhile = await desk.deliver(user, message("mean"))
    await desk.edit(user, meanwhile, "meanwhile")
    gone = await desk.deliver(user, message("never seen"))
    await desk.delete(user, gone)
    await desk.delete(user, answered)
    async with listening(desk, var):
        pipe.say("during\n")
        await pipe.shows("you said **during**")
        output = await pipe.end()
    assert output.count("(edited) meanwhile") == output.count("(deleted)") == 1
    assert "never seen" not in output
    assert output.count("you said **before**") == 1


async def test_a_line_not_recorded_is_tried_again(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.terminal._RETRY", 0.05)
    desk = StandInDesk(answer=echo, failures=2)
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("hello\n")
        assert "you said **hello**" in await pipe.end()


async def test_an_answer_cannot_take_over_the_terminal(var: Path) -> None:
    desk = StandInDesk(answer=lambda said: [message("\x1b]0;owned\x07\x9b31mred", Author.AGENT, agent_name="A\x1b[2J")])
    async with listening(desk, var):
        pipe = Pipe(var)
        pipe.say("hello\n")
        output = await pipe.end()
    assert "owned" in output
    assert not set(output) & {"\x1b", "\x07", "\x9b"}


async def test_without_a_desk_the_chat_says_so(var: Path) -> None:
    with pytest.raises(NotRunning, match="switchboard run"):
        await chat(var, stdin=os.open(os.devnull, os.O_RDONLY))


# --- the client at a terminal ---------------------------------------------------------------------

CHAT = """
import asyncio, signal, sys
from pathlib import Path
from connectors.terminal import chat

async def main():
    chatting = asyncio.ensure_future(chat(Path(sys.argv[1])))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, chatting.cancel)
    await asyncio.gather(chatting, return_exceptions=True)

asyncio.run(main())
"""


class Terminal:
    """A chat in a process of its own, at a pseudo-terminal."""

    def __init__(self, var: Path) -> None:
        self.master, slave = os.openpty()
        self.modes = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHAT, str(var)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )
        os.set_blocking(self.master, False)
        self.output = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(15):
            while text not in self.output:
                with contextlib.suppress(BlockingIOError):
                    self.output += os.read(self.master, 65536).decode(errors="replace")
                await asyncio.sleep(0.01)

    async def leaves(self) -> int:
        """The exit code; the terminal is then as it was found."""
        status = await asyncio.to_thread(self.process.wait, 10)
        assert termios.tcgetattr(self.slave) == self.modes
        os.close(self.master)
        os.close(self.slave)
        return status


@pytest.mark.parametrize("key", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
async def test_a_message_that_comes_while_typing_does_not_disturb(var: Path, key: str) -> None:
    desk = StandInDesk(answer=lambda said: [message("**sure**, which one?")])
    await desk.deliver(getpass.getuser(), message("from yesterday"))
    async with listening(desk, var):
        terminal = Terminal(var)
        await terminal.shows("from yesterday")
        terminal.type("hello\r")
        await terminal.shows("sure")
        terminal.type("half a li")
        await terminal.shows("half a li")
        await desk.deliver(getpass.getuser(), message("from a person", Author.AGENT, agent_name="Maya"))
        await terminal.shows("from a person")
        await terminal.shows("Maya (human)")
        terminal.type("ne\r")
        async with asyncio.timeout(10):
            while len(desk.received) < 2:
                await asyncio.sleep(0.01)
        terminal.type(key)
        assert await terminal.leaves() == 0
    assert [said.text for said in desk.received] == ["hello", "half a line"]
