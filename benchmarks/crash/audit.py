"""Every message is accounted for: what people wrote and saw, held against what the desk has in its tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from benchmarks.crash.people import SMALL_TALK, Customer, Seen, Written

KEYLESS = frozenset({"telegram"})
"""Platforms on which a send cannot be repeated under a key: doubles are possible, and must be known."""
COSTS = "fee_explained"
"""What something costs is asked about what was answered before, too."""
MET = timedelta(seconds=2)
NEARBY = timedelta(seconds=30)
"""Two transactions that met may have begun so far apart: as a rule, and with a frozen database between them."""

_MESSAGES = """
    SELECT message.id, message.conversation_id, contact.channel, contact.external_id AS contact, message.author,
           message.text, message.external_id, message.reply_to, message.cursor, message.created_at,
           turn.done, turn.done_at, turn.action, turn.topic, turn.reason, (turn.message_id IS NOT NULL) AS has_turn,
           delivery.state, delivery.external_ids, delivery.in_doubt, delivery.repeats, delivery.sent_at, delivery.error
    FROM message
    JOIN contact ON contact.id = message.contact_id
    LEFT JOIN turn ON turn.message_id = message.id
    LEFT JOIN delivery ON delivery.message_id = message.id
    WHERE message.visibility = 'public'
    ORDER BY message.id
"""
_JOBS = "SELECT status, task_name, count(*) AS count FROM procrastinate_jobs GROUP BY 1, 2"
UNFINISHED = """
    SELECT (SELECT count(*) FROM turn WHERE NOT done) AS turns,
           (SELECT count(*) FROM conversation WHERE state IN ('queued', 'assigned')) AS with_agents,
           (SELECT count(*) FROM delivery WHERE state = 'pending') AS deliveries,
           (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS jobs,
           (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '8 seconds') AS workers
"""


@dataclass
class Tally:
    """One channel's figures."""

    sent: int = 0
    recorded: int = 0
    lost: int = 0
    recorded_twice: int = 0
    turned: int = 0
    silent: int = 0
    gathered: int = 0
    """Turns without a word of their own: the message was read with the customer's next."""
    outrun: int = 0
    """Turns that ended without a word since a human took over meanwhile."""
    answers: int = 0
    replies: int = 0
    """By agents."""
    notices: int = 0
    delivered: int = 0
    undelivered: int = 0
    disordered: int = 0
    doubled: int = 0
    """What customers saw twice."""
    possible_doubles: int = 0
    """What the desk knows they may have seen twice."""
    answered: list[tuple[datetime, float]] = field(default_factory=list)
    """When a message was recorded, and seconds until it was recorded that its answer is there."""

    @property
    def unknown_doubles(self) -> int:
        return max(0, self.doubled - self.possible_doubles)


@dataclass
class Account:
    channels: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    violations: list[str] = field(default_factory=list)
    agents_replies: int = 0
    leases: dict[str, int] = field(default_factory=dict)
    """Terms by lease."""

    def total(self, what: str) -> int:
        return sum(getattr(tally, what) for tally in self.channels.values())


async def audit(
    conninfo: str,
    customers: Sequence[Customer],
    written: Iterable[Written],
    transcripts: dict[str, list[int]],
) -> Account:
    """``transcripts``: by contact of the web, the cursors that a page shows when it is opened now."""
    async with await psycopg.AsyncConnection.connect(conninfo, row_factory=namedtuple_row) as connection:
        rows: list[Any] = await (await connection.execute(_MESSAGES)).fetchall()
        jobs: list[Any] = await (await connection.execute(_JOBS)).fetchall()
        leases: list[Any] = await (await connection.execute("SELECT name, generation FROM lease")).fetchall()
    account = Account(leases={row.name.partition(":")[0]: row.generation for row in leases})
    for job in jobs:
        account.violations.append(f"{job.count} job(s) of {job.task_name} are left, {job.status}")
    by_contact: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        by_contact[row.channel, row.contact].append(row)
    states = _States(rows)
    for customer in customers:
        known = by_contact.pop((customer.channel, customer.contact), [])
        _Ledger(account, customer, known, states, transcripts.get(customer.contact)).check()
    account.violations += [f"nobody wrote what contact {contact} is said to have" for contact in by_contact]
    _agents(account, rows, list(written))
    return account


_HAS_IT = ("has joined the chat", "已加入聊天", "with the same person as before", "由之前的客服继续")
"""In the notices that an agent has the conversation (``agent_joined`` and ``reopened`` in ``data/phrases``)."""


class _States:
    """Who had a conversation when, from the notices in it. Who waits in the queue has the bot."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._changes: dict[int, list[_Change]] = defaultdict(list)
        self._customers: dict[int, list[Any]] = defaultdict(list)
        for row in rows:
            if row.author == "system":
                held = any(words in row.text for words in _HAS_IT)
                self._changes[row.conversation_id].append(_Change(row.id, row.created_at, held))
            elif row.author == "customer":
                self._customers[row.conversation_id].append(row)

    def read_with_next(self, row: Any) -> bool:
        """Whether the customer had written on when the message's turn ended. What became of the next is judged there,
        so that the last of several has an answer."""
        return any(
            other.id > row.id and other.created_at <= row.done_at + MET
            for other in self._customers[row.conversation_id]
        )

    def with_human(self, row: Any) -> bool:
        """Whether a human had the conversation at some time between the message and its turn."""
        held = False
        for change in self._changes[row.conversation_id]:
            if change.id < row.id and change.at < row.created_at - MET:
                held = change.held
            elif change.at <= row.done_at + MET and (held or change.held):
                return True
        return held

    def changed(self, row: Any) -> bool:
        """Whether somebody took or left the conversation at some time between the message and its turn."""
        return any(
            (change.id > row.id or change.at >= row.created_at - MET) and change.at <= row.done_at + NEARBY
            for change in self._changes[row.conversation_id]
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """A human has the conversation from here on, or no longer has it."""

    id: int
    at: datetime
    held: bool


class _Ledger:
    """One customer's messages, there and back."""

    def __init__(
        self, account: Account, customer: Customer, rows: Sequence[Any], states: _States, transcript: list[int] | None
    ) -> None:
        self._account = account
        self._tally = account.channels[customer.channel]
        self._customer = customer
        self._rows = rows
        self._states = states
        self._transcript = transcript
        self._who = f"{customer.channel} customer {customer.contact}"

    def _fault(self, words: str) -> None:
        self._account.violations.append(f"{self._who}: {words}")

    def check(self) -> None:
        self._received()
        self._turns()
        self._sent()

    def _received(self) -> None:
        said, tally = self._customer.said, self._tally
        recorded = [row for row in self._rows if row.author == "customer"]
        counted = Counter(row.external_id for row in recorded)
        tally.sent += len(said)
        tally.recorded += len(recorded)
        for one in said:
            if not counted[one.external_id]:
                tally.lost += 1
                self._fault(f"message {one.number} is lost")
            elif counted[one.external_id] > 1:
                tally.recorded_twice += 1
                self._fault(f"message {one.number} is recorded {counted[one.external_id]} times")
        strange = set(counted) - {one.external_id for one in said}
        if strange:
            self._fault(f"recorded, but never written: {sorted(strange)}")
        texts = {one.external_id: one.text for one in said}
        for row in recorded:
            if texts.get(row.external_id, row.text) != row.text:
                self._fault(f"message {row.id} has other words than were written")
        order = {one.external_id: one.number for one in said}
        numbers = [order[row.external_id] for row in recorded if row.external_id in order]
        if numbers != sorted(numbers):
            tally.disordered += 1
            self._fault(f"recorded out of order: {numbers}")

    def _turns(self) -> None:
        topics = {one.external_id: one.topic for one in self._customer.said}
        open_topics: set[str] = set()
        answered: str | None = None
        answers: dict[int, list[Any]] = defaultdict(list)
        for row in self._rows:
            if row.author == "bot":
                answers[row.reply_to].append(row)
        for row in self._rows:
            if row.author != "customer":
                continue
            if not row.has_turn or not row.done:
                self._fault(f"message {row.id} has no turn" if not row.has_turn else f"turn {row.id} is not done")
                continue
            self._tally.turned += 1
            found = len(answers[row.id])
            if row.action is None:
                self._tally.silent += 1
                if found or not self._states.with_human(row):
                    self._fault(f"turn {row.id} was silent without a human, with {found} answers")
            elif row.action == "silent":
                self._tally.gathered += 1
                if found or not self._states.read_with_next(row):
                    self._fault(
                        f"turn {row.id} left its message for a next one that is not there, with {found} answers"
                    )
            elif not found and self._states.changed(row):
                self._tally.outrun += 1
            elif found != 1:
                self._fault(f"turn {row.id} ({row.action}) has {found} answers")
            expected = topics.get(row.external_id)
            may_be = {expected, None, *open_topics}
            if expected == COSTS:
                may_be.add(answered)
            if row.action == "answer" and expected is not None and row.topic not in may_be:
                self._fault(f"message {row.id} about {expected} was answered about {row.topic}")
            if row.action == "answer" and row.topic not in (None, *SMALL_TALK.values()):
                answered = row.topic
            # What could not be answered alone is read together with the next message.
            waits = row.action in ("silent", "ask_back")
            open_topics = open_topics | {expected} if waits and expected is not None else set()

    def _sent(self) -> None:
        """What went out: each message once, in order, and nothing else."""
        tally = self._tally
        sees = self._customer.sees
        out = [row for row in self._rows if row.author != "customer"]
        tally.answers += sum(row.author == "bot" for row in out)
        tally.replies += sum(row.author == "agent" for row in out)
        tally.notices += sum(row.author == "system" for row in out)
        for row in out:
            if row.state != "sent" or row.in_doubt or row.cursor is None:
                self._fault(
                    f"delivery {row.id} is {row.state}, in doubt: {row.in_doubt}, cursor {row.cursor}: {row.error}"
                )
        if self._customer.channel == "web":
            self._on_the_page(out, sees)
        else:
            self._on_the_platform(out, sees)

    def _on_the_page(self, out: Sequence[Any], sees: Sequence[Seen]) -> None:
        cursors = [row.cursor for row in out]
        shown = [int(seen.external_id) for seen in sees]
        missing = set(cursors) - set(shown)
        self._count(len(cursors) - len(missing), len(missing), "on the page that stayed open")
        if strange := set(shown) - set(cursors):
            self._fault(f"the page shows what was never delivered: {strange}")
        if self._transcript is not None and sorted(self._transcript) != sorted(cursors):
            self._fault(f"a page opened now shows {len(self._transcript)} messages, and there are {len(cursors)}")
        if shown != sorted(shown):
            self._tally.disordered += 1
            self._fault(f"the page showed them out of order: {shown}")
        self._in_order(out, {row.id: row.cursor for row in out if row.cursor is not None})

    def _on_the_platform(self, out: Sequence[Any], sees: Sequence[Seen]) -> None:
        there = {seen.external_id: place for place, seen in enumerate(sees)}
        owner = {id: row for row in out for id in row.external_ids}
        first = _first_copies(sees, owner)
        missing = 0
        places: dict[int, int] = {}
        for row in out:
            ids = dict.fromkeys(row.external_ids)
            known = [there[id] for id in ids if id in there]
            if len(ids) < len(row.external_ids):
                self._fault(f"delivery {row.id} has one message for several parts: {row.external_ids}")
            if not known:
                missing += 1
                self._fault(f"delivery {row.id} ({row.author}) is not there, as {row.external_ids}")
                continue
            places[row.id] = min(first.get(place, place) for place in known)
            self._tally.doubled += len(known) - 1
        self._count(len(out) - missing, missing, "at the platform")
        strange = [seen for seen in sees if seen.external_id not in owner]
        self._tally.doubled += len(strange)
        repeats = sum(row.repeats for row in out)
        doubled = len(strange) + sum(max(0, len(set(row.external_ids)) - 1) for row in out)
        if self._customer.channel in KEYLESS:
            self._tally.possible_doubles += repeats
            if doubled > repeats:
                self._fault(f"{doubled} doubles, of which the desk knows {repeats}: {strange}")
        elif doubled:
            self._fault(f"{doubled} doubles: {strange}")
        self._in_order(out, places)

    def _count(self, delivered: int, missing: int, where: str) -> None:
        self._tally.delivered += delivered
        self._tally.undelivered += missing
        if missing:
            self._fault(f"{missing} deliveries are not {where}")

    def _in_order(self, out: Sequence[Any], places: dict[int, int]) -> None:
        """Answers stand in the order of their questions, an agent's words and the desk's notices in that in which they
        were written, and all of it in the order of the desk's own records."""
        written = {row.id: row for row in self._rows}
        for row in out:
            if row.author == "bot" and row.reply_to not in written:
                self._fault(f"answer {row.id} answers nothing")
            elif row.author == "bot" and row.sent_at is not None:
                asked_at = written[row.reply_to].created_at
                self._tally.answered.append((asked_at, (row.sent_at - asked_at).total_seconds()))
        answers = [row for row in out if row.author == "bot" and row.reply_to in written]
        questions = [row.reply_to for row in sorted(answers, key=lambda row: places.get(row.id, 0))]
        seen = [row.id for row in sorted(out, key=lambda row: places.get(row.id, 0))]
        if questions != sorted(questions):
            self._tally.disordered += 1
            self._fault(f"answered out of order: {questions}")
        elif seen != sorted(seen):
            self._tally.disordered += 1
            self._fault(f"shown out of order: {seen}")


def _first_copies(sees: Sequence[Seen], owner: Mapping[str, Any]) -> dict[int, int]:
    """By the place of a message that the desk knows, the place of its first copy that it does not know: what was sent
    twice came when its first copy did."""
    first: dict[int, int] = {}
    strange: dict[tuple[str, str | None], int] = {}
    for place, seen in enumerate(sees):
        key = seen.text, seen.answers
        if seen.external_id not in owner:
            strange.setdefault(key, place)
        elif key in strange:
            first[place] = strange.pop(key)
    return first


def _agents(account: Account, rows: Sequence[Any], written: list[Written]) -> None:
    """Each numbered reply that the console accepted is there once, and in order."""
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in rows:
        if row.author == "agent":
            found[row.conversation_id, row.text].append(row.id)
    account.agents_replies = len(written)
    latest: dict[tuple[str, int], int] = defaultdict(int)
    for one in written:
        ids = found.pop((one.conversation, one.text), [])
        if len(ids) != 1:
            account.violations.append(f"the agent's reply {one.text!r} is recorded {len(ids)} times")
        elif ids[0] < latest[one.agent, one.conversation]:
            account.violations.append(f"the agent's reply {one.text!r} is out of order")
        latest[one.agent, one.conversation] = max([latest[one.agent, one.conversation], *ids])
    account.violations += [f"an agent's reply that was refused is there: {text!r}" for _, text in found]
