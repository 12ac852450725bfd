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
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.history import SYSTEM, EventKind
from bot.domain.message import Author, DeliveryState, Incoming, Sender, Visibility
from bot.domain.notice import Notice, NoticeRefused, NotNow
from bot.domain.staff import Role
from bot.pipeline.notices import StoredNotices
from bot.pipeline.speech import Speech
from bot.queue import Queue
from bot.settings import ROOT
from bot.store import Store
from bot.store.database import conninfo
from handoff.desk import Desk
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
