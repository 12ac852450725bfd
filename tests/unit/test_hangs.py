"""A test that hangs fails with what it waited for, and those behind it run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.settings import ROOT

CONFTEST = """
import asyncio, pytest
from tests.support.hangs import Hangs

def pytest_configure(config):
    config.pluginmanager.register(Hangs(), "hangs")

@pytest.fixture(scope="session", autouse=True)
async def hangs(pytestconfig):
    pytestconfig.pluginmanager.get_plugin("hangs").watch(asyncio.get_running_loop())
"""
HANGS = """
import asyncio, time

async def never():
    await asyncio.Event().wait()

async def test_hangs():
    await never()

async def test_waits_for_nothing():
    assert not any(task.get_coro().__name__ == "test_hangs" for task in asyncio.all_tasks())

async def test_hangs_busily():
    while True:
        await asyncio.sleep(0)

def test_hangs_without_a_loop():
    time.sleep(60)

async def test_is_reached():
    pass
"""


def test_a_hang_is_a_failure_with_a_trace(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_of_all_kinds.py").write_text(HANGS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-o", "timeout=1"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    for name in ("test_hangs", "test_hangs_busily", "test_hangs_without_a_loop"):
        assert f"::{name} FAILED" in done.stdout, done.stdout + done.stderr
    for name in ("test_waits_for_nothing", "test_is_reached"):
        assert f"::{name} PASSED" in done.stdout, done.stdout
    assert "in never" in done.stdout
    assert "3 failed, 2 passed" in done.stdout
