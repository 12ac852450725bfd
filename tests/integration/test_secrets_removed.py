"""Secrets that customers send: never written, or cut out again of all that was written; what follows for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest

from benchmarks.secrets import plant
from bot.content.answers import Answers
from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.context import Context, Forward, Link
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.dialogue import Ask
from bot.domain.message import Attachment, Incoming, Sender
from bot.domain.search import Ground
from bot.domain.secret import LABELS, Removed, SecretKind
from bot.domain.staff import Role
from bot.queue import Queue
from bot.store import Store
from handoff.desk import Desk
from tests.support.scene import Scene, at_work
from tests.support.waiting import until

PHRASE = LABELS[SecretKind.SEED_PHRASE]


@pytest.fixture
async def scene(store: Store, queue: Queue, answers: Answers) -> AsyncIterator[Scene]:
    async with at_work(store, queue, answers) as scene:
        yield scene


@pytest.fixture
def words() -> list[str]:
    return plant.phrase(random.Random(), "en", 12)


async def written(url: str) -> str:
    """All that any table holds, as text."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = await connection.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        rows = []
        for (name,) in await tables.fetchall():
            found = await connection.execute(f"SELECT row_to_json(one)::text FROM {name} AS one")  # type: ignore[arg-type]
            rows += [row[0] for row in await found.fetchall()]
    assert len(rows) > 5
    return "\n".join(rows)


async def holds(url: str, words: Sequence[str]) -> list[str]:
    """Which two neighbours of the words stand in any table."""
    everything = await written(url)
    return [pair for one, other in pairwise(words) if (pair := f"{one} {other}") in everything]


async def test_a_phrase_is_never_written_and_puts_its_customer_first(
    scene: Scene, answers: Answers, database_url: str, words: list[str]
) -> None:
    await scene.says(f"my wallet is empty, this is my phrase: {' '.join(words)}")
    now = await scene.conversation()
    assert (now.state, now.reason) == (ConversationState.QUEUED, EscalationReason.FUNDS_AT_RISK)
    assert now.priority is Priority.URGENT
    message = (await scene.messages())[0]
    assert message.text.startswith("my wallet is empty, this is my ")
    assert message.text.endswith(PHRASE)
    assert message.removed == (Removed(SecretKind.SEED_PHRASE),)
    told = (await scene.last()).text
    says = answers.words.say
    for key in ("removed.seed_phrase", "removed.copy_deleted", "at_risk.wallet", "queued_urgent"):
        assert says(f"customer.{key}", "en") in told
    assert told.index(says("customer.at_risk.wallet", "en")) < told.index(says("customer.queued_urgent", "en"))
    await until(lambda: _is(scene.platform.erased == [("7", "1")]))
    assert await holds(database_url, words) == []


async def test_everything_that_comes_with_the_words_passes_the_door(
    scene: Scene, database_url: str, words: list[str]
) -> None:
    phrase = " ".join(words)
    for number, fields in enumerate(
        (
            {"answered": f"you wrote {phrase}"},
            {"subject": phrase},
            {"sender": Sender("7", phrase)},
            {"attachments": (Attachment("document", "ref", name=f"{phrase}.txt"),)},
            {"attachments": (Attachment("location", phrase, name=phrase),)},
            {"context": Context(Forward(phrase), phrase, (Link(phrase, f"https://x.test/?q={phrase}"),))},
            {"context": Context(raw=f'{{"poll": {{"question": "\\u0061 {phrase}", "options": ["{phrase}"]}}}}')},
            {"context": Context(raw=f'{{"cut off": "{phrase}')},
            {"edits": "1"},
        )
    ):
        text = phrase if "edits" in fields else f"look {number}"
        receipt = await scene.writes(text, **fields)
        assert receipt.message_id is not None
    assert await holds(database_url, words) == []
    # The customer is told for each, also for the edit of a message that had its answer before.
    first = (await scene.messages())[0]
    assert (first.text, first.removed) == (PHRASE, (Removed(SecretKind.SEED_PHRASE),))


async def test_the_parts_before_the_last_are_cut_out_of_every_table(
    scene: Scene, database_url: str, words: list[str]
) -> None:
    parts = [" ".join(words[:4]), " ".join(words[4:8]), " ".join(words[8:])]
    await scene.says(f"my phrase is {parts[0]}")
    await scene.edits(1, f"my seed phrase is {parts[0]}")
    await scene.says("one moment", answered=f"my seed phrase is {parts[0]}")
    await scene.says(parts[1])
    before = await holds(database_url, words)
    assert before  # nobody could know
    await scene.store.search_indexes.build()
    assert (await scene.store.search.find(Ground.MESSAGES, (parts[1],))).hits
    await scene.says(parts[2])
    for part in (*parts, *(f"{one} {other}" for one, other in pairwise(words))):
        assert not (await scene.store.search.find(Ground.MESSAGES, (part,))).hits
    assert await holds(database_url, words) == []
    texts = [message.text for message in await scene.messages() if message.external_id]
    assert texts == [f"my seed phrase is {PHRASE}", "one moment", PHRASE, PHRASE]
    assert (await scene.conversation()).reason is EscalationReason.FUNDS_AT_RISK
    await until(lambda: _is({id for _, id in scene.platform.erased} == {"1", "4", "5"}))


async def test_parts_that_two_replicas_took_at_once_are_found_in_their_turns(
    scene: Scene, database_url: str, words: list[str]
) -> None:
    async def record(number: int, text: str) -> int:
        incoming = Incoming("test", "bot", f"part-{number}", Sender("7"), "7", text)
        return (await scene.store.incoming.record(cleared[number])).message_id or 0 if incoming else 0

    parts = [" ".join(words[:6]), " ".join(words[6:])]
    # Both were cleared before either was recorded.
    cleared = [
        await scene.clearing(Incoming("test", "bot", f"part-{number}", Sender("7"), "7", text))
        for number, text in enumerate(parts)
    ]
    assert [one.removed for one in cleared] == [(), ()]
    numbers = await asyncio.gather(*(record(number, text) for number, text in enumerate(parts)))
    for number in numbers:
        await until(lambda number=number: scene._is_turned(number))
    await until(lambda: _nothing_left(database_url, words))
    assert (await scene.conversation()).reason is EscalationReason.FUNDS_AT_RISK


async def test_a_password_is_removed_and_the_rest_is_answered(
    scene: Scene, answers: Answers, database_url: str
) -> None:
    await scene.says("fees")
    await scene.says("my password is Sunny2026!")
    told = (await scene.last()).text
    assert told.startswith(answers.words.say("customer.removed.password", "en"))
    assert (await scene.conversation()).state is ConversationState.BOT
    assert LABELS[SecretKind.PASSWORD] in (await scene.messages())[2].text
    assert "Sunny" not in await written(database_url)


async def test_what_may_be_a_hash_is_asked_for_and_taken_the_second_time(scene: Scene, answers: Answers) -> None:
    hash = f"{random.Random().getrandbits(256):064x}"
    await scene.says(hash)
    assert (await scene.messages())[0].text == LABELS[SecretKind.PRIVATE_KEY]
    told = (await scene.last()).text
    assert told.startswith(answers.words.say("customer.removed.doubtful", "en"))
    now = await scene.conversation()
    assert (now.state, now.dialogue.asks) == (ConversationState.BOT, (Ask.HASH,))
    await scene.says(hash)
    kept = [message.text for message in await scene.messages() if message.external_id]
    assert kept == [LABELS[SecretKind.PRIVATE_KEY], hash]


async def test_who_is_with_a_person_is_told_all_the_same(
    scene: Scene, desk: Desk, answers: Answers, words: list[str]
) -> None:
    conversation = await scene.says("human")
    await desk.claim(conversation, await scene.store.agents.add("Mei", Role.AGENT, None))
    await scene.says(" ".join(words))
    now = await scene.conversation()
    assert (now.state, now.priority) == (ConversationState.ASSIGNED, Priority.URGENT)
    assert now.reason is EscalationReason.FUNDS_AT_RISK
    assert answers.words.say("customer.at_risk.wallet", "en") in (await scene.last()).text
    await scene.says("are you there?")  # the bot says nothing to that
    assert (await scene.last()).text == "are you there?"


async def test_who_waits_goes_forward_and_is_told_once_how_they_stand(
    scene: Scene, answers: Answers, words: list[str]
) -> None:
    await scene.says("human")
    await scene.says(" ".join(words))
    now = await scene.conversation()
    assert (now.state, now.priority, now.reason) == (
        ConversationState.QUEUED,
        Priority.URGENT,
        EscalationReason.FUNDS_AT_RISK,
    )
    told = (await scene.last()).text
    assert answers.words.say("customer.waiting_urgent", "en") in told
    assert answers.words.say("customer.expect_place", "en", position=1) in told


async def test_a_platform_that_is_away_is_asked_again_and_one_that_refuses_is_not(
    scene: Scene, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.pipeline.erasures.PAUSE", timedelta())
    scene.platform.faults = [TemporaryError("away"), TemporaryError("away"), TemporaryError("away")]
    await scene.says(" ".join(words))
    await until(lambda: _is(scene.platform.erased == [("7", "1")]), 20)
    scene.platform.faults = [PermanentError("too old"), PermanentError("too old")]
    await scene.says(" ".join(words))
    await scene.says("fees")
    await until(lambda: _is(not scene.platform.faults))


async def _is(true: bool) -> bool:
    return true


async def _nothing_left(url: str, words: Sequence[str]) -> bool:
    return not await holds(url, words)
