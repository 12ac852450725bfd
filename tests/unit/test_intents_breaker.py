"""The circuit breaker: opens, lets one trial through, closes."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.engine import EngineUnavailable, Prediction
from intents.breaker import Breaker

ANSWER = Prediction("hi", "greet", 1.0, (), True)


class Engine:
    def __init__(self) -> None:
        self.asked = 0
        self.works = False
        self.going = asyncio.Event()
        self.going.set()

    async def predict(self, text: str) -> Prediction:
        self.asked += 1
        await self.going.wait()
        if text == "":
            raise ValueError("nothing to classify")
        if not self.works:
            raise EngineUnavailable("Rasa did not answer within 5 seconds.")
        return ANSWER

    async def healthy(self) -> bool:
        return self.works


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def breaker(engine: Engine, clock: Clock) -> Breaker:
    return Breaker(engine, failures=3, pause=5.0, clock=clock)


async def fails(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(EngineUnavailable):
            await breaker.predict("hi")


async def test_failures_in_a_row_open_it_and_then_nobody_is_asked(breaker: Breaker, engine: Engine) -> None:
    await fails(breaker, 3)
    assert breaker.is_open
    with pytest.raises(EngineUnavailable, match="left alone"):
        await breaker.predict("hi")
    assert engine.asked == 3


async def test_a_success_between_keeps_it_closed(breaker: Breaker, engine: Engine) -> None:
    for _ in range(3):
        engine.works = False
        await fails(breaker, 2)
        engine.works = True
        assert await breaker.predict("hi") == ANSWER
    assert not breaker.is_open


async def test_a_text_that_cannot_be_classified_is_no_failure_of_the_engine(breaker: Breaker) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="nothing"):
            await breaker.predict("")
    assert not breaker.is_open


async def test_after_the_pause_one_trial_decides(breaker: Breaker, engine: Engine, clock: Clock) -> None:
    await fails(breaker, 3)
    clock.now = 5.0
    await fails(breaker)
    assert engine.asked == 4
    await fails(breaker)
    assert engine.asked == 4, "the trial failed: it is open for another pause"
    clock.now, engine.works = 10.0, True
    assert await breaker.predict("hi") == ANSWER
    assert await breaker.predict("hi") == ANSWER
    assert not breaker.is_open


async def test_only_one_is_on_trial(breaker: Breaker, engine: Engine, clock: Clock) -> None:
    await fails(breaker, 3)
    clock.now, engine.works = 5.0, True
    engine.going.clear()
    trial = asyncio.create_task(breaker.predict("hi"))
    await asyncio.sleep(0)
    await fails(breaker, 2)
    engine.going.set()
    assert await trial == ANSWER
    assert engine.asked == 4


async def test_a_trial_that_is_given_up_lets_the_next_one_try(breaker: Breaker, engine: Engine, clock: Clock) -> None:
    await fails(breaker, 3)
    clock.now, engine.works = 5.0, True
    engine.going.clear()
    trial = asyncio.create_task(breaker.predict("hi"))
    await asyncio.sleep(0)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    engine.going.set()
    assert await breaker.predict("hi") == ANSWER


async def test_health_is_the_engines_own(breaker: Breaker, engine: Engine) -> None:
    assert not await breaker.healthy()
    engine.works = True
    assert await breaker.healthy()
