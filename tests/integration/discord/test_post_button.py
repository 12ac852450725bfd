"""The operator's command that puts the button into a channel."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from connectors.discord import DiscordConnector, api
from tests.peers.discord import DiscordPeer
from tests.support.discord_connector import Desk, answering, running, shown

_COMMANDS = """
import contextlib, io, json, os, sys
from switchboard import cli
for token, arguments in json.load(sys.stdin):
    os.environ["DISCORD_BOT_TOKEN"] = token
    sys.argv = ["switchboard", "discord", "post-button", *arguments]
    code, out = 0, io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue()]))
"""
"""The commands of one operator, in one process: starting Python takes longer than they do."""


async def post_buttons(peer: DiscordPeer, folder: Path, *commands: tuple[str, list[str]]) -> list[tuple[int, str]]:
    """Exit code and output of each command, given as token and arguments."""
    config = folder / "config.yml"
    config.write_text(f"channels:\n  discord:\n    api_base: {peer.api_base}\n")
    environment = {**os.environ, "NO_COLOR": "1", "SWITCHBOARD_CONFIG": str(config)}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COMMANDS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(120):
        out, _ = await running.communicate(json.dumps(commands).encode())
    return [tuple(json.loads(line)) for line in out.splitlines()]


async def test_post_button(peer: DiscordPeer, connector: DiscordConnector, desk: Desk, tmp_path: Path) -> None:
    channel = str(peer.guild_channel_id)
    arguments = [channel, "--text", "问题？ @everyone", "--label", "联系客服"]
    ((code, said),) = await post_buttons(peer, tmp_path, (peer.token, arguments))
    (posted,) = peer.messages(peer.guild_channel_id)
    number = posted["id"]
    assert said == f"Posted message {number} in channel {channel}. Its button works as long as the message stands.\n"
    assert code == 0
    assert (posted["content"], posted["mentions_pinged"]) == ("问题？ @everyone", [])
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        await ann.wait_answers(ann.presses(int(number), "support"), 2)
        assert shown(ann) == ["How can we help?"]


async def test_post_button_says_what_is_wrong(peer: DiscordPeer, tmp_path: Path) -> None:
    channel = str(peer.guild_channel_id)
    peer.fail_next(f"POST /channels/{channel}", 403, body={"code": 50013, "message": "Missing Permissions"})
    results = await post_buttons(
        peer,
        tmp_path,
        (peer.token, [channel]),
        (peer.token, ["404404"]),
        ("wrong.token.here", [channel]),
        ("", [channel]),
        (peer.token, ["general"]),
        (peer.token, [channel, "--label", "x" * 81]),
        (peer.token, [channel, "--text", "x" * 2001]),
    )
    expected = ("permission", "no such channel", "DISCORD_BOT_TOKEN", "DISCORD_BOT_TOKEN", "channel id", "81", "2001")
    for (code, said), wanted in zip(results, expected, strict=True):
        assert code == 2
        assert wanted in said
        assert said.count("\n") == 1, said
        assert "wrong.token" not in said
    assert peer.messages(peer.guild_channel_id) == []


async def test_the_api_names_itself_as_a_bot(peer: DiscordPeer) -> None:
    calls = api.Api(peer.api_base, peer.token)
    assert await calls.me() == str(peer.bot_id)
    await calls.close()
