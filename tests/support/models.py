"""What the tests of models share: contents, and a Rasa that learns by heart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from intents.models import ModelStore
from intents.paths import EnginePaths
from tests.peers import rasa

GOOD = {"greet": "hello | hi", "thanks": "thank you"}


SWAPPED = {"greet": "thank you | cheers", "thanks": "hello | hi"}


class Steps:
    """A report that remembers what took time."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    @contextmanager
    def step(self, what: str, expected: float) -> Iterator[Callable[[float], None]]:
        self.taken.append(what)
        yield lambda share: None


def write(paths: EnginePaths, content: dict[str, str]) -> None:
    (paths.data / "nlu" / "all.yml").write_text(rasa.examples(**content), encoding="utf-8")


def add(store: ModelStore, name: str, **model: Any) -> str:
    """A model that no content led to."""
    with store.adding(name) as path:
        path.write_text(json.dumps({"by_heart": {"hello": name}} | model))
    return name
