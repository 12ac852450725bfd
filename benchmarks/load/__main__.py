"""How long a customer waits for a reply, and how many a machine serves, beside bare Rasa: see README.md."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.load import systems, texts
from benchmarks.load.measuring import Ask, Times, as_fast_as_it_goes, at_rate
from benchmarks.load.systems import PATHS
from bot.settings import ROOT
from intents.training import ensure_model
from tests.peers.telegram import TelegramPeer

VISITORS = 120
OUT = ROOT / "var" / "benchmarks" / "load"

Groups = Mapping[str, Sequence[psutil.Process]]


def main(
    rates: Annotated[str, typer.Option(help="Messages a second.")] = "1,10,30",
    seconds: Annotated[float, typer.Option(help="Of each load.")] = 20.0,
    at_once: Annotated[str, typer.Option(help="Customers who ask without a pause, for the highest rate.")] = "8,16,32",
    only: Annotated[str, typer.Option(help="Systems: parse, rest, web, telegram.")] = "parse,rest,web,telegram",
) -> None:
    """Print a Markdown table of reply times and rates."""
    asyncio.run(
        measure(
            [float(rate) for rate in rates.split(",") if rate],
            seconds,
            [int(n) for n in at_once.split(",") if n],
            only.split(","),
        )
    )


async def measure(rates: list[float], seconds: float, at_once: list[int], only: list[str]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    answers = texts.answered_by_the_bot()
    asked = texts.endless(await texts.questions(PATHS, await ensure_model(PATHS), OUT / "questions.json"))
    with tempfile.TemporaryDirectory(prefix="switchboard-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        model = OUT / "model.tar.gz"
        if not model.exists():
            (await systems.train(PATHS, answers, folder)).replace(model)
        for system in only:
            async with AsyncExitStack() as stack:
                ask, groups = await begin(system, model, folder, stack)
                for _ in range(100):
                    await ask(next(asked))
                for rate in rates:
                    told(
                        system,
                        f"{rate:g}/s",
                        await at_rate(ask, asked, rate, seconds if rate > 1 else 2 * seconds, groups),
                    )
                for number in at_once:
                    told(system, f"{number} at once", await as_fast_as_it_goes(ask, asked, number, seconds, groups))


async def begin(system: str, model: Path, folder: Path, stack: AsyncExitStack) -> tuple[Ask, Groups]:
    """The system, warm, and the processes it is made of. Each begins with a Rasa and a database of its own."""
    server = await stack.enter_async_context(systems.rasa(PATHS, model, OUT / "rasa.log"))
    groups: dict[str, Sequence[psutil.Process]] = {"rasa": [server.process], "load": [psutil.Process()]}
    if system == "parse":
        return await stack.enter_async_context(systems.parse(server)), groups
    if system == "rest":
        return await stack.enter_async_context(systems.rest(server)), groups
    home = folder / system
    home.mkdir()
    home.chmod(0o755)
    database = stack.enter_context(systems.postgres(home))
    peer = await stack.enter_async_context(TelegramPeer()) if system == "telegram" else None
    desk = await stack.enter_async_context(systems.desk(home, database, server, peer))
    ask = await stack.enter_async_context(
        systems.messenger(peer, VISITORS) if peer is not None else systems.web(desk, VISITORS)
    )
    return ask, {**groups, "desk": desk.processes(), "postgres": desk.database()}


def told(system: str, load: str, times: Times) -> None:
    row = {
        "system": system,
        "load": load,
        "p50": round(times.percentile(0.5) * 1000, 1),
        "p99": round(times.percentile(0.99) * 1000, 1),
        "rate": round(times.rate, 1),
        "failures": times.failures,
        "cpu_ms": {name: round(times.cpu_each(name) * 1000, 1) for name in times.usage.cpu},
        "memory_mb": {name: round(used / 2**20) for name, used in times.usage.memory.items()},
    }
    typer.echo(json.dumps(row))


typer.run(main)
