"""Notices over the real store and queue: recorded once, delivered by the contact's own channel, and what the customer
answers is read with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from bot.content.answers import Answers
from bot.content.cues import read_cues
from bot.content.procedures import read_procedures
from bot.domain.channel import Outgoing, TemporaryError
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.history import SYSTEM, EventKind
from bot.domain.message import Author, DeliveryState, Incoming, Sender, Visibility
from bot.domain.notice import Notice, NoticeRefused, NotNow
from bot.domain.said import fault
from bot.domain.staff import Role
from bot.pipeline.notices import StoredNotices
from bot.pipeline.outbox import Outbox
from bot.pipeline.speech import Speech
from bot.queue import JobLease, Queue, TryAgain
from bot.settings import ROOT
from bot.store import Store
from bot.store.database import conninfo
from handoff.desk import Desk
from tests.support.outbox import ALL, MailSlot
from tests.support.scene import Scene, at_work
from tests.support.waiting import until

PROCEDURES = read_procedures(ROOT / "data")
LOGIN = {
    "en": "A new phone signed in to your account.\nPlace: [Berlin](x)",
    "zh": "有新手机登录了您的账号。",
}


@pytest.fixture
async def scene(store: Store, queue: Queue, answers: Answers) -> AsyncIterator[Scene]:
    content = {"procedures": PROCEDURES, "cues": read_cues(ROOT / "data")}
    async with at_work(store, queue, answers, content) as scene:
        yield scene


@pytest.fixture
def notices(store: Store, answers: Answers) -> StoredNotices:
    return StoredNotices(store.notices, answers, Speech(answers, PROCEDURES), PROCEDURES)


def notice(id: str = "login-1", **others: Any) -> Notice:
    given = {"source": "wallet", "channel": "test", "contact": "7", "texts": LOGIN, "topic": "suspicious_login"}
    return Notice(id=id, **(given | others))  # type: ignore[arg-type]


async def greeted(scene: Scene) -> None:
    await scene.says("hello")
    await until(lambda: len(scene.platform.sent) == 1)


@pytest.mark.parametrize("answer", ["no", "that wasn't me!!", "step:login_alert.was_it_you.not_me"])
async def test_no_that_was_not_me_reaches_a_person_at_once(scene: Scene, notices: StoredNotices, answer: str) -> None:
    await greeted(scene)
    receipt = await notices.give(notice(texts=LOGIN, locale="en"))
    await until(lambda: len(scene.platform.sent) == 2)
    sent = scene.platform.sent[-1]
    assert sent.text.startswith("A new phone signed in to your account\\.  \nPlace\\: \\[Berlin\\]")
    assert sent.text.endswith("**Was that you?**")
    assert [button.label for button in sent.buttons] == ["Yes, that was me", "No, that was not me"]
    assert (await (scene.presses if answer.startswith("step:") else scene.says)(answer)) == receipt.conversation_id
    now = await scene.conversation()
    assert (now.state, now.reason) == (ConversationState.QUEUED, EscalationReason.PROCEDURE)
    assert (now.priority, now.topic) == (Priority.URGENT, "suspicious_login")
    assert "somebody else may be in your account" in (await scene.last()).text


async def test_yes_that_was_me_ends_it(scene: Scene, notices: StoredNotices) -> None:
    await greeted(scene)
    await notices.give(notice())
    await scene.says("yes, it was me, my new phone")
    assert (await scene.conversation()).state is ConversationState.BOT
    assert "sets the alert off" in (await scene.last()).text


async def test_a_notice_given_again_is_said_once_and_tells_how_it_stands(scene: Scene, notices: StoredNotices) -> None:
    await greeted(scene)
    first, second = await asyncio.gather(notices.give(notice()), notices.give(notice()))
    assert first.message_id == second.message_id
    assert {first.duplicate, second.duplicate} == {True, False}
    await until(lambda: len(scene.platform.sent) == 2)

    async def is_sent() -> bool:
        return (await notices.give(notice())).delivery is DeliveryState.SENT

    await until(is_sent)
    assert len(scene.platform.sent) == 2
    await scene.says("hello", sender=Sender("8", "Bea"))
    with pytest.raises(NoticeRefused) as refused:
        await notices.give(notice(contact="8"))
    assert refused.value.code == "id_taken"
    assert len([m for m in await scene.from_bot() if "new phone" in m.text]) == 1


async def test_a_notice_given_again_has_its_receipt_though_its_topic_is_gone_and_its_contact_has_left(
    scene: Scene, notices: StoredNotices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await greeted(scene)
    first = await notices.give(notice())
    monkeypatch.setattr(Answers, "variants", lambda *_: ())
    again = await notices.give(notice())
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    await scene.store.contacts.end("test", "bot", "7")
    assert (await notices.give(notice())).message_id == first.message_id
    with pytest.raises(NoticeRefused) as refused:
        await notices.give(notice("login-2", topic=None))
    assert refused.value.code == "unknown_contact"


async def test_it_opens_a_conversation_where_none_is_open_and_leaves_events(
    scene: Scene, notices: StoredNotices, desk: Desk
) -> None:
    await greeted(scene)
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    earlier = (await scene.conversation()).id
    await desk.claim(earlier, mei)
    await desk.resolve(earlier, mei)
    receipt = await notices.give(notice(priority=Priority.HIGH, topic=None, locale="zh"))
    assert receipt.conversation_id != earlier
    opened, notified = await scene.store.events.of(receipt.conversation_id)
    assert (opened.kind, opened.actor) == (EventKind.OPENED, SYSTEM)
    assert (notified.kind, notified.actor, notified.data["source"]) == (EventKind.NOTIFIED, SYSTEM, "wallet")
    said = (await scene.store.messages.of(receipt.conversation_id))[-1]
    assert (said.author, said.visibility) == (Author.BOT, Visibility.PUBLIC)
    assert said.text.startswith("有新手机登录")
    # However it reaches a person, it is as urgent as the notice.
    await scene.says("human")
    now = await scene.store.conversations.get(receipt.conversation_id)
    assert (now.state, now.priority) == (ConversationState.QUEUED, Priority.HIGH)


async def test_people_who_have_the_conversation_keep_it(scene: Scene, notices: StoredNotices, desk: Desk) -> None:
    await scene.says("human")
    waiting = await scene.conversation()
    await notices.give(notice("a", priority=Priority.URGENT))
    queued = await scene.conversation()
    assert (queued.state, queued.priority) == (ConversationState.QUEUED, Priority.URGENT)
    assert queued.dialogue == waiting.dialogue
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(waiting.id, mei)
    await notices.give(notice("b"))
    now = await scene.conversation()
    assert (now.state, now.agent and now.agent.id) == (ConversationState.ASSIGNED, mei.id)
    # People ask for themselves: no button leads past them.
    assert [message.buttons for message in (await scene.from_bot())[-2:]] == [(), ()]
    await desk.reply(waiting.id, mei, "Was that you?")


async def test_what_cannot_be_said_is_refused_and_leaves_nothing(scene: Scene, notices: StoredNotices) -> None:
    await greeted(scene)
    for wrong, code in (
        ({"contact": "nobody"}, "unknown_contact"),
        ({"channel": "nowhere"}, "unknown_contact"),
        ({"account": "other"}, "unknown_contact"),
        ({"topic": "no_such"}, "no_topic"),
        ({"texts": {"en": " \n"}}, "empty"),
    ):
        with pytest.raises(NoticeRefused) as refused:
            await notices.give(notice(**wrong))
        assert refused.value.code == code
    two = Incoming("test", "second", "1", Sender("7"), "7", "hello")
    await scene.turned(await scene.store.incoming.record(two))
    with pytest.raises(NoticeRefused) as refused:
        await notices.give(notice())
    assert refused.value.code == "ambiguous_contact"
    await notices.give(notice(account="bot"))


async def test_while_the_bot_answers_it_waits(
    store: Store, queue: Queue, notices: StoredNotices, database_url: str
) -> None:
    """The turn would write over what the notice leaves open. A turn that does not end holds up no notice for long."""
    await store.incoming.record(Incoming("test", "bot", "1", Sender("7"), "7", "hello"))
    with pytest.raises(NotNow):
        await notices.give(notice())
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("UPDATE turn SET created_at = now() - interval '31 seconds'")
    assert not (await notices.give(notice())).duplicate


# --- bounces ----------------------------------------------------------------------------------------


async def test_what_bounced_is_failed_and_sent_anew_from_there(store: Store, queue: Queue, desk: Desk) -> None:
    """Of three parts the second did not arrive: the agent sees it, and tries again."""
    platform = MailSlot(ALL)
    outbox = Outbox(store.deliveries, store.files, {"test": platform}, {})
    taken_back: list[str] = []

    async def delete(_chat: str, external_id: str) -> None:
        taken_back.append(external_id)

    platform.delete = platform.edit = delete  # type: ignore[attr-defined]
    receipt = await store.incoming.record(Incoming("test", "bot", "1", Sender("7"), "7", "hi"))
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(receipt.conversation_id or 0, mei)
    said = await desk.reply(receipt.conversation_id or 0, mei, "part one\n\npart two\n\npart tri")
    await outbox.deliver(said.id, JobLease())
    keys = [sent.key for sent in platform.sent]
    assert [sent.text for sent in platform.sent] == ["part one", "part two", "part tri"]
    why = fault("it bounced", "channel_api.fault.bounced", app="x", why="y")
    assert not await store.deliveries.record_bounce("test", "bot", "7", "slot-9", why)
    assert not await store.deliveries.record_bounce("test", "bot", "8", "slot-2", why)
    assert await store.deliveries.record_bounce("test", "bot", "7", "slot-2", why)
    assert not await store.deliveries.record_bounce("test", "bot", "7", "slot-2", why)  # told again
    shown = (await store.messages.some([said.id]))[said.id]
    assert (shown.delivery, shown.delivery_error) == (DeliveryState.FAILED, why)
    await store.dead_letters.retry_delivery(said.id)
    await outbox.deliver(said.id, JobLease())
    assert taken_back == ["slot-3"]
    assert [sent.text for sent in platform.sent[3:]] == ["part two", "part tri"]
    assert not {sent.key for sent in platform.sent[3:]} & set(keys)
    assert (await store.messages.some([said.id]))[said.id].delivery is DeliveryState.SENT


async def test_a_bounce_during_the_send_is_to_come_again_and_one_between_parts_ends_it(
    store: Store, queue: Queue, desk: Desk
) -> None:
    """The app may know that a part bounced before the desk has written that it was sent."""
    platform = MailSlot(ALL)
    outbox = Outbox(store.deliveries, store.files, {"test": platform}, {})
    why = fault("it bounced", "channel_api.fault.bounced", app="x", why="y")
    send = platform.send

    async def bounce(external_id: str) -> bool:
        return await store.deliveries.record_bounce("test", "bot", "7", external_id, why)

    async def sends_and_bounces(outgoing: Outgoing) -> str:
        if outgoing.text == "part two":
            raise TemporaryError("not yet", 60.0)
        external_id = await send(outgoing)
        with pytest.raises(NotNow):
            await bounce(external_id)
        return external_id

    platform.send = sends_and_bounces  # type: ignore[method-assign]
    receipt = await store.incoming.record(Incoming("test", "bot", "1", Sender("7"), "7", "hi"))
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(receipt.conversation_id or 0, mei)
    said = await desk.reply(receipt.conversation_id or 0, mei, "part one\n\npart two")
    with pytest.raises(TryAgain):
        await outbox.deliver(said.id, JobLease())
    assert not await bounce("unknown")  # what is postponed holds up no bounce
    assert await bounce("slot-1")
    platform.send = send  # type: ignore[method-assign]
    await outbox.deliver(said.id, JobLease())
    assert len(platform.sent) == 1  # no part follows one that did not arrive
    await store.dead_letters.retry_delivery(said.id)
    await outbox.deliver(said.id, JobLease())
    assert [sent.text for sent in platform.sent] == ["part one", "part one", "part two"]
    assert (await store.messages.some([said.id]))[said.id].delivery is DeliveryState.SENT
