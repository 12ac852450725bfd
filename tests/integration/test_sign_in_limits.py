"""What sign-in costs whom: names without end, guesses without end, and an agent who is in a hurry meanwhile."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections import Counter

import pytest
from limits import RateLimitItemPerSecond
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from bot.domain.staff import Agent
from bot.queue import Queue
from bot.store import Store
from bot.store.database import create_engine
from bot.web.sign_in_limits import KNOWN, TRIES, WINDOW, SignInLimits
from handoff import passwords
from tests.support.console import PASSWORD, Browser, sign_in
from tests.support.lifecycle import Sql

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


async def later(sql: Sql, seconds: float) -> None:
    """So much time passes for what was counted."""
    by = f"interval '{seconds} seconds'"
    sql(f"UPDATE rate_limit SET hits = ARRAY(SELECT hit - {by} FROM unnest(hits) hit), expires_at = expires_at - {by}")


async def tries(limits: SignInLimits, name: str, address: str, times: int) -> list[bool]:
    return [await limits.admit(name, address) for _ in range(times)]


async def test_what_is_kept_is_of_one_size_and_forgotten_when_its_time_is_over(store: Store, sql: Sql) -> None:
    limits = SignInLimits(store.rate_limits)
    for number in range(10):
        assert await limits.admit("n" * 100_000 + str(number), f"address {number}")
        await limits.forget("n" * 100_000 + str(number), f"address {number}")
        await limits.admit("\ud800", "a" * 1000 + str(number))
    kept = [key for (key,) in sql("SELECT key FROM rate_limit")]
    assert len(kept) == 40, "known, tried and wrong; of the first ten nothing was tried in vain"
    assert max(map(len, kept)) <= 100
    assert not any("nnn" in key or "address" in key for key in kept)
    await store.agents.forget_expired()
    assert len(sql("SELECT key FROM rate_limit")) == 40
    await later(sql, WINDOW + 1)
    await store.agents.forget_expired()
    assert {key.split("/")[0] for (key,) in sql("SELECT key FROM rate_limit")} == {"sign-in:known"}
    await later(sql, KNOWN * 24 * 3600)
    await store.agents.forget_expired()
    assert not sql("SELECT key FROM rate_limit")


async def test_guessing_is_forgiven_with_time_and_with_success(store: Store, sql: Sql) -> None:
    limits = SignInLimits(store.rate_limits)
    assert await tries(limits, "mei", "here", TRIES + 1) == [True] * TRIES + [False]
    assert await limits.admit("mei", "there")
    await later(sql, WINDOW - 10)
    assert not await limits.admit("mei", "here")
    await later(sql, 11)
    assert await tries(limits, "mei", "here", TRIES + 1) == [True] * TRIES + [False]
    await limits.forget("mei", "here")
    assert await limits.admit("mei", "here")


async def test_an_address_has_only_so_many_guesses_over_all_names(store: Store, sql: Sql) -> None:
    limits = SignInLimits(store.rate_limits, wrong=20)
    assert await limits.admit("mei", "office")
    await limits.forget("mei", "office")
    admitted = [await limits.admit(f"name {number}", "office") for number in range(30)]
    assert admitted == [True] * 20 + [False] * 10
    assert await limits.admit("name 1", "elsewhere")
    # Who has worked there before is let in, with no more tries than ever.
    assert await tries(limits, "mei", "office", TRIES + 1) == [True] * TRIES + [False]
    await later(sql, WINDOW + 1)
    assert await limits.admit("ada", "office")


async def test_what_one_name_is_refused_costs_its_address_nothing(store: Store) -> None:
    limits = SignInLimits(store.rate_limits, wrong=TRIES + 1)
    assert await tries(limits, "mei", "office", 50) == [True] * TRIES + [False] * (50 - TRIES)
    assert await tries(limits, "ada", "office", 2) == [True, False], "a sixth wrong one, and no seventh"


async def test_a_try_that_nobody_looked_at_is_none(store: Store) -> None:
    limits = SignInLimits(store.rate_limits, wrong=TRIES)
    for _ in range(20):
        assert await limits.admit("mei", "here")
        await limits.take_back("mei", "here")
    assert await tries(limits, "mei", "here", TRIES + 1) == [True] * TRIES + [False]


async def test_replicas_count_together_and_many_at_once_are_no_way_around(
    store: Store, database_url: str, queue: Queue
) -> None:
    engine = create_engine(database_url)
    other = Store(engine, queue)
    replicas = [SignInLimits(store.rate_limits), SignInLimits(other.rate_limits)]
    try:
        admitted = await asyncio.gather(*(replicas[number % 2].admit("mei", "here") for number in range(40)))
        assert admitted.count(True) == TRIES
        names = await asyncio.gather(*(replicas[number % 2].admit(f"n{number}", "lobby") for number in range(60)))
        assert all(names)
        few = [SignInLimits(each.rate_limits, wrong=7) for each in (store, other)]
        crowd = await asyncio.gather(*(few[number % 2].admit(f"n{number}", "gate") for number in range(40)))
        assert crowd.count(True) == 7
        await replicas[0].forget("mei", "here")
        assert await replicas[1].admit("mei", "here"), "what one replica forgives, all do"
    finally:
        await other.close()


async def test_a_hit_from_the_future_keeps_nobody_out(store: Store, sql: Sql) -> None:
    """The database's clock was set back by an hour."""
    limits = SignInLimits(store.rate_limits)
    assert await tries(limits, "mei", "here", TRIES + 1) == [True] * TRIES + [False]
    await later(sql, -3600)
    assert await limits.admit("mei", "here")


async def test_the_storage_does_what_the_library_asks_of_one(store: Store, sql: Sql) -> None:
    storage = store.rate_limits
    assert await storage.check()
    fixed, item = FixedWindowRateLimiter(storage), RateLimitItemPerSecond(3, 60)
    before = time.time()
    assert [await fixed.hit(item, "ann") for _ in range(4)] == [True, True, True, False]
    assert not await fixed.test(item, "ann")
    assert await fixed.test(item, "bob")
    stats = await fixed.get_window_stats(item, "ann")
    assert stats.remaining == 0
    assert before + 50 < stats.reset_time < before + 80
    await later(sql, 61)
    assert await fixed.hit(item, "ann")
    assert (await fixed.get_window_stats(item, "ann")).remaining == 2
    moving, other = MovingWindowRateLimiter(storage), RateLimitItemPerSecond(3, 60, namespace="moving")
    assert await moving.hit(other, "ann", cost=2)
    assert not await moving.hit(other, "ann", cost=2)
    assert not await moving.hit(other, "bob", cost=4)
    stats = await moving.get_window_stats(other, "ann")
    assert stats.remaining == 1
    assert before + 50 < stats.reset_time < before + 80
    assert await storage.reset() == 2
    assert not sql("SELECT key FROM rate_limit")


async def test_a_crowd_of_wrong_names_is_told_to_come_again_and_an_agent_signs_in(
    browser: Browser, mei: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = passwords.Line()
    monkeypatch.setattr(passwords, "_line", line)
    verify = passwords._verify

    def as_slow_as_argon2(password_hash: str | None, password: str) -> bool:
        time.sleep(0.05)  # which the tests' hashes are not
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", as_slow_as_argon2)
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
