"""The desk in figures, as the database has them now: for whoever watches it (bot/runtime/metrics.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Double, case, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.channel import ChannelState
from bot.domain.conversation import ConversationState
from bot.domain.message import DeliveryState
from bot.queue.statements import WAITING
from bot.store.base import Area
from bot.store.tables import channel_status, conversation, delivery, failure, lease


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """The jobs of one task of the queue."""

    task: str
    todo: int
    doing: int
    oldest_due: float
    """Seconds since the oldest job that waits could have begun; 0 if none waits."""


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    channel: str
    state: ChannelState
    told: float
    """Seconds since a replica last said so: much more than its heartbeat, and no replica runs the channel."""
    lag: float | None


@dataclass(frozen=True, slots=True)
class LeaseFigures:
    name: str
    generation: int
    holder: str
    """The last one, if it is not held."""
    held: bool


@dataclass(frozen=True, slots=True)
class Figures:
    tasks: tuple[TaskFigures, ...]
    """Tasks without a job are missing."""
    conversations: dict[ConversationState, int]
    """Open ones; of resolved ones there is no end."""
    longest_wait: float
    """Seconds that the customer has waited for an answer of a person who has waited longest, in the queue or with an
    agent; 0 if none waits."""
    deliveries_pending: int
    dead_letters: dict[str, int]
    """Work that waits for a person, by task; tasks without any are missing."""
    channels: tuple[ChannelFigures, ...]
    leases: tuple[LeaseFigures, ...]


class Statistics(Area):
    async def read(self, within: timedelta) -> Figures:
        """How the desk stands. Raises if the database cannot say ``within`` that time."""
        async with self._engine.begin() as connection:
            await connection.execute(
                select(func.set_config("statement_timeout", str(int(within.total_seconds() * 1000)), True))
            )
            longest_wait = await connection.execute(select(_seconds_since(func.min(conversation.c.waiting_since))))
            pending = await connection.execute(
                select(func.count()).select_from(delivery).where(delivery.c.state == DeliveryState.PENDING)
            )
            dead_letters = await connection.execute(
                select(failure.c.task, func.count().label("many"))
                .where(failure.c.set_aside_at.is_not(None))
                .group_by(failure.c.task)
            )
            return Figures(
                tasks=tuple(
                    TaskFigures(row.task, row.todo, row.doing, row.oldest_due or 0.0)
                    for row in await connection.execute(text(WAITING))
                ),
                conversations=await self._open_conversations(connection),
                longest_wait=longest_wait.scalar_one() or 0.0,
                deliveries_pending=pending.scalar_one(),
                dead_letters={row.task: row.many for row in dead_letters},
                channels=tuple(
                    ChannelFigures(row.channel, ChannelState(row.state), row.told, row.lag)
                    for row in await connection.execute(
                        select(
                            channel_status.c.channel,
                            channel_status.c.state,
                            _seconds_since(channel_status.c.updated_at).label("told"),
                            channel_status.c.lag,
                        )
                    )
                ),
                leases=tuple(
                    LeaseFigures(row.name, row.generation, row.holder, row.held)
                    for row in await connection.execute(
                        select(
                            lease.c.name,
                            lease.c.generation,
                            lease.c.holder,
                            (lease.c.expires_at > func.clock_timestamp()).label("held"),
                        )
                    )
                ),
            )

    async def _open_conversations(self, connection: AsyncConnection) -> dict[ConversationState, int]:
        rows = await connection.execute(
            select(conversation.c.state, func.count())
            .where(conversation.c.state != ConversationState.RESOLVED)
            .group_by(conversation.c.state)
        )
        counted = {ConversationState(state): int(count) for state, count in rows}
        return {state: counted.get(state, 0) for state in ConversationState if state is not ConversationState.RESOLVED}


def _seconds_since(moment: ColumnElement[Any]) -> ColumnElement[float]:
    """By the database's own clock, and not less than none: it may have been set back."""
    passed = func.extract("epoch", func.clock_timestamp() - moment)
    return cast(case((moment.is_not(None), func.greatest(0, passed))), Double)
