"""The fast statements and the general way are one: the same rows, events, and inputs to turn and delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.context import Context, Forward, Link
from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction, Ranked
from bot.domain.message import Attachment, Button, Command, Incoming, MessageFormat, Reply, Sender
from bot.domain.operations import TurnInput
from bot.queue import DELIVER, TURN, JobLease
from tests.integration.both_ways import BEFORE, ENDS, MEANWHILE, Scene, Stage, differences, stage

_SENT = datetime(2026, 1, 2, tzinfo=UTC)
_BUTTONS = (Button("Yes", "helped:yes"), Button("A person", "human"))
_FIELDS: dict[str, dict[str, object]] = {
    "text": {"text": "fees?"},
    "number": {"text": " 2 "},
    "nothing": {"text": ""},
    "photo": {"attachments": (Attachment("photo", "f1", size=3),)},
    "command": {"text": "/start fees", "command": Command.START, "argument": "fees"},
    "button": {"text": "Yes", "button": "helped:yes"},
    "edit": {"text": "feees?", "edits": "m1", "external_id": "m1:e"},
    "edit of nothing": {"text": "late", "edits": "m9", "external_id": "m9:e"},
    "edited": {"text": "fees", "edited_at": _SENT},
    "brought again": {"text": "fees", "external_id": "m1"},
    "taken back": {"deletes": "m1", "external_id": "m1:d"},
    "quotes": {"text": "this?", "replies_to": "d2"},
    "another thread": {"text": "mail", "thread": "<t>", "subject": "My fee"},
    "forward": {"text": "/human", "context": Context(Forward("Ann"), "q", (Link("a", "b"),), "{}")},
    "album": {"text": "look", "group": "g", "attachments": (Attachment("photo", "f1"),)},
    "other files": {
        "text": "fees?",
        "edits": "m1",
        "external_id": "m1:e",
        "attachments": (Attachment("photo", "f2"),),
        "replaces_attachments": True,
    },
    "quotes own": {"text": "this?", "replies_to": "m1"},
}


@st.composite
def messages(draw: st.DrawFn) -> Incoming:
    sender = Sender("7", draw(st.sampled_from(["Ann", "Anne", ""])), draw(st.sampled_from(["en", "zh-hans", None])))
    given: dict[str, object] = {
        "external_id": "m2",
        "chat_id": draw(st.sampled_from(["7", "77"])),
        "mark": draw(st.sampled_from([None, "m2"])),
        "sent_at": draw(st.sampled_from([None, _SENT])),
        **_FIELDS[draw(st.sampled_from(sorted(_FIELDS)))],
    }
    return Incoming("web", "web", sender=sender, **given)  # type: ignore[arg-type]


def decisions() -> st.SearchStrategy[Decision]:
    topics = st.sampled_from(["fees", None])
    escalations = st.builds(
        Decision,
        st.just(Action.ESCALATE),
        topics,
        reason=st.sampled_from([EscalationReason.TOPIC, EscalationReason.NOT_UNDERSTOOD]),
        priority=st.sampled_from(Priority),
        understood=st.booleans(),
        keeps_dialogue=st.booleans(),
    )
    others = st.builds(
        Decision,
        st.sampled_from([Action.ANSWER, Action.ASK_BACK]),
        topics,
        offers=st.sampled_from([(), ("fees", "cards")]),
        understood=st.booleans(),
        keeps_dialogue=st.booleans(),
    )
    return st.one_of(others, escalations)


REPLIES = st.builds(
    Reply,
    st.sampled_from(["Few.", "You are number {position}."]),
    st.sampled_from(MessageFormat),
    st.sampled_from([(), _BUTTONS]),
)
PREDICTIONS = st.sampled_from(
    [None, Prediction("fees?", "fees", 0.9, (Ranked("fees", 0.9), Ranked("cards", 0.1)), True)]
)
SCENES = st.builds(
    Scene,
    st.sampled_from(BEFORE),
    messages(),
    decisions(),
    # Mostly one, as the turns have it.
    st.one_of(st.tuples(REPLIES), st.tuples(REPLIES), st.just(()), st.tuples(REPLIES, REPLIES)),
    prediction=PREDICTIONS,
    language=st.sampled_from(["en", "zh", None]),
    immediate=st.booleans(),
    claimed=st.booleans(),
    under_way=st.booleans(),
    meanwhile=st.one_of(st.just("nothing"), st.sampled_from(MEANWHILE)),
    end=st.sampled_from(ENDS),
)


class Both:
    """Plays scenes by either way, one after the other over the same database."""

    def __init__(self, runner: asyncio.Runner, stages: list[Stage], emptying: str) -> None:
        self._runner, self.stages, self._emptying = runner, stages, emptying

    def play(self, scene: Scene) -> list[list[object]]:
        """What is told of it: at once, and in general."""
        return [self._runner.run(self._on(one, scene)) for one in self.stages]

    async def _on(self, one: Stage, scene: Scene) -> list[object]:
        await one.connection.execute(self._emptying)
        await one.heard()
        return await one.play(scene)


@pytest.fixture
def both(postgres: str, emptying: str) -> Iterator[Both]:
    async def opened(stack: AsyncExitStack) -> list[Stage]:
        return [await stack.enter_async_context(stage(postgres, at_once)) for at_once in (True, False)]

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield Both(runner, runner.run(opened(stack)), emptying)
        runner.run(stack.aclose())


TEXT = Incoming("web", "web", "m2", Sender("7", "Ann", "en"), "7", text="fees?")
ANSWERED = Scene("bot", TEXT, Decision(Action.ANSWER, "fees"), (Reply("Few."),))
ESCALATES = Decision(Action.ESCALATE, reason=EscalationReason.ASKED)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scene=SCENES)
def test_by_either_way_the_same_is_written_and_handed_on(both: Both, scene: Scene) -> None:
    at_once, in_general = both.play(scene)
    assert differences(at_once, in_general) == []


def test_the_two_ways_are_two(both: Both) -> None:
    both.play(ANSWERED)
    at_once, in_general = both.stages
    assert [task for task, _ in at_once.births.known] == [TURN, DELIVER]
    assert in_general.births.known == {}


# --- what was not the same once, by either way ------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["at once", "in general"])
async def one(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Stage]:
    async with stage(database_url, request.param) as one:
        yield one


async def begun(one: Stage) -> tuple[TurnInput, JobLease]:
    """The turn of a message that was recorded just now."""
    receipt = await one.store.incoming.record(TEXT)
    assert receipt.message_id is not None
    taken = await one.store.turns.begin(receipt.message_id)
    assert taken is not None
    return taken, await one.job(TURN, receipt.message_id)


@pytest.mark.parametrize("before", ["bot", "queued", "assigned"])
async def test_a_message_that_is_brought_again_makes_nothing_recent(one: Stage, before: str) -> None:
    await one.prepare(before)
    await one.store.incoming.record(TEXT)
    await one.heard()
    await one.sql("UPDATE conversation SET updated_at = now() - interval '1 day', waiting_since = NULL")
    seen = await one.sql("SELECT * FROM conversation")
    assert (await one.store.incoming.record(TEXT)).duplicate
    assert await one.sql("SELECT * FROM conversation") == seen
    assert await one.heard() == []


async def test_nothing_is_resolved_while_a_message_is_recorded_into_it(
    one: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one.prepare("assigned")
    (assigned,) = await one.sql("SELECT id FROM conversation")
    resolving: list[asyncio.Task[object]] = []
    answered = one.store.incoming._answered

    async def meanwhile(*given: Any) -> int | None:
        act = one.store.conversations.resolve(assigned["id"], one.mei, {"": "resolved"})
        resolving.append(asyncio.create_task(act))
        await asyncio.wait(resolving, timeout=0.3)
        return await answered(*given)

    monkeypatch.setattr(one.store.incoming, "_answered", meanwhile)
    receipt = await one.store.incoming.record(replace(TEXT, replies_to="m1"))
    await asyncio.gather(*resolving)
    assert receipt.conversation_id == assigned["id"]
    # The message was there before it was resolved: nobody waits in what is resolved.
    found = await one.sql("SELECT state, waiting_since FROM conversation")
    assert found == [{"state": "resolved", "waiting_since": None}]


@pytest.mark.parametrize("faster", ["an agent", "another worker"])
async def test_an_answer_that_is_not_written_is_told_to_nobody(one: Stage, faster: str) -> None:
    await one.prepare("bot")
    taken, claim = await begun(one)
    if faster == "an agent":
        await one.store.conversations.claim(taken.conversation.id, one.mei, {"": "here"})
    else:
        await one.store.turns.skip(taken)
    await one.heard()
    end = await one.store.turns.finish(
        taken, ANSWERED.decision, ANSWERED.replies, language="en", job=claim, immediate=True
    )
    assert not end.shown
    assert await one.heard() == []


@pytest.mark.parametrize("decision", [ANSWERED.decision, ESCALATES], ids=["answer", "escalation"])
@pytest.mark.parametrize("under_way", [False, True])
async def test_what_is_recorded_is_shown_where_there_is_nothing_to_send_unless_something_is_before_it(
    one: Stage, decision: Decision, under_way: bool
) -> None:
    await one.prepare("bot")
    taken, claim = await begun(one)
    if under_way:
        await one.sql(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('default', 'deliver', %s)",
            f"contact:{taken.conversation.contact.id}",
        )
    await one.heard()
    end = await one.store.turns.finish(taken, decision, ANSWERED.replies, language="en", job=claim, immediate=True)
    assert end.shown is not under_way
    shown = "SELECT state, cursor IS NOT NULL AS placed FROM message JOIN delivery ON message_id = id"
    *_, last = await one.sql(f"{shown} ORDER BY id")
    assert last == {"state": "pending" if under_way else "sent", "placed": not under_way}
    # The page of the customer reads at "delivery", the lists of the desk at the others.
    kinds = {dict(event)["kind"] for event in await one.heard()}
    assert ("delivery" in kinds) is not under_way
    assert ("state" in kinds) is (decision is ESCALATES)
