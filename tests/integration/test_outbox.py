"""Delivery, edits and deletions: whatever happens on the way, the customer ends up with what the desk wants."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bot.domain.channel import Capabilities, ChannelState, Outgoing, PermanentError, TemporaryError
from bot.domain.conversation import NotFound
from bot.domain.message import DeliveryState, File, Incoming, Message, Sender
from bot.domain.staff import Agent, Role
from bot.pipeline import outbox as outbox_module
from bot.pipeline.outbox import Outbox
from bot.pipeline.rendering import fit
from bot.queue import Claim, ClaimLost, Queue, TryAgain
from bot.runtime.channel_status import ChannelHealth
from bot.store import Store
from handoff.desk import Desk

ALL = Capabilities(markdown=True, edits=True, attachments=True, quotes=True, idempotent=True, max_length=10)
PLAIN = Capabilities(max_length=10)
PICTURE = File("cat.png", "image/png", b"meow")


class MailSlot:
    """A platform where what was sent stays as it is."""

    def __init__(self, capabilities: Capabilities = PLAIN) -> None:
        self.account = "bot"
        self.capabilities = capabilities
        self.sent: list[Outgoing] = []
        self.faults: list[Exception] = []

    async def send(self, message: Outgoing) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        return f"slot-{len(self.sent)}"


class Crash(Exception):
    """The process dies here."""


async def nothing(*_: str) -> None:
    """What happens around a call to the platform, usually; and that the job is still this worker's."""


@dataclass
class Board:
    """A platform where everything can be done; ``shown`` is what its customer sees, in order."""

    capabilities: Capabilities = ALL
    account: str = "bot"
    shown: dict[str, Outgoing] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str], Awaitable[None]] = nothing
    """Runs before a call has done anything there."""
    after: Callable[[str], Awaitable[None]] = nothing
    """Runs once the call has done its work, and before the desk hears of it."""
    _by_key: dict[str, str] = field(default_factory=dict)

    async def send(self, message: Outgoing) -> str:
        await self.before("send")
        known = self._by_key.get(message.key) if self.capabilities.idempotent else None
        external_id = known or f"m{len(self.calls)}"
        if known is None:
            self.shown[external_id] = message
            self._by_key[message.key] = external_id
        self.calls.append(("send", external_id))
        await self.after("send")
        return external_id

    async def edit(self, message: Outgoing, external_id: str) -> None:
        await self.before("edit")
        if external_id not in self.shown:
            raise PermanentError(f"there is no message {external_id}")
        assert self.shown[external_id].file is None, "a file is never edited"
        self.shown[external_id] = replace(message, key=self.shown[external_id].key)
        self.calls.append(("edit", external_id))
        await self.after("edit")

    async def delete(self, chat_id: str, external_id: str) -> None:
        assert chat_id == "7"
        await self.before("delete")
        self.shown.pop(external_id, None)
        self.calls.append(("delete", external_id))
        await self.after("delete")

    @property
    def texts(self) -> list[str]:
        return [f"<{sent.file.name}>" if sent.file else sent.text for sent in self.shown.values()]

    @property
    def did(self) -> list[str]:
        return [call for call, _ in self.calls]


@dataclass
class Talk:
    """A customer, and the agent who has the conversation."""

    store: Store
    desk: Desk
    board: Any
    agent: Agent
    conversation_id: int
    asked: int
    """The customer's message."""
    health: ChannelHealth = field(default_factory=lambda: ChannelHealth("test"))

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.store, {"test": self.board}, {"test": self.health})

    async def reply(self, text: str, **values: Any) -> Message:
        return await self.desk.reply(self.conversation_id, self.agent, text, **values)

    async def edit(self, reply: Message, text: str) -> Message:
        return await self.desk.edit(reply.id, self.agent, text)

    async def delete(self, reply: Message) -> Message:
        return await self.desk.delete(reply.id, self.agent)

    async def deliver(self, reply: Message) -> None:
        await self.outbox.deliver(reply.id, Claim())

    async def now(self, reply: Message) -> Message:
        return next(m for m in await self.store.messages(self.conversation_id) if m.id == reply.id)


@pytest.fixture
async def start(store: Store, desk: Desk) -> Callable[..., Awaitable[Talk]]:
    async def start(board: Any = None, sender: str = "7") -> Talk:
        incoming = Incoming("test", "bot", "in-1", Sender(sender, "Ann"), sender, "a question")
        receipt = await store.record_incoming(incoming)
        assert receipt.conversation_id is not None
        assert receipt.message_id is not None
        agent = await store.add_agent(f"Mei {sender}", Role.AGENT, None)
        await desk.claim(receipt.conversation_id, agent)
        return Talk(store, desk, board or Board(), agent, receipt.conversation_id, receipt.message_id)

    return start


Start = Callable[..., Awaitable[Talk]]


# --- edits and deletions ------------------------------------------------------------------------


async def test_an_edit_changes_what_was_sent(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("one")
    await talk.deliver(reply)
    changed = await talk.edit(reply, "two")
    assert (changed.text, changed.delivery) == ("two", DeliveryState.PENDING)
    assert changed.edited_at is not None
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert talk.board.did == ["send", "edit"]
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.SENT
    assert [version.text for version in now.versions] == ["one"]


async def test_every_version_is_kept_and_the_same_words_are_none(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("one")
    await talk.edit(reply, "two")
    await talk.edit(reply, "two")
    await talk.edit(reply, "one")
    assert [version.text for version in (await talk.now(reply)).versions] == ["one", "two"]
    await talk.deliver(reply)
    await talk.edit(reply, "one")
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


async def test_only_the_author_may_change_a_reply(start: Start, store: Store, desk: Desk) -> None:
    talk = await start()
    reply = await talk.reply("mine")
    note = await desk.note(talk.conversation_id, talk.agent, "a note")
    notice = next(m for m in await store.messages(talk.conversation_id) if m.author == "system")
    other = await store.add_agent("Tom", Role.ADMIN, None)
    gone = await talk.reply("gone")
    await talk.delete(gone)
    for message_id, agent in [
        (reply.id, other),
        (note.id, talk.agent),
        (notice.id, talk.agent),
        (talk.asked, talk.agent),
        (gone.id, talk.agent),
        (999, talk.agent),
    ]:
        with pytest.raises(NotFound, match=str(message_id)):
            await desk.edit(message_id, agent, "changed")
        with pytest.raises(NotFound, match=str(message_id)):
            await desk.delete(message_id, agent)
    assert [m.text for m in await store.messages(talk.conversation_id)].count("changed") == 0
    with pytest.raises(ValueError, match="empty"):
        await desk.edit(reply.id, talk.agent, " \n")
    # Who no longer has the conversation may still correct what they said.
    await desk.resolve(talk.conversation_id, talk.agent)
    assert (await talk.edit(reply, "still mine")).text == "still mine"


async def test_an_edit_before_the_first_send_sends_the_new_words_only(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("one")
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert talk.board.did == ["send"]


async def test_a_deletion_before_the_first_send_sends_nothing(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("one")
    gone = await talk.delete(reply)
    assert gone.deleted_at is not None
    assert gone.text == "one"
    await talk.deliver(reply)
    assert talk.board.calls == []
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


async def test_a_deletion_before_a_platform_would_take_it_sends_nothing(start: Start) -> None:
    talk = await start()
    busy = TemporaryError("429", retry_after=1)

    async def refuses(_call: str) -> None:
        raise busy

    talk.board.before = refuses
    reply = await talk.reply("one")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    talk.board.before = nothing
    await talk.delete(reply)
    await talk.deliver(reply)
    assert talk.board.calls == []


async def test_a_deletion_takes_every_part_back(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("aaaaaaaa bbbbbbbb cccccccc", files=[PICTURE])
    await talk.deliver(reply)
    assert talk.board.texts == ["<cat.png>", "aaaaaaaa", "bbbbbbbb", "cccccccc"]
    await talk.delete(reply)
    await talk.deliver(reply)
    assert talk.board.texts == []
    assert talk.board.did == ["send"] * 4 + ["delete"] * 4
    now = await talk.now(reply)
    assert (now.delivery, now.text) == (DeliveryState.SENT, "aaaaaaaa bbbbbbbb cccccccc")


async def test_an_edit_adds_and_takes_back_parts_and_leaves_files(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("aaaaaaaa", files=[PICTURE])
    await talk.deliver(reply)
    keys = {}
    for words in (["aaaaaaab", "bbbbbbbb", "cccccccc"], ["dddddddd"], ["eeeeeeee", "ffffffff"]):
        await talk.edit(reply, " ".join(words))
        await talk.deliver(reply)
        assert talk.board.texts == ["<cat.png>", *words]
        for external_id, sent in talk.board.shown.items():
            assert keys.setdefault(sent.key, external_id) == external_id
    assert len(keys) == 5, "a part that comes again is a new one, also for a platform that remembers the old"


async def test_files_go_out_alone_and_their_words_can_come_later(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("", files=[PICTURE])
    await talk.deliver(reply)
    (sent,) = talk.board.shown.values()
    assert (sent.file, sent.text) == (PICTURE, "")
    await talk.edit(reply, "my cat")
    await talk.deliver(reply)
    assert talk.board.texts == ["<cat.png>", "my cat"]


@pytest.mark.parametrize("act", ["edit", "delete"])
async def test_a_change_while_the_send_is_in_flight_wins(start: Start, act: str) -> None:
    talk = await start()
    reply = await talk.reply("aaaaaaaa bbbbbbbb")
    at_the_platform, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_call: str) -> None:
        at_the_platform.set()
        await go_on.wait()

    talk.board.after = slow
    delivering = asyncio.create_task(talk.deliver(reply))
    await at_the_platform.wait()
    await (talk.edit(reply, "cccccccc") if act == "edit" else talk.delete(reply))
    go_on.set()
    await delivering
    assert (await talk.now(reply)).delivery is DeliveryState.PENDING
    await talk.deliver(reply)
    assert talk.board.texts == (["cccccccc"] if act == "edit" else [])
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


async def test_the_queue_brings_a_change_behind_the_send_in_flight(start: Start, queue: Queue) -> None:
    """Two jobs of one contact never run at once: the platform hears of the edit when it has the message."""
    talk = await start()
    at_the_platform, go_on, at_once = asyncio.Event(), asyncio.Event(), 0

    async def slow(_call: str) -> None:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        at_the_platform.set()
        await go_on.wait()
        at_once -= 1

    async def other(_message_id: int, _attempts: int) -> None: ...

    talk.board.before = slow
    queue.serve(turn=other, deliver=talk.outbox.deliver, fetch=other)
    working = asyncio.create_task(queue.run())
    try:
        reply = await talk.reply("one")
        await at_the_platform.wait()
        await talk.edit(reply, "two")
        await asyncio.sleep(0.7)
        go_on.set()
        async with asyncio.timeout(20):
            while (await talk.now(reply)).delivery is not DeliveryState.SENT:
                await asyncio.sleep(0.02)
        assert talk.board.texts[-1] == "two"
        assert "one" not in talk.board.texts
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_change_while_parts_are_taken_back_wins(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("aaaaaaaa bbbbbbbb cccccccc")
    await talk.deliver(reply)
    await talk.edit(reply, "dddddddd")
    changed = False

    async def meanwhile(call: str) -> None:
        nonlocal changed
        if call == "delete" and not changed:
            changed = True
            await talk.edit(reply, "aaaaaaaa bbbbbbbb eeeeeeee")

    talk.board.after = meanwhile
    await talk.deliver(reply)
    await talk.deliver(reply)
    assert talk.board.texts == ["aaaaaaaa", "bbbbbbbb", "eeeeeeee"]
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


async def test_an_edit_after_a_crash_between_send_and_record_shows_the_new_words_once(start: Start) -> None:
    """The platform knows the key, and answers with what it has: the old words."""
    talk = await start()
    reply = await talk.reply("one")
    await crashing(talk, reply)
    assert talk.board.texts == ["one"]
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]


async def test_a_deletion_after_a_crash_between_send_and_record_leaves_nothing(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("one")
    await crashing(talk, reply)
    await talk.delete(reply)
    await talk.deliver(reply)
    assert talk.board.texts == []
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


async def test_words_taken_back_are_never_shown_again(start: Start) -> None:
    """Where nobody knows whether they arrived, something else is sent in their place, and taken back."""
    talk = await start()
    reply = await talk.reply("a secret")

    async def dies(_call: str) -> None:
        raise Crash

    talk.board.before = dies
    with pytest.raises(Crash):
        await talk.deliver(reply)
    seen: list[str] = []

    async def looks(_call: str) -> None:
        seen.extend(talk.board.texts)

    talk.board.before, talk.board.after = nothing, looks
    await talk.delete(reply)
    await talk.deliver(reply)
    assert talk.board.texts == []
    assert seen == ["…"]


async def crashing(talk: Talk, reply: Message) -> None:
    """The process dies when the platform has it and the desk does not know yet."""

    async def dies(_call: str) -> None:
        raise Crash

    talk.board.after = dies
    with pytest.raises(Crash):
        await talk.deliver(reply)
    talk.board.after = nothing


async def test_changes_on_a_platform_that_cannot_are_failed_with_the_reason(start: Start) -> None:
    talk = await start(MailSlot())
    kept, gone = await talk.reply("one"), await talk.reply("two")
    for reply in (kept, gone):
        await talk.deliver(reply)
    await talk.edit(kept, "three")
    await talk.delete(gone)
    for reply in (kept, gone):
        await talk.deliver(reply)
        now = await talk.now(reply)
        assert now.delivery is DeliveryState.FAILED
        assert now.delivery_error == "what was sent on test cannot be changed any more"
    assert [sent.text for sent in talk.board.sent] == ["one", "two"]
    assert talk.health.error == "what was sent on test cannot be changed any more"


async def test_a_failed_reply_can_be_edited_and_goes_out_then(start: Start) -> None:
    talk = await start(MailSlot())
    talk.board.faults = [PermanentError("too rude")]
    reply = await talk.reply("one")
    await talk.deliver(reply)
    assert (await talk.now(reply)).delivery is DeliveryState.FAILED
    assert (await talk.edit(reply, "two")).delivery_error is None
    await talk.deliver(reply)
    assert [sent.text for sent in talk.board.sent] == ["two"]


async def test_concurrent_edits_each_replace_what_the_other_wrote(start: Start, database_url: str) -> None:
    """Both wait for the customer's row; neither may write from what it read before the wait."""
    talk = await start()
    reply = await talk.reply("one")
    begun = await talk.store.begin_delivery(reply.id)
    assert begun is not None
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT 1 FROM contact FOR UPDATE")
        sending = asyncio.create_task(talk.store.record_sent(begun, 0, "m1"))
        await waiting(database_url, 1)
        edits = [asyncio.create_task(talk.edit(reply, text)) for text in ("two", "three")]
        await waiting(database_url, 3)
        await connection.rollback()
    await asyncio.gather(sending, *edits)
    now = await talk.now(reply)
    assert sorted([now.text, *(version.text for version in now.versions)]) == ["one", "three", "two"]
    assert now.versions[0].text == "one"
    # The message was with the customer before the edits: their pages must learn of them.
    assert now.cursor is not None
    assert now.revision is not None
    assert now.revision >= now.cursor + 2


async def test_a_reply_deleted_meanwhile_is_not_edited(start: Start, database_url: str) -> None:
    talk = await start()
    reply = await talk.reply("one")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT 1 FROM contact FOR UPDATE")
        deletion = asyncio.create_task(talk.delete(reply))
        await waiting(database_url, 1)
        edit = asyncio.create_task(talk.edit(reply, "two"))
        await waiting(database_url, 2)
        await connection.rollback()
    await deletion
    with pytest.raises(NotFound):
        await edit


async def waiting(url: str, sessions: int) -> None:
    """Until that many sessions wait for a lock."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection, asyncio.timeout(10):
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while (await (await connection.execute(query)).fetchone()) != (sessions,):
            await asyncio.sleep(0.01)


# --- what a connector is given ------------------------------------------------------------------


async def test_a_first_try_is_not_repeated_and_a_second_one_is(start: Start) -> None:
    talk = await start(MailSlot(Capabilities()))
    notice = next(m for m in await talk.store.messages(talk.conversation_id) if m.author == "system")
    await talk.deliver(notice)
    reply = await talk.reply("hello", reply_to=talk.asked)
    talk.board.faults = [TemporaryError("cut")]
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    await talk.deliver(reply)
    first, again = talk.board.sent
    assert (first.repeated, first.after, first.reply_to) == (False, None, None)
    assert (again.repeated, again.after, again.reply_to) == (True, "slot-1", "in-1")
    assert again.key == f"{reply.id}:{reply.created_at.timestamp()}:0"
    assert (again.channel, again.account, again.chat_id) == ("test", "bot", "7")


async def test_what_a_platform_refused_is_no_repetition(start: Start) -> None:
    talk = await start(MailSlot())
    talk.board.faults = [TemporaryError("429", retry_after=2)]
    reply = await talk.reply("hello")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    await talk.deliver(reply)
    assert [(sent.repeated, sent.after) for sent in talk.board.sent] == [(False, None)]


async def test_only_the_part_in_doubt_is_a_repetition_and_keys_are_stable(start: Start) -> None:
    talk = await start(MailSlot(Capabilities(max_length=10, quotes=True)))
    reply = await talk.reply("aaaaaaaa bbbbbbbb cccccccc", reply_to=talk.asked)
    send, keys = talk.board.send, []

    async def cut_once(message: Outgoing) -> str:
        keys.append(message.key)
        if len(keys) == 2:
            raise TemporaryError("cut")
        return await send(message)

    talk.board.send = cut_once
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    await talk.deliver(reply)
    told = [(sent.text, sent.repeated, sent.after, sent.reply_to) for sent in talk.board.sent]
    assert told[0] == ("aaaaaaaa", False, None, "in-1")
    assert told[1] == ("bbbbbbbb", True, "slot-1", None)
    assert told[2][:2] == ("cccccccc", False)
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3


async def test_after_names_nothing_that_was_written_later(start: Start) -> None:
    """The send in doubt may be older than all of it."""
    talk = await start(MailSlot(Capabilities()))
    first = await talk.reply("first")
    await talk.deliver(first)
    doubtful = await talk.reply("doubtful")
    talk.board.faults = [Crash(), PermanentError("no")]  # type: ignore[list-item]
    with pytest.raises(Crash):
        await talk.deliver(doubtful)
    await talk.deliver(doubtful)
    later = await talk.reply("later")
    await talk.deliver(later)
    await talk.edit(doubtful, "doubtful still")
    await talk.deliver(doubtful)
    last = talk.board.sent[-1]
    assert (last.text, last.repeated, last.after) == ("doubtful still", True, "slot-1")


async def test_an_answer_to_ones_own_message_is_no_quote(start: Start) -> None:
    talk = await start(MailSlot())
    first = await talk.reply("first")
    second = await talk.reply("second", reply_to=first.id)
    await talk.deliver(second)
    assert second.reply_to == first.id
    assert talk.board.sent[0].reply_to is None


async def test_a_reply_answers_only_messages_of_its_customer(start: Start, store: Store) -> None:
    talk, other = await start(), await start(sender="8")
    note = await talk.desk.note(talk.conversation_id, talk.agent, "a note")
    for message_id in (other.asked, note.id, 999):
        with pytest.raises(NotFound, match=f"no message {message_id}"):
            await talk.reply("hello", reply_to=message_id)
    assert "hello" not in [m.text for m in await store.messages(talk.conversation_id)]


# --- what goes wrong ----------------------------------------------------------------------------


async def test_what_a_platform_cannot_take_now_is_tried_again_with_growing_pauses(start: Start) -> None:
    talk = await start(MailSlot())
    talk.board.faults = [TemporaryError(f"502 no. {n}") for n in range(3)] + [TemporaryError("429", retry_after=77)]
    reply = await talk.reply("hello")
    pauses = []
    for _ in range(4):
        with pytest.raises(TryAgain) as again:
            await talk.deliver(reply)
        pauses.append(round((again.value.at - datetime.now(UTC)).total_seconds()))
    assert pauses == [1, 2, 4, 77]
    now = await talk.now(reply)
    assert (now.delivery, now.delivery_error) == (DeliveryState.PENDING, "429")
    assert talk.health.error == "429"
    assert talk.health.last_sent_at is None
    await talk.deliver(reply)
    assert talk.health.last_sent_at is not None
    now = await talk.now(reply)
    assert (now.delivery, now.delivery_error) == (DeliveryState.SENT, None)


async def test_a_platform_that_never_answers_is_given_up_on_for_now(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "SEND_TIMEOUT", 0.05)
    talk = await start()

    async def hangs(_call: str) -> None:
        await asyncio.Event().wait()

    talk.board.after = hangs
    reply = await talk.reply("hello")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    assert (await talk.now(reply)).delivery_error == "the platform did not answer in time"
    talk.board.after = nothing
    await talk.deliver(reply)
    assert talk.board.texts == ["hello"]


async def test_what_is_a_day_old_is_given_up(start: Start, database_url: str) -> None:
    talk = await start(MailSlot())
    reply = await talk.reply("hello")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE message SET created_at = now() - interval '25 hours'")
    talk.board.faults = [TemporaryError("502"), TemporaryError("503")]
    await talk.deliver(reply)
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.FAILED
    assert now.delivery_error == "given up after 1 day, 0:00:00: 502"
    # An edit is news: its words are not stale.
    await talk.edit(reply, "hello again")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)


async def test_a_channel_that_is_off_keeps_what_is_for_it(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("hello")
    with pytest.raises(TryAgain) as again:
        await Outbox(talk.store, {}, {}).deliver(reply.id, Claim())
    assert again.value.at > datetime.now(UTC) + timedelta(seconds=50)
    assert (await talk.now(reply)).delivery_error == "the channel test is off"
    talk.board.account = "another"
    await talk.deliver(reply)
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.FAILED
    assert now.delivery_error is not None
    assert "belongs to the test account bot" in now.delivery_error
    assert talk.health.state is not ChannelState.CONNECTED


# --- all of it at once --------------------------------------------------------------------------


class Unreliable:
    """A store whose process may die before or after any write of the outbox."""

    def __init__(self, store: Store, chance: Callable[[], bool]) -> None:
        self._store, self._chance = store, chance

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **options: Any) -> Any:
            if self._chance():
                raise Crash
            result = await method(*args, **options)
            if self._chance():
                raise Crash
            return result

        return call


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_the_customer_ends_up_with_what_the_desk_wants(
    start: Start, store: Store, seed: int
) -> None:
    """Random edits, deletions, refusals, lost answers and crashes, in any order and also in the middle of sends."""
    dice = random.Random(seed)
    # Who has no keys cannot tell a lost answer from a lost message: there, nothing may get lost after the send.
    idempotent = seed % 3 != 0
    board = Board(capabilities=replace(ALL, idempotent=idempotent))
    talk = await start(board)
    faulty = True

    def words() -> str:
        return " ".join(dice.choice("abcdefgh") * 8 for _ in range(dice.randint(1, 4)))

    async def change() -> None:
        if (await talk.now(reply)).deleted_at is None:
            await (talk.delete(reply) if dice.random() < 0.1 else talk.edit(reply, words()))

    async def before(_call: str) -> None:
        if faulty and dice.random() < 0.2:
            await change()
        if faulty and dice.random() < 0.2:
            certain = dice.choice(
                [TemporaryError("429", retry_after=1), TemporaryError("502"), Crash(), TimeoutError()]
            )
            raise certain

    async def after(_call: str) -> None:
        if faulty and dice.random() < 0.2:
            await change()
        if faulty and idempotent and dice.random() < 0.25:
            raise dice.choice([TemporaryError("cut"), Crash(), TimeoutError()])

    board.before, board.after = before, after
    unreliable = Unreliable(store, lambda: faulty and idempotent and dice.random() < 0.08)
    outbox = Outbox(unreliable, {"test": board}, {})  # type: ignore[arg-type]
    reply = await talk.reply(words(), files=[PICTURE] if dice.random() < 0.3 else [])
    for _ in range(dice.randint(1, 25)):
        if dice.random() < 0.3:
            await change()
        with contextlib.suppress(TryAgain, Crash):
            await outbox.deliver(reply.id, Claim())
    faulty = False
    if seed % 2 and (await talk.now(reply)).deleted_at is None:
        await talk.edit(reply, words())
    while (await talk.now(reply)).delivery is DeliveryState.PENDING:
        await outbox.deliver(reply.id, Claim())
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.SENT, now.delivery_error
    wanted = [] if now.deleted_at else [f"<{p.file.name}>" if p.file else p.text for p in fit(now, ALL)]
    assert board.texts == wanted, board.calls
    begun_again = await store.begin_delivery(reply.id)
    assert begun_again is None


# --- two workers, one of which was frozen -----------------------------------------------------------


class Losing(Claim):
    """Lost once it was confirmed so many times."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    async def confirm(self) -> None:
        if not self._left:
            raise ClaimLost("another worker has job 7")
        self._left -= 1


async def test_who_lost_the_claim_touches_nothing(start: Callable[..., Awaitable[Talk]]) -> None:
    talk = await start()
    reply = await talk.reply("hello")

    await talk.outbox.deliver(reply.id, Losing(after=0))
    assert talk.board.texts == []
    assert (await talk.now(reply)).delivery is DeliveryState.PENDING
    await talk.deliver(reply)
    assert talk.board.texts == ["hello"]


async def test_who_loses_the_claim_between_two_parts_leaves_the_rest(start: Callable[..., Awaitable[Talk]]) -> None:
    talk = await start(Board(capabilities=replace(ALL, max_length=10)))
    reply = await talk.reply("one two\n\nthree four\n\nfive six")
    # Confirmed before it begins, and before each of the first two parts.
    await talk.outbox.deliver(reply.id, Losing(after=3))
    assert talk.board.texts == ["one two", "three four"]
    await talk.deliver(reply)
    assert talk.board.texts == ["one two", "three four", "five six"]


async def test_what_two_workers_sent_under_one_key_is_one_part(start: Start) -> None:
    """One was frozen in the moment of sending, the other sent it again and found the same message; then the first one
    wakes up and records it as well. The message has one part still: an edit changes it, and takes nothing away."""
    talk = await start()
    reply = await talk.reply("one")
    frozen = await talk.store.begin_delivery(reply.id)
    assert frozen is not None
    await talk.deliver(reply)
    (sent,) = talk.board.shown
    await talk.store.record_sent(frozen, 0, sent)
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert "delete" not in talk.board.did


async def test_also_where_the_job_ends_with_the_record(start: Start, queue: Queue) -> None:
    talk = await start()
    reply = await talk.reply("one")
    frozen = await talk.store.begin_delivery(reply.id)
    assert frozen is not None
    await talk.deliver(reply)
    (sent,) = talk.board.shown
    claim = Claim()
    claim.job_id = 0  # of no job that there is
    await talk.store.record_sent(frozen, 0, sent, claim)
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert "delete" not in talk.board.did
