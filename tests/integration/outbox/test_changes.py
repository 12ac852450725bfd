"""Replies that are edited and taken back, before, while and after they are sent."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.conversation import NotFound
from bot.domain.message import DeliveryState, Message
from bot.domain.staff import Role
from bot.pipeline.faults import unchangeable
from bot.queue import Queue, TryAgain
from bot.store import Store
from handoff.desk import Desk
from tests.support.outbox import PICTURE, Crash, MailSlot, Start, Talk, nothing


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
    notice = next(m for m in await store.messages.of(talk.conversation_id) if m.author == "system")
    other = await store.agents.add("Tom", Role.ADMIN, None)
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
    assert [m.text for m in await store.messages.of(talk.conversation_id)].count("changed") == 0
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
        assert now.delivery_error == unchangeable("test")
    assert [sent.text for sent in talk.board.sent] == ["one", "two"]
    assert talk.health.error == unchangeable("test")


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
    begun = await talk.store.deliveries.begin(reply.id)
    assert begun is not None
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT 1 FROM contact FOR UPDATE")
        sending = asyncio.create_task(talk.store.deliveries.record_sent(begun, 0, "m1"))
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
