"""`switchboard chat` in a pipe and at a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import getpass
import io
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from bot.domain.message import Author, Button
from connectors.terminal import NotRunning, chat
from tests.support.stand_in_desk import StandInDesk, message
from tests.support.terminal import echo, listening
from tests.support.words import WORDS


class Pipe:
    """A chat whose input is a pipe."""

    def __init__(self, var: Path) -> None:
        self.output = io.StringIO()
        reading, self.writing = os.pipe()
        console = Console(file=self.output, width=200, highlight=False)
        self.chatting = asyncio.create_task(chat(var, WORDS, stdin=reading, console=console, quiet=0.2, patience=1.0))

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
    monkeypatch.setattr("connectors.terminal.client._RETRY", 0.05)
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
        await chat(var, WORDS, stdin=os.open(os.devnull, os.O_RDONLY))


CHAT = """
import asyncio, signal, sys
from pathlib import Path
from connectors.terminal import chat
from tests.support.words import WORDS

async def main():
    chatting = asyncio.ensure_future(chat(Path(sys.argv[1]), WORDS))
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
            env=os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8"},
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
