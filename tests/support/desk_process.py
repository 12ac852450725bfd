"""A whole desk in processes of its own, as ``make run`` starts it: for tests that kill things."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from bot.settings import ROOT
from bot.store.embedded import address

SWITCHBOARD = Path(sys.executable).parent / "switchboard"


@dataclass
class DeskProcess:
    """Starts, stops and kills ``switchboard run`` over one ``var`` folder."""

    var: Path
    config: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    command: Sequence[str | Path] = (SWITCHBOARD,)
    """What is run; ``run`` is added."""
    process: Process | None = None
    output: str = ""

    async def start(self, timeout: float = 120) -> DeskProcess:
        """Returns when the desk says that it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            "run",
            stdout=PIPE,
            stderr=(self.var.parent / "desk.log").open("ab"),
            env=self.variables,
            # Should the shell behind the tests end while a desk is frozen, the kernel would wake all its process group
            # and hang up on it.
            start_new_session=True,
        )
        self.output = ""
        async with asyncio.timeout(timeout):
            while "console/sign-in/" not in self.output and "Agents' console" not in self.output:
                line = await self.process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the desk ended at start: {self.log[-3000:]}")
                self.output += line.decode()
            # The rest of the welcome comes in one piece with it: it is there already.
            while True:
                try:
                    line = await asyncio.wait_for(self.process.stdout.readline(), 0.1)
                except TimeoutError:
                    break
                if not line:
                    break
                self.output += line.decode()
        return self

    async def staffed(self) -> DeskProcess:
        """With an agent who is at the desk, whatever time passes: customers are told their place, and not that nobody
        is there."""
        add = "INSERT INTO agent (name, role, seen_at) VALUES ('On duty', 'agent', now() + interval '1 day')"
        async with await psycopg.AsyncConnection.connect(self.database, autocommit=True) as connection:
            await connection.execute(add)
        return self

    @property
    def variables(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHBOARD_")}
        own = {"SWITCHBOARD_VAR": str(self.var), "PORT": "0"}
        if self.config is not None:
            own["SWITCHBOARD_CONFIG"] = str(self.config)
        return inherited | own | self.environment

    @property
    def url(self) -> str:
        return re.search(r"(http://[^/\s]+)/chat", self.output)[1]

    @property
    def sign_in(self) -> str:
        return re.search(r"http://\S+/console/sign-in/\S+", self.output)[0]

    @property
    def database(self) -> str:
        """The address of its PostgreSQL, for looking behind its back."""
        return address(self.var / "postgres")

    @property
    def log(self) -> str:
        return (self.var.parent / "desk.log").read_text(errors="replace")

    def child(self, name: str) -> psutil.Process:
        """The running process of this desk whose command line has ``name`` in it (``serve.py``)."""
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if name in line and str(self.var) in line:
                return process
        raise LookupError(f"no process {name} of this desk")

    async def kill(self) -> None:
        """As a power cut would: no chance to clean up. Its PostgreSQL is left an orphan, as it would be."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """As an operator would; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await self.process.communicate()
        return self.process.returncode

    async def end(self) -> None:
        """Whatever a test did, nothing of this desk is left running."""
        if self.process is not None and self.process.returncode is None:
            await self.stop()
        for process in psutil.process_iter(["cmdline"]):
            if str(self.var) in " ".join(process.info["cmdline"] or ()):
                # A frozen one hears nothing softer.
                process.kill()


def with_trained_model(var: Path, model: Path) -> Path:
    """A ``var`` folder in which the shipped content is trained already."""
    models = var / "models"
    models.mkdir(parents=True)
    shutil.copy(model, models / model.name)
    return var


def config_file(path: Path, text: str = "") -> Path:
    """A configuration beside which the shipped content is found."""
    path.write_text(f"data: {ROOT / 'data'}\nbrand:\n  name: BitPie\n{text}", encoding="utf-8")
    return path
