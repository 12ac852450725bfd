"""Where benchmarks keep what they train and what they report: below ``SWITCHBOARD_VAR``, as a desk does."""

from __future__ import annotations

import os
from pathlib import Path

from bot.settings import ROOT
from intents.paths import EnginePaths

VAR = Path(os.environ.get("SWITCHBOARD_VAR") or ROOT / "var").resolve()
"""Absolute: processes of benchmarks run in folders of their own."""
PATHS = EnginePaths(ROOT / "data", VAR)
