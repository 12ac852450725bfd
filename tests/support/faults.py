"""Every failure that the desk's own code tells agents of, read from its sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.content.usage import SOURCES
from bot.domain.said import Fault, fault
from bot.settings import ROOT

_SHAPE = re.compile(r"\{(\w+):[^}]*\}")
"""A placeholder that says how plain English writes its number."""
TOLD = frozenset({"TemporaryError", "PermanentError", "trouble", "off"})
"""What takes a fault, or a mere text."""


@dataclass(frozen=True, slots=True)
class Spoken:
    key: str
    words: str
    """With placeholders, as a phrase has them."""
    template: str
    names: frozenset[str]
    """Of the values that fill it."""

    def made(self, **values: object) -> Fault:
        """With something for each placeholder."""
        return fault(self.template, self.key, **{**dict.fromkeys(self.names, 7), **values})


def calls(*sources: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product's modules, with where it is."""
    for source in sources or SOURCES:
        for path in sorted(source.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def spoken() -> list[Spoken]:
    found = []
    for where, call in calls():
        if name_of(call) != "fault" or len(call.args) < 2:
            continue
        template, key = (ast.literal_eval(one) for one in call.args)
        names = frozenset(one.arg for one in call.keywords if one.arg)
        assert key, where
        found.append(Spoken(key, _SHAPE.sub(r"{\1}", template), template, names))
    return found
