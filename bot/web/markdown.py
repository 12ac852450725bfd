"""The desk's own Markdown as HTML for a page."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt


class _Markdown(MarkdownIt):
    """Raw HTML stays text, there are no pictures, and a link leads to another web page or stays as it was written."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "breaks": True})
        self.disable("image")

    def validateLink(self, url: str) -> bool:
        return url.lower().startswith(("https://", "http://"))


_MARKDOWN = _Markdown()
# A second wall behind the first: what the renderer writes, and nothing else, passes.
_CLEANER = nh3.Cleaner(
    tags={"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"}
    | {f"h{level}" for level in range(1, 7)},
    attributes={"a": {"href", "title"}, "code": {"class"}, "ol": {"start"}},
    url_schemes={"http", "https"},
    # Links open beside the page, and tell the other site nothing about it.
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def to_html(markdown: str) -> str:
    """HTML that can do nothing but read well."""
    return _CLEANER.clean(_MARKDOWN.render(markdown))
