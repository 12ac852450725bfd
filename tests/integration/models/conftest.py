"""Folders of models and content, with a Rasa that learns by heart (tests/peers/rasa.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from intents.models import ModelStore
from intents.paths import EnginePaths
from tests.peers import rasa
from tests.support.models import GOOD, Steps, write

ROWS = "text\tlabel\nhello\tgreet\nhi\tgreet\nthank you\tthanks\nrain?\tout_of_scope\nrefund\trefund\n"


@pytest.fixture
def report() -> Steps:
    return Steps()


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    server = tmp_path / "server"
    (server / "components").mkdir(parents=True)
    for name in ("pipeline.yml", "requirements.txt", "components/classifier.py"):
        (server / name).write_text("# 1\n")
    rasa.install(server / ".venv")
    paths = EnginePaths(tmp_path / "data", tmp_path / "var", server, server / ".venv")
    (paths.data / "nlu").mkdir(parents=True)
    paths.regression.write_text(ROWS, encoding="utf-8")
    write(paths, GOOD)
    return paths


@pytest.fixture
def store(paths: EnginePaths) -> ModelStore:
    return ModelStore(paths.models)
