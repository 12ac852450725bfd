"""``/readyz`` of a wired desk on a real PostgreSQL that takes no writes, or not this one."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from bot import monotonic
from bot.domain.engine import EngineUnavailable, Prediction
from bot.domain.message import Incoming, Sender
from bot.pipeline.intake import REFUSAL_COUNTS
from bot.settings import ROOT
from bot.store.database import conninfo
from switchboard.plugins import load_settings
from switchboard.process import Switchboard
from switchboard.wiring import build

FULL = 'could not extend file "base/5/2619": No space left on device'
HELLO = Incoming("web", "web", "1", Sender("ann", "Ann", "en"), chat_id="ann", text="hello")
BULKY = replace(HELLO, external_id="2", text="a bulky message")

Ready = Callable[[], Awaitable[tuple[int, dict[str, str]]]]


class NoEngine:
    async def predict(self, text: str) -> Prediction:
        raise EngineUnavailable("none is needed here")

    async def healthy(self) -> bool:
        return True


@pytest.fixture
def build_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Switchboard]:
    """Wires a desk, which is not run, on a database."""
    config = tmp_path / "config.yml"
    config.write_text(f"data: {ROOT / 'data'}\nchannels:\n  terminal:\n    enabled: false\n", encoding="utf-8")
    monkeypatch.setenv("SWITCHBOARD_VAR", str(tmp_path / "var"))
    return lambda url: build(load_settings(config), url, NoEngine())


@pytest.fixture
async def switchboard(build_desk: Callable[[str], Switchboard], database_url: str) -> AsyncIterator[Switchboard]:
    desk = build_desk(database_url)
    await desk._queue.open()
    yield desk
    await desk._queue.close()
    await desk.store.close()


def asks(desk: Switchboard) -> Ready:
    app = desk.application(engine_ready=lambda: True, stopping=lambda: False)

    async def ready() -> tuple[int, dict[str, str]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as http:
            answer = await http.get("/readyz")
        return answer.status_code, answer.json()

    return ready


@pytest.fixture
def ready(switchboard: Switchboard) -> Ready:
    return asks(switchboard)


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """As a provider makes a database whose disk is nearly full: for connections made from now on."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        # One that exempts itself: it has to take this back.
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))


async def test_a_database_that_is_read_only_makes_the_desk_unready_until_it_takes_writes_again(
    switchboard: Switchboard, ready: Ready, database_url: str
) -> None:
    assert await ready() == (200, {"status": "ok", "database": "ok", "engine": "ok"})
    with read_only(database_url):
        await switchboard.store.close()  # its next connections are fresh ones
        status, said = await ready()
        assert (status, said["status"], said["engine"]) == (503, "not ready", "ok")
        assert "takes no writes" in said["database"]
        assert "read-only" in said["database"]
    await switchboard.store.close()
    assert await ready() == (200, {"status": "ok", "database": "ok", "engine": "ok"})


@contextmanager
def without_room_for(text: str, url: str) -> Iterator[None]:
    """A disk on which one message finds no room, and all that is smaller does."""
    refuse = sql.SQL(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION {} USING ERRCODE = 'disk_full'; END $$"
    ).format(sql.Literal(FULL))
    when = sql.SQL(
        "CREATE TRIGGER refuse BEFORE INSERT ON message FOR EACH ROW WHEN (NEW.text = {}) EXECUTE FUNCTION refuse()"
    ).format(sql.Literal(text))
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(refuse)
        connection.execute(when)
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER refuse ON message")
            connection.execute("DROP FUNCTION refuse")


async def test_a_message_that_could_not_be_recorded_makes_the_desk_unready_for_a_while_or_until_another_could(
    switchboard: Switchboard, ready: Ready, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(monotonic, "seconds", lambda: now)
    with without_room_for(BULKY.text, database_url):
        assert (await ready())[0] == 200
        with pytest.raises(DBAPIError):
            await switchboard.intake.receive(BULKY)
        status, said = await ready()
        assert (status, said["database"]) == (503, f"did not take a message: {FULL}")
        now = math.nextafter(1_000.0 + REFUSAL_COUNTS, 0)
        assert (await ready())[0] == 503
        now = 1_000.0 + REFUSAL_COUNTS
        assert (await ready())[0] == 200

        with pytest.raises(DBAPIError):
            await switchboard.intake.receive(BULKY)
        assert (await ready())[0] == 503
        await switchboard.intake.receive(HELLO)
        assert (await ready())[0] == 200


async def test_a_role_without_the_right_to_write_makes_the_desk_unready(
    build_desk: Callable[[str], Switchboard], database_url: str
) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        desk = build_desk(database_url.replace("postgres:@", "reader:@"))
        try:
            status, said = await asks(desk)()
            assert status == 503
            assert "permission denied for table message" in said["database"]
            connection.execute("GRANT UPDATE ON ALL TABLES IN SCHEMA public TO reader")
            assert (await asks(desk)())[0] == 200
        finally:
            await desk.store.close()
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")
