"""Markdown as Telegram shows it."""

from __future__ import annotations

import pytest
from telegram import MessageEntity

from connectors.telegram import render_markdown


def shown(markdown: str) -> tuple[str, list[tuple[str, str]]]:
    """The text, and every entity's kind with the words it covers, cut out in UTF-16 as Telegram does."""
    text, entities = render_markdown(markdown)
    encoded = text.encode("utf-16-le")
    return text, [
        (entity.type, encoded[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le"))
        for entity in entities
    ]


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", []),
        ("**bold** and *italic*", "bold and italic", [("bold", "bold"), ("italic", "italic")]),
        ("👋🏽 你好 **重要** 😀 *真的*", "👋🏽 你好 重要 😀 真的", [("bold", "重要"), ("italic", "真的")]),
        ("**你好😀 *x* y**", "你好😀 x y", [("bold", "你好😀 x y"), ("italic", "x")]),
        ("`a*b`", "a*b", [("code", "a*b")]),
        ("~~old~~", "old", [("strikethrough", "old")]),
        ("```python\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
        ("one\n\ntwo", "one\n\ntwo", []),
        ("one\ntwo  \nthree", "one two\nthree", []),
        ("# Title\n\ntext", "Title\n\ntext", [("bold", "Title")]),
        ("- a\n- **b**\n\nafter", "• a\n• b\n\nafter", [("bold", "b")]),
        ("3. c\n4. d", "3. c\n4. d", []),
        ("0. zero", "0. zero", []),
        ("1. a\n   - b\n   - c\n2. d", "1. a\n   • b\n   • c\n2. d", []),
        ("- a\n\n- b", "• a\n\n• b", []),
        ("> quoted\n\nafter", "quoted\n\nafter", [("blockquote", "quoted")]),
        ("a\n\n---\n\nb", "a\n\n———\n\nb", []),
        ("[site](https://example.com/a?b=c)", "site", [("text_link", "site")]),
        ("[**site** now](https://example.com)", "site now", [("text_link", "site now"), ("bold", "site")]),
        ("[help](/help)", "help", []),
        ("[us](mailto:a@b.example)", "us (a@b.example)", []),
        ("<a@b.example>", "a@b.example", []),
        ("![logo](https://example.com/x.png)", "logo", [("text_link", "logo")]),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))", []),
        ("<b>tag</b> & &amp;", "<b>tag</b> & &", []),
        ("5 * 3 * 2 and snake_case_name", "5 * 3 * 2 and snake_case_name", []),
        ("**unclosed", "**unclosed", []),
        ("", "", []),
        ("  \n", "", []),
    ],
)
def test_rendering(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    assert shown(markdown) == (text, entities)


def test_offsets_count_utf16_units() -> None:
    _, entities = render_markdown("😀😀 **x**")
    assert [(entity.offset, entity.length) for entity in entities] == [(5, 1)]


def test_details_of_links_and_code() -> None:
    _, (link,) = render_markdown("[a](https://example.com)")
    assert link.url == "https://example.com"
    _, (code,) = render_markdown("```sql select\n1\n```")
    assert (code.type, code.language) == (MessageEntity.PRE, "sql")
