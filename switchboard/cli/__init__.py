"""``switchboard``: the commands of operators and developers."""

from __future__ import annotations

import sys

from rich.markup import escape

from bot.content.answers import ContentError
from bot.domain.channel import PermanentError, TemporaryError
from bot.runtime.http import AddressInUse
from bot.settings import SettingsError
from bot.store.database import DatabaseError
from intents.datasets import DatasetError
from intents.evaluate import PipelineError
from intents.models import ModelError
from intents.offline import ParsingFailed
from intents.paths import EngineNotInstalled
from intents.training import TrainingFailed
from switchboard.cli import agents, channels, desk, doctor, engine, evaluate, models, predict, procedure, scan, topic  # noqa: F401  (each registers its commands)
from switchboard.cli.shared import cli, err

_EXPLAINED = (
    AddressInUse,
    ContentError,
    DatabaseError,
    DatasetError,
    EngineNotInstalled,
    ModelError,
    ParsingFailed,
    PermanentError,
    PipelineError,
    SettingsError,
    TemporaryError,
    TrainingFailed,
)


def main() -> None:
    """The entry point. Whatever the desk can explain is explained in one line, without a traceback."""
    try:
        cli()
    except _EXPLAINED as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        sys.exit(2)
