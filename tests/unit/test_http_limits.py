"""What one client, and many, may ask of the HTTP server: by raw sockets, with limits that are soon reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from bot.runtime.http.connections import State
from tests.support.http_site import GET, KB, LIMITS, Site, answers, head, serving, until


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Site]:
    async with serving() as site:
        yield site


@pytest.fixture
async def site(shared: Site) -> AsyncIterator[Site]:
    """As new; and whatever a test does, nothing stays behind."""
    shared.go_on.clear()
    shared.read = 0
    shared.connections.refused.clear()
    yield shared
    await shared.closing.aclose()
    shared.go_on.set()
    await until(lambda: not (len(shared.connections) or shared.streams))


# --- the head


@pytest.fixture(scope="module")
async def patient() -> AsyncIterator[Site]:
    """Has time for what a busy machine sends in pieces."""
    async with serving(replace(LIMITS, head_within=5)) as site:
        yield site


@pytest.mark.parametrize("piece", [1, 300 * KB])
@pytest.mark.parametrize(
    ("start", "endless", "status"),
    [
        (b"GET /", b"a", 414),
        (b"GET /quick HTTP/1.1\r\nCookie: ", b"a", 431),
        (b"GET /quick HTTP/1.1\r\n", b"a", 431),
        (b"GET /quick HTTP/1.1\r\n", b"a: b\r\n", 431),
        (b"GET /quick HTTP/1.1\r\nCookie: a\r\n", b"\tb", 0),
        (b"", b"\r\n", 431),
        (b"GET /quick HTTP/1.1\r\nA:", b" ", 431),
    ],
    ids=["line", "value", "name", "headers", "folded", "nothing", "spaces"],
)
async def test_a_head_without_end_is_refused_and_costs_nothing(
    patient: Site, start: bytes, endless: bytes, status: int, piece: int
) -> None:
    async with patient.line(start) as line:

        async def goes_on() -> None:
            sent = 0
            while sent < 400 * KB:
                words = endless * max(1, piece // len(endless)) if piece > 1 else endless * 50
                try:
                    await line.say(words)
                except (BrokenPipeError, ConnectionResetError):
                    return
                sent += len(words)
                if piece == 1:
                    await asyncio.sleep(0)

        going_on = asyncio.create_task(goes_on())
        heard = await line.rest()
        await going_on
    assert heard.startswith(b"HTTP/1.1 %d " % status if status else b"HTTP/1.1 4"), heard[:100]
    assert heard.count(b"HTTP/1.1") == 1
    assert b"connection: close" in heard
    assert patient.connections.held < 40 * KB
    assert await answers(patient)


async def test_what_browsers_and_proxies_send_fits(patient: Site) -> None:
    for words in (
        head(*(b"X-%d: %s" % (number, b"v" * 300) for number in range(99))),
        head(b"Cookie: " + b"c" * 30 * KB),
        head(line=b"GET /quick?%s HTTP/1.1" % (b"q" * 8000)),
    ):
        async with patient.line() as line:
            for start in range(0, len(words), 1000):
                await line.say(words[start : start + 1000])
            assert b" 200 OK" in await line.hears(b"here")
    for words, status in (
        (head(*(b"X-%d: v" % number for number in range(100))), b"431"),
        (head(b"Cookie: " + b"c" * 33 * KB), b"431"),
        (head(line=b"GET /quick?%s HTTP/1.1" % (b"q" * 8200)), b"414"),
    ):
        async with patient.line(words) as line:
            assert (await line.rest()).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"", b""),
        (b"G", b"HTTP/1.1 408 "),
        (b"\r\n\r\n", b"HTTP/1.1 408 "),
        (GET[:-2], b"HTTP/1.1 408 "),
        (b"POST /body HTTP/1.1\r\nHost: desk\r\nContent-Length: 10\r\n\r\nhalf", b"HTTP/1.1 408 "),
        (b"POST /body HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", b"HTTP/1.1 408 "),
    ],
    ids=["silent", "a letter", "line ends", "head", "body", "chunk"],
)
async def test_who_does_not_go_on_is_let_go(site: Site, said: bytes, heard: bytes) -> None:
    async with site.line(said) as line:
        rest = await line.rest()
    assert rest.startswith(heard)
    assert bool(rest) == bool(heard)


async def test_a_later_request_has_its_own_time(site: Site) -> None:
    async with site.line(GET) as line:
        await line.hears(b"here")
        await asyncio.sleep(0.4)  # idle, and longer than a head may take
        await line.say(GET[:10])
        await asyncio.sleep(0.1)
        await line.say(GET[10:])
        await line.hears(b"here")
        await line.say(GET[:10])
        assert (await line.rest()).startswith(b"HTTP/1.1 408 ")


# --- the body


POST = b"POST %s HTTP/1.1\r\nHost: desk\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("path", [b"/body", b"/quick", b"/nowhere"])
async def test_a_body_that_only_drips_is_refused(site: Site, path: bytes) -> None:
    async with site.line(POST % (path, 5000)) as line:

        async def drips() -> None:
            for _ in range(100):
                try:
                    await line.say(b"x")
                except (BrokenPipeError, ConnectionResetError):
                    return
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drips())
        heard = await line.rest()
        dripping.cancel()
    # Who was answered before the body was there is only let go.
    assert heard.startswith(b"HTTP/1.1 408 " if path == b"/body" else b"HTTP/1.1 40")
    assert heard.count(b"HTTP/1.1") == 1


async def test_a_body_takes_as_long_as_it_takes_while_it_comes_on(site: Site) -> None:
    async with site.line(POST % (b"/body", 30 * 50)) as line:
        for _ in range(30):  # longer than three windows, at 1000 bytes a second
            await line.say(b"x" * 50)
            await asyncio.sleep(0.05)
        assert b"read 1500" in await line.hears(b"read 1500")


async def test_a_handler_that_reads_late_is_not_the_clients_fault(site: Site) -> None:
    async with site.line(POST % (b"/late", 200 * KB)) as line:
        saying = asyncio.create_task(line.say(b"x" * 200 * KB))
        await asyncio.sleep(1.0)
        site.go_on.set()
        assert b"read 204800" in await line.hears(b"read 204800")
        await saying


@pytest.mark.parametrize(
    ("start", "endless", "status"),
    [
        (POST % (b"/body", 10**12), b"x" * 1000, b"413"),
        (POST % (b"/quick", 10**12), b"x" * 1000, b"405"),
        (b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * KB + b"\r\n", b"413"),
        (b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=", b"x" * 1000, b"400"),
        (b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;a=xxxxxxxxxxxxxx\r\nx\r\n" * 50, b"400"),
        (b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 100, b"400"),
    ],
    ids=["declared", "unwanted", "chunked", "extension", "extensions", "trailers"],
)
async def test_a_body_without_end_is_refused(site: Site, start: bytes, endless: bytes, status: bytes) -> None:
    async with site.line(start) as line:

        async def goes_on() -> None:
            for _ in range(2000):
                try:
                    await line.say(endless)
                except (BrokenPipeError, ConnectionResetError):
                    return

        going_on = asyncio.create_task(goes_on())
        heard = await line.rest()
        going_on.cancel()
    assert heard.startswith(b"HTTP/1.1 " + status), heard[:100]
    assert heard.count(b"HTTP/1.1") == 1
    assert await answers(site)


async def test_bodies_of_many_hold_only_so_much_together() -> None:
    async with serving(replace(LIMITS, held=128 * KB, window=30)) as site:
        lines = await site.many(7, POST % (b"/late", 50 * KB), b"x" * 40 * KB)
        await until(lambda: len(site.connections) <= 4)
        assert site.connections.held <= 128 * KB
        # The first to wait are the first to go.
        assert (await lines[0].rest()).startswith(b"HTTP/1.1 503 ")
        site.go_on.set()
        await lines[-1].say(b"x" * 10 * KB)
        assert b" 200 OK" in await lines[-1].hears(b"read")


# --- the order of requests


async def test_requests_sent_ahead_are_answered_in_order_and_few(site: Site) -> None:
    async with site.line(GET * 5) as line:
        heard = b""
        while heard.count(b"here") < 5:
            heard += await line.hears(b"here")
    async with site.line(GET * 1000) as line:
        assert (await line.rest()).count(b"here") < 20
    assert await answers(site)


async def test_a_stream_ends_with_its_connection_though_more_was_asked_behind_it(site: Site) -> None:
    async with site.line(GET.replace(b"quick", b"stream") + GET) as line:
        await line.hears(b"data: x")
        assert site.streams == 1
    await until(lambda: not site.streams)


async def test_a_stream_is_not_kept_open_by_half_a_request_behind_it(site: Site) -> None:
    async with site.line(GET.replace(b"quick", b"stream"), GET[:10]) as line:
        heard = await line.rest()
    assert heard.count(b"HTTP/1.1") == 1
    await until(lambda: not site.streams)


# --- who does not read


async def test_who_does_not_read_is_let_go(site: Site) -> None:
    async with site.line(GET.replace(b"quick", b"flood"), receives=4096):
        await until(lambda: site.streams == 1)
        await until(lambda: not site.streams)


async def test_who_reads_too_slowly_is_let_go() -> None:
    async with serving(replace(LIMITS, least_rate=10_000 * KB)) as site:
        async with site.line(GET.replace(b"quick", b"flood"), receives=4096) as line:
            with suppress(AssertionError, ConnectionResetError):
                while not site.connections.refused["answer_unread"]:
                    await line.hears(b"\0" * KB)
                    await asyncio.sleep(0.05)
        assert site.connections.refused["answer_unread"] == 1
        await until(lambda: not site.streams)


async def test_who_reads_slowly_but_reads_is_served(site: Site) -> None:
    async with site.line(GET.replace(b"quick", b"flood"), receives=4096) as line:
        for _ in range(30):
            await line.hears(b"\0" * 2 * KB)
            await asyncio.sleep(0.05)
        assert site.streams == 1


async def test_answers_that_nobody_reads_hold_only_so_much_together() -> None:
    async with serving(replace(LIMITS, unread=200 * KB, long_window=30)) as site:
        await site.many(5, GET.replace(b"quick", b"flood"), receives=4096)
        await until(lambda: site.connections.refused["unread"] >= 1)
        assert site.connections.unread <= 200 * KB
        assert await answers(site)


# --- many


async def test_who_waits_longest_makes_room(site: Site) -> None:
    lines = await site.many(8, GET[:20])
    await until(lambda: len(site.connections) == 8)
    assert await answers(site)
    assert (await lines[0].rest()).startswith(b"HTTP/1.1 503 ")
    await lines[-1].say(GET[20:])
    assert b" 200 OK" in await lines[-1].hears(b"here")


async def test_where_nobody_can_go_the_next_is_told_to_come_again(site: Site) -> None:
    lines = await site.many(8, GET.replace(b"quick", b"stream"))
    await until(lambda: site.streams == 8)
    async with site.line(GET) as line:
        heard = await line.rest()
    assert heard.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 5\r\n" in heard
    assert site.streams == 8
    lines[0].socket.close()
    await until(lambda: len(site.connections) == 7)
    assert await answers(site)


async def test_whom_somebody_vouches_for_keeps_the_place(site: Site) -> None:
    slow = replace(LIMITS, window=30, long_window=30)
    async with serving(slow) as site, site.line(POST % (b"/vouched", 100 * KB), b"x" * 90 * KB) as agent:
        await until(lambda: site.read == 90 * KB)
        assert site.connections.held == 0
        await site.many(20, POST % (b"/body", 5), b"x")
        assert await answers(site)
        assert len(site.connections) <= 8
        await agent.say(b"x" * 10 * KB)
        assert b" 200 OK" in await agent.hears(b"read")


async def test_states_are_left_behind_with_every_answer(site: Site) -> None:
    async with site.line(GET) as line:
        for _ in range(3):
            await line.hears(b"here")
            assert [len(those) for those in site.connections._by_state.values()] == [0, 1, 0, 0, 0]
            await line.say(GET)
    assert list(State) == sorted(State)
