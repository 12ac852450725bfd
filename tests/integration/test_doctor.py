"""``switchboard doctor`` against real servers: PostgreSQL, HTTP, and the platforms' stand-ins."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from aiohttp import web
from fastapi import FastAPI

from bot import doctor, http
from bot.queue import Queue
from bot.settings import ROOT
from bot.store import vitals
from bot.store.database import DatabaseError, conninfo, embedded
from connectors.base import Finding, Level
from connectors.discord import DiscordSettings
from connectors.discord import plugin as discord
from connectors.telegram import TelegramConnector, TelegramSettings
from connectors.telegram import plugin as telegram
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.ports import HeldPort
from tests.support.serving import served

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")

OK, WARNING, WRONG = Level.OK, Level.WARNING, Level.WRONG
SWITCHBOARD = Path(sys.executable).parent / "switchboard"


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


# --- database


def test_a_database_is_read(database_url: str, queue: Queue) -> None:
    found = vitals.look(database_url)
    assert found.version >= 150000
    assert found.revision == found.newest
    assert found.known
    assert not found.read_only
    assert found.sizes["message"] > 0
    assert found.work == vitals.Work(due=0, oldest_due=0.0, workers=0, dead_workers=0)
    assert abs(found.clock_ahead) < 1
    assert {finding.level for finding in doctor.database(found)} == {OK}


def test_what_waits_and_who_died(database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        add = "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at) VALUES ('default', 'turn', {})"
        connection.execute(add.format("now() - interval '10 minutes'"))
        connection.execute(add.format("NULL"))
        connection.execute(add.format("now() + interval '10 minutes'"))  # not due
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')")
    work = vitals.look(database_url).work
    assert work is not None
    assert (work.due, work.workers, work.dead_workers) == (2, 1, 1)
    assert 599 < work.oldest_due < 700


def test_a_job_never_put_off_has_its_age_too(database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'turn')")
        connection.execute("UPDATE procrastinate_events SET at = now() - interval '1 hour'")
    work = vitals.look(database_url).work
    assert work is not None
    assert work.oldest_due > 3590


@pytest.fixture
def scratch(database_url: str) -> Any:
    """An empty database beside the tests' own."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS doctor_scratch")
        connection.execute("CREATE DATABASE doctor_scratch")
        yield database_url.replace("/postgres?", "/doctor_scratch?")
        connection.execute("DROP DATABASE doctor_scratch WITH (FORCE)")


def test_a_database_without_tables_and_one_of_another_desk(scratch: str) -> None:
    assert "doctor_scratch" in scratch
    found = vitals.look(scratch)
    assert (found.revision, found.work, found.sizes) == (None, None, {})
    with psycopg.connect(conninfo(scratch), autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.execute("ALTER DATABASE doctor_scratch SET default_transaction_read_only = on")
    found = vitals.look(scratch)
    assert (found.revision, found.known, found.read_only) == ("9999", False, True)
    assert [finding.level for finding in doctor.database(found)] == [WRONG, WRONG]


def test_a_clock_that_differs(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = vitals.time.time
    monkeypatch.setattr(vitals, "time", SimpleNamespace(time=lambda: real() - 3600))
    assert vitals.look(database_url).clock_ahead == pytest.approx(3600, abs=2)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://desk:pw-of-ours@127.0.0.1:1/desk", "cannot reach the database"),
        ("postgresql://desk:pw-of-ours@x@127.0.0.1:1/desk", "more than one @"),
        ("mysql://desk:pw-of-ours@127.0.0.1/desk", "must be a PostgreSQL address"),
        ("pw-of-ours", "cannot be read as an address"),
        ("postgresql://desk:pw-of-ours@127.0.0.1:1/desk?sslmoode=on", "refuses to be read: .*sslmoode"),
    ],
)
def test_a_database_that_is_down_or_none(url: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words) as error:
        vitals.look(url)
    assert "pw-of-ours" not in str(error.value)


# --- HTTP: the desk, and a Rasa


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def test_the_desk_says_how_it_is() -> None:
    wrong: list[str | None] = [None]

    async def database() -> str | None:
        return wrong[0]

    async with served(http.application([], {"database": database})) as address:
        port = port_of(address)
        for host in ("127.0.0.1", "0.0.0.0"):
            (found,) = await doctor.desk(host, port)
            assert (found.level, "is ready" in found.words) == (OK, True)
        wrong[0] = "unreachable: cut"
        (found,) = await doctor.desk("127.0.0.1", port)
        assert (found.level, "database: unreachable: cut" in found.words) == (WRONG, True)
    async with served(FastAPI()) as address:
        (found,) = await doctor.desk("127.0.0.1", port_of(address))
        assert (found.level, "another program" in found.words, "PORT" in found.fix) == (WRONG, True, True)
    with HeldPort() as silent:
        (found,) = await doctor.desk("127.0.0.1", silent.number)
    assert (found.level, "none runs" in found.words) == (OK, True)


async def test_a_desk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "READY_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = await doctor.desk("127.0.0.1", silent.getsockname()[1])
    assert (found.level, "does not answer" in found.words) == (WRONG, True)


Parse = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def rasa(parse: Parse) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/model/parse", parse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_remote_rasa() -> None:
    async def parse(request: web.Request) -> web.Response:
        if request.query.get("token") != "good-token":
            return web.Response(status=401)
        greet = {"name": "greet", "confidence": 0.9}
        return web.json_response({"text": "hello", "intent": greet, "intent_ranking": [greet], "entities": []})

    async with rasa(parse) as url:
        (found,) = await doctor.remote_rasa(url, "good-token", 5)
        assert found.level is OK
        (found,) = await doctor.remote_rasa(url, "wrong-token-of-ours", 5)
        assert (found.level, "RASA_TOKEN" in found.fix, "wrong-token" in str(found)) == (WRONG, True, False)
    (found,) = await doctor.remote_rasa(url, "good-token", 5)
    assert (found.level, "check RASA_URL" in found.fix) == (WRONG, True)


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
        (found,) = await doctor.remote_rasa(url, "t", 0.5)
    assert (found.level, fix in found.fix) == (WRONG, True), found


# --- Telegram


async def ask_telegram(peer: TelegramPeer, token: str = "", **settings: Any) -> dict[str, Finding]:
    assert telegram.check is not None
    return by_name(await telegram.check(TelegramSettings(base_url=peer.base_url, **settings), token or peer.token))


@pytest.fixture
async def bot_api() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


async def test_telegram_is_well(bot_api: TelegramPeer) -> None:
    found = await ask_telegram(bot_api)
    assert {finding.level for finding in found.values()} == {OK}
    assert "@desk_bot" in found["telegram"].words
    assert found["telegram"].clock_ahead == 0.0
    # Looking changes nothing.
    assert {call.method.lower() for call in bot_api.calls} == {"getme", "getwebhookinfo"}


@pytest.mark.parametrize("token", ["700100200:AAF-a_wrong-token-of-the-bot-0000000", "no token at all"])
async def test_telegram_refuses_the_token(bot_api: TelegramPeer, token: str) -> None:
    found = await ask_telegram(bot_api, token)
    assert list(found) == ["telegram"]
    assert (found["telegram"].level, "@BotFather" in found["telegram"].fix) == (WRONG, True)
    assert token not in str(found)


async def test_telegram_is_not_there(bot_api: TelegramPeer) -> None:
    await bot_api.stop()
    found = await ask_telegram(bot_api)
    assert (found["telegram"].level, "connection" in found["telegram"].fix) == (WRONG, True)
    assert bot_api.token not in str(found)


async def test_something_else_answers(bot_api: TelegramPeer) -> None:
    bot_api.fail_next("getMe", 502, "Bad Gateway")
    assert (await ask_telegram(bot_api))["telegram"].level is WRONG
    bot_api.fail_next("getWebhookInfo", 500, "Internal")
    assert (await ask_telegram(bot_api))["telegram webhook"].level is WRONG


async def set_webhook(peer: TelegramPeer, url: str) -> None:
    bot = TelegramConnector(TelegramSettings(base_url=peer.base_url), peer.token)
    await bot._api.call("setWebhook", url=url)
    await bot.close()


async def test_a_webhook_while_polling(bot_api: TelegramPeer) -> None:
    await set_webhook(bot_api, "https://elsewhere.example/secret-path")
    found = (await ask_telegram(bot_api))["telegram webhook"]
    assert (found.level, "elsewhere.example" in found.words) == (WRONG, True)
    assert "secret-path" not in str(found)
    assert "start the desk again" in found.fix


async def test_many_wait(bot_api: TelegramPeer) -> None:
    ann = bot_api.user(1)
    for _ in range(100):
        ann.writes("hello")
    found = (await ask_telegram(bot_api))["telegram webhook"]
    assert (found.level, "100 update(s) wait" in found.words) == (WARNING, True)


async def test_a_webhook_and_its_address(bot_api: TelegramPeer, port: int) -> None:
    receiving = FastAPI()
    async with served(receiving, port) as address:
        settings = {"mode": "webhook", "webhook_url": address}
        bot = TelegramConnector(TelegramSettings(base_url=bot_api.base_url, **settings), bot_api.token)
        found = await ask_telegram(bot_api, **settings)
        assert (found["telegram webhook"].level, "no webhook is set" in found["telegram webhook"].words) == (
            WRONG,
            True,
        )
        address = found["telegram webhook address"]
        assert (address.level, "answers 404" in address.words) == (WARNING, True)

        async def receive(_: Any) -> Any:
            raise OSError("the database is gone")

        receiving.include_router(bot.routes(receive))
        url = bot.settings.webhook_url
        assert url is not None
        await bot._api.call("setWebhook", url=url, secret_token=bot._secret())
        found = await ask_telegram(bot_api, **settings)
        assert {finding.level for finding in found.values()} == {OK}
        assert "leads to a desk" in found["telegram webhook address"].words

        ann = bot_api.user(1)
        ann.writes("hello")
        await bot_api.wait_until(lambda: bool(bot_api.webhook and bot_api.webhook.last_error))
        found = await ask_telegram(bot_api, **settings)
        failing = found["telegram webhook"]
        assert (failing.level, "503; 1 update(s) wait" in failing.words) == (WRONG, True)

        await set_webhook(bot_api, "https://elsewhere.example/x")
        found = await ask_telegram(bot_api, **settings)
        assert "is set to elsewhere.example" in found["telegram webhook"].words
        await bot.close()
    found = await ask_telegram(bot_api, **settings)
    assert "does not answer from here" in found["telegram webhook address"].words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/x", "begins with http://"),
        ("https://example.com:8080/x", "port 8080"),
        ("https://localhost/x", "nobody on the internet"),
        ("https://10.1.2.3:8443/x", "10.1.2.3, which nobody"),
        ("https://no-such-host.invalid/x", "leads nowhere"),
    ],
)
async def test_addresses_that_telegram_cannot_reach(
    bot_api: TelegramPeer, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    # The stand-in in the place of the real one, whose rules hold.
    monkeypatch.setattr("connectors.telegram.check.TELEGRAM", "127.0.0.1")
    found = (await ask_telegram(bot_api, mode="webhook", webhook_url=url))["telegram webhook address"]
    assert (found.level, words in found.words, "webhook_url" in found.fix) == (WRONG, True, True), found


# --- Discord


async def ask_discord(peer: DiscordPeer, token: str = "") -> dict[str, Finding]:
    assert discord.check is not None
    return by_name(await discord.check(DiscordSettings(api_base=peer.api_base), token or peer.token))


@pytest.fixture
async def guild() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


async def test_discord_is_well(guild: DiscordPeer) -> None:
    found = await ask_discord(guild)
    assert list(found) == ["discord", "discord gateway", "discord buttons"]
    assert {finding.level for finding in found.values()} == {OK}
    assert found["discord"].clock_ahead == 0.0
    assert {call.method for call in guild.calls} == {"GET"}


@pytest.mark.parametrize("token", ["a.wrong.token-of-ours", "with a space"])
async def test_discord_refuses_the_token(guild: DiscordPeer, token: str) -> None:
    found = await ask_discord(guild, token)
    assert list(found) == ["discord"]
    assert (found["discord"].level, "Developer Portal" in found["discord"].fix) == (WRONG, True)
    assert token not in str(found)


async def test_discord_is_not_there(guild: DiscordPeer) -> None:
    await guild.stop()
    found = await ask_discord(guild)
    assert (found["discord"].level, "connection" in found["discord"].fix) == (WRONG, True)


@pytest.mark.parametrize(("left", "level"), [(50, OK), (49, WARNING), (0, WRONG)])
async def test_few_session_starts(guild: DiscordPeer, left: int, level: Level) -> None:
    guild.session_starts_left = left
    found = (await ask_discord(guild))["discord gateway"]
    assert (found.level, f"{left} of 1000" in found.words, "4.0 h" in found.words) == (level, True, True)


async def test_buttons_go_elsewhere(guild: DiscordPeer) -> None:
    where = {"id": "1", "interactions_endpoint_url": "https://elsewhere.example/secret"}
    guild.fail_next("GET /applications/@me", status=200, body=where)
    found = (await ask_discord(guild))["discord buttons"]
    assert (found.level, "Interactions Endpoint URL" in found.fix, "secret" in str(found)) == (WRONG, True, False)


async def test_a_server_without_applications(guild: DiscordPeer) -> None:
    guild.fail_next("GET /applications/@me", status=404, body={"message": "404: Not Found", "code": 0})
    assert (await ask_discord(guild))["discord buttons"].level is OK


# --- the command


async def run_doctor(*arguments: str, **variables: str) -> tuple[int, str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SWITCHBOARD_", "TELEGRAM_", "DISCORD_", "RASA_", "DATABASE_"))
    }
    process = await asyncio.create_subprocess_exec(
        SWITCHBOARD, "doctor", *arguments, stdout=PIPE, stderr=PIPE, env=inherited | variables
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def port() -> Iterator[int]:
    """Where no desk runs."""
    with HeldPort() as held:
        yield held.number


def deployment(folder: Path, port: int, text: str = "") -> dict[str, str]:
    config = folder / "config.yml"
    config.write_text(f"data: {ROOT / 'data'}\n{text}", encoding="utf-8")
    return {"SWITCHBOARD_CONFIG": str(config), "SWITCHBOARD_VAR": str(folder / "var"), "PORT": str(port)}


async def test_the_command_in_a_good_deployment(
    tmp_path: Path, port: int, database_url: str, bot_api: TelegramPeer, guild: DiscordPeer
) -> None:
    channels = f"channels:\n  telegram:\n    base_url: {bot_api.base_url}\n  discord:\n    api_base: {guild.api_base}\n"
    variables = deployment(tmp_path, port, channels) | {
        "DATABASE_URL": database_url,
        "TELEGRAM_BOT_TOKEN": bot_api.token,
        "DISCORD_BOT_TOKEN": guild.token,
    }
    status, out, err = await run_doctor(**variables)
    assert status == 0, out + err
    assert "✗" not in out
    for name in ("configuration", "content", "database", "tables", "queue", "rasa", "telegram", "discord", "clock"):
        assert f" {name} " in out
    assert "agrees with the database, discord, telegram" in out
    assert "Nothing is wrong" in out

    status, out, _ = await run_doctor("--json", **variables | {"TELEGRAM_BOT_TOKEN": "7:wrong-token-of-ours"})
    told = json.loads(out)
    assert (status, told["status"]) == (1, "wrong")
    wrong = [finding for finding in told["findings"] if finding["level"] == "wrong"]
    assert [finding["name"] for finding in wrong] == ["telegram"]
    assert wrong[0]["fix"]
    assert "wrong-token-of-ours" not in out + err


async def test_the_command_where_nothing_works(tmp_path: Path, port: int) -> None:
    variables = deployment(tmp_path, port, "channels:\n  telegram:\n    base_url: http://127.0.0.1:1\n") | {
        "DATABASE_URL": "postgresql://desk:pw-of-ours@127.0.0.1:1/desk",
        "RASA_URL": "http://127.0.0.1:1",
        "RASA_TOKEN": "rasa-token-of-ours",
        "TELEGRAM_BOT_TOKEN": "7:tele-token-of-ours",
        "HOST": "0.0.0.0",
    }
    status, out, err = await run_doctor(**variables)
    assert status == 1
    marks = {line.split()[1]: line[0] for line in out.splitlines() if line[:1] in "✓!✗"}
    assert {name for name, mark in marks.items() if mark == "✗"} == {"database", "rasa", "telegram"}
    assert marks["host"] == "!"
    assert "3 thing(s) wrong" in out
    assert "of-ours" not in out + err


async def test_the_command_with_a_broken_configuration(tmp_path: Path, port: int) -> None:
    variables = deployment(tmp_path, port, "channels:\n  telegrm: {}\n")
    status, out, _ = await run_doctor("--json", **variables)
    (finding,) = json.loads(out)["findings"]
    assert (status, finding["name"], finding["level"]) == (1, "configuration", "wrong")
    assert "did you mean telegram?" in finding["words"]


async def test_the_command_with_the_embedded_database(port: int) -> None:
    with TemporaryDirectory(prefix="switchboard-") as folder:
        variables = deployment(Path(folder), port)
        cluster = Path(folder) / "var" / "postgres"
        status, out, err = await run_doctor(**variables)
        assert (status, "there is none yet" in out, cluster.exists()) == (0, True, False), out + err
        with embedded(cluster):  # a desk runs
            status, out, err = await run_doctor(**variables)
            assert (status, "✓ database" in out, "! tables" in out) == (0, True, True), out + err
            assert (cluster / "postmaster.pid").exists()  # and goes on running
        status, out, err = await run_doctor(**variables)
        assert (status, "✓ database" in out) == (0, True), out + err
        assert not (cluster / "postmaster.pid").exists()
