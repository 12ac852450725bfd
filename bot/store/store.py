"""``Store``: one method an intention, each one transaction, by subject."""

from __future__ import annotations

from sqlalchemy import false, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.queue import Queue
from bot.store.agents import Agents
from bot.store.base import Database
from bot.store.channels import Channels
from bot.store.contacts import Contacts
from bot.store.conversations import Conversations
from bot.store.dead_letters import DeadLetters
from bot.store.deliveries import Deliveries
from bot.store.events import Events
from bot.store.files import Files
from bot.store.glances import Glances
from bot.store.incoming import IncomingMessages
from bot.store.lists import Lists
from bot.store.messages import Messages
from bot.store.notices import Notices
from bot.store.rate_limits import RateLimits
from bot.store.receipts import Receipts
from bot.store.replies import Replies
from bot.store.search import Search
from bot.store.search_indexes import SearchIndexes
from bot.store.statistics import Statistics
from bot.store.tables import message
from bot.store.turns import Turns
from bot.store.uploads import Uploads
from bot.store.waiting import Waiting


class Store:
    """All reads and writes, by subject: whoever needs a part of it is given that part. Methods raise ``NotFound`` for
    an unknown id and ``StateConflict`` where somebody else was faster; anything else that goes wrong leaves no trace in
    the database."""

    def __init__(self, engine: AsyncEngine, queue: Queue, *, at_once: bool = True) -> None:
        """``at_once=False`` is for tests: everything goes the general way, step by step (``fastpath``)."""
        self._database = Database(engine, queue, at_once=at_once)
        self.incoming = IncomingMessages(self._database)
        self.turns = Turns(self._database)
        self.deliveries = Deliveries(self._database)
        self.receipts = Receipts(self._database)
        self.dead_letters = DeadLetters(self._database)
        self.conversations = Conversations(self._database)
        self.glances = Glances(self._database)
        self.lists = Lists(self._database)
        self.messages = Messages(self._database)
        self.replies = Replies(self._database)
        self.notices = Notices(self._database)
        self.contacts = Contacts(self._database)
        self.agents = Agents(self._database, self.conversations)
        self.events = Events(self._database)
        self.files = Files(self._database)
        self.uploads = Uploads(self._database)
        self.channels = Channels(self._database)
        self.statistics = Statistics(self._database)
        self.rate_limits = RateLimits(engine)
        self.waiting = Waiting(self._database)
        self.search = Search(self._database)
        self.search_indexes = SearchIndexes(self._database)

    async def close(self) -> None:
        """Gives the connections back."""
        await self._database.engine.dispose()

    async def ping(self) -> None:
        """Raises if the database does not answer, or takes no writes."""
        async with self._database.engine.begin() as connection:
            # Changes nothing, and is refused where nothing may be changed: read-only, or without the right to.
            await connection.execute(update(message).where(false()).values(text=message.c.text))
            # Writes to its log and nowhere else: on a replica, or without space for that, it fails.
            await connection.execute(select(func.pg_logical_emit_message(True, "switchboard", "")))
