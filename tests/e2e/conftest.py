"""One desk for the dialogues and the browser; tests that kill things start their own."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import psutil
import pytest
from playwright.async_api import Browser, async_playwright, expect

from bot.settings import ROOT
from intents.paths import EnginePaths
from intents.sidecar import Sidecar
from intents.training import ensure_model
from tests.support.console_pages import address, agents, app, open_console, sign_in  # noqa: F401
from tests.support.desk_process import DeskProcess, config_file, with_trained_model

CLOSES_WITHIN = 30.0


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium, headless; ``make test`` installs it where there is none."""
    # Two cores do everything here: Rasa, PostgreSQL, the desk and the browser.
    expect.set_options(timeout=20_000)
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    playwright = await async_playwright().start()
    # Without the last four it spends seconds on looking up hosts of its maker.
    flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    flags += " disable-component-update disable-sync"
    browser = await playwright.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in flags.split()])
    yield browser
    try:
        async with asyncio.timeout(CLOSES_WITHIN):
            await browser.close()
            await playwright.stop()
    except TimeoutError:
        # A browser that does not close would keep the whole run waiting for ever, after its last test.
        for process in psutil.Process().children(recursive=True):
            if process.name().startswith(("chrom", "node")):
                process.kill()


@pytest.fixture(scope="session")
async def model() -> Path:
    """The model of the shipped content, trained once for all runs until the content changes: by one of several
    pytest workers, while the others wait for it."""
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "tests.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        return await ensure_model(EnginePaths(ROOT / "data", ROOT / "var"))


@pytest.fixture(scope="session")
def folders() -> Iterator[Path]:
    """Where desks live. Not in pytest's folder, which keeps what was in it for three runs."""
    with TemporaryDirectory(prefix="switchboard-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def rasa(model: Path, folders: Path) -> AsyncIterator[dict[str, str]]:
    """One Rasa for many desks, as their environment names it: they start and restart in a second or two."""
    sidecar = Sidecar(EnginePaths(ROOT / "data", folders / "rasa"), model)
    running = asyncio.create_task(sidecar.run())
    await asyncio.wait_for(sidecar.first_ready.wait(), 120)
    endpoint = sidecar.endpoint()
    yield {"RASA_URL": endpoint.url, "RASA_TOKEN": endpoint.token}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(scope="session")
async def desk_process(model: Path, folders: Path) -> AsyncIterator[DeskProcess]:
    """A running desk, shared: tests use customers of their own."""
    folder = folders / "shared"
    desk = DeskProcess(with_trained_model(folder / "var", model), config_file(folder / "config.yml"))
    try:
        await desk.start()
        yield await desk.staffed()
    finally:
        await desk.end()


@pytest.fixture
async def new_desk(model: Path, folders: Path) -> AsyncIterator[Callable[..., DeskProcess]]:
    """Makes desks that a test may kill; none outlives the test. Each has a Rasa of its own, unless given ``**rasa``."""
    made: list[DeskProcess] = []

    def make(config: str = "", **environment: str) -> DeskProcess:
        folder = Path(mkdtemp(dir=folders))
        desk = DeskProcess(
            with_trained_model(folder / "var", model), config_file(folder / "config.yml", config), environment
        )
        made.append(desk)
        return desk

    yield make
    for desk in made:
        await desk.end()
