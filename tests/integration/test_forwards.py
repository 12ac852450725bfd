"""Somebody else's words: context to the customer's own, never taken for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from bot.content.answers import Answers
from bot.domain.context import Context, Forward
from bot.domain.conversation import ConversationState
from bot.domain.message import Attachment, Command, Sender
from bot.queue import Queue
from bot.store import Store
from tests.support.policy import CUES
from tests.support.scene import Scene, at_work

HASH = "0x" + "ab" * 32
FORWARD = Context(Forward("BitPie Official Support"))

Opens = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def opens(store: Store, queue: Queue, answers: Answers) -> Opens:
    return partial(at_work, store, queue, answers, {"cues": CUES})


@pytest.fixture
async def scene(opens: Opens) -> AsyncIterator[Scene]:
    async with opens() as scene:
        yield scene


async def test_a_forward_alone_is_asked_about_and_never_acted_on(scene: Scene, answers: Answers) -> None:
    await scene.says("hello")
    for text in ("stolen", "/human", "human", "kill myself", f"send it to {HASH}", "down", "1", "fees"):
        command = Command.HUMAN if text == "/human" else None
        await scene.says(text, context=FORWARD, command=command)
        now = await scene.conversation()
        assert (now.state, now.details) == (ConversationState.BOT, ()), text
        asked = await scene.last()
        assert asked.text == answers.words.say("customer.forward_received", "en")
        assert [button.payload for button in asked.buttons] == ["topic:verify_agent", "human"]


async def test_the_customers_own_words_are_answered_whether_before_or_after(opens: Opens, answers: Answers) -> None:
    async with opens(gathering=1.0) as scene:
        await scene.writes("stolen", context=FORWARD)
        await scene.says("fees")
        [reply] = await scene.from_bot()
        assert reply.text.startswith(answers.render("fee_explained", "en"))
        await scene.says("cheaper")
        await scene.says("stolen", context=FORWARD)
        [_, reply] = await scene.from_bot()
        assert reply.text.startswith(answers.render("fee_reduce", "en"))
        assert (await scene.conversation()).state is ConversationState.BOT


async def test_a_greeting_does_not_say_what_a_forward_is_about(opens: Opens, answers: Answers) -> None:
    async with opens(gathering=1.0) as scene:
        await scene.writes("hello")
        await scene.says("stolen", context=FORWARD)
        assert (await scene.last()).text == answers.words.say("customer.forward_received", "en")


async def test_a_forward_while_a_person_is_asked_for_is_kept(scene: Scene, answers: Answers) -> None:
    await scene.says("human")
    await scene.says(f"stolen {HASH}", context=FORWARD, attachments=(Attachment("photo", "f"),))
    now = await scene.conversation()
    assert (now.state, now.details, now.priority.label) == (ConversationState.QUEUED, (), "normal")
    assert (await scene.last()).text.startswith(answers.words.say("customer.waiting_noted", "en"))


@pytest.mark.parametrize("text", ["\u200b\u2060", "\u3164\u3164", "\ufeff", "\u2800"])
async def test_what_shows_nothing_is_recorded_and_has_no_answer(scene: Scene, text: str) -> None:
    await scene.says(text)
    assert await scene.from_bot() == []
    assert [message.text for message in await scene.messages()] == [text]
    await scene.says(text, attachments=(Attachment("photo", "f"),))
    assert len(await scene.from_bot()) == 1


async def test_what_is_sent_goes_to_its_thread(scene: Scene) -> None:
    await scene.says("fees", thread="77")
    await scene.says("fees")
    assert [sent.thread for sent in scene.platform.sent] == ["77", ""]


async def test_a_reaction_is_kept_beside_what_it_is_under_and_asks_for_nothing(scene: Scene) -> None:
    await scene.says("fees")
    thumb = {"attachments": (Attachment("reaction", "👍"),), "replies_to": "sent-1"}
    for _ in range(2):
        scene.counter = 7
        receipt = await scene.writes("", **thumb)
    assert receipt.duplicate
    said, answer, reaction = await scene.messages()
    assert (reaction.reply_to, reaction.attachments[0].reference) == (answer.id, "👍")
    assert (await scene.conversation()).state is ConversationState.BOT
    unknown = await scene.writes("", **thumb, sender=Sender("8"))
    assert unknown.message_id is None
    assert said.text == "fees"
