"""What all tests share: a real PostgreSQL, emptied before each test, and the parts around the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from argon2 import PasswordHasher
from jinja2 import Environment, FileSystemBytecodeCache

from bot.content.answers import Answers
from bot.queue import Queue
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store, migrate
from bot.store.database import conninfo, create_engine, embedded
from handoff import passwords
from handoff.console import rendering
from handoff.desk import Desk
from tests.support.hangs import Hangs

FACTS = {
    "brand": "BitPie",
    "email": "care@example.com",
    "phone": None,
    "website": None,
    "help_centre": None,
    "hours": None,
    "response_hours": "48",
}


LONGEST_FIRST = (
    "e2e/test_crash_campaign.py",
    "integration/test_models_rasa.py",
    "e2e/test_shared_stream.py",
    "integration/test_engine_rasa.py",
    "fuzz",
    "e2e",
)
"""In the order in which pytest workers (``-n``) begin them, before all others. The first trains the model if need be,
and the next four do without it."""


TRAINING = tuple(f"integration/test_{name}.py" for name in ("engine_rasa", "evaluate", "models_rasa", "topics_rasa"))
TRAINED_WITHIN = 900
"""Seconds for a test that trains a real model, or may have to wait for one; for all others, see ``pyproject.toml``."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Hangs(), "hangs")


@pytest.fixture(scope="session", autouse=True)
async def hangs(pytestconfig: pytest.Config) -> None:
    pytestconfig.pluginmanager.get_plugin("hangs").watch(asyncio.get_running_loop())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if "model" in getattr(item, "fixturenames", ()) or item.path.relative_to(here).as_posix() in TRAINING:
            item.add_marker(pytest.mark.timeout(TRAINED_WITHIN))
    places = [here / place for place in LONGEST_FIRST]

    def rank(item: pytest.Item) -> int:
        return next((n for n, place in enumerate(places) if item.path.is_relative_to(place)), len(places))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Without what hundreds of tests would wait for and none is about. A desk in a process of its own has all of it."""
    compiled = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        patch.setattr(rendering, "Environment", partial(Environment, bytecode_cache=compiled))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty, migrated database."""
    # Not in pytest's folder, which keeps what was in it for three runs.
    with TemporaryDirectory(prefix="switchboard-") as folder, embedded(Path(folder) / "postgres") as url:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            # No test here cuts the power, and a slow disk would pass for a slow desk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        asyncio.run(migrate(url))
        yield url


@pytest.fixture(scope="session")
def emptying(postgres: str) -> str:
    """The SQL that empties all tables and begins their numbers anew. Ten times as fast as TRUNCATE, which makes new
    files for each."""
    with psycopg.connect(conninfo(postgres)) as connection:
        named = "SELECT quote_ident({0}name) FROM pg_{0}s WHERE schemaname = 'public' ORDER BY 1"
        tables = [row[0] for row in connection.execute(named.format("table")) if row[0] != "alembic_version"]
        sequences = [row[0] for row in connection.execute(named.format("sequence"))]
    return "; ".join(
        [
            # Whoever still writes is waited for, or makes this fail.
            f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE",
            # No foreign key asks for an order, and no trigger makes work of it.
            "SET LOCAL session_replication_role = replica",
            *(f"DELETE FROM {table}" for table in tables),
            *(f"SELECT setval('{sequence}', 1, false)" for sequence in sequences),
        ]
    )


@pytest.fixture
def database_url(postgres: str, emptying: str) -> str:
    """The same database without a row in it."""
    with psycopg.connect(conninfo(postgres), autocommit=True) as connection:
        # What a test left running would otherwise block this for ever, in the one thread there is.
        connection.execute("SET lock_timeout = '10s'")
        connection.execute(emptying)
    return postgres


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[Queue]:
    queue = Queue(conninfo(database_url))
    await queue.open()
    yield queue
    await queue.close()


@pytest.fixture
async def store(database_url: str, queue: Queue) -> AsyncIterator[Store]:
    engine = create_engine(database_url)
    yield Store(engine, queue)
    await engine.dispose()


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    """Listening already."""
    feed = Feed(conninfo(database_url))
    with feed.watch() as listening:
        running = asyncio.create_task(feed.run())
        assert await listening.changed(10)
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(scope="session")
def answers() -> Answers:
    """The shipped content."""
    return Answers(ROOT / "data", ("en", "zh"), FACTS)


@pytest.fixture
def desk(store: Store, answers: Answers) -> Desk:
    return Desk(store, answers.words.by_locale)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"
