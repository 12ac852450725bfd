"""How long a customer waits for a reply, and how many a machine serves, beside bare Rasa: see README.md."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.load import growth as growing
from benchmarks.load import storm as storming
from benchmarks.load import systems, texts
from benchmarks.load.measuring import Ask, Groups, Times, as_fast_as_it_goes, at_rate
from benchmarks.load.report import Row, replies_table
from benchmarks.places import PATHS, VAR
from bot.store.database import migrate
from intents.training import content_hash
from tests.peers.telegram import TelegramPeer

VISITORS = 120
WARM_UP = 240
"""Texts said before anything is measured: everybody has spoken, and everything was used twice."""
OUT = VAR / "benchmarks" / "load"
PAGE = typer.Typer(no_args_is_help=True, help=__doc__)


@PAGE.command()
def replies(
    rates: Annotated[str, typer.Option(help="Messages a second.")] = "1,10,30",
    seconds: Annotated[float, typer.Option(help="Of each load; twice that at one a second.")] = 20.0,
    at_once: Annotated[str, typer.Option(help="Customers who ask without a pause, for the highest rate.")] = "4,8,16",
    only: Annotated[str, typer.Option(help="Systems.")] = "parse,rest,web,telegram",
) -> None:
    """Times of replies and the highest sustained rate: Rasa's parse, Rasa's REST channel, the desk."""
    asyncio.run(_replies(_floats(rates), seconds, [int(number) for number in _floats(at_once)], only.split(",")))


@PAGE.command()
def growth(
    conversations: Annotated[str, typer.Option(help="In the database.")] = "1000,1000000",
    messages: Annotated[str, typer.Option(help="In the conversation that is gone on with.")] = "10,10000",
    samples: Annotated[int, typer.Option(help="Replies timed at each size.")] = 200,
) -> None:
    """What a reply costs as conversations and the database grow."""
    asyncio.run(_growth([int(n) for n in _floats(conversations)], [int(n) for n in _floats(messages)], samples))


@PAGE.command()
def storm(
    rate: Annotated[float, typer.Option(help="Messages a second: ten times what is sustained.")] = 500.0,
    seconds: Annotated[float, typer.Option(help="For so long.")] = 60.0,
) -> None:
    """A storm on Telegram: nothing is lost, agents' replies come first, memory is bounded."""
    asyncio.run(_storm(rate, seconds))


@PAGE.command()
def backlog(
    messages: Annotated[int, typer.Option(help="That wait when the desk is started.")] = 50_000,
    customers: Annotated[int, typer.Option(help="Whose they are.")] = 5_000,
) -> None:
    """A desk that is started over a full queue: when it is ready, and how it works it off."""
    asyncio.run(_backlog(messages, customers))


def _floats(listed: str) -> list[float]:
    return [float(one) for one in listed.split(",") if one]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="switchboard-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        yield folder


async def _model(folder: Path) -> Path:
    """The shipped pipeline, with Rasa's rules beside it; trained once for the same content."""
    model = _kept("assistant", ".tar.gz")
    if not model.exists():
        typer.echo("Training a model with Rasa's rules: some minutes, once", err=True)
        # Not by a rename: the two may be on different disks.
        shutil.move(await systems.train(PATHS, texts.answered_by_the_bot(), folder), model)
    return model


async def _questions() -> Iterator[str]:
    keep = _kept("small_talk", ".json")
    if not keep.exists():
        typer.echo("Looking for small talk that the model is sure of: some minutes, once", err=True)
    return texts.endless(await texts.questions(PATHS, keep))


def _kept(name: str, ending: str) -> Path:
    """Where that file for the present content is, or is to be; those for other content go."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}-{content_hash(PATHS)}{ending}"
    for other in OUT.glob(f"{name}*{ending}"):
        if other != path:
            other.unlink()
    return path


async def _replies(rates: list[float], seconds: float, at_once: list[int], only: list[str]) -> None:
    rows: list[Row] = []

    def told(system: str, load: str, times: Times, bare: Times | None = None) -> None:
        rows.append(Row(system, load, times, bare))
        typer.echo(rows[-1].line, err=True)

    asked = await _questions()
    with _folder() as folder:
        model = await _model(folder)
        for system in only:
            async with AsyncExitStack() as stack:
                ask, parse, groups = await begin(system, model, folder, stack)
                for _ in range(WARM_UP):
                    await ask(next(asked))
                for rate in rates:
                    long = seconds if rate > 1 else 2 * seconds
                    # On the same Rasa: one that was started at another time may be some milliseconds slower or faster.
                    bare = await at_rate(parse, asked, rate, long, groups) if system != "parse" else None
                    told(system, f"{rate:g}/s", await at_rate(ask, asked, rate, long, groups), bare)
                for number in at_once:
                    told(system, f"{number} at once", await as_fast_as_it_goes(ask, asked, number, seconds, groups))
    typer.echo(replies_table(rows))


async def begin(system: str, model: Path, folder: Path, stack: AsyncExitStack) -> tuple[Ask, Ask, Groups]:
    """The system, the bare parse of its Rasa, and the processes it is made of. Each begins with a Rasa and a database
    of its own."""
    server = await stack.enter_async_context(systems.rasa(PATHS, model, OUT / "rasa.log"))
    groups = {"rasa": server.process}
    parse = await stack.enter_async_context(systems.parse(server))
    if system == "parse":
        return parse, parse, groups
    if system == "rest":
        return await stack.enter_async_context(systems.rest(server)), parse, groups
    home = folder / system
    home.mkdir(mode=0o755)
    database = stack.enter_context(systems.postgres(home))
    peer = await stack.enter_async_context(TelegramPeer()) if system == "telegram" else None
    desk = await stack.enter_async_context(systems.desk(home, database, server, peer))
    ask = await stack.enter_async_context(
        systems.messenger(peer, VISITORS) if peer is not None else systems.web(desk, VISITORS)
    )
    return ask, parse, {**groups, "desk": desk.processes()[0], "postgres": database[1]}


async def _growth(conversations: list[int], messages: list[int], samples: int) -> None:
    asked = await _questions()
    with _folder() as folder:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(systems.rasa(PATHS, await _model(folder), OUT / "rasa.log"))
            rest = await stack.enter_async_context(systems.rest(server, customers=1))
            typer.echo(await growing.of_rest(rest, asked, messages, samples))
            database = stack.enter_context(systems.postgres(folder))
            peer = await stack.enter_async_context(TelegramPeer())
            desk = await stack.enter_async_context(systems.desk(folder, database, server, peer))
            others = await stack.enter_async_context(systems.messenger(peer, 20))
            await growing.timed(others, asked, samples)  # everything was used before it is measured
            one = await stack.enter_async_context(systems.messenger(peer, 1, first=1))
            typer.echo(await growing.of_a_conversation(one, desk, asked, messages, samples))
            typer.echo(await growing.of_the_database(others, desk, asked, conversations, samples))


async def _storm(rate: float, seconds: float) -> None:
    asked = await _questions()
    with _folder() as folder:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(systems.rasa(PATHS, await _model(folder), OUT / "rasa.log"))
            database = stack.enter_context(systems.postgres(folder))
            peer = await stack.enter_async_context(TelegramPeer())
            desk = await stack.enter_async_context(systems.desk(folder, database, server, peer))
            _tell(await storming.storm(desk, peer, server, asked, rate, seconds), "storm")


async def _backlog(messages: int, customers: int) -> None:
    asked = await _questions()
    with _folder() as folder:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(systems.rasa(PATHS, await _model(folder), OUT / "rasa.log"))
            database = stack.enter_context(systems.postgres(folder))
            peer = await stack.enter_async_context(TelegramPeer())
            crowd = storming.Crowd(peer, customers)
            await migrate(database[0])
            await storming.fill(database[0], crowd, asked, messages)
            began = time.perf_counter()
            desk = await stack.enter_async_context(systems.desk(folder, database, server, peer))
            typer.echo(f"ready after {time.perf_counter() - began:.1f} s", err=True)
            _tell(await storming.work_off(desk, server, crowd, messages), "backlog")


def _tell(outcome: storming.Outcome, name: str) -> None:
    typer.echo(outcome.table())
    picture = OUT / f"{name}.svg"
    picture.write_text(outcome.picture(), encoding="utf-8")
    typer.echo(f"\nThe picture is {picture}")


PAGE()
