"""What `switchboard doctor` says of a running desk and of a remote Rasa."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from fastapi import FastAPI

from bot.runtime import http
from switchboard.doctor import engine, machine
from tests.support.doctor import OK, WRONG
from tests.support.ports import HeldPort
from tests.support.serving import served


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def test_the_desk_says_how_it_is() -> None:
    wrong: list[str | None] = [None]

    async def database() -> str | None:
        return wrong[0]

    async with served(http.application([], {"database": database})) as address:
        port = port_of(address)
        for host in ("127.0.0.1", "0.0.0.0"):
            (found,) = await machine.desk(host, port)
            assert (found.level, "is ready" in found.words) == (OK, True)
        wrong[0] = "unreachable: cut"
        (found,) = await machine.desk("127.0.0.1", port)
        assert (found.level, "database: unreachable: cut" in found.words) == (WRONG, True)
    async with served(FastAPI()) as address:
        (found,) = await machine.desk("127.0.0.1", port_of(address))
        assert (found.level, "another program" in found.words, "PORT" in found.fix) == (WRONG, True, True)
    with HeldPort() as silent:
        (found,) = await machine.desk("127.0.0.1", silent.number)
    assert (found.level, "none runs" in found.words) == (OK, True)


async def test_a_desk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "READY_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = await machine.desk("127.0.0.1", silent.getsockname()[1])
    assert (found.level, "does not answer" in found.words) == (WRONG, True)


Parse = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def rasa(parse: Parse, port: int = 0) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/model/parse", parse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_remote_rasa(port: int) -> None:
    async def parse(request: web.Request) -> web.Response:
        if request.query.get("token") != "good-token":
            return web.Response(status=401)
        greet = {"name": "greet", "confidence": 0.9}
        return web.json_response({"text": "hello", "intent": greet, "intent_ranking": [greet], "entities": []})

    async with rasa(parse, port) as url:
        (found,) = await engine.remote_rasa(url, "good-token", 5)
        assert found.level is OK
        (found,) = await engine.remote_rasa(url, "wrong-token-of-ours", 5)
        assert (found.level, "RASA_TOKEN" in found.fix, "wrong-token" in str(found)) == (WRONG, True, False)
    (found,) = await engine.remote_rasa(url, "good-token", 5)
    assert (found.level, "check RASA_URL" in found.fix) == (WRONG, True)


async def test_digits_in_an_address_are_no_status() -> None:
    """A port such as 40961 has 409 in it, which is Rasa's status for "no model"."""
    (found,) = await engine.remote_rasa("http://409.invalid", "good-token", 5)
    assert (found.level, "409" in found.words, "check RASA_URL" in found.fix) == (WRONG, True, True)


@pytest.mark.parametrize(
    ("status", "body", "seconds", "fix"),
    [
        (409, "{}", 0, "load a model"),
        (200, "rubbish", 0, "--enable-api"),
        (200, "{}", 0, "--enable-api"),
        (404, "", 0, "--enable-api"),
        (200, "{}", 1, "engine.timeout"),
        (500, "", 0, "check RASA_URL"),
    ],
)
async def test_a_remote_rasa_that_is_unwell(status: int, body: str, seconds: float, fix: str) -> None:
    async def parse(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(status=status, text=body)

    async with rasa(parse) as url:
        (found,) = await engine.remote_rasa(url, "t", 0.5)
    assert (found.level, fix in found.fix) == (WRONG, True), found
