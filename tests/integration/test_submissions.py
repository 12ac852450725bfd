"""What an agent's page sends has an id, the submission: sent again under the same one, it is the same message."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.message import Author, Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import queued


async def test_one_submission_is_one_message_whatever_became_of_the_conversation(
    store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    first = await asyncio.gather(*(desk.reply(conversation_id, mei, "Hello", submission="a" * 20) for _ in range(5)))
    assert len({one.id for one in first}) == 1
    await desk.take_over(conversation_id, ada, mei.id, "gone")
    again = await desk.reply(conversation_id, mei, "Hello", submission="a" * 20)
    assert again.id == first[0].id
    note = await asyncio.gather(*(desk.note(conversation_id, mei, "hm", submission="b" * 20) for _ in range(5)))
    assert len({one.id for one in note}) == 1


async def test_one_submission_names_one_thing(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await desk.note(conversation_id, mei, "a secret", submission="a" * 20)
    with pytest.raises(ValueError, match="something else"):
        await desk.reply(conversation_id, mei, "a secret", submission="a" * 20)
    assert [one.visibility for one in await store.messages.of(conversation_id) if one.author is Author.AGENT] == [
        Visibility.PRIVATE
    ]


async def test_a_reply_with_other_words_since_is_still_known(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    reply = await desk.reply(conversation_id, mei, "Helo", submission="a" * 20)
    await desk.edit(reply.id, mei, "Hello")
    assert (await desk.reply(conversation_id, mei, "Helo", submission="a" * 20)).id == reply.id
