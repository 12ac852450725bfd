"""To Telegram: Markdown becomes plain text and the entities that style it."""

from __future__ import annotations

from markdown_it.token import Token
from telegram import MessageEntity

from connectors.markdown import Layout

_SPANS = {
    "heading": MessageEntity.BOLD,
    "strong": MessageEntity.BOLD,
    "em": MessageEntity.ITALIC,
    "s": MessageEntity.STRIKETHROUGH,
    "blockquote": MessageEntity.BLOCKQUOTE,
}
_LINKABLE = ("http://", "https://", "tg://")


def render_markdown(markdown: str) -> tuple[str, list[MessageEntity]]:
    """The text as Telegram shows it, and the entities that point into it in UTF-16 units.

    Entities rather than Telegram's own Markdown, which refuses a whole message over one unescaped character.
    """
    page = _Page()
    page.lay_out(markdown)
    return page.text, sorted(page.entities, key=lambda entity: (entity.offset, -entity.length))


class _Page(Layout):
    bullet = "• "
    indent = "   "

    def __init__(self) -> None:
        super().__init__()
        self.entities: list[MessageEntity] = []
        self._length = 0
        self._open: list[int] = []
        self._links: list[str] = []

    def _write(self, text: str) -> None:
        before = len(self.text)
        super()._write(text)
        self._length += len(self.text[before:].encode("utf-16-le")) // 2

    def _break(self) -> None:
        self._write("\n")

    def _code(self, content: str) -> None:
        self._begin()
        self._write(content)
        self._end(MessageEntity.CODE)

    def _block(self, content: str, language: str) -> None:
        self._begin()
        self._write(content)
        self._end(MessageEntity.PRE, language=language or None)

    def _span(self, kind: str, token: Token) -> None:
        if kind not in _SPANS:
            return
        if token.nesting > 0:
            self._begin()
            return
        self._end(_SPANS[kind])
        if token.block:
            self._newlines = 2

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
        else:
            self._open.pop()
            self._spell_out(url)
