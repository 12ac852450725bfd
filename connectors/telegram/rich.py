"""Rich messages: blocks in blocks become lines of text, with the links and the files in them. A block of a kind that is
not known keeps its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.domain.context import Link
from bot.domain.message import Attachment
from connectors.fields import Json, storable, words

DEEPEST = 40
"""Blocks in blocks that are read."""
_INDENT = "  "
_TEXTS = ("text", "alternative_text", "expression", "summary", "title", "header", "question", "label", "body", "quote")
_BEHIND = ("description", "caption", "credit")
_KNOWN = frozenset(
    {
        *(
            "paragraph",
            "heading",
            "pre",
            "footer",
            "divider",
            "mathematical_expression",
            "anchor",
            "list",
            "blockquote",
        ),
        *("pullquote", "collage", "slideshow", "table", "details", "map", "animation", "audio", "photo", "video"),
        *("voice_note", "thinking"),
    }
)
"""Kinds of blocks of which nothing is lost as text."""


@dataclass
class Rich:
    """What one rich message, or any object that holds text, says."""

    lines: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    unknown: list[Json] = field(default_factory=list)
    """Blocks of kinds that are not known, of which only the text was read."""

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip("\n")


def read(value: object, file: Callable[[str, Any], tuple[Attachment, ...]]) -> Rich:
    """``file`` makes attachments of what stands under a name such as ``photo``."""
    reader = _Reader(file)
    reader.blocks(value, 0)
    return reader.found


class _Reader:
    def __init__(self, file: Callable[[str, Any], tuple[Attachment, ...]]) -> None:
        self.found = Rich()
        self._file = file

    def blocks(self, value: object, depth: int) -> None:
        if depth > DEEPEST:
            return
        if isinstance(value, list):
            for one in value:
                self.blocks(one, depth + 1)
        elif isinstance(value, str):
            self._add(storable(value))
        elif isinstance(value, dict):
            self._block(value, depth)

    def _block(self, block: Json, depth: int) -> None:
        kind = block.get("type")
        if isinstance(kind, str) and kind not in _KNOWN:
            self.found.unknown.append(block)
        match kind:
            case "list":
                for item in block["items"] if isinstance(block.get("items"), list) else ():
                    self._item(item if isinstance(item, dict) else {"text": item}, depth)
            case "blockquote":
                self._inside("> ", lambda: self._generic(block, depth))
            case "table":
                for row in block["cells"] if isinstance(block.get("cells"), list) else ():
                    cells = row if isinstance(row, list) else [row]
                    self._add(" | ".join(" ".join(self._text(cell, depth).split()) for cell in cells))
                self._add(self._text(block.get("caption"), depth))
            case "pre":
                self._add(self._text(block.get("text"), depth))
            case "divider":
                self._add("———")
            case _:
                self._generic(block, depth)

    def _item(self, item: Json, depth: int) -> None:
        label = words(item.get("label")) or "•"
        if item.get("has_checkbox") is True:
            label = "☑" if item.get("is_checked") is True else "☐"
        before = len(self.found.lines)
        # Its type is that of its label.
        self._generic({name: value for name, value in item.items() if name not in ("label", "type")}, depth)
        lines = self.found.lines[before:] or [""]
        self.found.lines[before:] = [f"{label} {lines[0]}".rstrip(), *(_INDENT + line for line in lines[1:])]

    def _inside(self, mark: str, fill: Callable[[], None]) -> None:
        before = len(self.found.lines)
        fill()
        self.found.lines[before:] = [mark + line for line in self.found.lines[before:]]

    def _generic(self, block: Json, depth: int) -> None:
        """Its text, what is in it, and what stands below that; files wherever they are."""
        is_text = isinstance(block.get("url"), str)  # a text with its address, standing where a block could
        if is_text:
            self._add(self._text(block, depth))
        else:
            for name in _TEXTS:
                self._add(self._text(block.get(name), depth))
        for name, value in block.items():
            if name in _TEXTS or name in _BEHIND or name == "type":
                continue
            if files := self._file(name, value):
                self.found.files.extend(files)
            elif isinstance(value, dict | list) or name in ("blocks", "content"):
                self.blocks(value, depth + 1)
        for name in () if is_text else _BEHIND:
            self._add(self._text(block.get(name), depth))

    # --- texts in lines

    def _add(self, text: str) -> None:
        if text.strip():
            self.found.lines.extend(text.split("\n"))

    def _text(self, value: object, depth: int) -> str:
        return "".join(self._pieces(value, depth))

    def _pieces(self, value: object, depth: int) -> Iterator[str]:
        if depth > DEEPEST:
            return
        if isinstance(value, str):
            yield storable(value)
        elif isinstance(value, list):
            for one in value:
                yield from self._pieces(one, depth + 1)
        elif isinstance(value, dict):
            text = " — ".join(filter(None, (self._text(value.get(name), depth + 1) for name in (*_TEXTS, *_BEHIND))))
            if address := address_of(value):
                if address != text.strip():
                    self.found.links.append(Link(text, address))
                text = text or address
            yield text


def address_of(piece: Json) -> str:
    """Where a piece of text leads, of an entity as of a rich text; empty where it leads nowhere."""
    if url := words(piece.get("url")):
        return url
    user = piece.get("user")
    if piece.get("type") == "text_mention" and isinstance(user, dict) and type(user.get("id")) is int:
        return f"tg://user?id={user['id']}"
    return ""
