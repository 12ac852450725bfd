"""The command itself: what it prints, and its exit status."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.settings import ROOT
from bot.store.database import embedded
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


SWITCHBOARD = Path(sys.executable).parent / "switchboard"


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
