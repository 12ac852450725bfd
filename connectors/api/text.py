"""Markdown as plain text, for apps whose platform has no emphasis."""

from __future__ import annotations

from markdown_it.token import Token

from connectors.markdown import Layout


def plain(markdown: str) -> str:
    """The words with their lists and lines; an address stands behind the words that named it."""
    page = _Page()
    page.lay_out(markdown)
    return page.text


class _Page(Layout):
    bullet = "• "

    def __init__(self) -> None:
        super().__init__()
        self._links: list[tuple[str, int]] = []

    def _break(self) -> None:
        self._write("\n")

    def _code(self, content: str) -> None:
        self._write(content)

    def _block(self, content: str, language: str) -> None:  # noqa: ARG002 - nothing shows it
        self._write(content)

    def _span(self, kind: str, token: Token) -> None:
        if kind in ("heading", "blockquote") and token.nesting < 0:
            self._newlines = 2

    def _link(self, url: str) -> None:
        self._write("")
        self._links.append((url, len(self.text)))

    def _unlink(self) -> None:
        url, begin = self._links.pop()
        if url.startswith(("http://", "https://")) and self.text[begin:] != url:
            self._write(f" ({url})")
        else:
            self._spell_out(url)
