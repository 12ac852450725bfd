"""Migrations against a real PostgreSQL: what an older desk wrote is kept, and the tables are those of the code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine as connect_to
from sqlalchemy.engine import make_url

from bot.domain.channel import Capabilities, Outgoing
from bot.domain.message import Attachment, DeliveryState
from bot.pipeline.outbox import Outbox
from bot.queue import JobLease, Queue
from bot.store import Store, migrate
from bot.store.database import _alembic, conninfo, create_engine, sqlalchemy_url
from bot.store.tables import metadata

WRITTEN_BY_0001 = """
INSERT INTO contact (channel, account, external_id, chat_id, name) VALUES ('test', 'bot', '7', '7', 'Ann');
INSERT INTO conversation (contact_id) VALUES (1);
INSERT INTO message (conversation_id, contact_id, author, text, external_id, cursor, attachments)
    VALUES (1, 1, 'customer', 'hello', 'in-1', nextval('message_cursor'), '[{"kind": "photo", "reference": "f",
        "name": "", "media_type": "", "size": null}]');
INSERT INTO message (conversation_id, contact_id, author, text, cursor)
    VALUES (1, 1, 'bot', 'sent', nextval('message_cursor'));
INSERT INTO message (conversation_id, contact_id, author, text)
    VALUES (1, 1, 'bot', 'aaaaaaaa bbbbbbbb cccccccc'), (1, 1, 'bot', 'new');
INSERT INTO delivery (message_id, contact_id, state, external_ids, attempts)
    VALUES (2, 1, 'sent', '["x1"]', 1), (3, 1, 'pending', '["x2"]', 3), (4, 1, 'pending', '[]', 0);
"""


@pytest.fixture
def older(postgres: str) -> Iterator[str]:
    """The URL of a database as a desk of the first release left it."""
    with psycopg.connect(conninfo(postgres), autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
        url = make_url(postgres).set(database="older").render_as_string(hide_password=False)
        command.upgrade(_alembic(url), "0001")
        with psycopg.connect(conninfo(url), autocommit=True) as older:
            older.execute(WRITTEN_BY_0001)
        yield url
        connection.execute("DROP DATABASE older WITH (FORCE)")


class Platform:
    account = "bot"
    capabilities = Capabilities(max_length=10)

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, message: Outgoing) -> str:
        self.sent.append(message)
        return f"y{len(self.sent)}"


async def test_deliveries_of_an_older_desk_go_on_where_they_were(older: str) -> None:
    await migrate(older)
    queue, platform = Queue(conninfo(older)), Platform()
    await queue.open()
    store = Store(create_engine(older), queue)
    try:
        outbox = Outbox(store.deliveries, store.files, {"test": platform}, {})
        for message_id in (2, 3, 4):
            await outbox.deliver(message_id, JobLease())
        assert [sent.text for sent in platform.sent] == ["bbbbbbbb", "cccccccc", "new"]
        # It was tried before: its second part may be there already. Behind it, nothing was begun.
        assert [sent.repeated for sent in platform.sent] == [True, False, False]
        assert platform.sent[0].after == "x2"
        messages = await store.messages.of(1)
        assert [m.delivery for m in messages[1:]] == [DeliveryState.SENT] * 3
        assert messages[0].attachments == (Attachment("photo", "f"),)
        assert [m.text for m in await store.messages.transcript(1)] == [
            "hello",
            "sent",
            "aaaaaaaa bbbbbbbb cccccccc",
            "new",
        ]
        assert [m.revision for m in await store.messages.transcript(1, after=2)] == [3, 4]
    finally:
        await store.close()
        await queue.close()


async def test_migrations_and_tables_are_the_same(older: str) -> None:
    await asyncio.gather(migrate(older), migrate(older))
    engine = connect_to(sqlalchemy_url(older))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": lambda _thing, name, kind, *_: (
                    not (kind == "table" and name.startswith("procrastinate_"))
                ),
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_migration_lets_an_index_of_the_search_be_built_to_its_end(older: str) -> None:
    with psycopg.connect(conninfo(older), autocommit=True) as building:
        building.execute("SELECT pg_advisory_lock(hashtext('switchboard.search.build'))")
        migrating = asyncio.create_task(migrate(older))
        await asyncio.sleep(0.5)
        assert building.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        assert building.execute(waits).fetchone() == (1,), "nobody waits in the database"
    await migrating
    with psycopg.connect(conninfo(older), autocommit=True) as other:
        # And a desk whose tables are in order begins at once.
        other.execute("SELECT pg_advisory_lock(hashtext('switchboard.search.build'))")
        await asyncio.wait_for(migrate(older), 30)


async def test_an_index_that_the_code_has_and_the_database_has_not_is_found(older: str) -> None:
    """The test above can fail."""
    await migrate(older)
    engine = connect_to(sqlalchemy_url(older))
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP INDEX ix_message_seen")
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert [
        (kind, thing.name) for kind, thing in (d for d in found if isinstance(d, tuple)) if kind == "add_index"
    ] == [("add_index", "ix_message_seen")]
