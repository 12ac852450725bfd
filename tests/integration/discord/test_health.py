"""How the connector says that it is doing: refusals with their fix, outages, logs without secrets, shards."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import structlog

from bot.domain.channel import PermanentError, TemporaryError
from connectors.discord import DiscordConnector, DiscordSettings, connection
from tests.peers.discord import DiscordPeer
from tests.support.discord_connector import (
    LOSSES,
    Desk,
    Doing,
    acquainted,
    answering,
    asked,
    ended,
    from_server,
    numbered,
    outgoing,
    restarted,
    running,
    settings,
)
from tests.support.waiting import until
from tests.support.words import WORDS


async def test_a_refused_token_ends_it_with_what_to_do(peer: DiscordPeer, desk: Desk, doing: Doing) -> None:
    connector = DiscordConnector(settings(peer), "not.the.token", desk.records, doing, words=WORDS)
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        async with asyncio.timeout(10):
            await connector.run(desk.receive)
    await connector.close()
    assert peer.identifies == 0
    assert ("connected", "") not in doing.said


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (4004, "DISCORD_BOT_TOKEN"),
        (4010, "shard"),
        (4011, "shards"),
        (4012, "Update"),
        (4013, "Update"),
        (4014, "intents"),
    ],
)
async def test_final_close_codes_end_it_with_what_to_do(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, code: int, match: str
) -> None:
    async with running(peer, connector, desk) as task:
        peer.close(code)
        with pytest.raises(PermanentError, match=match):
            async with asyncio.timeout(10):
                await asyncio.shield(task)


async def test_a_gateway_that_refuses_what_rest_accepts(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = peer._gateway._identify
    token = peer.state.token

    def refuse(connection: Any, data: Any) -> None:
        take(connection, {**data, "token": "reset meanwhile"})

    monkeypatch.setattr(peer._gateway, "_identify", refuse)
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        async with asyncio.timeout(10):
            await connector.run(desk.receive)
    assert peer.state.token == token
    assert peer.identifies == 0


async def test_a_token_that_is_reset_while_it_runs(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk) as task:
        ann = await acquainted(peer, desk)
        peer.state.token = "another.token.now"
        with pytest.raises(TemporaryError, match="DISCORD_BOT_TOKEN"):
            await connector.send(outgoing(ann, "hello"))
        peer.cut()
        with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
            async with asyncio.timeout(10):
                await asyncio.shield(task)


async def test_used_up_session_starts_are_told_and_not_tried(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    peer.session_starts_left = 0
    async with running(peer, connector, desk, wait=False) as task:
        await until(lambda: bool(doing.troubles))
        assert "used up" in doing.troubles[0]
        assert peer.identifies == 0
        assert not task.done()


async def test_a_gateway_that_is_down_at_the_start_is_told(peer: DiscordPeer, desk: Desk, doing: Doing) -> None:
    nowhere = DiscordSettings(api_base=peer.api_base, gateway_url="ws://127.0.0.1:9")
    connector = DiscordConnector(nowhere, peer.token, desk.records, doing, words=WORDS)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: len(doing.troubles) >= 2)
        assert "could not be reached" in doing.troubles[0]
        assert doing.states == ["connecting"]
    await connector.close()


async def test_a_gateway_that_says_nothing_is_told(
    peer: DiscordPeer, desk: Desk, doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECTED_WITHIN", 0.2)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    silent = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = DiscordSettings(api_base=peer.api_base, gateway_url=silent)
    connector = DiscordConnector(given, peer.token, desk.records, doing, words=WORDS)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: bool(doing.troubles))
        assert "has not let the bot in" in doing.troubles[0]
        assert doing.states == ["connecting"]
    await connector.close()
    server.close()


async def test_discord_is_down_at_the_start(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    await peer.stop()
    async with running(peer, connector, desk, wait=False):
        await until(lambda: len(doing.troubles) >= 2)
        assert "could not be reached" in doing.troubles[0]
        await peer.start()
        await peer.connected()
        await until(lambda: doing.said[-1] == ("connected", str(peer.bot_id)))
        await acquainted(peer, desk)


@pytest.mark.parametrize("body", ["<html>", [], {}, {"url": 5}, {"shards": "x", "url": "y"}, {"shards": 1, "url": "%"}])
async def test_odd_answers_at_the_start_are_told_and_tried_again(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing, body: Any
) -> None:
    peer.fail_next("GET /gateway/bot", 200, body=body)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: ("connected", str(peer.bot_id)) in doing.said)
    peer.fail_next("GET /users/@me", 200, body=body)
    async with running(peer, DiscordConnector(settings(peer), peer.token, desk.records, doing, words=WORDS), desk):
        pass


async def test_it_stops_at_once_also_while_discord_is_down(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    async with running(peer, connector, desk) as task:
        await peer.stop()
        await until(lambda: doing.states[-1] == "connecting")
        async with asyncio.timeout(10):
            await ended(task)


async def test_reconnecting_is_told(peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing) -> None:
    async with running(peer, connector, desk):
        await until(lambda: doing.states == ["connecting", "connected"])
        peer.cut()
        await until(lambda: doing.states == ["connecting", "connected", "connecting", "connected"])
        peer.invalidate(False)
        await until(lambda: len(doing.states) == 6)
        assert doing.states[-1] == "connected"


async def test_the_token_and_customers_words_are_in_no_log(
    peer: DiscordPeer, desk: Desk, doing: Doing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as logs:
        connector = DiscordConnector(settings(peer), peer.token, desk.records, doing, words=WORDS)
        async with running(peer, connector, desk):
            ann = await acquainted(peer, desk)
            question = await asked(connector, ann)
            desk.failures = 3
            ann.writes("my seed phrase")
            peer.limit_next("POST /interactions", 0.05)
            pressed = ann.presses(question, "helped:yes")
            await ann.wait_answers(pressed)
            token = peer.state.interactions[pressed].token
            peer.fail_next("POST /interactions", 503)
            ann.presses(question, "helped:no")
            peer.drop_next("POST /channels")
            with pytest.raises(TemporaryError):
                await connector.send(outgoing(ann, "x"))
            LOSSES["expired"](peer)
            await peer.connected()
            LOSSES["4000"](peer)
            await peer.connected()
            await peer.stop()
            await until(lambda: doing.said[-1][0] != "connected")
            await peer.start()
            await peer.connected()
            await until(lambda: "my seed phrase" in desk.texts)
        await connector.close()
    everything = f"{logs} {caplog.text} {doing.said}"
    assert "discord_connected" in everything
    for secret in (peer.token, token, "my seed phrase"):
        assert secret not in everything


async def test_three_shards(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    peer.shards = 3
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        await until(lambda: len(peer.live_sessions) == 3)
        ann = await acquainted(peer, desk)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        bea = peer.user("Bea")
        answers = await bea.wait_answers(from_server(peer, bea, "support"), 2)
        assert str(bea.channel_id) in answers[-1]["data"]["content"]
        peer.cut()
        for number in range(20):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.texts) == 21)
        assert desk.texts == ["hello from Ann", *numbered(0, 20)]
    ann.writes("m20")
    async with restarted(peer, desk):
        await until(lambda: desk.texts[-1] == "m20")
        await until(lambda: len(peer.live_sessions) == 3)
        assert len(desk.received) == len({event.external_id for event in desk.received})
    peer.shards = 2
    peer.expire_sessions()
    async with restarted(peer, desk):
        ann.writes("m21")
        await until(lambda: desk.texts[-1] == "m21")
