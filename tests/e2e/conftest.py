"""One desk for the dialogues and the browser; tests that kill things start their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.settings import ROOT
from intents.paths import EnginePaths
from intents.training import ensure_model
from tests.e2e.desk import DeskProcess, config_file, with_trained_model


@pytest.fixture(scope="session")
async def model() -> Path:
    """The model of the shipped content, trained once for all runs until the content changes."""
    return await ensure_model(EnginePaths(ROOT / "data", ROOT / "var"))


@pytest.fixture(scope="session")
async def desk_process(model: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DeskProcess]:
    """A running desk, shared: tests use customers of their own."""
    folder = tmp_path_factory.mktemp("desk")
    desk = DeskProcess(with_trained_model(folder / "var", model), config_file(folder / "config.yml"))
    try:
        yield await desk.start()
    finally:
        await desk.end()


@pytest.fixture
async def new_desk(model: Path, tmp_path: Path) -> AsyncIterator[Callable[..., DeskProcess]]:
    """Makes desks that a test may kill; none outlives the test."""
    made: list[DeskProcess] = []

    def make(config: str = "", **environment: str) -> DeskProcess:
        folder = tmp_path / f"desk{len(made)}"
        desk = DeskProcess(
            with_trained_model(folder / "var", model), config_file(folder / "config.yml", config), environment
        )
        made.append(desk)
        return desk

    yield make
    for desk in made:
        await desk.end()
