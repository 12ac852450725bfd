"""Where the engine's files are, and what its processes are started with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SERVER = Path(__file__).parent / "server"

# The desk's environment holds tokens and the database's address; Rasa needs to know none of them.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")


class EngineNotInstalled(Exception):
    """The Rasa environment is missing; the message says how to make it."""


@dataclass(frozen=True, slots=True)
class EnginePaths:
    data: Path
    """The content folder, with ``nlu`` and ``answers`` in it."""
    var: Path
    """Where models and logs go; made when needed."""
    server: Path = SERVER
    environment: Path = SERVER / ".venv"
    """The virtual environment with Rasa."""

    @property
    def models(self) -> Path:
        return self.var / "models"

    @property
    def regression(self) -> Path:
        """The messages that every new model is measured on before it goes live."""
        return self.data / "regression.tsv"

    @property
    def real_words(self) -> Path:
        """Messages in real customers' words, on which every new model is measured for information."""
        return self.data / "real_words.tsv"

    @property
    def log(self) -> Path:
        return self.var / "log" / "rasa.log"

    def python(self) -> Path:
        """The interpreter that has Rasa. Raises ``EngineNotInstalled``."""
        python = self.environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.exists():
            raise EngineNotInstalled(f"There is no Rasa environment in {self.environment}. Run `make setup`.")
        return python

    def process_environment(self) -> dict[str, str]:
        """The variables for a process in the Rasa environment."""
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "PYTHONPATH": str(self.server),
            "PYTHONIOENCODING": "utf-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "RASA_TELEMETRY_ENABLED": "false",
            "LOG_LEVEL": "ERROR",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
