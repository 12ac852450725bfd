"""What goes wrong on the way out: pauses, giving up, a claim that is lost, and all of it at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bot.domain.channel import ChannelState, TemporaryError
from bot.domain.message import DeliveryState
from bot.domain.said import Fault
from bot.pipeline import outbox as outbox_module
from bot.pipeline.faults import NO_ANSWER, channel_off, given_up
from bot.pipeline.outbox import Outbox
from bot.pipeline.rendering import fit
from bot.queue import JobLease, JobLeaseLost, Queue, TryAgain
from bot.store import Store
from tests.support.outbox import ALL, PICTURE, Board, Crash, MailSlot, Start, Talk, nothing


async def test_what_a_platform_cannot_take_now_is_tried_again_with_growing_pauses(start: Start) -> None:
    talk = await start(MailSlot())
    talk.board.faults = [TemporaryError(f"502 no. {n}") for n in range(3)] + [TemporaryError("429", retry_after=77)]
    reply = await talk.reply("hello")
    pauses = []
    for _ in range(4):
        with pytest.raises(TryAgain) as again:
            await talk.deliver(reply)
        pauses.append(round((again.value.at - datetime.now(UTC)).total_seconds()))
    assert pauses == [1, 2, 4, 77]
    now = await talk.now(reply)
    assert (now.delivery, now.delivery_error) == (DeliveryState.PENDING, Fault("429"))
    assert talk.health.error == Fault("429")
    assert talk.health.last_sent_at is None
    await talk.deliver(reply)
    assert talk.health.last_sent_at is not None
    now = await talk.now(reply)
    assert (now.delivery, now.delivery_error) == (DeliveryState.SENT, None)


async def test_a_platform_that_never_answers_is_given_up_on_for_now(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "SEND_TIMEOUT", 0.05)
    talk = await start()

    async def hangs(_call: str) -> None:
        await asyncio.Event().wait()

    talk.board.after = hangs
    reply = await talk.reply("hello")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)
    assert (await talk.now(reply)).delivery_error == NO_ANSWER
    talk.board.after = nothing
    await talk.deliver(reply)
    assert talk.board.texts == ["hello"]


async def test_what_is_a_day_old_is_given_up(start: Start, database_url: str) -> None:
    talk = await start(MailSlot())
    reply = await talk.reply("hello")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE message SET created_at = now() - interval '25 hours'")
    talk.board.faults = [TemporaryError("502"), TemporaryError("503")]
    await talk.deliver(reply)
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.FAILED
    assert now.delivery_error == given_up(timedelta(hours=24), Fault("502"))
    # An edit is news: its words are not stale.
    await talk.edit(reply, "hello again")
    with pytest.raises(TryAgain):
        await talk.deliver(reply)


async def test_a_channel_that_is_off_keeps_what_is_for_it(start: Start) -> None:
    talk = await start()
    reply = await talk.reply("hello")
    with pytest.raises(TryAgain) as again:
        await Outbox(talk.store.deliveries, talk.store.files, {}, {}).deliver(reply.id, JobLease())
    assert again.value.at > datetime.now(UTC) + timedelta(seconds=50)
    assert (await talk.now(reply)).delivery_error == channel_off("test")
    talk.board.account = "another"
    await talk.deliver(reply)
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.FAILED
    assert now.delivery_error is not None
    assert "belongs to the test account bot" in now.delivery_error.words
    assert talk.health.state is not ChannelState.CONNECTED


async def test_a_connector_of_several_accounts_sends_for_each(start: Start) -> None:
    talk = await start()
    talk.board.account = "first"
    talk.board.accounts = frozenset({"first", "bot"})  # type: ignore[attr-defined]
    reply = await talk.reply("hello")
    await talk.deliver(reply)
    assert (await talk.now(reply)).delivery is DeliveryState.SENT


class Unreliable:
    """A part of a store whose process may die before or after any write of the outbox."""

    def __init__(self, part: object, chance: Callable[[], bool]) -> None:
        self._part, self._chance = part, chance

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        async def call(*args: Any, **options: Any) -> Any:
            if self._chance():
                raise Crash
            result = await method(*args, **options)
            if self._chance():
                raise Crash
            return result

        return call


@pytest.mark.parametrize("seed", [*range(15), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(15, 40))])
async def test_whatever_happens_the_customer_ends_up_with_what_the_desk_wants(
    start: Start, store: Store, seed: int
) -> None:
    """Random edits, deletions, refusals, lost answers and crashes, in any order and also in the middle of sends."""
    dice = random.Random(seed)
    # Who has no keys cannot tell a lost answer from a lost message: there, nothing may get lost after the send.
    idempotent = seed % 3 != 0
    board = Board(capabilities=replace(ALL, idempotent=idempotent))
    talk = await start(board)
    faulty = True

    def words() -> str:
        return " ".join(dice.choice("abcdefgh") * 8 for _ in range(dice.randint(1, 4)))

    async def change() -> None:
        if (await talk.now(reply)).deleted_at is None:
            await (talk.delete(reply) if dice.random() < 0.1 else talk.edit(reply, words()))

    async def before(_call: str) -> None:
        if faulty and dice.random() < 0.2:
            await change()
        if faulty and dice.random() < 0.2:
            certain = dice.choice(
                [TemporaryError("429", retry_after=1), TemporaryError("502"), Crash(), TimeoutError()]
            )
            raise certain

    async def after(_call: str) -> None:
        if faulty and dice.random() < 0.2:
            await change()
        if faulty and idempotent and dice.random() < 0.25:
            raise dice.choice([TemporaryError("cut"), Crash(), TimeoutError()])

    board.before, board.after = before, after

    def dies() -> bool:
        return faulty and idempotent and dice.random() < 0.08

    deliveries, files = Unreliable(store.deliveries, dies), Unreliable(store.files, dies)
    outbox = Outbox(deliveries, files, {"test": board}, {})  # type: ignore[arg-type]
    reply = await talk.reply(words(), files=[PICTURE] if dice.random() < 0.3 else [])
    for _ in range(dice.randint(1, 25)):
        if dice.random() < 0.3:
            await change()
        with contextlib.suppress(TryAgain, Crash):
            await outbox.deliver(reply.id, JobLease())
    faulty = False
    if seed % 2 and (await talk.now(reply)).deleted_at is None:
        await talk.edit(reply, words())
    while (await talk.now(reply)).delivery is DeliveryState.PENDING:
        await outbox.deliver(reply.id, JobLease())
    now = await talk.now(reply)
    assert now.delivery is DeliveryState.SENT, now.delivery_error
    wanted = [] if now.deleted_at else [f"<{p.file.name}>" if p.file else p.text for p in fit(now, ALL)]
    assert board.texts == wanted, board.calls
    begun_again = await store.deliveries.begin(reply.id)
    assert begun_again is None


class Losing(JobLease):
    """Lost once it was confirmed so many times."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    async def confirm(self) -> None:
        if not self._left:
            raise JobLeaseLost("another worker has job 7")
        self._left -= 1


async def test_who_lost_the_claim_touches_nothing(start: Callable[..., Awaitable[Talk]]) -> None:
    talk = await start()
    reply = await talk.reply("hello")

    await talk.outbox.deliver(reply.id, Losing(after=0))
    assert talk.board.texts == []
    assert (await talk.now(reply)).delivery is DeliveryState.PENDING
    await talk.deliver(reply)
    assert talk.board.texts == ["hello"]


async def test_who_loses_the_claim_between_two_parts_leaves_the_rest(start: Callable[..., Awaitable[Talk]]) -> None:
    talk = await start(Board(capabilities=replace(ALL, max_length=10)))
    reply = await talk.reply("one two\n\nthree four\n\nfive six")
    # Confirmed before it begins, and before each of the first two parts.
    await talk.outbox.deliver(reply.id, Losing(after=3))
    assert talk.board.texts == ["one two", "three four"]
    await talk.deliver(reply)
    assert talk.board.texts == ["one two", "three four", "five six"]


async def test_what_two_workers_sent_under_one_key_is_one_part(start: Start) -> None:
    """One was frozen in the moment of sending, the other sent it again and found the same message; then the first one
    wakes up and records it as well. The message has one part still: an edit changes it, and takes nothing away."""
    talk = await start()
    reply = await talk.reply("one")
    frozen = await talk.store.deliveries.begin(reply.id)
    assert frozen is not None
    await talk.deliver(reply)
    (sent,) = talk.board.shown
    await talk.store.deliveries.record_sent(frozen, 0, sent)
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert "delete" not in talk.board.did


async def test_also_where_the_job_ends_with_the_record(start: Start, queue: Queue) -> None:
    talk = await start()
    reply = await talk.reply("one")
    frozen = await talk.store.deliveries.begin(reply.id)
    assert frozen is not None
    await talk.deliver(reply)
    (sent,) = talk.board.shown
    claim = JobLease()
    claim.job_id = 0  # of no job that there is
    await talk.store.deliveries.record_sent(frozen, 0, sent, claim)
    await talk.edit(reply, "two")
    await talk.deliver(reply)
    assert talk.board.texts == ["two"]
    assert "delete" not in talk.board.did
