"""Rich content made to fit a platform: the only place where it degrades."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.channel import Capabilities
from bot.domain.message import Attachment, Button, Message, MessageFormat

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True})


@dataclass(frozen=True, slots=True)
class Part:
    """One send of a message."""

    text: str
    format: MessageFormat
    buttons: tuple[Button, ...] = ()
    file: Attachment | None = None
    """Sent instead of a text."""


def fit(message: Message, capabilities: Capabilities) -> list[Part]:
    """The sends that put ``message`` before a customer there, in order; the same ones at every call.

    Markdown becomes plain text, buttons become numbered lines and files their names where the platform has none of
    them; what is too long is split at paragraphs, lines, sentences or words, in this order of preference. Files come
    first: an edit changes how many parts the text has, and never which part a file is.
    """
    text, format = message.text, message.format
    if format is MessageFormat.MARKDOWN and not capabilities.markdown:
        text, format = plain(text), MessageFormat.TEXT
    buttons = message.buttons
    if buttons and not capabilities.buttons:
        text = "\n".join([text, "", *(f"[{number}] {button.label}" for number, button in enumerate(buttons, 1))])
        buttons = ()
    files = [Part("", format, file=attachment) for attachment in message.attachments if capabilities.attachments]
    if message.attachments and not capabilities.attachments:
        text = "\n".join(filter(None, [text, *(f"[{attachment.name}]" for attachment in message.attachments)]))
    texts = list(split(text, capabilities.max_length, lambda piece: capabilities.length(piece, format)))
    parts = [Part(part, format, buttons if index == len(texts) - 1 else ()) for index, part in enumerate(texts)]
    return files + parts


def split(text: str, limit: int, length: Callable[[str], int]) -> Iterator[str]:
    """Pieces of at most ``limit``, as ``length`` counts, that together hold all of ``text`` but the blanks between."""
    while length(text) > limit:
        head = _head(text, limit, length)
        for separator in ("\n\n", "\n", "。", ". ", "！", "？", "! ", "? ", " "):
            cut = head.rfind(separator)
            # A piece of less than half the room would scatter the message.
            if cut > len(head) // 2:
                head = head[: cut + len(separator)]
                break
        if piece := head.rstrip():
            yield piece
        text = text[len(head) :].lstrip()
    if text:
        yield text


def _head(text: str, limit: int, length: Callable[[str], int]) -> str:
    """The longest beginning that fits, of at least one character; never half of what is shown as one."""
    cut = bisect_right(range(1, min(len(text), limit) + 1), limit, key=lambda end: length(text[:end])) or 1
    whole = cut
    while whole and _inside(text, whole):
        whole -= 1
    return text[: whole or cut]


_JOINER = "\u200d"


def _inside(text: str, at: int) -> bool:
    """Whether the characters on both sides of ``at`` are shown as one: an accent, a skin tone, a family, a flag."""
    if at >= len(text):
        return False
    character = text[at]
    if _regional(character):
        before = 0
        while before < at and _regional(text[at - before - 1]):
            before += 1
        return before % 2 == 1
    return (
        _JOINER in (character, text[at - 1])
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or unicodedata.category(character).startswith("M")
    )


def _regional(character: str) -> bool:
    """One of the letters whose pairs are flags."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def as_markdown(text: str) -> str:
    """Plain text of one line as Markdown that shows it as it stands, whatever it is put into."""
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def plain(markdown: str) -> str:
    """Markdown as plain text: emphasis dropped, lists kept as lines."""
    lines: list[str] = []
    _plain_blocks(_MARKDOWN.parse(markdown), lines)
    return "\n".join(lines).strip()


def _plain_blocks(tokens: list[Token], lines: list[str]) -> None:
    counters: list[int | None] = []
    marker = ""
    for token in tokens:
        if token.type == "ordered_list_open":
            counters.append(int(token.attrGet("start") or 1))
        elif token.type == "bullet_list_open":
            counters.append(None)
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            counters.pop()
            if not counters:
                lines.append("")
        elif token.type == "list_item_open":
            number = counters[-1]
            marker = "  " * (len(counters) - 1) + ("• " if number is None else f"{number}. ")
            if number is not None:
                counters[-1] = number + 1
        elif token.type == "inline":
            lines.append(marker + "".join(_plain_inline(token)))
            marker = ""
        elif token.type == "paragraph_close" and not counters:
            lines.append("")
        elif token.type in ("fence", "code_block"):
            lines.extend([token.content.rstrip("\n"), ""])


def _plain_inline(token: Token) -> Iterator[str]:
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            yield "\n"
        else:
            yield child.content
