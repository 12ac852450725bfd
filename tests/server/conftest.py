"""The tests in this folder run where their subject does, in the Rasa environment, and report here.

``intents/server`` needs Python 3.10 and numpy, which the desk's own environment has not; and that one has pytest,
which Rasa's has not. So these files hold plain ``unittest`` cases, whose names pytest reads without importing them.
Each file's chosen cases then run in one process (``runner``), since importing takes seconds, and are shown like any
other test: ``-k``, ``-x``, names and durations are as ever. Fixtures, markers and inherited cases are not for them.

Without pytest: ``PYTHONPATH=intents/server intents/server/.venv/bin/python -m unittest tests/server/test_text.py``.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.settings import ROOT
from intents.paths import EnginePaths


class CaseFailed(Exception):
    """A case failed; the message is what ``unittest`` says."""


class ServerFile(pytest.File):
    """One file of cases, and the process that runs them."""

    _process: subprocess.Popen[str] | None = None

    def collect(self) -> Iterator[ServerCase]:
        groups = [node for node in ast.parse(self.path.read_bytes()).body if isinstance(node, ast.ClassDef)]
        for group in groups:
            for case in group.body:
                if isinstance(case, ast.FunctionDef) and case.name.startswith("test_"):
                    yield ServerCase.from_parent(self, name=f"{group.name}.{case.name}", line=case.lineno - 1)

    def failures(self, case: str) -> list[str]:
        """What the case of this name has to say once it has ended. The first call starts all that pytest has chosen."""
        if self._process is None:
            self._process, self._reported = self._start(), dict[str, list[str]]()
        assert self._process.stdout is not None
        while case not in self._reported:
            line = self._process.stdout.readline()
            if not line:
                raise CaseFailed(f"The process ended before this case did, with status {self._process.wait()}.")
            report = json.loads(line)
            self._reported[report["test"].removeprefix(self._module)] = report["failures"]
        return self._reported[case]

    @property
    def _module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts) + "."

    def _start(self) -> subprocess.Popen[str]:
        paths = EnginePaths(data=ROOT / "data", var=ROOT / "var")
        chosen = [self._module + item.name for item in self.session.items if item.parent is self]
        return subprocess.Popen(
            [paths.python(), "-m", "tests.server.runner", *chosen],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            env=paths.process_environment(),
        )

    def teardown(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


class ServerCase(pytest.Item):
    """One method of a ``unittest.TestCase``."""

    def __init__(self, *, line: int, **named: Any) -> None:
        super().__init__(**named)
        self._line = line

    def runtest(self) -> None:
        assert isinstance(self.parent, ServerFile)
        if failures := self.parent.failures(self.name):
            raise CaseFailed("\n".join(failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        # Where in this file it was raised interests nobody.
        return str(excinfo.value) if isinstance(excinfo.value, CaseFailed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._line, self.name


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> ServerFile:
    return ServerFile.from_parent(parent, path=module_path)
