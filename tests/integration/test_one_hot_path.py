"""The fast statements and the general way are one: the same rows, events, and inputs to turn and delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.model import (
    Action,
    Attachment,
    Button,
    Command,
    Decision,
    EscalationReason,
    Incoming,
    MessageFormat,
    Prediction,
    Priority,
    Ranked,
    Reply,
    Sender,
)
from bot.queue import Queue
from bot.store import Store
from bot.store.base import NOTIFY_CHANNEL
from bot.store.database import conninfo, create_engine
from tests.integration.both_ways import BEFORE, ENDS, MEANWHILE, Scene, Stage, differences

Play = Callable[[Scene], tuple[list[object], list[object]]]

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
        keeps_thread=st.booleans(),
    )
    others = st.builds(
        Decision,
        st.sampled_from([Action.ANSWER, Action.ASK_BACK]),
        topics,
        offers=st.sampled_from([(), ("fees", "cards")]),
        understood=st.booleans(),
        keeps_thread=st.booleans(),
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


@asynccontextmanager
async def stage(url: str, at_once: bool) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        connect = psycopg.AsyncConnection.connect
        connection, listening = [
            await stack.enter_async_context(await connect(conninfo(url), autocommit=True)) for _ in range(2)
        ]
        await listening.execute(f"LISTEN {NOTIFY_CHANNEL}")
        queue = Queue(conninfo(url))
        await queue.open()
        stack.push_async_callback(queue.close)
        store = Store(create_engine(url), queue, at_once=at_once)
        stack.push_async_callback(store.close)
        yield Stage(store, queue, connection, listening)


@pytest.fixture
def play(postgres: str, emptying: str) -> Iterator[Play]:
    """Plays a scene by either way, and tells what came of it: at once, and in general."""

    async def prepare(stack: AsyncExitStack) -> list[Stage]:
        return [await stack.enter_async_context(stage(postgres, at_once)) for at_once in (True, False)]

    async def both(stages: list[Stage], scene: Scene) -> tuple[list[object], list[object]]:
        told = []
        for one in stages:
            await one.connection.execute(emptying)
            await one.heard()
            told.append(await one.play(scene))
        return told[0], told[1]

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        stages = runner.run(prepare(stack))
        yield lambda scene: runner.run(both(stages, scene))
        runner.run(stack.aclose())


@settings(
    phases=(Phase.explicit, Phase.generate), max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scene=SCENES)
def test_by_either_way_the_same_is_written_and_handed_on(play: Play, scene: Scene) -> None:
    at_once, in_general = play(scene)
    assert differences(at_once, in_general) == []
