"""Alembic's entry: the address comes from ``bot.store.database.migrate``, never from a file."""

from alembic import context
from sqlalchemy import create_engine, pool

from bot.store.tables import metadata


def _ours(_object: object, name: str | None, type_: str, _reflected: bool, _compare_to: object) -> bool:
    return not (type_ == "table" and name is not None and name.startswith("procrastinate_"))


engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool, hide_parameters=True)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, include_object=_ours)
    with context.begin_transaction():
        context.run_migrations()
