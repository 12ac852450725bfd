"""The search of the agents' console in a database of a given size: times, and whether it finds what LIKE finds."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer

from benchmarks.console import asking, measuring
from benchmarks.console.seeding import seed as fill
from benchmarks.console.texts import Texts
from benchmarks.places import VAR
from bot.settings import ROOT
from bot.store.database import conninfo, embedded, migrate

PAGE = typer.Typer(no_args_is_help=True, help=__doc__)
OUT = VAR / "benchmarks" / "console"

Messages = Annotated[int, typer.Option(help="In the database, which is kept for the next time.")]
Each = Annotated[int, typer.Option(help="Messages in one conversation.")]


@PAGE.command()
def seed(messages: Messages = 5_000_000, each: Each = 5) -> None:
    """Makes the database of that size, and the indexes of the search."""
    with _database(messages, each):
        pass


@PAGE.command()
def search(
    messages: Messages = 5_000_000,
    each: Each = 5,
    samples: Annotated[int, typer.Option(help="Searches of each kind.")] = 50,
    scan: Annotated[bool, typer.Option(help="Everything is looked through as well, for each search.")] = True,
    insertions: Annotated[int, typer.Option(help="Messages that are written, with the index and without.")] = 2_000,
) -> None:
    """Searches of every kind, against a full scan; and what a message costs that is written meanwhile."""
    with _database(messages, each) as url:
        asyncio.run(_search(url, samples, insertions, scan=scan))


@contextmanager
def _database(messages: int, each: int) -> Iterator[str]:
    folder = OUT / str(messages)
    folder.mkdir(parents=True, exist_ok=True)
    with embedded(folder / "postgres") as url:
        asyncio.run(migrate(url))
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            (there,) = connection.execute("SELECT EXISTS (SELECT FROM message)").fetchone() or (False,)
        if not there:
            began = time.monotonic()
            fill(
                url,
                Texts(ROOT / "data"),
                messages,
                each,
                lambda words: _tell(f"{time.monotonic() - began:.0f} s: {words}"),
            )
        asyncio.run(_build(url))
        yield url


async def _build(url: str) -> None:
    store, _ = measuring.open_store(url)
    began = time.monotonic()
    await store.search_indexes.build()
    await store.close()
    _tell(f"the indexes are there; that took {time.monotonic() - began:.0f} s")


async def _search(url: str, samples: int, insertions: int, *, scan: bool) -> None:
    store, used = measuring.open_store(url)
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        for row in connection.execute(_SIZES):
            _tell(" ".join(map(str, row)))
        _tell(f"load average {os.getloadavg()[0]:.1f}")
        asked = asking.questions(connection, samples)
        # Everything was used before it is measured.
        await measuring.asked(store, connection, "", [one[0] for one in asked.values()], used)
        typer.echo(measuring.HEAD)
        for kind, all_ in asked.items():
            typer.echo((await measuring.asked(store, connection, kind, all_, used, scan=scan)).line)
    texts = Texts(ROOT / "data", seed=9)
    for name, times, processor in await measuring.written(
        store, url, iter(lambda: texts.message("zh"), None), insertions, 100
    ):
        typer.echo(measuring.line(name, times, processor))
    _tell(f"load average {os.getloadavg()[0]:.1f}")
    await store.close()


_SIZES = """
    SELECT relname, reltuples::bigint, 'rows in', pg_size_pretty(pg_table_size(oid)), 'index of the search',
        pg_size_pretty(pg_relation_size(to_regclass('ix_' || relname || '_grams')))
    FROM pg_class
    WHERE relname IN ('message', 'contact', 'conversation') AND relnamespace = current_schema()::regnamespace
    ORDER BY 1
"""


def _tell(words: str) -> None:
    typer.echo(words, err=True)


PAGE()
