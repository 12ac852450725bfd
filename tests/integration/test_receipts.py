"""What a platform tells of messages after it took them, over the real store and outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channel import Outgoing, TemporaryError
from bot.domain.delivery import DeliveryReceipt, DeliveryStatus, ReceiptRefused
from bot.domain.message import DeliveryState, Incoming, Message, Receipt, Sender
from bot.domain.notice import NotNow
from bot.domain.said import fault
from bot.domain.staff import Role
from bot.pipeline import outbox as outbox_module
from bot.pipeline.outbox import Outbox
from bot.queue import JobLease, Queue, TryAgain
from bot.store import Store
from handoff.desk import Desk
from tests.support.outbox import ALL, MailSlot

WHY = fault("it did not arrive", "channel_api.fault.bounced", app="x", why="y")
AT = datetime(2026, 11, 1, 8, tzinfo=UTC)
DELIVERED, READ, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.READ, DeliveryStatus.FAILED


class Told:
    """A message of an agent's in parts, ``slot-1`` and so on, and the platform that tells of them."""

    def __init__(self, store: Store, desk: Desk) -> None:
        self.store = store
        self.desk = desk
        self.platform = MailSlot(ALL)
        self.taken_back: list[str] = []
        self.platform.delete = self.platform.edit = self._delete  # type: ignore[attr-defined]
        self.outbox = Outbox(store.deliveries, store.files, {"test": self.platform}, {})
        self.id = 0

    async def _delete(self, _chat: str, external_id: str) -> None:
        self.taken_back.append(external_id)

    async def say(self, text: str) -> None:
        receipt = await self.store.incoming.record(Incoming("test", "bot", "1", Sender("7"), "7", "hi"))
        self.mei = await self.store.agents.add("Mei", Role.AGENT, None)
        await self.desk.claim(receipt.conversation_id or 0, self.mei)
        self.id = (await self.desk.reply(receipt.conversation_id or 0, self.mei, text)).id

    async def deliver(self) -> None:
        await self.outbox.deliver(self.id, JobLease())

    async def tell(
        self, part: str, status: DeliveryStatus, at: datetime | None = AT, *, contact: str = "7", account: str = "bot"
    ) -> Receipt:
        told = DeliveryReceipt(status, at, WHY if status is FAILED else None)
        return await self.store.receipts.record("test", account, contact, part, told)

    async def shown(self) -> Message:
        return (await self.store.messages.some([self.id]))[self.id]


@pytest.fixture
def told(store: Store, queue: Queue, desk: Desk) -> Told:
    return Told(store, desk)


async def code_of(receipt: Callable[[], object]) -> str:
    with pytest.raises(ReceiptRefused) as refused:
        await receipt()  # type: ignore[misc]
    return refused.value.code


async def test_a_message_is_delivered_and_read_when_all_its_parts_are_and_nothing_goes_back(told: Told) -> None:
    await told.say("part one\n\npart two")
    await told.deliver()
    first = await told.tell("slot-1", DELIVERED)
    assert (first.message_id, first.duplicate) == (told.id, False)
    assert (await told.tell("slot-1", DELIVERED, AT + timedelta(hours=1))).duplicate
    assert (await told.shown()).delivered_at is None, "its second part is not"
    await told.tell("slot-2", READ, AT + timedelta(minutes=5))
    now = await told.shown()
    assert (now.delivered_at, now.read_at) == (AT + timedelta(minutes=5), None)
    assert (await told.tell("slot-2", DELIVERED, AT)).duplicate, "it was read"
    await told.tell("slot-1", READ, datetime.now(UTC) + timedelta(days=1))
    now = await told.shown()
    assert now.read_at is not None
    assert now.read_at <= datetime.now(UTC), "nothing is read in the future"
    assert now.delivery is DeliveryState.SENT
    assert await code_of(lambda: told.tell("slot-1", FAILED)) == "contradicts"
    assert (await told.shown()).read_at == now.read_at


async def test_of_many_at_once_one_counts_and_the_others_change_nothing(told: Told) -> None:
    await told.say("hello")
    await told.deliver()
    receipts = await asyncio.gather(*(told.tell("slot-1", status) for status in (DELIVERED, READ) * 4))
    assert 1 <= sum(not one.duplicate for one in receipts) <= 2
    assert (await told.shown()).read_at == AT


async def test_a_receipt_for_what_the_desk_did_not_send_there_is_refused(told: Told) -> None:
    await told.say("hello")
    await told.deliver()
    await told.store.incoming.record(Incoming("test", "bot", "2", Sender("8"), "8", "hi"))
    for part, contact, account in (("slot-9", "7", "bot"), ("slot-1", "8", "bot"), ("slot-1", "7", "other")):
        for status in DeliveryStatus:
            refused = await code_of(lambda: told.tell(part, status, contact=contact, account=account))  # noqa: B023
            assert refused == "unknown_message"
    await told.store.replies.delete(told.id, told.mei.id)
    assert await code_of(lambda: told.tell("slot-1", READ)) == "unknown_message"


async def test_what_failed_is_sent_anew_from_there(told: Told) -> None:
    """Of three parts the second did not arrive: the agent sees it, and tries again."""
    await told.say("part one\n\npart two\n\npart tri")
    await told.deliver()
    keys = {sent.key for sent in told.platform.sent}
    assert [sent.text for sent in told.platform.sent] == ["part one", "part two", "part tri"]
    await told.tell("slot-1", READ)
    assert not (await told.tell("slot-2", FAILED)).duplicate
    assert (await told.tell("slot-2", FAILED)).duplicate
    assert await code_of(lambda: told.tell("slot-2", DELIVERED)) == "contradicts"
    now = await told.shown()
    assert (now.delivery, now.delivery_error, now.read_at) == (DeliveryState.FAILED, WHY, None)
    await told.store.dead_letters.retry_delivery(told.id)
    send = told.platform.send

    async def sends_what_follows_the_read_part(outgoing: Outgoing) -> str:
        if outgoing.text == "part tri":
            await told.tell("slot-4", READ, AT + timedelta(hours=1))
        return await send(outgoing)

    told.platform.send = sends_what_follows_the_read_part  # type: ignore[method-assign]
    await told.deliver()
    assert (await told.shown()).read_at is None, "of its last part nobody has told"
    assert told.taken_back == ["slot-3"]
    assert [sent.text for sent in told.platform.sent[3:]] == ["part two", "part tri"]
    assert not {sent.key for sent in told.platform.sent[3:]} & keys
    await told.tell("slot-5", READ, AT + timedelta(hours=1))
    now = await told.shown()
    assert (now.delivery, now.read_at) == (DeliveryState.SENT, AT + timedelta(hours=1))
    assert (await told.tell("slot-2", FAILED)).duplicate, "it is remembered, and changes nothing"


async def test_a_receipt_during_the_send_is_to_come_again_and_a_failure_between_parts_ends_it(told: Told) -> None:
    """The app may know what became of a part before the desk has written that it was sent."""
    send = told.platform.send

    async def sends_and_tells(outgoing: Outgoing) -> str:
        if outgoing.text == "part two":
            raise TemporaryError("not yet", 60.0)
        external_id = await send(outgoing)
        for status in DeliveryStatus:
            with pytest.raises(NotNow):
                await told.tell(external_id, status)
        return external_id

    told.platform.send = sends_and_tells  # type: ignore[method-assign]
    await told.say("part one\n\npart two")
    with pytest.raises(TryAgain):
        await told.deliver()
    assert await code_of(lambda: told.tell("unknown", READ)) == "unknown_message", "what is postponed holds up none"
    await told.tell("slot-1", FAILED)
    told.platform.send = send  # type: ignore[method-assign]
    await told.deliver()
    assert len(told.platform.sent) == 1  # no part follows one that did not arrive
    await told.store.dead_letters.retry_delivery(told.id)
    await told.deliver()
    assert [sent.text for sent in told.platform.sent] == ["part one", "part one", "part two"]
    assert (await told.shown()).delivery is DeliveryState.SENT


async def test_a_part_fails_whose_message_was_given_up_in_doubt(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether the second part arrived. What is sent in its place has another key, or the platform would
    take the first part for it."""
    send = told.platform.send
    in_doubt: list[str] = []

    async def answers_once(outgoing: Outgoing) -> str:
        if outgoing.text == "part two":
            in_doubt.append(outgoing.key)
            raise TemporaryError("no answer")
        return await send(outgoing)

    told.platform.send = answers_once  # type: ignore[method-assign]
    await told.say("part one\n\npart two")
    with pytest.raises(TryAgain):
        await told.deliver()
    for status in (FAILED, READ):  # it may be of the part in doubt
        with pytest.raises(NotNow):
            await told.tell("slot-9", status)
    with pytest.raises(NotNow):
        await told.tell("slot-1", FAILED)
    monkeypatch.setattr(outbox_module, "GIVE_UP_AFTER", timedelta())
    await told.deliver()
    assert (await told.shown()).delivery is DeliveryState.FAILED
    assert not (await told.tell("slot-1", FAILED)).duplicate
    told.platform.send = send  # type: ignore[method-assign]
    await told.store.dead_letters.retry_delivery(told.id)
    await told.deliver()
    sent = told.platform.sent
    assert [one.text for one in sent] == ["part one", "part one", "part two"]
    assert len({one.key for one in sent} | {*in_doubt}) == 4
