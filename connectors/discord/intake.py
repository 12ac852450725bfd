"""What customers do, in order and without a gap, whatever the gateway left out.

Each chat is read by itself: first its history from the mark on, oldest first, then the events that came meanwhile. An
event is done when the desk has committed it; until then it stays at the head of its chat, so the mark, which is
committed with each message, never passes one that is not. What history brings twice the desk refuses by its id.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import structlog
from discord.utils import time_snowflake

from bot.domain.channel import Chat, PermanentError
from bot.domain.message import Incoming, Sender
from bot.ports import Receive, Records
from connectors.backoff import Backoff
from connectors.discord.api import Api, explained
from connectors.discord.events import (
    NAME,
    MalformedEvent,
    author_id,
    deletion,
    message_id,
    opened_by,
    reaction,
    reactions_under,
    read_edit,
    read_message,
)
from connectors.fields import Json, whole

log = structlog.get_logger(__name__)

PAGE = 100
"""Messages of one call, as many as Discord gives."""
RECENT = 50
"""Messages before the mark that are looked at again for edits and deletions."""
RECENT_FOR = timedelta(days=7)
"""Chats that nothing happened in for longer are not looked at again so."""
FIRST_WORDS_FOR = timedelta(hours=24)
"""How old the unanswered words may be that are read in a chat which the desk does not know."""
FIRST_WORDS_WITHIN = 5.0
"""Seconds that a new customer's message waits for the ones that may have been before it."""
REACTIONS_FOR = timedelta(hours=24)
"""How old the messages may be under which reactions are looked for that nobody told of."""
MAX_FIRST_WORDS = 2000
AT_ONCE = 16
"""Chats that are read at the same time."""
SWEEP_PAUSE = 0.03
"""Seconds between two chats of a sweep: Discord takes 50 calls a second, and replies need some of them."""
MAX_WAITING = 500
"""Events of one chat that are kept in memory. Further messages are read from its history instead."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0


@dataclass(eq=False, slots=True)
class Event:
    """One thing that a customer did."""

    incoming: Incoming
    sequence: int
    """Its number at the gateway."""
    committed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class _Chat:
    id: str
    mark: int | None
    active_at: datetime | None
    behind: bool = True
    """Its history must be read on before its events are taken."""
    waiting: deque[Event] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None
    customer: str = ""
    """Who else is there; empty until they are known to have done something."""
    reactions: list[tuple[str, Json]] = field(default_factory=list)
    """Seen in its history, as message and emoji, and not committed yet: the latest ``PAGE``."""


class Intake:
    def __init__(self, api: Api, records: Records, receive: Receive, account: str, known: Sequence[Chat]) -> None:
        """``known`` are the chats of the account, the most recently active first."""
        self._api = api
        self._records = records
        self._receive = receive
        self._account = account
        self._chats = {
            chat.chat_id: _Chat(chat.chat_id, int(chat.mark) if chat.mark else None, chat.active_at) for chat in known
        }
        self._room = asyncio.Semaphore(AT_ONCE)
        self._pending: dict[Event, int] = {}
        """Events of the gateway that are not committed yet, with their numbers."""
        self._sweeping: asyncio.Task[None] | None = None

    # --- called by the gateway, in the order in which things happen

    def begin_session(self) -> None:
        """Something may have been said that no event will tell of: every chat is behind."""
        for chat in self._chats.values():
            chat.behind = True
        # Numbers begin anew; what of the old ones is not committed yet keeps the new session from being kept.
        self._pending = dict.fromkeys(self._pending, 0)
        self.catch_up()

    def offer(self, incoming: Incoming, sequence: int) -> Event:
        """Takes an event to be committed after all earlier ones of its chat."""
        chat = self._chats.get(incoming.chat_id)
        if chat is None:
            chat = self._chats[incoming.chat_id] = _Chat(incoming.chat_id, None, None)
        event = Event(incoming, sequence)
        if len(chat.waiting) >= MAX_WAITING and incoming.mark is not None:
            chat.behind = True
        else:
            chat.waiting.append(event)
            self._pending[event] = sequence
        self._work_on(chat)
        return event

    def revisit(self, chat_id: str) -> None:
        """Something changed in a chat, and the event does not say what: its history does."""
        if (chat := self._chats.get(chat_id)) is not None:
            chat.active_at, chat.behind = datetime.now(UTC), True
            self._work_on(chat)

    # --- what it does with that

    def catch_up(self) -> None:
        """Reads on every chat that is behind, the most recently active first; returns at once."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep(), name="discord catch-up")

    async def _sweep(self) -> None:
        # Again as long as chats fall behind while others are read.
        while left := [chat for chat in self._chats.values() if chat.behind and chat.worker is None]:
            for chat in left:
                async with self._room:
                    pass  # not more tasks than can be at work
                self._work_on(chat)
                await asyncio.sleep(SWEEP_PAUSE)

    def _work_on(self, chat: _Chat) -> None:
        if chat.worker is None:
            chat.worker = asyncio.create_task(self._work(chat), name=f"discord chat {chat.id}")

    async def _work(self, chat: _Chat) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while chat.behind or chat.waiting:
            try:
                async with self._room:
                    if chat.behind:
                        await self._read_on(chat)
                    else:
                        await self._take(chat)
                backoff.reset()
            except Exception as error:
                # Only the kind: the text of a database error quotes what the customer wrote.
                log.error("not recorded", action="discord_receive_failed", chat=chat.id, error=type(error).__name__)
                await backoff.pause()
        chat.worker = None

    async def _take(self, chat: _Chat) -> None:
        event = chat.waiting[0]
        await self._commit(chat, event.incoming)
        chat.waiting.popleft()
        self._pending.pop(event, None)
        event.committed.set()

    async def _commit(self, chat: _Chat, incoming: Incoming) -> None:
        number = int(incoming.mark) if incoming.mark else None
        chat.customer = incoming.sender.external_id or chat.customer
        if chat.mark is None and (opening := opened_by(incoming)) is not None:
            # Opened by a command: what is typed next must be found, should nobody listen, also behind a reply.
            number, incoming = opening, replace(incoming, mark=str(opening))
        if number is not None and chat.mark is not None and number < chat.mark:
            incoming = replace(incoming, mark=None)  # read again, below the mark
        await self._receive(incoming)
        chat.active_at = datetime.now(UTC)
        if number is not None:
            chat.mark = max(number, chat.mark or 0)

    # --- history

    async def _read_on(self, chat: _Chat) -> None:
        """Commits what was said since the mark, and what was changed shortly before it."""
        chat.behind = False  # anything that begins from now on makes it so again
        try:
            if chat.mark is None:
                await self._read_first_words(chat)
            else:
                before, active_at = chat.mark, chat.active_at
                await self._read_after_mark(chat)
                if active_at is not None and datetime.now(UTC) - active_at < RECENT_FOR:
                    await self._read_changes(chat, before)
            await self._take_reactions(chat)
        except BaseException as error:
            told = explained(error) if isinstance(error, discord.HTTPException) else None
            if not isinstance(told, PermanentError):
                chat.behind = True
                raise
            # The chat is gone, or closed to the bot: there is nothing to read, and nothing to wait for.
            log.warning("history not readable", action="discord_history_refused", chat=chat.id, error=str(told))

    async def _read_after_mark(self, chat: _Chat) -> None:
        while True:
            before = chat.mark or 0
            page = await self._history(chat, after=str(chat.mark), limit=PAGE)
            count = 0
            for raw in page:
                if (incoming := self._understood(raw)) is not None:
                    await self._commit(chat, incoming)
                    count += 1
            if count:
                log.info("history read on", action="discord_caught_up", chat=chat.id, messages=count)
            # Not by a short page: a server may have shorter ones than were asked for.
            if not page or message_id(page[-1]) <= before:
                return
            # Also past what is not the customer's, or the same page would come for ever.
            chat.mark = max(chat.mark or 0, message_id(page[-1]))

    async def _read_first_words(self, chat: _Chat) -> None:
        """In a chat that the desk does not know: what the customer said since the bot last spoke there. Most often
        there is but the message that is waiting already; sometimes the first ones came while nobody listened."""
        words: list[Any] = []
        try:
            async with asyncio.timeout(FIRST_WORDS_WITHIN):
                await self._collect_first_words(chat, words)
        except Exception as error:
            if isinstance(explained(error), PermanentError) or not chat.waiting:
                raise
            # What is certain is waiting already, and must not wait for what may be.
            kind = type(error).__name__
            log.info("first words not looked for", action="discord_history_failed", chat=chat.id, error=kind)
            return
        for raw in sorted(words, key=message_id):
            if (incoming := self._understood(raw)) is not None:
                await self._commit(chat, incoming)

    async def _collect_first_words(self, chat: _Chat, words: list[Any]) -> None:
        """Backwards, to the bot's last words or the end of the day."""
        oldest = int(time_snowflake(datetime.now(UTC) - FIRST_WORDS_FOR))
        while True:
            before = {"before": str(message_id(words[-1]))} if words else {}
            page = await self._history(chat, limit=PAGE, **before)
            for raw in reversed(page):
                if author_id(raw) == self._account or message_id(raw) < oldest:
                    return
                words.append(raw)
            if not page or len(words) > MAX_FIRST_WORDS:
                return

    async def _read_changes(self, chat: _Chat, mark: int) -> None:
        """Edits and deletions of the latest messages up to the mark, of which no event told."""
        page = await self._history(chat, before=str(mark + 1), limit=RECENT)
        for raw in page:
            try:
                edit = read_edit(raw, self._account)
            except MalformedEvent:
                continue  # ``_understood`` has logged it when it was new
            if edit is not None:
                await self._commit(chat, edit)
        there = {str(message_id(raw)) for raw in page}
        first = message_id(page[0]) if len(page) == RECENT else 0
        for known in await self._records.recorded(NAME, self._account, chat.id, limit=RECENT):
            if known.isdecimal() and first <= int(known) <= mark and known not in there:
                await self._commit(chat, deletion(known, chat.id, self._account))

    async def _history(self, chat: _Chat, **query: str | int) -> list[Any]:
        """A page of the chat, oldest first."""
        page = await self._api.call("GET", "/channels/{channel_id}/messages", channel_id=chat.id, query=query)
        if not isinstance(page, list):
            raise TypeError
        page.sort(key=message_id)
        since = int(time_snowflake(datetime.now(UTC) - REACTIONS_FOR))
        for raw in page:
            if not whole(whole(raw).get("author")).get("bot"):
                chat.customer = author_id(raw) or chat.customer
            if message_id(raw) > since:
                # A page that could not be committed comes again.
                chat.reactions += [one for one in reactions_under(raw) if one not in chat.reactions]
                del chat.reactions[:-PAGE]
        return page

    async def _take_reactions(self, chat: _Chat) -> None:
        """History has the reactions under a message without saying whose or when: of the only other person there."""
        found, chat.reactions = chat.reactions, []
        for under, emoji in found if chat.customer else ():
            await self._commit(chat, reaction(under, chat.id, Sender(chat.customer), emoji, self._account))

    def _understood(self, raw: Any) -> Incoming | None:
        try:
            return read_message(raw, self._account)
        except MalformedEvent as error:
            log.warning(
                "message malformed", action="discord_message_malformed", message=message_id(raw), error=str(error)
            )
            return None

    # --- where a restart goes on

    def committed(self, latest: int) -> int:
        """The number up to which every event of the gateway is committed, ``latest`` being its last; negative as long
        as one of an earlier session is not."""
        return min(self._pending.values(), default=latest + 1) - 1

    async def close(self) -> None:
        """Stops reading; what is under way is left to the next start."""
        tasks = [chat.worker for chat in self._chats.values() if chat.worker is not None]
        tasks += [self._sweeping] if self._sweeping is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
