"""A copy of the shipped content, for tests to change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.settings import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the shipped content, to be changed."""
    return Path(shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("drafts")))
