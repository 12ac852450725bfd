"""The terminal: what is printed on it, and what is typed there."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import io
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from bot.domain.message import Author, MessageFormat
from bot.ports import Words

_PROMPT = "› "


class Screen:
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


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry
        return ""


def read_lines(stdin: int, screen: Screen) -> asyncio.Queue[str | None]:
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
def terminal_restored(stdin: int) -> Iterator[None]:
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
