"""To Discord: what agents type is escaped, and the content files' Markdown is written the way Discord reads it."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.model import MessageFormat

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_SPANS = {"strong": "**", "em": "*", "s": "~~"}
_WEB = ("http://", "https://")
_ADDRESSES = ("mailto:", "tel:")

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
    for token in _MARKDOWN.parse(markdown):
        page.add(token)
    return page.text


class _Page:
    """A message being laid out, token by token."""

    def __init__(self) -> None:
        self.text = ""
        self._newlines = 0
        self._quotes = 0
        self._marker = ""
        self._links: list[tuple[str, int]] = []
        """Where the links lead that we are in, and where their text begins."""
        self._lists: list[int | None] = []
        """The next number of every list we are in; None for one of bullets."""

    def add(self, token: Token) -> None:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        match token.type:
            case "inline":
                for child in token.children or ():
                    self.add(child)
            case "text":
                self._write(escape(token.content))
            case "softbreak":
                self._write(" ")
            case "hardbreak":
                self._newlines = max(self._newlines, 1)
            case "code_inline":
                self._write(_code(token.content))
            case "fence" | "code_block":
                language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
                lines = token.content.rstrip("\n").replace("```", "'''").split("\n")
                for line in (f"```{language}", *lines, "```"):
                    self._write(line)
                    self._newlines = 1
                self._newlines = 2
            case "image":
                self._link(str(token.attrs.get("src", "")))
                self._write(escape(token.content))
                self._unlink()
            case "link_open":
                self._link(str(token.attrs.get("href", "")))
            case "link_close":
                self._unlink()
            case "hr":
                self._write("———")
                self._newlines = 2
            case "heading_open":
                level = int(token.tag[1:])
                self._write("#" * min(level, 3) + " ")
            case "heading_close":
                self._newlines = 1
            case "blockquote_open":
                self._quotes += 1
                if self._quotes == 1:  # Discord knows one level
                    self.text += "\n" * self._newlines + "> "
                    self._newlines = 0
            case "blockquote_close":
                self._quotes -= 1
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
            case _ if kind in _SPANS:
                self._write(_SPANS[kind])

    def _item(self) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number}. ")

    def _write(self, text: str) -> None:
        """Writes what separates it from the text before, and then the text."""
        self.text += ("\n> " if self._quotes else "\n") * self._newlines + self._marker + text
        self._newlines, self._marker = 0, ""

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
            return
        address = url.partition(":")[2]
        if url.startswith(_ADDRESSES) and not self.text.endswith(escape(address)):
            self._write(f" ({escape(address)})")


def _code(content: str) -> str:
    """Code within a line. Three backticks would begin a block."""
    if "`" not in content:
        return f"`{content}`"
    if "``" in content:
        content = content.replace("`", "'")
        return f"`{content}`"
    blank = " " if content.startswith("`") or content.endswith("`") else ""
    return f"``{blank}{content}{blank}``"
