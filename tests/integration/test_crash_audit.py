"""The campaign's accounts: nothing that can go wrong with a message passes them unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import psycopg
import pytest

from benchmarks.crash.audit import Account, audit
from benchmarks.crash.people import Said, Seen, Written
from bot.domain.decision import Action, Decision
from bot.domain.message import Incoming, Reply, Sender
from bot.store import Store
from bot.store.database import conninfo

ANSWER = Decision(Action.ANSWER, topic="fee_explained")
JOINED = {"": "**Mei** from BitPie support has joined the chat."}


@dataclass
class Person:
    """Whom the campaign's people are as far as the accounts go."""

    channel: str
    contact: str = "7"
    said: list[Said] = field(default_factory=list)
    sees: list[Seen] = field(default_factory=list)


@dataclass
class Desk:
    """A desk on which two customers asked two questions each, and were answered."""

    store: Store
    url: str
    people: dict[str, Person]
    written: list[Written] = field(default_factory=list)

    async def asks(self, person: Person, number: int) -> None:
        text = f"why is there a fee (#{number})"
        receipt = await self.store.incoming.record(
            Incoming(person.channel, "1", f"m{number}", Sender("7", "Ann", "en"), chat_id="7", text=text)
        )
        person.said.append(Said(number, text, "fee_explained", f"m{number}", 0.0))
        taken = await self.store.turns.begin(receipt.message_id)
        await self.store.turns.finish(taken, ANSWER, [Reply("It pays the network.")], language="en")

    async def delivers(self, person: Person, lost: bool = False) -> None:
        """Everything that is pending; ``lost``: after one try whose end is not known."""
        for message_id, answers in self.rows(
            "SELECT message.id, question.external_id FROM message JOIN delivery ON delivery.message_id = message.id"
            " JOIN contact ON contact.id = message.contact_id"
            " LEFT JOIN message question ON question.id = message.reply_to"
            f" WHERE delivery.state = 'pending' AND contact.channel = '{person.channel}' ORDER BY 1"
        ):
            begun = await self.store.deliveries.begin(message_id)
            if lost:
                person.sees.append(Seen(f"lost {message_id}", begun.message.text, answers))
                begun = await self.store.deliveries.begin(message_id)
            await self.store.deliveries.record_sent(begun, 0, f"d{message_id}")
            person.sees.append(Seen(f"d{message_id}", begun.message.text, answers))
        self.rows("DELETE FROM procrastinate_jobs RETURNING 1, 1")

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    async def account(self) -> Account:
        return await audit(conninfo(self.url), list(self.people.values()), self.written, {})


@pytest.fixture
async def desk(store: Store, database_url: str) -> Desk:
    desk = Desk(store, database_url, {name: Person(name) for name in ("telegram", "discord")})
    for person in desk.people.values():
        await desk.asks(person, 1)
        await desk.asks(person, 2)
        await desk.delivers(person)
    return desk


async def test_what_is_in_order_is_found_so(desk: Desk) -> None:
    account = await desk.account()
    assert account.violations == []
    assert account.total("sent") == account.total("recorded") == account.total("delivered") == 4
    assert account.total("doubled") == account.total("disordered") == account.total("lost") == 0


def _sql(statement: str) -> Callable[[Desk], object]:
    return lambda desk: desk.rows(f"{statement} RETURNING 1")


FIRST = "(SELECT min(id) FROM message WHERE author = 'customer')"
ANSWERED = "(SELECT min(id) FROM message WHERE author = 'bot')"


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda desk: desk.people["telegram"].said.append(Said(3, "?", None, "m3", 0.0)), "message 3 is lost"),
        (lambda desk: desk.people["telegram"].said.pop(), "never written"),
        (lambda desk: desk.people.pop("discord"), "nobody wrote what contact"),
        (lambda desk: desk.people["telegram"].said.reverse(), None),
        (_sql(f"UPDATE message SET text = 'other' WHERE id = {FIRST}"), "other words"),
        (_sql(f"UPDATE turn SET done = false WHERE message_id = {FIRST}"), "is not done"),
        (_sql(f"UPDATE turn SET action = NULL WHERE message_id = {FIRST}"), "silent without a human"),
        (
            _sql(f"UPDATE turn SET action = 'silent' WHERE message_id = {FIRST}"),
            "for a next one that is not there, with 1",
        ),
        (_sql(f"UPDATE turn SET topic = 'fee_reduce' WHERE message_id = {FIRST}"), "was answered about fee_reduce"),
        (_sql(f"UPDATE message SET reply_to = NULL WHERE id = {ANSWERED}"), "has 0 answers"),
        (_sql(f"UPDATE delivery SET state = 'pending' WHERE message_id = {ANSWERED}"), "is pending"),
        (_sql(f"UPDATE delivery SET state = 'failed' WHERE message_id = {ANSWERED}"), "is failed"),
        (_sql(f"UPDATE delivery SET in_doubt = true WHERE message_id = {ANSWERED}"), "in doubt: True"),
        (
            _sql(f"UPDATE delivery SET external_ids = external_ids || external_ids WHERE message_id = {ANSWERED}"),
            "one message for several parts",
        ),
        (lambda desk: desk.people["telegram"].sees.pop(), "1 deliveries are not at the platform"),
        (lambda desk: desk.people["discord"].sees.reverse(), "answered out of order"),
        (lambda desk: desk.people["discord"].sees.append(Seen("x", "more", None)), "1 doubles"),
        (lambda desk: desk.people["telegram"].sees.append(Seen("x", "more", None)), "of which the desk knows 0"),
        (lambda desk: desk.written.append(Written("Mei", 1, "reply 1")), "is recorded 0 times"),
    ],
)
async def test_every_harm_is_found(desk: Desk, harm: Callable[[Desk], object], found: str | None) -> None:
    harm(desk)
    violations = (await desk.account()).violations
    if found is None:  # the order in which a list is kept means nothing
        assert violations == []
    else:
        assert any(found in violation for violation in violations), violations


async def test_a_double_on_telegram_is_forgiven_if_the_desk_knows_of_it(desk: Desk) -> None:
    telegram = desk.people["telegram"]
    await desk.asks(telegram, 3)
    await desk.delivers(telegram, lost=True)
    account = await desk.account()
    assert account.violations == []
    assert account.channels["telegram"].doubled == account.channels["telegram"].possible_doubles == 1
    discord = desk.people["discord"]
    await desk.asks(discord, 3)
    await desk.delivers(discord, lost=True)
    assert any("doubles" in violation for violation in (await desk.account()).violations)


async def test_with_a_human_the_bot_may_be_silent_and_an_agents_words_count_once(desk: Desk) -> None:
    telegram = desk.people["telegram"]
    mei = await desk.store.agents.add("Mei", "agent", None)
    conversation = desk.rows("SELECT conversation_id FROM message ORDER BY id LIMIT 1")[0][0]
    await desk.store.conversations.claim(conversation, mei.id, JOINED)
    receipt = await desk.store.incoming.record(
        Incoming("telegram", "1", "m3", Sender("7", "Ann", "en"), chat_id="7", text="thanks")
    )
    telegram.said.append(Said(3, "thanks", None, "m3", 0.0))
    await desk.store.turns.skip(await desk.store.turns.begin(receipt.message_id))
    await desk.store.replies.add(conversation, mei.id, "Mei writes reply 1 here.")
    await desk.delivers(telegram)
    desk.written.append(Written("Mei", conversation, "Mei writes reply 1 here."))
    account = await desk.account()
    assert account.violations == []
    assert account.channels["telegram"].silent == 1
    await desk.store.replies.add(conversation, mei.id, "Mei writes reply 1 here.")
    await desk.delivers(telegram)
    assert any("is recorded 2 times" in violation for violation in (await desk.account()).violations)
    desk.written[0] = replace(desk.written[0], text="Mei writes reply 2 here.")
    assert any("was refused is there" in violation for violation in (await desk.account()).violations)


async def test_who_waits_for_a_person_is_answered(desk: Desk) -> None:
    """An agent who has it may let the bot be silent; the queue may not."""
    desk.rows("UPDATE conversation SET state = 'queued', queued_at = now() WHERE contact_id = 1 RETURNING 1")
    telegram = desk.people["telegram"]
    receipt = await desk.store.incoming.record(
        Incoming("telegram", "1", "m3", Sender("7", "Ann", "en"), chat_id="7", text="hello?")
    )
    telegram.said.append(Said(3, "hello?", None, "m3", 0.0))
    await desk.store.turns.skip(await desk.store.turns.begin(receipt.message_id))
    await desk.delivers(telegram)
    assert any("silent without a human" in violation for violation in (await desk.account()).violations)


async def test_a_message_may_be_read_with_the_next_and_the_last_has_an_answer(desk: Desk) -> None:
    telegram = desk.people["telegram"]
    gathers = Decision(Action.SILENT, gathers=True)
    receipts = []
    for number in (3, 4):
        said = Said(number, f"word {number}", None, f"m{number}", 0.0)
        sender = Sender("7", "Ann", "en")
        receipts.append(
            await desk.store.incoming.record(Incoming("telegram", "1", f"m{number}", sender, "7", text=said.text))
        )
        telegram.said.append(said)
    for receipt, decision, replies in zip(receipts, (gathers, ANSWER), ([], [Reply("To both.")]), strict=True):
        taken = await desk.store.turns.begin(receipt.message_id)
        await desk.store.turns.finish(taken, decision, replies, language="en")
    await desk.delivers(telegram)
    account = await desk.account()
    assert (account.violations, account.channels["telegram"].gathered) == ([], 1)
    desk.rows(f"UPDATE turn SET action = 'silent' WHERE message_id = {receipts[1].message_id} RETURNING 1")
    assert any("for a next one that is not there" in violation for violation in (await desk.account()).violations)
