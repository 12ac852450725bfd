"""HTML of a mail: as text, and cleaned for a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

import nh3

from bot.domain.context import MAX_LINKS, Link

MOST_HTML = 1_000_000
"""Characters; what is longer is read, and shown, up to there."""
_DEEPEST_QUOTE = 20
_BLOCKS = frozenset(
    {"div", "section", "article", "header", "footer", "main", "aside", "center", "form", "fieldset", "address", "dl"}
    | {"dt", "dd", "figure", "figcaption", "table", "caption", "tr", "ul", "ol", "li", "details", "summary", "hgroup"}
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_RULE = "_" * 32
"""How Outlook writes a line across the page as text."""
_HIDDEN = re.compile(r"(?:display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden)", re.IGNORECASE)
_SHOWN_TAGS = (
    nh3.ALLOWED_TAGS - {"area", "map", "article", "aside", "footer", "header", "hgroup", "nav", "acronym"}
) | {"font"}
_INLINE_PICTURE = re.compile(
    r"(?:cid:[^\s\"'<>]{1,500}|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*)", re.I
)

# Of every wild page a tidy one: each tag is closed, scripts and styles are gone. It is read and never shown.
_TIDY = nh3.Cleaner(
    tags=(nh3.ALLOWED_TAGS | {"font", "form", "fieldset", "section", "main", "big"}) - {"title"},
    clean_content_tags={"script", "style", "title", "head", "template", "object", "noembed"},
    attributes={"*": {"style", "hidden"}, "a": {"href"}, "img": {"alt"}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,
)


_DEEPEST = 400
_MOST_OPEN = 5_000
"""Tags that are never closed, of those that need no end."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,12})")
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_NEEDS_NO_END = frozenset(
    {"p", "li", "dd", "dt", "td", "th", "tr", "thead", "tbody", "tfoot", "option", "colgroup", "html", "body", "head"}
)


@dataclass(frozen=True, slots=True)
class Shown:
    html: str
    """Can do nothing but read well, and fetches nothing: its pictures are those that came with the mail."""
    remote_pictures: int
    """How many were left out because they would have told their sender that the mail was opened."""


def clean(html: str) -> Shown:
    """For a page whose policy forbids fetching, too: this is the second wall, or the first."""
    if too_deep(html):
        return Shown(f"<p>{nh3.clean_text(to_text(html)[0])}</p>", 0)
    remote = 0

    def keep(tag: str, attribute: str, value: str) -> str | None:
        nonlocal remote
        if tag == "img" and attribute == "src":
            if _INLINE_PICTURE.fullmatch(value):
                return value
            remote += 1
            return None
        if attribute in ("href", "cite") and value.lower().startswith(("cid:", "data:")):
            return None
        return value

    shown = nh3.clean(
        html[:MOST_HTML],
        tags=_SHOWN_TAGS,
        clean_content_tags={"script", "style", "title", "head", "template", "object", "noembed"},
        attributes={
            "a": {"href", "title"},
            "img": {"src", "alt", "width", "height"},
            "font": {"color"},
            "ol": {"start"},
            "td": {"colspan", "rowspan"},
            "th": {"colspan", "rowspan"},
            "*": {"dir", "lang"},
        },
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return Shown(shown, remote)


def too_deep(html: str) -> bool:
    """Whether tags lie in tags beyond all sense: whoever builds the tree of such a page takes quadratic time."""
    depth = unended = 0
    for match in _TAG.finditer(html[:MOST_HTML]):
        tag = match[2].lower()
        if tag in _NEEDS_NO_END:
            unended = max(0, unended - 1) if match[1] else unended + 1
        elif tag not in _VOID:
            depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > _DEEPEST or unended > _MOST_OPEN:
            return True
    return False


def to_text(html: str) -> tuple[str, tuple[Link, ...]]:
    """What a reader sees, with ``>`` before what is quoted, and where links lead that do not say so."""
    if too_deep(html):
        words = unescape(_TAGS.sub(" ", html[:MOST_HTML]))
        return re.sub(r"[ \t]+", " ", words).strip() + "\n", ()
    page = _Page()
    page.feed(_TIDY.clean(html[:MOST_HTML]))
    page.close()
    return page.text, tuple(dict.fromkeys(page.links))[:MAX_LINKS]


class _Page(HTMLParser):
    """Lays tidy HTML out as lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[Link] = []
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._depth = 0
        """Of the last line."""
        self._pre = 0
        self._hidden = 0
        self._lists: list[int | None] = []
        self._anchor: tuple[str, list[str]] | None = None
        self._cells = 0

    @property
    def text(self) -> str:
        self._close_line()
        text = re.sub(r"\n(?:>[> ]*\n|\n){3,}", "\n\n\n", "\n".join(self._lines).strip("\n"))
        return text if not text or text.endswith("\n") else f"{text}\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("br", "hr", "img", "wbr", "col"):
            self._void(tag, given)
            return
        if self._hidden or "hidden" in given or _HIDDEN.search(given.get("style") or ""):
            self._hidden += 1
            return
        if tag == "blockquote":
            self._open_line()
            self._quotes += 1
        elif tag in _BLOCKS:
            self._open_line()
        elif tag in _SPACED:
            self._space()
        if tag == "tr":
            self._cells = 0
        elif tag in ("td", "th"):
            if self._cells:
                self._line.append("\t")
            self._cells += 1
        elif tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag == "pre":
            self._pre += 1
        elif tag == "a" and (url := given.get("href") or "").lower().startswith(("http://", "https://")):
            self._anchor = (url, [])

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= 1
            return
        if tag == "blockquote":
            self._open_line()
            self._quotes = max(0, self._quotes - 1)
        elif tag in _BLOCKS:
            self._open_line()
        elif tag in _SPACED:
            self._space()
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag == "a" and self._anchor is not None:
            url, said = self._anchor
            text = " ".join("".join(said).split())
            if text and text not in (url, url.rstrip("/"), url.removeprefix("https://").removeprefix("http://")):
                self.links.append(Link(text[:500], url[:2000]))
            self._anchor = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._anchor is not None:
            self._anchor[1].append(data)
        data = data.replace("\u00a0", " ")
        if self._pre:
            first, *others = data.split("\n")
            self._line.append(first)
            for line in others:
                self._close_line()
                self._line.append(line)
            return
        text = re.sub(r"[ \t\r\n\f]+", " ", data)
        if not self._line or self._line[-1].endswith((" ", "\t")):
            text = text.lstrip(" ")
        if text:
            self._line.append(text)

    def _void(self, tag: str, given: dict[str, str | None]) -> None:
        if self._hidden:
            return
        if tag == "br":
            self._close_line(even_empty=True)
        elif tag == "hr":
            self._open_line()
            self._line.append(_RULE)
            self._open_line()
        elif tag == "img" and (alt := (given.get("alt") or "").strip()):
            self.handle_data(alt)

    def _item(self) -> None:
        if not self._lists or self._lists[-1] is None:
            self._line.append("- ")
        else:
            self._line.append(f"{self._lists[-1]}. ")
            self._lists[-1] += 1

    def _open_line(self) -> None:
        if self._line:
            self._close_line()

    def _space(self) -> None:
        self._open_line()
        if self._lines and self._lines[-1].strip("> ") and self._depth == self._quotes:
            self._close_line(even_empty=True)

    def _close_line(self, *, even_empty: bool = False) -> None:
        line = "".join(self._line)
        self._line.clear()
        line = line if self._pre else line.rstrip()
        self._depth = self._quotes
        if line or even_empty or self._pre:
            self._lines.append(f"{'> ' * min(self._quotes, _DEEPEST_QUOTE)}{line}".rstrip() if line else self._empty())

    def _empty(self) -> str:
        return ("> " * min(self._quotes, _DEEPEST_QUOTE)).rstrip()
