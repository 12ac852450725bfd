"""The content files' Markdown, laid out as a chat shows it: paragraphs, lists and links as text. How a platform marks
emphasis, code and addresses is its own part."""

from __future__ import annotations

from abc import ABC, abstractmethod

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_ADDRESSES = ("mailto:", "tel:")


class Layout(ABC):
    """A message being laid out, token by token."""

    bullet = "- "
    indent = "  "
    """Before an item, once for each list around its own."""

    def __init__(self) -> None:
        self.text = ""
        self._newlines = 0
        """Line breaks due before whatever is written next."""
        self._marker = ""
        self._lists: list[int | None] = []
        """The next number of every list we are in; None for one of bullets."""

    def lay_out(self, markdown: str) -> None:
        for token in _MARKDOWN.parse(markdown):
            self._add(token)

    # --- the platform's part

    def _words(self, text: str) -> str:
        """Plain words as the platform needs them written."""
        return text

    @abstractmethod
    def _break(self) -> None:
        """A line break within a paragraph."""

    @abstractmethod
    def _code(self, content: str) -> None:
        """Code within a line."""

    @abstractmethod
    def _block(self, content: str, language: str) -> None:
        """Code of lines of its own."""

    @abstractmethod
    def _span(self, kind: str, token: Token) -> None:
        """The beginning or the end of emphasis (``strong``, ``em``, ``s``), a ``heading`` or a ``blockquote``."""

    @abstractmethod
    def _link(self, url: str) -> None:
        """What is written from now on is the text of a link."""

    @abstractmethod
    def _unlink(self) -> None:
        """The text of the link is over."""

    # --- what all have in common

    def _add(self, token: Token) -> None:
        match token.type:
            case "inline":
                for child in token.children or ():
                    self._add(child)
            case "text":
                self._write(self._words(token.content))
            case "softbreak":
                self._write(" ")
            case "hardbreak":
                self._break()
            case "code_inline":
                self._code(token.content)
            case "fence" | "code_block":
                self._block(token.content.rstrip("\n"), token.info.split(maxsplit=1)[0] if token.info.strip() else "")
                self._newlines = 2
            case "image":
                self._link(str(token.attrs.get("src", "")))
                self._write(self._words(token.content))
                self._unlink()
            case "link_open":
                self._link(str(token.attrs.get("href", "")))
            case "link_close":
                self._unlink()
            case "hr":
                self._write("———")
                self._newlines = 2
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                if not self._lists:
                    self._newlines = 2
            case "list_item_open":
                self._begin_item()
            case "list_item_close":
                self._newlines = max(self._newlines, 1)
            case "paragraph_open":
                pass
            case "paragraph_close":
                self._newlines = 1 if token.hidden else 2  # hidden: an item of a list without blank lines
            case _:
                self._span(token.type.removesuffix("_open").removesuffix("_close"), token)

    def _begin_item(self) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = self.indent * (len(self._lists) - 1) + (self.bullet if number is None else f"{number}. ")

    def _write(self, text: str) -> None:
        """Writes what separates it from the text before, and then the text."""
        lead = (self._separator() * self._newlines if self.text else "") + self._marker
        self._newlines, self._marker = 0, ""
        self.text += lead + text

    def _separator(self) -> str:
        return "\n"

    def _spell_out(self, url: str) -> None:
        """An address that the platform cannot link to, behind the words that named it; a relative one leads nowhere."""
        address = self._words(url.partition(":")[2])
        if url.startswith(_ADDRESSES) and not self.text.endswith(address):
            self._write(f" ({address})")
