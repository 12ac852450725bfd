"""Nothing that people read stands in a template or a script: it is a phrase, and found by its key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.settings import ROOT

TEMPLATES = sorted([*(ROOT / "handoff").rglob("*.html"), *(ROOT / "connectors").rglob("*.html")])
SCRIPTS = sorted(
    [*(ROOT / "handoff").rglob("*.js"), *(ROOT / "connectors").rglob("*.js"), *(ROOT / "bot").rglob("*.js")]
)

_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_SAID = frozenset({"alt", "aria-label", "placeholder", "title", "label", "data-label"})
"""Attributes that people read, or hear."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_LITERAL = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`""")
_SENTENCE = re.compile(r"[A-Za-z’']{2,}(?:[,.:;…!?]* +[A-Za-z’']{2,})+ ?[.…!?]?|[A-Z][a-z]+ ?[.…!?]?")
_NO_TEXT = re.compile(r"\{% block (begin|kind|body_attributes) %\}.*?\{% endblock %\}", re.DOTALL)
"""Blocks of ids, classes and attributes."""
_ATTRIBUTE = re.compile(r'[\w:-]+="[^"]*"|\S+:\S+ from:body,?|\bevery \d+s|\bload,')
_CLASSES = re.compile(r'class(Name)?(:|", | =|\.add\(|\.toggle\()\s*("[^"]*"|`[^`]*`)')
_NO_WORDS = frozenset(
    {"Accept", "Content-Type", "Enter", "Escape", "Files", "Accept-Language", "Retry-After", "HX-Request", "POST"}
    | {
        "signed out",
        "switchboard chat",
        "textarea, input",
        "switchboard chat renewal",
        "the desk answers",
        "use strict",
    }
)
"""Keys, headers, and names of things in the browser."""


class Text(HTMLParser):
    """The words of a page: its text, and the attributes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._in = tag
        self.found += [value for name, value in attributes if name in _SAID and value and _WORD.search(value)]

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in not in ("script", "style") and _WORD.search(data):
            self.found.append(data.strip())


def words_in(template: str) -> list[str]:
    parser = Text()
    parser.feed(_CODE.sub("", _NO_TEXT.sub("", template)))
    parser.close()
    read = [text for one in parser.found if _WORD.search(text := _ATTRIBUTE.sub("", one).strip())]
    spoken = [one for code in _CODE.findall(template) if not code.startswith("{#") for one in literals(code)]
    return read + [one for one in spoken if " " in one and _SENTENCE.fullmatch(one.strip())]


def literals(code: str) -> Iterator[str]:
    for found in _LITERAL.finditer(code):
        yield next(text for text in found.groups() if text is not None)


def words_of(script: str) -> list[str]:
    """Texts of a script that read like words of a language."""
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*|\s//[^\n\"'`]*$", "", script, flags=re.DOTALL | re.MULTILINE)
    code = _CLASSES.sub("", code)
    texts = (re.sub(r"\$\{[^}]*\}", "", text).strip() for text in literals(code))
    return [text for text in texts if text not in _NO_WORDS and _SENTENCE.fullmatch(text)]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_phrases_alone(template: Path) -> None:
    assert words_in(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_phrases_alone(script: Path) -> None:
    assert words_of(script.read_text(encoding="utf-8")) == []


def test_words_would_be_found() -> None:
    assert words_in('<p title="Save it">Hello <b>{{ name }}</b></p>{{ "Not yet here" if x }}') == [
        "Save it",
        "Hello",
        "Not yet here",
    ]
    assert words_of('trouble("Reconnecting …"); h("p", {}, `Wait ${n} more`); // Not this one') == [
        "Reconnecting …",
        "Wait  more",
    ]
    assert words_of('query("li .row, a"); on("keydown"); say("console.script.told"); h("p", { class: "of two" })') == []
