"""What the bot keeps in mind between messages, over the real store and queue: the engine and the platform are
scripted, the procedure and the cues are those of the policy's own tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from bot.content.answers import Answers
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.decision import Action
from bot.domain.dialogue import Ask
from bot.domain.forms import Kind
from bot.domain.history import BOT, CUSTOMER, EventKind
from bot.domain.message import Attachment, Author
from bot.domain.procedure import Choice, End, Procedure, Step
from bot.domain.staff import Agent, Role
from bot.pipeline.turns import GATHERED_AT_MOST
from bot.queue import Queue
from bot.store import Store
from handoff.desk import Desk
from tests.support.policy import CUES
from tests.support.scene import Scene, at_work
from tests.support.waiting import until

HASH = "0x" + "ab" * 32
MONEY = Procedure(
    "money_missing",
    {"en": "Money has not arrived"},
    ("transfer_delay",),
    "record",
    {
        "record": Step(
            "record",
            {"en": "What does the record say?"},
            asks=(Ask.HASH,),
            choices=(Choice("pending", {"en": "Confirming"}, ("confirming",)),),
        ),
        "pending": Step("pending", {"en": "Wait, or speed it up."}, ends=End.SOLVED),
    },
)
"""Whoever gives the hash gets a person with it."""
CONTENT = {"procedures": {"money_missing": MONEY}, "cues": CUES}


Opens = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def opens(store: Store, queue: Queue, answers: Answers) -> Opens:
    return partial(at_work, store, queue, answers, CONTENT)


@pytest.fixture
async def scene(opens: Opens) -> AsyncIterator[Scene]:
    async with opens() as scene:
        yield scene


@pytest.fixture
async def mei(store: Store) -> Agent:
    return await store.agents.add("Mei", Role.AGENT, None)


async def actions(scene: Scene) -> list[Action | None]:
    """What the bot did with each message, in order."""
    turns = await scene.store.turns.of((await scene.conversation()).id)
    return [turns[number].action for number in sorted(turns)]


async def events(scene: Scene) -> list[EventKind]:
    return [event.kind for event in await scene.store.events.of((await scene.conversation()).id)]


# --- memory -------------------------------------------------------------------------------------


async def test_what_was_asked_for_is_taken_and_reaches_a_person(scene: Scene) -> None:
    await scene.says("delayed")
    assert (await scene.conversation()).dialogue.asks == (Ask.HASH,)
    await scene.says(HASH)
    now = await scene.conversation()
    assert (now.state, now.reason, now.topic) == (
        ConversationState.QUEUED,
        EscalationReason.COLLECTED,
        "transfer_delay",
    )
    assert [(detail.kind, detail.value) for detail in now.details] == [(Kind.HASH, HASH)]
    assert f"{HASH[:8]}…{HASH[-6:]}" in (await scene.last()).text


async def test_a_procedure_is_taken_up_where_it_was(scene: Scene, answers: Answers) -> None:
    await scene.says("delayed")
    await scene.says("fees")
    aside = await scene.last()
    assert aside.text.startswith(answers.render("fee_explained", "en"))
    assert aside.text.endswith("What does the record say?")
    assert [button.payload for button in aside.buttons] == ["step:money_missing.record.pending"]
    await scene.says("It says: confirming")
    assert (await scene.last()).text.startswith("Wait, or speed it up.")
    assert (await scene.conversation()).dialogue.step == "pending"


async def test_nothing_is_said_twice(scene: Scene, answers: Answers) -> None:
    await scene.says("fees")
    await scene.says("fees")
    now = await scene.conversation()
    assert (now.state, now.reason, now.topic) == (
        ConversationState.QUEUED,
        EscalationReason.NOT_HELPED,
        "fee_explained",
    )
    said = answers.render("fee_explained", "en")
    assert [message.text.startswith(said) for message in await scene.from_bot()] == [True, False]


@pytest.mark.parametrize(("payload", "before"), [("topic:fee_explained", ()), ("helped:yes", ("fees",))])
async def test_the_same_button_twice_is_answered_once(scene: Scene, payload: str, before: tuple[str, ...]) -> None:
    for text in before:
        await scene.says(text)
    await scene.presses(payload)
    answered = len(await scene.messages())
    await scene.presses(payload)
    assert [message.author for message in (await scene.messages())[answered:]] == [Author.CUSTOMER]
    assert (await actions(scene))[-2:] == [Action.ANSWER, Action.SILENT]
    assert (await scene.conversation()).state is ConversationState.BOT


# --- who waits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "fields"), [("Leave the queue", {"button": "cancel"}), ("never mind", {})])
async def test_the_queue_is_left_by_button_and_by_word(
    scene: Scene, text: str, fields: dict[str, str], answers: Answers
) -> None:
    await scene.says("human")
    await scene.says(text, **fields)
    now = await scene.conversation()
    assert (now.state, now.reason, now.queued_at, now.waiting_since) == (ConversationState.BOT, None, None, None)
    assert (await scene.last()).text == answers.words.say("customer.left_queue", "en")
    last = (await scene.store.events.of(now.id))[-1]
    assert (last.kind, last.actor) == (EventKind.LEFT, CUSTOMER)
    await scene.says("fees")
    assert (await scene.conversation()).state is ConversationState.BOT


async def test_what_cannot_wait_goes_forward_in_the_queue_once(scene: Scene, answers: Answers) -> None:
    await scene.says("human")
    assert (await scene.conversation()).priority is Priority.NORMAL
    await scene.says("stolen")
    await scene.says("stolen")
    now = await scene.conversation()
    assert (now.state, now.priority) == (ConversationState.QUEUED, Priority.URGENT)
    urged = [event for event in await scene.store.events.of(now.id) if event.kind is EventKind.URGED]
    assert [event.actor for event in urged] == [BOT]
    first_aid = answers.render("funds_stolen", "en")
    assert [message.text.startswith(first_aid) for message in (await scene.from_bot())[-2:]] == [True, False]


async def test_who_waits_is_never_met_with_silence(scene: Scene, answers: Answers) -> None:
    await scene.says("human")
    for text in ("gibberish", "more of it", "thanks"):
        answered = len(await scene.from_bot())
        await scene.says(text)
        assert len(await scene.from_bot()) == answered + 1, text
    assert (await scene.conversation()).state is ConversationState.QUEUED
    assert EventKind.LEFT not in await events(scene)


async def test_what_an_agent_is_told_is_a_detail(scene: Scene, desk: Desk, mei: Agent) -> None:
    conversation = await scene.says("human")
    await desk.claim(conversation, mei)
    said = len(await scene.from_bot())
    await scene.says(f"it is {HASH}")
    now = await scene.conversation()
    assert [(detail.kind, detail.value) for detail in now.details] == [(Kind.HASH, HASH)]
    assert (len(await scene.from_bot()), (await actions(scene))[-1]) == (said, None)


# --- several messages, and corrected ones -------------------------------------------------------


async def test_a_picture_and_then_words_are_one_turn(opens: Opens, answers: Answers) -> None:
    async with opens(gathering=1.0) as scene:
        await scene.writes("", attachments=(Attachment("photo", "file-id"),))
        await scene.says("fees")
        [reply] = await scene.from_bot()
        assert reply.text.startswith(answers.render("fee_explained", "en"))
        assert await actions(scene) == [Action.SILENT, Action.ANSWER]


async def test_three_short_messages_have_one_answer(opens: Opens) -> None:
    async with opens(gathering=1.0) as scene:
        await scene.writes("I sent coins")
        await scene.writes("on monday")
        await scene.says("nothing came")
        [reply] = await scene.from_bot()
        assert reply.text == "What does the record say?"
        assert await actions(scene) == [Action.SILENT, Action.SILENT, Action.ANSWER]
        assert (await scene.conversation()).dialogue.gathered == ()


async def test_who_never_stops_writing_is_answered_all_the_same(opens: Opens) -> None:
    """What is read together is bounded, however many lines come before each other's turn."""
    async with opens(gathering=1.0) as scene:
        for number in range(GATHERED_AT_MOST + 2):
            await scene.writes(f"hm {number}")
        await scene.says("hm at last")
        silent = (await actions(scene))[:GATHERED_AT_MOST]
        assert silent == [Action.SILENT] * GATHERED_AT_MOST
        assert (await actions(scene))[GATHERED_AT_MOST] is not Action.SILENT


async def test_what_is_answered_alone_waits_for_nothing(opens: Opens) -> None:
    async with opens(gathering=60.0) as scene:
        await scene.says("fees")  # within the time that ``until`` waits
        assert await actions(scene) == [Action.ANSWER]


async def test_a_question_corrected_after_a_useless_answer_is_answered_anew(scene: Scene, answers: Answers) -> None:
    await scene.says("fesse")
    receipt = await scene.edits(1, "fees")
    await scene.turned(receipt)
    useless, useful = await scene.from_bot()
    assert useless.text == answers.words.say("customer.not_understood", "en")
    assert useful.text.startswith(answers.render("fee_explained", "en"))
    assert (await scene.conversation()).dialogue.misses == 0


async def test_a_question_corrected_before_a_useless_answer_has_the_right_one_alone(
    opens: Opens, answers: Answers
) -> None:
    async with opens(gathering=1.0) as scene:
        receipt = await scene.writes("fesse")

        async def is_read() -> bool:
            """And its turn waits for more."""
            return scene.turns._gathering == 1

        await until(is_read)
        await scene.edits(1, "fees")
        await scene.turned(receipt)
        [reply] = await scene.from_bot()
        assert reply.text.startswith(answers.render("fee_explained", "en"))


async def test_a_question_taken_back_while_the_bot_waits_for_more_has_no_answer(opens: Opens) -> None:
    async with opens(gathering=1.0) as scene:
        receipt = await scene.writes("fesse")
        await asyncio.sleep(0.2)
        await scene.writes("", deletes="1")
        await scene.turned(receipt)
        assert await scene.from_bot() == []
