"""How the channels are doing, told by whichever replica runs them and read by all; and what connectors remember."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from bot.domain.channel import ChannelState, ChannelStatus
from bot.store import rows
from bot.store.base import Area
from bot.store.tables import channel_status, connector_memory


class Channels(Area):
    async def record(self, status: ChannelStatus) -> None:
        """What is None of ``status`` is not news: what was known of it stays."""
        told = upsert(channel_status).values(
            channel=status.channel,
            account=status.account,
            state=status.state,
            since=status.since,
            updated_at=status.updated_at,
            last_received_at=status.last_received_at,
            lag=status.lag,
            last_sent_at=status.last_sent_at,
            error_at=status.error_at,
            **(rows.error_columns(status.error) if status.error else {}),
        )
        given, known = told.excluded, channel_status.c
        async with self._engine.begin() as connection:
            await connection.execute(
                told.on_conflict_do_update(
                    index_elements=["channel"],
                    set_={
                        "account": given.account,
                        "state": given.state,
                        "since": given.since,
                        "updated_at": given.updated_at,
                        "last_received_at": func.greatest(given.last_received_at, known.last_received_at),
                        "lag": func.coalesce(given.lag, known.lag),
                        "last_sent_at": func.greatest(given.last_sent_at, known.last_sent_at),
                        "error": func.coalesce(given.error, known.error),
                        "error_said": case((given.error.is_not(None), given.error_said), else_=known.error_said),
                        "error_at": func.coalesce(given.error_at, known.error_at),
                    },
                )
            )

    async def all(self) -> list[ChannelStatus]:
        """Every channel that this deployment ever ran, by name."""
        query = select(channel_status).order_by(channel_status.c.channel)
        async with self._engine.connect() as connection:
            return [
                ChannelStatus(
                    channel=row.channel,
                    account=row.account,
                    state=ChannelState(row.state),
                    since=row.since,
                    updated_at=row.updated_at,
                    last_received_at=row.last_received_at,
                    lag=row.lag,
                    last_sent_at=row.last_sent_at,
                    error=rows.error(row.error, row.error_said),
                    error_at=row.error_at,
                )
                for row in await connection.execute(query)
            ]

    async def remember(self, channel: str, account: str, name: str, value: Any) -> None:
        """Keeps what a connector must know after a restart, as JSON; in place of what it kept under that name."""
        told = upsert(connector_memory).values(channel=channel, account=account, name=name, value=value)
        async with self._engine.begin() as connection:
            await connection.execute(
                told.on_conflict_do_update(
                    index_elements=["channel", "account", "name"],
                    set_={"value": told.excluded.value, "updated_at": func.now()},
                )
            )

    async def recall(self, channel: str, account: str, name: str) -> Any:
        """What was kept under that name; None if nothing was."""
        query = select(connector_memory.c.value).where(
            connector_memory.c.channel == channel,
            connector_memory.c.account == account,
            connector_memory.c.name == name,
        )
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()
