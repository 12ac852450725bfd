"""The way of a message through store, queue, turn and outbox: real PostgreSQL and procrastinate; the engine
and the platform are scripted, since their own tests have the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.content.answers import Answers
from bot.domain.channel import Capabilities, Outgoing, PermanentError, TemporaryError
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.message import Attachment, Author, Command, DeliveryState, Incoming, Sender, Visibility
from bot.domain.said import Fault
from bot.domain.staff import Role
from bot.queue import Queue
from bot.store import Store
from handoff.desk import Desk
from tests.support.scene import Scene, at_work
from tests.support.waiting import until


@pytest.fixture
async def scene(store: Store, queue: Queue, answers: Answers) -> AsyncIterator[Scene]:
    async with at_work(store, queue, answers) as scene:
        yield scene


async def test_a_sure_topic_is_answered_in_the_customers_language(scene: Scene, answers: Answers) -> None:
    await scene.says("费用")
    reply = await scene.last()
    assert reply.text.startswith(answers.render("fee_explained", "zh"))
    assert [b.payload for b in reply.buttons][:2] == ["helped:yes", "helped:no"]
    await scene.says("cheaper")
    assert (await scene.last()).text.startswith(answers.render("fee_reduce", "en"))


async def test_a_platforms_hint_counts_until_the_customer_has_written(scene: Scene, answers: Answers) -> None:
    await scene.says("/start", command=Command.START, sender=Sender("7", "Ann", "zh-Hans"))
    assert (await scene.last()).text == answers.words.say("customer.welcome", "zh")


async def test_out_of_scope_offers_topics_then_hands_over(scene: Scene, answers: Answers) -> None:
    await scene.says("weather")
    asked = await scene.last()
    assert asked.text == answers.words.say("customer.not_understood", "en")
    assert [b.payload for b in asked.buttons] == ["topic:fee_reduce", "human"]
    await scene.says("football")
    now = await scene.conversation()
    assert (now.state, now.reason) == (ConversationState.QUEUED, EscalationReason.NOT_UNDERSTOOD)
    assert "**1**" in (await scene.last()).text


async def test_the_escalation_note_has_the_reason_and_the_ranking(scene: Scene) -> None:
    await scene.says("stolen")
    (note,) = [m for m in await scene.messages() if m.visibility is Visibility.PRIVATE]
    assert "the topic needs a person" in note.text
    assert "funds_stolen 90%" in note.text
    assert (await scene.conversation()).priority is Priority.URGENT


async def test_first_aid_comes_with_the_place_in_the_queue(scene: Scene, answers: Answers) -> None:
    await scene.says("stolen")
    told = (await scene.last()).text
    assert told.startswith(answers.render("funds_stolen", "en"))
    assert answers.words.say("customer.queued_urgent", "en") in told
    assert told.endswith(answers.words.say("customer.expect_place", "en", position=1))


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("down", {}, EscalationReason.ENGINE_UNAVAILABLE),
        ("human", {}, EscalationReason.ASKED),
        ("/human", {"command": Command.HUMAN}, EscalationReason.ASKED),
        ("Talk to a person", {"button": "human"}, EscalationReason.ASKED),
    ],
)
async def test_ways_to_a_human(scene: Scene, text: str, fields: dict[str, object], reason: EscalationReason) -> None:
    await scene.says(text, **fields)
    now = await scene.conversation()
    assert (now.state, now.reason) == (ConversationState.QUEUED, reason)


@pytest.mark.parametrize("said", [("no", {}), ("No, talk to a person", {"button": "helped:no"})])
async def test_an_answer_that_did_not_help_leads_to_a_human(scene: Scene, said: tuple[str, dict[str, object]]) -> None:
    await scene.says("fees")
    await scene.says("thanks")
    await scene.says(said[0], **said[1])
    now = await scene.conversation()
    assert (now.state, now.reason, now.topic) == (
        ConversationState.QUEUED,
        EscalationReason.NOT_HELPED,
        "fee_explained",
    )


async def test_a_turn_that_keeps_failing_goes_to_a_human(scene: Scene) -> None:
    scene.counter += 1
    incoming = Incoming("test", "bot", "x", Sender("7"), "7", "broken")
    receipt = await scene.store.incoming.record(incoming)

    async def escalated() -> bool:
        return (await scene.store.conversations.get(receipt.conversation_id)).state is ConversationState.QUEUED

    await until(escalated, 40)
    assert (await scene.store.conversations.get(receipt.conversation_id)).reason is EscalationReason.TURN_FAILED


async def test_the_bot_is_silent_while_a_human_has_it_and_answers_after(scene: Scene, desk: Desk) -> None:
    conversation = await scene.says("human")
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(conversation, mei)
    before = len(await scene.messages())
    await scene.says("fees")
    assert len(await scene.messages()) == before + 1
    await desk.hand_back(conversation, mei)
    await scene.says("fees")
    assert (await scene.last()).author is Author.BOT


async def test_who_asks_again_while_queued_is_told_where_they_stand(scene: Scene, answers: Answers) -> None:
    await scene.says("human")
    await scene.says("/human", command=Command.HUMAN)
    told = (await scene.last()).text
    assert told.startswith(answers.words.say("customer.already_queued", "en"))
    assert told.endswith(answers.words.say("customer.expect_place", "en", position=1))
    assert (await scene.conversation()).state is ConversationState.QUEUED


async def test_who_waits_is_still_answered_and_keeps_their_place(scene: Scene, answers: Answers) -> None:
    await scene.says("human")
    await scene.says("fees")
    told = (await scene.last()).text
    assert told.startswith(answers.render("fee_explained", "en"))
    assert told.endswith(answers.words.say("customer.still_waiting", "en", position=1))
    assert (await scene.conversation()).state is ConversationState.QUEUED


async def test_what_says_nothing_alone_is_read_with_what_the_topic_began_with(scene: Scene, answers: Answers) -> None:
    await scene.says("fees")
    await scene.says("and smaller?")
    assert (await scene.last()).text.startswith(answers.render("fee_reduce", "en"))
    await scene.says("and smaller?")
    assert not (await scene.last()).text.startswith(answers.render("fee_reduce", "en"))


async def test_a_button_is_never_classified(scene: Scene, answers: Answers) -> None:
    await scene.says("weather", button="topic:fee_explained")
    assert (await scene.last()).text.startswith(answers.render("fee_explained", None))
    await scene.says("weather", button="topic:<script>")
    assert (await scene.last()).text == answers.words.say("customer.what_else", "en")


async def test_a_number_picks_a_button_where_buttons_are_lines(scene: Scene, answers: Answers) -> None:
    scene.platform.capabilities = Capabilities()
    await scene.says("weather")

    async def shown() -> bool:
        return bool(scene.platform.sent)

    await until(shown)
    assert "[1] " in scene.platform.sent[-1].text
    await scene.says("1")
    assert (await scene.last()).text.startswith(answers.render("fee_reduce", "en"))


async def test_deep_links(scene: Scene, answers: Answers) -> None:
    await scene.says("/start fee_explained", command=Command.START, argument="fee_explained")
    assert (await scene.last()).text.startswith(answers.render("fee_explained", None))
    await scene.says("/start campaign", command=Command.START, argument="campaign")
    assert (await scene.last()).text == answers.words.say("customer.welcome", None)


async def test_a_picture_without_words_is_not_guessed_at(scene: Scene, answers: Answers) -> None:
    await scene.says("", attachments=(Attachment("photo", "file-id"),))
    reply = await scene.last()
    assert reply.text == answers.words.say("customer.attachment_received", None)
    assert [b.payload for b in reply.buttons] == ["human"]


async def test_a_burst_is_answered_in_order_each_once(scene: Scene) -> None:
    incoming = [Incoming("test", "bot", f"b{n}", Sender("7"), "7", "hello") for n in range(12)]
    receipts = [await scene.store.incoming.record(one) for one in incoming]

    async def all_sent() -> bool:
        return len(scene.platform.sent) == 12

    await until(all_sent)
    await asyncio.sleep(0.3)
    assert len(scene.platform.sent) == 12
    assert len({message.key for message in scene.platform.sent}) == 12
    turns = await scene.store.turns.of(receipts[0].conversation_id)
    assert len(turns) == 12


async def test_a_platform_that_is_busy_gets_it_later_in_order(scene: Scene) -> None:
    scene.platform.faults = [TemporaryError("429", retry_after=0.5), TemporaryError("502")]
    await scene.says("fees")
    await scene.says("weather")

    async def both_sent() -> bool:
        return len(scene.platform.sent) == 2

    await until(both_sent, 30)
    assert [message.key for message in scene.platform.sent] == sorted(
        (message.key for message in scene.platform.sent), key=lambda key: int(key.split(":")[0])
    )
    bot = [m for m in await scene.messages() if m.author is Author.BOT]
    assert [m.delivery for m in bot] == [DeliveryState.SENT, DeliveryState.SENT]


async def test_what_will_never_be_delivered_is_shown_to_the_agent(scene: Scene) -> None:
    scene.platform.faults = [PermanentError("the customer blocked the bot")]
    await scene.says("fees")

    async def failed() -> bool:
        return (await scene.last()).delivery is DeliveryState.FAILED

    await until(failed)
    assert (await scene.last()).delivery_error == Fault("the customer blocked the bot")


async def test_a_long_message_goes_on_behind_the_part_that_failed(scene: Scene, desk: Desk) -> None:
    scene.platform.capabilities = Capabilities(max_length=100)
    conversation = await scene.says("human")
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(conversation, mei)

    async def announced() -> bool:
        return any("Mei" in message.text for message in scene.platform.sent)

    await until(announced)
    await asyncio.sleep(0.3)
    scene.platform.sent.clear()
    original = scene.platform.send
    tries = 0

    async def fails_at_the_second_part(message: Outgoing) -> str:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise TemporaryError("cut", retry_after=0.2)
        return await original(message)

    scene.platform.send = fails_at_the_second_part  # type: ignore[method-assign]
    words = " ".join(f"word{n}" for n in range(60))
    await desk.reply(conversation, mei, words)

    async def whole() -> bool:
        return " ".join(m.text for m in scene.platform.sent) == words

    await until(whole, 20)
