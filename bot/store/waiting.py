"""How it stands with waiting for a person: who is there, who waits, and how fast conversations were claimed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, FromClause, exists, func, select, true, update
from sqlalchemy.sql.selectable import LateralFromClause

from bot import guard
from bot.domain.conversation import ConversationState
from bot.domain.dialogue import from_json
from bot.domain.history import EventKind
from bot.domain.message import Author, Reply
from bot.domain.operations import Claim, Expecting, QueueState
from bot.domain.situation import Expectation
from bot.domain.staff import Permission, roles_with
from bot.store.base import Area
from bot.store.tables import agent, conversation, event, turn
from bot.store.tables.schema import Moment
from bot.store.values import said

_LONGEST = 20
"""Of so many that are served next it is looked up since when they wait."""
_INTO_QUEUE = [kind.value for kind in (EventKind.ESCALATED, EventKind.REQUEUED, EventKind.REOPENED)]
_QUEUED = ConversationState.QUEUED.value
_ANSWERERS = [role.value for role in roles_with(Permission.ANSWER_CUSTOMERS)]


class Waiting(Area):
    async def on_duty(self, gone_after: timedelta) -> int:
        """How many who answer customers did something at the desk in that time."""
        here = select(func.count()).where(
            agent.c.disabled_at.is_(None), agent.c.role.in_(_ANSWERERS), agent.c.seen_at > func.now() - gone_after
        )
        async with self._reader.connect() as connection:
            return int((await connection.execute(here)).scalar_one())

    async def queue(self) -> QueueState:
        count = select(func.count()).where(conversation.c.state == _QUEUED).scalar_subquery()
        first = (
            select(conversation.c.id)
            .where(conversation.c.state == _QUEUED)
            .order_by(conversation.c.queued_at, conversation.c.id)
            .limit(_LONGEST)
            .subquery()
        )
        came = _came(first, first.c.id)
        since = select(func.min(came.c.at)).select_from(first.join(came, true())).scalar_subquery()
        async with self._reader.connect() as connection:
            row = (await connection.execute(select(count.label("waiting"), since.label("since")))).one()
        return QueueState(int(row.waiting), row.since)

    async def expecting(self, since: timedelta, most: int) -> list[Expecting]:
        """Who waits and was told a time ``since`` ago or longer, longest ago first. Nobody whose message the bot has
        yet to read: it will tell them."""
        queue = (
            select(
                conversation.c.id,
                conversation.c.language,
                conversation.c.dialogue,
                func.row_number()
                .over(order_by=(conversation.c.priority.desc(), conversation.c.queued_at, conversation.c.id))
                .label("place"),
            )
            .where(conversation.c.state == _QUEUED)
            .subquery()
        )
        told_at = queue.c.dialogue["told_at"].astext.cast(Moment)
        query = (
            select(queue)
            .where(queue.c.dialogue.has_key("told_until"), told_at < func.now() - since, ~_unread(queue.c.id))
            .order_by(told_at)
            .limit(most)
        )
        async with self._reader.connect() as connection:
            return [
                Expecting(row.id, row.place, row.language, expectation)
                for row in await connection.execute(query)
                if (expectation := from_json(row.dialogue).expectation) is not None
            ]

    async def tell(self, of: Expecting, reply: Reply, expects: Expectation) -> bool:
        """Writes to the waiting customer what they may expect now; ``{position}`` is filled with their place. Not where
        they were told meanwhile, or wait no more. Whether it was written."""
        waiting = (
            select(conversation.c.dialogue)
            .where(
                conversation.c.id == of.conversation_id, conversation.c.state == _QUEUED, ~_unread(conversation.c.id)
            )
            .with_for_update(of=conversation, key_share=True)
        )
        async with self._engine.begin() as connection:
            kept = (await connection.execute(waiting)).scalar_one_or_none()
            if kept is None or (state := from_json(kept)).expectation != of.told:
                return False
            await connection.execute(
                update(conversation)
                .where(conversation.c.id == of.conversation_id)
                .values(dialogue=state.expecting(expects).as_json)
            )
            to = await self._conversation(connection, of.conversation_id)
            text = guard.fill(reply.text, position=await self._position(connection, to.id))
            await self._add_outgoing(connection, said(to, Author.BOT, text, reply.format, buttons=reply.buttons))
            await self._notify(connection, "reply", to.id, to.contact.id)
            return True

    async def claims(self, within: timedelta, most: int) -> list[Claim]:
        """The latest claims out of the queue, in order; at most so many. Who was put back and claimed again waited from
        then."""
        claimed = (
            select(event.c.id, event.c.conversation_id, event.c.at)
            .where(
                event.c.kind == EventKind.CLAIMED.value,
                event.c.at > func.now() - within,
                event.c.data["was"]["state"].astext == _QUEUED,
            )
            .order_by(event.c.at.desc())
            .limit(most)
            .subquery()
        )
        came = _came(claimed, claimed.c.conversation_id, before=claimed.c.id)
        query = select(came.c.at.label("queued_at"), claimed.c.at.label("claimed_at")).select_from(
            claimed.join(came, true())
        )
        async with self._reader.connect() as connection:
            found = await connection.execute(query.order_by(claimed.c.at))
            return [Claim(row.queued_at, row.claimed_at) for row in found]


def _unread(conversation_id: ColumnElement[int]) -> ColumnElement[bool]:
    """A message of the customer waits for the bot."""
    return exists().where(turn.c.conversation_id == conversation_id, ~turn.c.done)


def _came(
    of: FromClause, conversation_id: ColumnElement[int], before: ColumnElement[int] | None = None
) -> LateralFromClause:
    """The event by which a conversation last came into the queue: ``queued_at`` keeps its old place there."""
    came = event.alias()
    query = (
        select(came.c.at)
        .where(
            came.c.conversation_id == conversation_id,
            came.c.kind.in_(_INTO_QUEUE),
            came.c.data["state"].astext == _QUEUED,
        )
        .order_by(came.c.id.desc())
        .limit(1)
    )
    if before is not None:
        query = query.where(came.c.id < before)
    return query.correlate(of).lateral()
