"""``python -m benchmarks.crash``: see docs/reliability.md."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from benchmarks.crash.campaign import Campaign
from benchmarks.crash.outcome import Plan
from benchmarks.crash.report import summary, write
from benchmarks.crash.schedule import OPENING
from benchmarks.places import PATHS, VAR
from intents.training import ensure_model


def main(
    seed: Annotated[int, typer.Option(help="Which faults, where and when, and who writes what.")] = 1,
    kills: Annotated[int, typer.Option(help="Of desks, Rasa and PostgreSQL; freezes and cuts come on top.")] = 200,
    messages: Annotated[int, typer.Option(help="Of customers.")] = 5000,
    replicas: Annotated[int, typer.Option(help="Desks on one database.", min=1)] = 3,
    rate: Annotated[float, typer.Option(help="Customers' messages a second.")] = 4.0,
    opening: Annotated[
        float, typer.Option(help="Seconds for which one that holds a lease is frozen first of all, of several.", min=4)
    ] = OPENING,
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = VAR / "crash",
    keep: Annotated[bool, typer.Option("--keep", help="Keep logs and database also if all is well.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Put table and picture into docs/reliability.md.")] = False,
) -> None:
    """Kill, freeze and cut everything while customers and agents write; then account for every message."""
    plan = Plan(seed, kills, messages, replicas, rate, opening)
    folder = Path(mkdtemp(prefix="switchboard-crash-"))
    began = time.monotonic()

    def tell(words: str) -> None:
        typer.echo(f"{time.monotonic() - began:7.1f} s  {words}", err=True)

    async def run() -> bool:
        model = await ensure_model(PATHS)
        outcome = await Campaign(plan, model, folder, tell).run()
        write(outcome, out, docs=docs)
        typer.echo(summary(outcome))
        return not outcome.violations

    if not asyncio.run(run()):
        typer.echo(f"\nThe desks' logs are in {folder}. This repeats it:\n  {plan.command}")
        raise typer.Exit(1)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


typer.run(main)
