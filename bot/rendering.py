"""Rich content made to fit a platform: the only place where it degrades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.model import Button, Capabilities, Message, MessageFormat

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True})


@dataclass(frozen=True, slots=True)
class Part:
    """One send of a message."""

    text: str
    format: MessageFormat
    buttons: tuple[Button, ...] = ()


def fit(message: Message, capabilities: Capabilities) -> list[Part]:
    """The sends that put ``message`` before a customer there, in order; the same ones at every call.

    Markdown becomes plain text and buttons become numbered lines where the platform has neither; what is
    too long is split at paragraphs, lines, sentences or words, in this order of preference.
    """
    text, format = message.text, message.format
    if format is MessageFormat.MARKDOWN and not capabilities.markdown:
        text, format = plain(text), MessageFormat.TEXT
    buttons = message.buttons
    if buttons and not capabilities.buttons:
        text = "\n".join([text, "", *(f"[{number}] {button.label}" for number, button in enumerate(buttons, 1))])
        buttons = ()
    texts = list(split(text, capabilities.max_length))
    return [Part(part, format, buttons if index == len(texts) - 1 else ()) for index, part in enumerate(texts)]


def split(text: str, limit: int) -> Iterator[str]:
    """Pieces of at most ``limit`` UTF-16 units that together hold all of ``text`` but the blanks between."""
    while _length(text) > limit:
        head = _head(text, limit)
        for separator in ("\n\n", "\n", "。", ". ", "！", "？", "! ", "? ", " "):
            cut = head.rfind(separator)
            # A piece of less than half the room would scatter the message.
            if cut > len(head) // 2:
                head = head[: cut + len(separator)]
                break
        yield head.rstrip()
        text = text[len(head) :].lstrip()
    if text:
        yield text


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _head(text: str, limit: int) -> str:
    """The longest beginning of at most ``limit`` UTF-16 units; never half a character."""
    return text.encode("utf-16-le")[: limit * 2].decode("utf-16-le", errors="ignore")


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
