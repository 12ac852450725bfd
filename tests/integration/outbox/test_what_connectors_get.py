"""What a connector is given: repetitions, keys and quotes."""

from __future__ import annotations

import pytest

from bot.domain.channel import Capabilities, Outgoing, PermanentError, TemporaryError
from bot.domain.conversation import NotFound
from bot.queue import TryAgain
from bot.store import Store
from tests.support.outbox import Crash, MailSlot, Start


async def test_a_first_try_is_not_repeated_and_a_second_one_is(start: Start) -> None:
    talk = await start(MailSlot(Capabilities()))
    notice = next(m for m in await talk.store.messages.of(talk.conversation_id) if m.author == "system")
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
    assert "hello" not in [m.text for m in await store.messages.of(talk.conversation_id)]
