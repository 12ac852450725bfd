"""Albums, and edits that change what is attached: one message, one answer, nothing lost, whatever the order."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from bot.domain.context import Context, Link
from bot.domain.decision import Action, Decision
from bot.domain.message import Attachment, Incoming, Message, Reply, Sender
from bot.pipeline.attachments import Attachments
from bot.queue import JobLease
from bot.store import Store
from tests.integration.test_attachments import Platform
from tests.support.lifecycle import Sql

ASKED = Decision(Action.ASK_BACK, keeps_dialogue=True)
ANSWERED = Decision(Action.ANSWER, topic="fee_explained")


def photo(name: str) -> Attachment:
    return Attachment("photo", name)


def part(number: int, text: str = "", **fields: object) -> Incoming:
    base = Incoming("test", "bot", f"7:{number}", Sender("7", "Ann"), "7", text, group="135")
    return replace(base, **{"attachments": (photo(f"p{number}"),), **fields})


async def the_message(store: Store) -> Message:
    contact = await store.contacts.get("test", "bot", "7")
    assert contact is not None
    [conversation] = await store.conversations.of_contact(contact.id)
    [message] = [one for one in await store.messages.of(conversation.id) if one.external_id]
    return message


def names(message: Message) -> set[str]:
    return {one.reference for one in message.attachments}


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
async def test_the_parts_of_an_album_are_one_message_in_whatever_order(store: Store, order: tuple[int, ...]) -> None:
    texts = {2: "how do i reset my password"}
    for number in (*order, *order):
        await store.incoming.record(part(number, texts.get(number, "")))
    message = await the_message(store)
    assert (message.text, names(message)) == (texts[2], {"p1", "p2", "p3"})
    taken = await store.turns.begin(message.id)
    assert taken is not None
    assert taken.message.text == texts[2]


async def test_the_parts_of_an_album_brought_at_once_and_twice_are_recorded_once(store: Store) -> None:
    brought = [part(number, f"words {number}" if number == 3 else "") for number in range(8)] * 2
    receipts = await asyncio.gather(*map(store.incoming.record, brought))
    assert len({receipt.message_id for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 8
    message = await the_message(store)
    assert (message.text, len(message.attachments)) == ("words 3", 8)


async def test_first_words_behind_the_answer_have_one_and_nothing_else_has(store: Store) -> None:
    receipt = await store.incoming.record(part(1))
    assert receipt.message_id is not None
    taken = await store.turns.begin(receipt.message_id)
    assert taken is not None
    await store.turns.finish(taken, ASKED, [Reply("What is it?")], language="en")
    await store.incoming.record(part(2))
    assert await store.turns.begin(receipt.message_id) is None
    await store.incoming.record(part(3, "fees?"))
    anew = await store.turns.begin(receipt.message_id)
    assert anew is not None
    assert anew.message.text == "fees?"
    await store.turns.finish(anew, ANSWERED, [Reply("Fees are …")], language="en")
    await store.incoming.record(part(4, "and more"))
    assert await store.turns.begin(receipt.message_id) is None
    assert (await the_message(store)).text == "fees?\nand more"


async def test_words_that_come_while_the_bot_answers_without_them_are_answered_instead(store: Store) -> None:
    receipt = await store.incoming.record(part(1))
    assert receipt.message_id is not None
    without = await store.turns.begin(receipt.message_id)
    assert without is not None
    await store.incoming.record(part(2, "fees?"))
    await store.turns.finish(without, ASKED, [Reply("What is it?")], language="en")
    now = await store.turns.begin(receipt.message_id)
    assert now is not None
    assert now.message.text == "fees?"
    await store.turns.finish(now, ANSWERED, [Reply("Fees are …")], language="en")
    said = await store.messages.of(now.conversation.id)
    assert [message.text for message in said] == ["fees?", "Fees are …"]


async def test_a_part_is_edited_and_taken_back_by_its_own_id(store: Store) -> None:
    for number in (1, 2):
        await store.incoming.record(part(number, "old" if number == 2 else ""))
    edit = part(
        9, "new", group="135", external_id="7:2:edit", edits="7:2", attachments=(photo("q"),), replaces_attachments=True
    )
    for _ in range(2):
        await store.incoming.record(edit)
    message = await the_message(store)
    assert (message.text, names(message)) == ("new", {"p1", "q"})
    assert [(one.text, {a.reference for a in one.attachments or ()}) for one in message.versions] == [
        ("old", {"p1", "p2"})
    ]
    gone = part(0, deletes="7:2", attachments=())
    assert not (await store.incoming.record(replace(gone, external_id="7:2:gone"))).duplicate
    assert (await store.incoming.record(replace(gone, external_id="7:2:gone"))).duplicate
    message = await the_message(store)
    assert (message.text, names(message), message.deleted_at) == ("", {"p1"}, None)
    await store.incoming.record(replace(gone, external_id="7:1:gone", deletes="7:1"))
    assert (await the_message(store)).deleted_at is not None
    answer = part(0, "this one", external_id="7:8", group="", attachments=(), replies_to="7:2")
    answered = await store.incoming.record(answer)
    [_, last] = [one for one in await store.messages.of(answered.conversation_id or 0) if one.external_id]
    assert last.reply_to == message.id


async def test_an_edit_replaces_what_is_attached_and_both_are_kept(store: Store, sql: Sql) -> None:
    said = Incoming("test", "bot", "1", Sender("7"), "7", "bill", attachments=(photo("cat"), photo("dog")))
    await store.incoming.record(said)
    untold = replace(said, external_id="1:e1", edits="1", text="my bill", attachments=())
    await store.incoming.record(untold)
    assert names(await the_message(store)) == {"cat", "dog"}, "a platform that tells nothing takes nothing away"
    told = replace(untold, external_id="1:e2", attachments=(photo("cat"), photo("fox")), replaces_attachments=True)
    await store.incoming.record(told)
    platform = Platform(cat=b"meow", dog=b"woof", fox=b"ring")
    message = await the_message(store)
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message.id, JobLease())
    assert sorted(asked[0] for asked in platform.asked) == ["cat", "dog", "fox"]
    message = await the_message(store)
    assert names(message) == {"cat", "fox"}
    assert all(one.sha256 for one in message.attachments)
    [_, before] = message.versions
    [cat, dog] = before.attachments or ()
    assert await store.files.get(dog.sha256) == b"woof"
    assert (await store.files.attached(message.id, 1, version=before.id)).reference == "dog"
    sql("UPDATE file SET created_at = now() - interval '9 days'")
    assert await store.files.forget_unnamed() == 0, "a version names its files, too"
    await store.incoming.record(replace(told, external_id="1:e3", attachments=()))
    message = await the_message(store)
    assert (message.attachments, len(message.versions)) == ((), 3)
    assert cat.sha256


async def test_an_edit_that_changes_only_where_a_link_leads_is_one(store: Store) -> None:
    link = Link("here", "https://good.example")
    said = Incoming("test", "bot", "1", Sender("7"), "7", "claim here", context=Context(links=(link,)))
    await store.incoming.record(said)
    bad = Link("here", "https://bad.example")
    await store.incoming.record(replace(said, external_id="1:e", edits="1", context=Context(links=(bad,))))
    message = await the_message(store)
    assert message.context.links == (bad,)
    assert message.versions[0].context.links == (link,)
