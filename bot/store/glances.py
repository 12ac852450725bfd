"""What a list says of a conversation beside what it is: the customer's problem, what is unread, whether they were here
before. Read for the rows of a page alone, and so as fast with a million conversations as with ten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from bot.domain import context as contexts
from bot.domain.message import Author, Message, MessageFormat, Visibility
from bot.domain.problem import SURE, Telling
from bot.store import rows
from bot.store.base import Area

MOST_UNREAD = 100
MOST_EARLIER = 100
"""Neither is counted further: nobody reads a larger number."""

_SAID = text(
    """
    SELECT shown.id AS conversation_id, said.id, said.text, said.attachments, said.context, said.created_at,
           turn.topic, turn.ranking
    FROM conversation AS shown
    CROSS JOIN LATERAL (
        -- Where the matter begins: behind the last pause of half a day. Once somebody waits for a person, pauses are
        -- ours, and begin nothing.
        SELECT max(recent.id) FILTER (
            WHERE recent.before IS NULL OR recent.created_at - recent.before > interval '12 hours'
        ) AS id
        FROM (
            SELECT newest.id, newest.created_at, lag(newest.created_at) OVER (ORDER BY newest.id) AS before
            FROM (
                SELECT message.id, message.created_at
                FROM message
                WHERE message.conversation_id = shown.id AND message.author = 'customer'
                    AND (shown.queued_at IS NULL OR message.created_at <= shown.queued_at)
                ORDER BY message.id DESC
                LIMIT 60
            ) AS newest
        ) AS recent
    ) AS began
    CROSS JOIN LATERAL (
        SELECT message.*
        FROM message
        WHERE message.conversation_id = shown.id AND message.author = 'customer'
            AND message.id >= coalesce(began.id, 0) AND message.deleted_at IS NULL
            AND NOT coalesce(message.payload, '{}') ?| ARRAY['command', 'button']
        ORDER BY message.id
        LIMIT 6
    ) AS said
    LEFT JOIN turn ON turn.message_id = said.id
    WHERE shown.id = ANY(:ids)
    ORDER BY said.id
    """
)
_COUNTS = text(
    """
    SELECT shown.id, earlier.many AS earlier, unread.many AS unread
    FROM conversation AS shown
    CROSS JOIN LATERAL (
        SELECT count(*) AS many
        FROM (
            SELECT 1 FROM conversation AS other
            WHERE other.contact_id = shown.contact_id AND other.id < shown.id
            LIMIT :most_earlier
        ) AS counted
    ) AS earlier
    LEFT JOIN agent_seen AS seen ON seen.agent_id = :agent AND seen.conversation_id = shown.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS many
        FROM (
            SELECT 1 FROM message
            WHERE message.conversation_id = shown.id AND message.id > coalesce(seen.message_id, 0)
                AND message.author = 'customer' AND message.deleted_at IS NULL
                AND (shown.state = 'queued' OR shown.agent_id = :agent)
            LIMIT :most_unread
        ) AS counted
    ) AS unread
    WHERE shown.id = ANY(:ids)
    """
)
_SEE = text(
    """
    INSERT INTO agent_seen (agent_id, conversation_id, message_id)
    VALUES (:agent, :conversation, :message)
    ON CONFLICT (agent_id, conversation_id) DO UPDATE SET message_id = excluded.message_id, seen_at = now()
    WHERE agent_seen.message_id < excluded.message_id
    """
)
_FORGET = text(
    """
    DELETE FROM agent_seen USING conversation
    WHERE conversation.id = agent_seen.conversation_id AND conversation.resolved_at < now() - interval '30 days'
    """
)


@dataclass(frozen=True, slots=True)
class Glance:
    said: tuple[Telling, ...] = ()
    """What the customer said first in this matter, oldest first; commands and pressed buttons are left out."""
    unread: int = 0
    """Messages of the customer that the agent has not seen, of a conversation that concerns them: theirs, or queued."""
    earlier: int = 0
    """How many conversations the contact had before."""


class Glances(Area):
    async def of(self, conversation_ids: Iterable[int], agent_id: int) -> Mapping[int, Glance]:
        """A glance at each of the conversations, as the agent has it."""
        ids = list(conversation_ids)
        if not ids:
            return {}
        said: dict[int, list[Telling]] = {}
        async with self._reader.connect() as connection:
            for row in await connection.execute(_SAID, {"ids": ids}):
                said.setdefault(row.conversation_id, []).append(_telling(row))
            most = {"most_unread": MOST_UNREAD, "most_earlier": MOST_EARLIER}
            counted = await connection.execute(_COUNTS, {"ids": ids, "agent": agent_id, **most})
            return {row.id: Glance(tuple(said.get(row.id, ())), row.unread, row.earlier) for row in counted}

    async def see(self, conversation_id: int, agent_id: int, message_id: int) -> None:
        """The agent has seen the conversation up to that message. What they saw before stays seen."""
        async with self._reader.connect() as connection:
            await connection.execute(_SEE, {"agent": agent_id, "conversation": conversation_id, "message": message_id})

    async def forget_old(self) -> None:
        """Of what was resolved long ago nobody need know who has seen it."""
        async with self._reader.connect() as connection:
            await connection.execute(_FORGET)


def _telling(row: Row[Any]) -> Telling:
    best = row.ranking[0] if row.ranking else None
    likely = best[0] if best is not None and best[1] >= SURE else None
    message = Message(
        id=row.id,
        conversation_id=row.conversation_id,
        author=Author.CUSTOMER,
        visibility=Visibility.PUBLIC,
        text=row.text,
        format=MessageFormat.TEXT,
        created_at=row.created_at,
        attachments=tuple(map(rows.attachment, row.attachments)),
        context=contexts.from_json(row.context),
    )
    return Telling(message, row.topic or likely)
