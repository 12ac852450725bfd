"""To Discord: what agents type is escaped, and the content files' Markdown is written the way Discord reads it."""

from __future__ import annotations

import re

from markdown_it.token import Token

from bot.domain.message import MessageFormat
from connectors.markdown import Layout

_SPANS = {"strong": "**", "em": "*", "s": "~~"}
_WEB = ("http://", "https://")

_SPECIAL = re.compile(
    r"""
      (?P<url> <https?://[^\s<>]+[^\s<>.,:;"'\])]>         # addresses stay as they are
        | https?://[^\s<]+[^\s<.,:;"'\])] (?: [.,:;"'\])]*(?=<) )? )
    | (?P<indent> ^[ \t]* ) (?:                            # what means something at the beginning of a line:
          (?P<mark> \#{1,3} | -\# | [-+] | >(?:>>)? ) (?=\s)
        | (?P<number> \d+ ) (?=\.\s) )
    | [\\*_~|`\[<]                                         # and what does anywhere, mentions included,
    | (?<!\d) : (?=[\w+-]+:)                               # and the names of emoji, but not times of day
    """,
    re.MULTILINE | re.VERBOSE,
)


def escape(text: str) -> str:
    """Plain text that reads the same in Discord: no emphasis, list, heading, quote, or mention of anybody."""
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    if match["url"]:
        # A backslash right behind an address would belong to it.
        return f"{match[0]} " if match.string.startswith("<", match.end()) else match[0]
    if match["number"]:
        return f"{match[0]}\\"  # the dot follows
    return f"{match['indent'] or ''}\\{match['mark'] or match[0]}"


def render(text: str, format: MessageFormat) -> str:
    """The text as it is sent."""
    return render_markdown(text) if format is MessageFormat.MARKDOWN else escape(text)


def length(text: str, format: MessageFormat) -> int:
    """Of the text as it is sent. Discord counts characters, its apps UTF-16 units: the stricter holds."""
    return len(render(text, format).encode("utf-16-le", "surrogatepass")) // 2


def render_markdown(markdown: str) -> str:
    """CommonMark as Discord shows it: its own dialect has no tables, images, rules or relative links, and takes every
    line break literally."""
    page = _Page()
    page.lay_out(markdown)
    return page.text


class _Page(Layout):
    def __init__(self) -> None:
        super().__init__()
        self._quotes = 0
        self._links: list[tuple[str, int]] = []
        """Where the links lead that we are in, and where their text begins."""

    def _words(self, text: str) -> str:
        return escape(text)

    def _break(self) -> None:
        self._newlines = max(self._newlines, 1)

    def _code(self, content: str) -> None:
        self._write(_code(content))

    def _block(self, content: str, language: str) -> None:
        for line in (f"```{language}", *content.replace("```", "'''").split("\n"), "```"):
            self._write(line)
            self._newlines = 1

    def _span(self, kind: str, token: Token) -> None:
        begins = token.nesting > 0
        match kind:
            case "heading" if begins:
                self._write("#" * min(int(token.tag[1:]), 3) + " ")
            case "heading":
                self._newlines = 1
            case "blockquote":
                self._quote(begins)
            case _ if kind in _SPANS:
                self._write(_SPANS[kind])

    def _quote(self, begins: bool) -> None:
        self._quotes += 1 if begins else -1
        if not begins:
            self._newlines = 2
        elif self._quotes == 1:  # Discord knows one level
            self.text += "\n" * self._newlines + "> "
            self._newlines = 0

    def _separator(self) -> str:
        return "\n> " if self._quotes else "\n"

    def _link(self, url: str) -> None:
        self._write("")
        self._links.append((url, len(self.text)))
        if url.startswith(_WEB):
            self._write("[")

    def _unlink(self) -> None:
        url, start = self._links.pop()
        if url.startswith(_WEB):
            said = self.text[start + 1 :]
            # Discord shows no link whose text is an address, as in phishing.
            is_address = said.startswith(_WEB)
            self.text = f"{self.text[:start]}{url}" if is_address else f"{self.text}]({url.replace(')', '%29')})"
        else:
            self._spell_out(url)


def _code(content: str) -> str:
    """Code within a line. Three backticks would begin a block."""
    if "`" not in content:
        return f"`{content}`"
    if "``" in content:
        content = content.replace("`", "'")
        return f"`{content}`"
    blank = " " if content.startswith("`") or content.endswith("`") else ""
    return f"``{blank}{content}{blank}``"
