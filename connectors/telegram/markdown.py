"""To Telegram: Markdown becomes plain text and the entities that style it."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token
from telegram import MessageEntity

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_SPANS = {
    "heading": MessageEntity.BOLD,
    "strong": MessageEntity.BOLD,
    "em": MessageEntity.ITALIC,
    "s": MessageEntity.STRIKETHROUGH,
    "blockquote": MessageEntity.BLOCKQUOTE,
}
_LINKABLE = ("http://", "https://", "tg://")
_ADDRESSES = ("mailto:", "tel:")


def render_markdown(markdown: str) -> tuple[str, list[MessageEntity]]:
    """The text as Telegram shows it, and the entities that point into it in UTF-16 units.

    Entities rather than Telegram's own Markdown, which refuses a whole message over one unescaped character.
    """
    page = _Page()
    for token in _MARKDOWN.parse(markdown):
        page.add(token)
    return page.text, sorted(page.entities, key=lambda entity: (entity.offset, -entity.length))


class _Page:
    """A message being laid out, token by token."""

    def __init__(self) -> None:
        self.text = ""
        self.entities: list[MessageEntity] = []
        self._length = 0
        self._newlines = 0
        self._marker = ""
        self._open: list[int] = []
        self._links: list[str] = []
        self._lists: list[int | None] = []
        """The next number of every list we are in; None for one of bullets."""

    def add(self, token: Token) -> None:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        match token.type:
            case "inline":
                for child in token.children or ():
                    self.add(child)
            case "text":
                self._write(token.content)
            case "softbreak":
                self._write(" ")
            case "hardbreak":
                self._write("\n")
            case "code_inline":
                self._begin()
                self._write(token.content)
                self._end(MessageEntity.CODE)
            case "fence" | "code_block":
                self._begin()
                self._write(token.content.rstrip("\n"))
                self._end(MessageEntity.PRE, language=token.info.split(maxsplit=1)[0] if token.info.strip() else None)
                self._newlines = 2
            case "image":
                self._link(str(token.attrs.get("src", "")))
                self._write(token.content)
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
                self._item()
            case "list_item_close":
                self._newlines = max(self._newlines, 1)
            case "paragraph_close":
                self._newlines = 1 if token.hidden else 2  # hidden: an item of a list without blank lines
            case _ if kind in _SPANS and token.nesting > 0:
                self._begin()
            case _ if kind in _SPANS:
                self._end(_SPANS[kind])
                if token.block:
                    self._newlines = 2

    def _item(self) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "   " * (len(self._lists) - 1) + ("• " if number is None else f"{number}. ")

    def _write(self, text: str) -> None:
        """Writes what separates it from the text before, and then the text."""
        lead = ("\n" * self._newlines if self.text else "") + self._marker
        self._newlines, self._marker = 0, ""
        self.text += lead + text
        self._length += len((lead + text).encode("utf-16-le")) // 2

    def _begin(self) -> None:
        self._write("")  # an entity starts after the line break and the list's marker, not before
        self._open.append(self._length)

    def _end(self, kind: str, **details: str | None) -> None:
        start = self._open.pop()
        if self._length > start:
            self.entities.append(MessageEntity(kind, start, self._length - start, **details))  # type: ignore[arg-type]

    def _link(self, url: str) -> None:
        self._begin()
        self._links.append(url)

    def _unlink(self) -> None:
        url = self._links.pop()
        if url.startswith(_LINKABLE):
            self._end(MessageEntity.TEXT_LINK, url=url)
            return
        self._open.pop()
        # Telegram links to web addresses only, so others are spelt out; a relative one leads nowhere.
        address = url.partition(":")[2]
        if url.startswith(_ADDRESSES) and not self.text.endswith(address):
            self._write(f" ({address})")
