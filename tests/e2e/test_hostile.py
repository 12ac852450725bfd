"""Conditions that a desk does not choose: an engine that is unwell, strangers who take all the connections, a
disk that is full, a clock that is set.

Whole desks, their PostgreSQL and real sockets; only Rasa and Telegram are stood in for. docs/storms.md has what else
was tried, and by hand.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest

from bot.content.words import Words
from bot.runtime import handles
from bot.settings import ROOT
from tests.peers import engine as unwell
from tests.peers.engine import Answer, RasaPeer
from tests.peers.telegram import PeerUser, TelegramPeer
from tests.support.agents import AgentBrowser, signed_in
from tests.support.conditions import FAKED_BY, HOUR, SLEEPING_OTHERWISE, Ballast, Clock, on_a_disk_of_its_own
from tests.support.customers import WebCustomer, words
from tests.support.desk_process import SWITCHBOARD, DeskProcess, config_file
from tests.support.floods import HANDLES, WITH_FEW_HANDLES, events, first_lines, flood, longest_wait
from tests.support.waiting import until

QUESTION = "how do i reset my password"
GREETING = "hello"
"""What one customer may say again and again, and is answered each time."""
ANSWER = "Forgot password"
WORDS = Words(ROOT / "data")
HONEST = WORDS.say("customer.queued_engine", "en")
ON_TELEGRAM = "channels:\n  telegram:\n    base_url: {}\n    poll_timeout: 1\n"
MINUTE = 60.0
AT_ONCE = 4.0
"""Seconds: less than a desk waits for its engine, and room for a busy machine."""


@pytest.fixture(scope="module")
async def rasa() -> AsyncIterator[RasaPeer]:
    async with RasaPeer(
        {QUESTION: "password_reset", GREETING: "greet", "open sesame": "an_intent_without_an_answer"}
    ) as peer:
        yield peer


@pytest.fixture
def well(rasa: RasaPeer) -> RasaPeer:
    """It has no ills from the test before."""
    rasa.latency, rasa.unwell = 0.0, None
    return rasa


async def end(desk: DeskProcess) -> None:
    """Nothing of it is left, and it never failed in one of its parts."""
    await desk.end()
    for sign in ('"part_failed"', "Traceback", "Too many open files", "out_of_handles"):
        at = desk.log.find(sign)
        assert at < 0, desk.log[max(0, at - 500) : at + 4_000]


@pytest.fixture(scope="module")
async def desk(rasa: RasaPeer, folders: Path) -> AsyncIterator[DeskProcess]:
    folder = folders / "hostile"
    (folder / "var").mkdir(parents=True)
    desk = DeskProcess(folder / "var", config_file(folder / "config.yml"), rasa.environment, WITH_FEW_HANDLES)
    try:
        await desk.start()
        yield await desk.staffed()
    finally:
        await end(desk)


async def answers_a_newcomer(desk: DeskProcess) -> bool:
    """Whether the bot answers; a newcomer whom it cannot answer is told so."""
    async with WebCustomer(desk.url) as customer:
        reply = words(await customer.asks(QUESTION))
    assert ANSWER in reply or HONEST in reply
    return ANSWER in reply


async def nothing_left(desk: DeskProcess) -> bool:
    """All turns are taken, and no job of any kind waits."""
    async with await psycopg.AsyncConnection.connect(desk.database) as connection:
        cursor = await connection.execute(
            "SELECT FROM turn WHERE NOT done UNION ALL SELECT FROM procrastinate_jobs LIMIT 1"
        )
        return not await cursor.fetchall()


# --- Rasa


async def test_a_rasa_that_takes_a_minute_costs_the_first_customers_seconds_and_the_next_nothing(
    desk: DeskProcess, well: RasaPeer
) -> None:
    await until(lambda: answers_a_newcomer(desk))
    well.latency = MINUTE
    well.asked.clear()
    async with AsyncExitStack() as stack:
        customers = [await stack.enter_async_context(WebCustomer(desk.url)) for _ in range(9)]
        first, later = customers[:6], customers[6:]
        began = time.monotonic()
        for reply in await asyncio.gather(*(customer.asks(f"{QUESTION}, please") for customer in first)):
            assert HONEST in words(reply)
            assert "place in the queue is" in words(reply)
        assert time.monotonic() - began < MINUTE / 3
        assert len(well.asked) == len(first)

        began = time.monotonic()
        for reply in await asyncio.gather(*(customer.asks(f"{QUESTION}, quickly") for customer in later)):
            assert HONEST in words(reply)
        assert time.monotonic() - began < AT_ONCE
        assert len(well.asked) == len(first), "a circuit that is open asks nobody"
    async with signed_in(desk) as mei:
        queue = await mei.page("/console/")
    assert queue.count(f"{QUESTION}, please") == len(first)
    assert queue.count(f"{QUESTION}, quickly") == len(later)

    well.latency = 0.0
    await until(lambda: answers_a_newcomer(desk))
    await until(lambda: nothing_left(desk))


GREET = {"name": "greet", "confidence": 0.9}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(unwell.says("<html>Welcome to nginx!</html>", content_type="text/html"), id="html"),
        pytest.param(unwell.says({"intent": "greet", "intent_ranking": {"greet": "0.9"}}), id="wrong types"),
        pytest.param(unwell.says({"intent": GREET, "intent_ranking": []}), id="a ranking of nothing"),
        pytest.param(unwell.says([[[["greet"]]]]), id="another shape"),
        pytest.param(
            unwell.says({"intent": {**GREET, "confidence": float("nan")}, "intent_ranking": [GREET]}), id="NaN"
        ),
        pytest.param(unwell.says("[" * 100_000), id="brackets in brackets"),
        pytest.param(unwell.says({"intent": GREET, "intent_ranking": [GREET]}, status=500), id="500"),
        pytest.param(unwell.goes_on, id="without an end"),
        pytest.param(unwell.hangs_up, id="closed"),
        pytest.param(unwell.breaks_off, id="half"),
        pytest.param(None, id="gone"),
    ],
)
async def test_whatever_rasa_answers_instead_of_a_prediction_the_customer_is_queued_for_a_person(
    desk: DeskProcess, well: RasaPeer, answer: Answer | None
) -> None:
    await until(lambda: answers_a_newcomer(desk))
    well.asked.clear()
    async with WebCustomer(desk.url) as customer:
        try:
            if answer is None:
                await well.stop()
            well.unwell = answer
            began = time.monotonic()
            reply = words(await customer.asks(QUESTION))
        finally:
            well.unwell = None
            if answer is None:
                await well.start()
        assert HONEST in reply
        assert time.monotonic() - began < AT_ONCE
        assert well.asked == ([] if answer is None else [QUESTION])
        # One such answer opens no circuit: the next customer has the bot again.
        assert await answers_a_newcomer(desk)
        assert [message["author"] for message in await customer.transcript()] == ["customer", "bot"]
    await until(lambda: nothing_left(desk))


async def test_an_intent_that_nobody_wrote_an_answer_for_is_one_that_the_bot_did_not_understand(
    desk: DeskProcess, well: RasaPeer
) -> None:
    await until(lambda: answers_a_newcomer(desk))
    async with WebCustomer(desk.url) as customer:
        assert WORDS.say("customer.queued_unsure", "en") in words(await customer.asks("open sesame"))
    await until(lambda: nothing_left(desk))


# --- strangers who take all the connections


AT_MOST = 15.0
"""Seconds that anybody may wait. No figure of speed: without limits a flood keeps everybody out as long as it
lasts."""


@pytest.fixture(scope="module")
async def mei(desk: DeskProcess) -> AsyncIterator[AgentBrowser]:
    if handles.raise_limit() < 4 * HANDLES:
        pytest.skip(f"the tests themselves need {4 * HANDLES} file handles")
    async with signed_in(desk) as mei:
        yield mei


async def test_a_thousand_event_streams_of_strangers_keep_nobody_waiting(
    desk: DeskProcess, well: RasaPeer, mei: AgentBrowser
) -> None:
    async with WebCustomer(desk.url) as customer, AsyncExitStack() as stack:
        await longest_wait(desk, customer, mei, GREETING)
        requests = [events() for _ in range(1000)]
        flooding = asyncio.ensure_future(flood(desk, requests, stack))
        assert await longest_wait(desk, customer, mei, GREETING) < AT_MOST
        lines = await flooding
        heard = await first_lines(lines)
        assert await longest_wait(desk, customer, mei, GREETING) < AT_MOST
        served = heard["HTTP/1.1 200 OK"]
        assert 0 < served < HANDLES * 0.1
        assert heard["HTTP/1.1 503 Service Unavailable later"] == 1000 - served

        # Who has written has a place all the same, and so has an agent; but not any number.
        for client, path in ((customer.http, "/chat/events"), (mei.http, "/console/events")):
            async with client.stream("GET", path) as stream:
                assert stream.status_code == 200
        cookie = customer.http.cookies["switchboard_visitor"]
        assert (await first_lines(await flood(desk, [events(cookie)] * 20, stack)))["HTTP/1.1 200 OK"] == 8
    await until(lambda: nothing_left(desk))


HALF_A_HEAD = b"GET /chat HTTP/1.1\r\nHost: de"
HALF_A_BODY = (
    b"POST /chat/messages HTTP/1.1\r\nHost: desk\r\nCookie: switchboard_visitor=%s\r\nContent-Length: 1000\r\n\r\nhalf"
) % (b"x" * 43)


# Both in small: unit/test_http_limits.py.
@pytest.mark.parametrize(
    "said", [pytest.param(HALF_A_HEAD, id="head"), pytest.param(HALF_A_BODY, id="body", marks=pytest.mark.long)]
)
async def test_more_half_open_connections_than_there_are_file_handles_keep_nobody_waiting(
    desk: DeskProcess, well: RasaPeer, mei: AgentBrowser, said: bytes
) -> None:
    async with WebCustomer(desk.url) as customer, AsyncExitStack() as stack:
        await longest_wait(desk, customer, mei, GREETING)
        flooding = asyncio.ensure_future(flood(desk, [said] * 1100, stack))
        assert await longest_wait(desk, customer, mei, GREETING) < AT_MOST
        lines = await flooding
        assert desk.process is not None
        assert HANDLES / 2 < psutil.Process(desk.process.pid).num_fds() < HANDLES * 0.9
        assert await longest_wait(desk, customer, mei, GREETING) < AT_MOST
        # Those that came first made room, and were told so.
        heard = await first_lines(lines)
        assert heard["HTTP/1.1 503 Service Unavailable later"] + heard["HTTP/1.1 408 Request Timeout"] >= 1100 - HANDLES
        assert heard["silence"] + heard["HTTP/1.1 503 Service Unavailable later"] > 1000
    await until(lambda: nothing_left(desk))


# --- a full disk


@pytest.fixture
def mounting(tmp_path: Path) -> None:
    try:
        subprocess.run(on_a_disk_of_its_own(tmp_path, "true"), check=True, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"a disk of its own needs unshare: {error}")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing may be mounted here; a disk of its own needs root: {error.stderr.strip()}")


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.mark.usefixtures("mounting")
async def test_on_a_full_disk_platforms_keep_what_is_said_and_it_is_answered_once_there_is_room(
    well: RasaPeer, telegram: TelegramPeer, folders: Path
) -> None:
    folder = folders / "full"
    disk = folder / "var" / "postgres"
    disk.mkdir(parents=True)
    config = config_file(folder / "config.yml", ON_TELEGRAM.format(telegram.base_url))
    environment = {"TELEGRAM_BOT_TOKEN": telegram.token, **well.environment}
    desk = DeskProcess(folder / "var", config, environment, on_a_disk_of_its_own(disk, SWITCHBOARD))
    try:
        await desk.start()
        assert desk.process is not None
        ballast = Ballast(desk.process.pid, disk)
        async with AsyncExitStack() as stack:
            ballast.fill()
            taken: list[WebCustomer] = []
            # A few still fit into files that are there already.
            while True:
                visitor = await stack.enter_async_context(WebCustomer(desk.url))
                text, id = long(), str(uuid4())
                refused = await visitor.tries(text, id)
                if refused.status_code != 202:
                    break
                taken.append(visitor)
                assert len(taken) < 50
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            ready = await visitor.http.get("/readyz")
            assert ready.status_code == 503
            assert "No space left on device" in ready.json()["database"]

            users = [telegram.user(number, language_code="en") for number in range(100, 104)]
            for user in users:
                user.writes(long())
            # It asks for them again and again, and confirms none.
            await telegram.wait_calls("getUpdates", len(telegram.called("getUpdates")) + 3)
            assert len(telegram.pending) == len(users)

            ballast.throw_off()
            for _ in range(2):
                assert (await visitor.tries(text, id)).status_code == 202
            for customer in (*taken, visitor):
                assert (await customer.hears())["author"] == "bot"
                assert [message["author"] for message in await customer.transcript()] == ["customer", "bot"]
            for user in users:
                await telegram.wait_sent(user.id, 1, timeout=60)
            # What would come a second time would come before the answer to the next.
            for user in users:
                user.writes(QUESTION)
            for user in users:
                first, second = await telegram.wait_sent(user.id, 2)
                assert ANSWER not in first["text"]
                assert ANSWER in second["text"]
            await telegram.wait_until(lambda: not telegram.pending)
            assert (await visitor.http.get("/readyz")).status_code == 200
    finally:
        await end(desk)


def long() -> str:
    """Half a page of the database that cannot be pressed together; no more than Telegram takes."""
    return secrets.token_hex(2000)


# --- a clock that is set


@pytest.mark.skipif(FAKED_BY is None, reason="libfaketime is not here: apt-get install libfaketime")
async def test_a_clock_set_back_and_forward_an_hour_delays_a_reply_that_waits_by_seconds_and_doubles_none(
    well: RasaPeer, telegram: TelegramPeer, folders: Path
) -> None:
    folder = folders / "clock"
    (folder / "var").mkdir(parents=True)
    folders.chmod(0o711)  # PostgreSQL's user reads the clock as well
    clock = Clock(folder / "clock")
    config = config_file(folder / "config.yml", ON_TELEGRAM.format(telegram.base_url))
    environment = {"TELEGRAM_BOT_TOKEN": telegram.token, **well.environment, **clock.environment}
    desk = DeskProcess(folder / "var", config, environment, (sys.executable, "-c", SLEEPING_OTHERWISE))
    users = [telegram.user(number, language_code="en") for number in range(100, 103)]

    async def is_told_to_wait(user: PeerUser, seconds: int) -> None:
        """Returns when the user's reply waits, so many seconds."""
        telegram.fail_next("sendMessage", 429, "Too Many Requests", retry_after=seconds)
        user.writes(GREETING)
        await until(lambda: waits(desk))

    try:
        await desk.start()
        back, forward, forgotten = users
        await is_told_to_wait(back, 5)
        clock.set_by(-HOUR)
        await telegram.wait_sent(back.id, 1, timeout=30)

        # The clock strikes what it was put off until, before that time is over.
        await is_told_to_wait(forward, HOUR // 2)
        clock.set_by(0)
        await telegram.wait_sent(forward.id, 1, timeout=30)

        # Of a delivery without a job only a sweep knows.
        await is_told_to_wait(forgotten, HOUR // 2)
        async with await psycopg.AsyncConnection.connect(desk.database, autocommit=True) as connection:
            await connection.execute("DELETE FROM procrastinate_jobs")
        clock.set_by(HOUR)
        await telegram.wait_sent(forgotten.id, 1, timeout=30)

        for user in users:
            user.writes(GREETING)
        greeted = {message["text"] for user in users for message in await telegram.wait_sent(user.id, 2)}
        assert len(greeted) == 1
        assert HONEST not in greeted.pop()
        assert '"lease_lost"' not in desk.log
        assert '"clock_set_back"' in desk.log
    finally:
        await end(desk)


async def waits(desk: DeskProcess) -> bool:
    """Whether something is put off."""
    async with await psycopg.AsyncConnection.connect(desk.database) as connection:
        cursor = await connection.execute(
            "SELECT FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now() + interval '1 second'"
        )
        return bool(await cursor.fetchall())
