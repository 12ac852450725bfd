"""What sign-in costs whom: names without end, guesses without end, and an agent who is in a hurry meanwhile."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter

import pytest

from bot.domain.staff import Agent
from handoff import passwords
from handoff.console import throttle as limits
from handoff.console.throttle import TRIES, WINDOW, Throttle
from tests.support.console import PASSWORD, Browser, sign_in

SIGN_IN = "/console/sign-in"


async def test_a_name_that_nobody_has_is_neither_kept_nor_shown(browser: Browser, mei: Agent) -> None:
    guesser = browser()
    await guesser.post(SIGN_IN, data={"name": "nobody", "password": "wrong-password"})
    tracemalloc.start()
    try:
        for number in range(30):
            name = f"{number:02}" + "x" * (1_000_000 if number % 2 else 10_000)
            answer = await guesser.post(SIGN_IN, data={"name": name, "password": "wrong-password"})
            assert answer.status_code == (413 if number % 2 else 403)
            assert len(answer.content) < 10_000
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()
    await sign_in(guesser)


def test_keys_are_few_and_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 50)
    throttle = Throttle(lambda: 0.0)
    for number in range(1000):
        assert throttle.admit("n" * 100_000 + str(number), f"address {number}")
        throttle.forget("n" * 100_000 + str(number), f"address {number}")
        throttle.admit("\ud800", "a" * 1000 + str(number))
    for counts in (throttle._tries, throttle._wrong, throttle._welcome):
        assert len(counts._times) <= 50
        assert {len(key) for key in counts._times} == {16}


def test_an_address_has_only_so_many_guesses_over_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WRONG", 20)
    now = 0.0
    throttle = Throttle(lambda: now)
    assert throttle.admit("mei", "office")
    throttle.forget("mei", "office")
    assert [throttle.admit(f"name {number}", "office") for number in range(30)] == [True] * 20 + [False] * 10
    assert throttle.admit("name 1", "elsewhere")
    # Who has worked there before is let in, with no more tries than ever.
    assert [throttle.admit("mei", "office") for _ in range(TRIES + 1)] == [True] * TRIES + [False]
    now = WINDOW + 1
    assert throttle.admit("ada", "office")


def test_a_try_that_nobody_looked_at_is_none() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(100):
        assert throttle.admit("mei", "here")
        throttle.take_back("mei", "here")
    assert [throttle.admit("mei", "here") for _ in range(TRIES + 1)] == [True] * TRIES + [False]


async def test_a_crowd_of_wrong_names_is_told_to_come_again_and_an_agent_signs_in(
    browser: Browser, mei: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = passwords.Line()
    monkeypatch.setattr(passwords, "_line", line)
    guesser, agent = browser(), browser()
    guesses = [
        asyncio.create_task(guesser.post(SIGN_IN, data={"name": f"nobody {number}", "password": "wrong-password"}))
        for number in range(100)
    ]
    async with asyncio.timeout(10):
        while len(line._waiting) < passwords.IN_LINE:
            await asyncio.sleep(0)
    await sign_in(agent)
    answers = await asyncio.gather(*guesses)
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {403, 503}
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert busy.headers["retry-after"] == "3"
    assert "Too many people are signing in right now. Wait a few seconds" in busy.text
    assert 'value="nobody' in busy.text, "nobody types their name again"


async def test_a_try_that_finds_no_room_does_not_count(
    browser: Browser, mei: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> bool:
        raise passwords.Busy

    client = browser()
    with monkeypatch.context() as patch:
        patch.setattr("handoff.console.pages.sign_in.routes.verify_password", busy)
        for _ in range(2 * TRIES):
            answer = await client.post(SIGN_IN, data={"name": "Mei", "password": PASSWORD})
            assert answer.status_code == 503
    await sign_in(client)
    with monkeypatch.context() as patch:
        patch.setattr("handoff.staff.hash_password", busy)
        answer = await client.post("/console/password", data={"old": PASSWORD, "password": "another horse"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "3"
        assert "nothing was changed" in answer.text
