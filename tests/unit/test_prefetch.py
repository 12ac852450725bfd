"""Answers that were asked for ahead of their turn."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.engine import EngineUnavailable, Prediction, Ranked
from bot.pipeline import prefetch
from bot.pipeline.prefetch import AT_MOST, STALE, Prefetch, Recent


class Engine:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answering = asyncio.Event()

    async def __call__(self, text: str) -> Prediction:
        self.asked.append(text)
        await self.answering.wait()
        if text == "broken":
            raise EngineUnavailable("scripted")
        return Prediction(text, "greet", 1.0, (Ranked("greet", 1.0),), sure=True)


def key(id: str) -> tuple[str, str, str]:
    return ("web", "web", id)


async def test_the_answer_is_asked_for_once_and_taken_once() -> None:
    engine = Engine()
    prefetched = Prefetch(engine)
    for _ in range(2):  # as a platform that brings a message again
        prefetched.begin(key("1"), "hello")
    taken = prefetched.take(key("1"))
    assert taken is not None
    text, answer = taken
    assert text == "hello"
    assert prefetched.take(key("1")) is None
    engine.answering.set()
    assert (await answer).intent == "greet"
    assert engine.asked == ["hello"]


async def test_a_failure_is_of_who_takes_it() -> None:
    engine = Engine()
    prefetched = Prefetch(engine)
    prefetched.begin(key("1"), "broken")
    engine.answering.set()
    taken = prefetched.take(key("1"))
    assert taken is not None
    with pytest.raises(EngineUnavailable):
        await taken[1]


async def test_a_storm_is_not_asked_about_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(prefetch.monotonic, "seconds", lambda: now)
    engine = Engine()
    prefetched = Prefetch(engine)
    for number in range(100):
        prefetched.begin(key(str(number)), "hello")
    await asyncio.sleep(0)
    assert len(engine.asked) == AT_MOST
    # Turns that never came, since another replica took them, make room.
    now += STALE + 1
    prefetched.begin(key("later"), "later")
    await asyncio.sleep(0)
    assert engine.asked[-1] == "later"
    assert prefetched.take(key("0")) is None


def test_the_first_is_forgotten_first() -> None:
    recent = Recent(2)
    for member in "abc":
        recent.add(member)
    assert [member in recent for member in "abc"] == [False, True, True]
    recent.discard("c")
    recent.discard("nobody")
    assert "c" not in recent
