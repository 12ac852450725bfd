"""What the desk cannot take at once, and what nobody can read."""

from __future__ import annotations

import asyncio
import json

import pytest
import structlog

from bot.domain.message import Incoming
from connectors.discord import DiscordConnector, intake
from tests.peers.discord import DiscordPeer
from tests.support.discord_connector import Desk, acquainted, asked, numbered, running
from tests.support.waiting import until


async def test_what_is_not_committed_stays_in_order_and_blocks_nobody_else(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann, bea = await acquainted(peer, desk), await acquainted(peer, desk, "Bea")
        failing = {"left": 5}

        async def fail(incoming: Incoming) -> None:
            if incoming.chat_id == str(ann.channel_id) and failing["left"]:
                failing["left"] -= 1
                raise ConnectionError("database lost while writing something")

        desk.before = fail
        for number in range(10):
            ann.writes(f"m{number}")
            bea.writes(f"m{number}")
        await until(lambda: len(desk.texts_of(bea)) == 11)
        assert failing["left"] > 0
        assert len(desk.texts_of(ann)) == 1
        await until(lambda: len(desk.received) == 22)
        assert desk.texts_of(ann)[1:] == desk.texts_of(bea)[1:] == numbered(0, 10)


async def test_more_events_than_are_kept_in_memory(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 20)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        desk.failures = 10
        for number in range(150):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.received) >= 151)
        ann.writes("end")
        await until(lambda: desk.texts[-1] == "end")
        assert desk.texts == ["hello from Ann", *numbered(0, 150), "end"]


async def test_what_no_history_brings_is_always_kept(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 5)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        question = await asked(connector, ann)
        desk.failures = 10
        for number in range(30):
            ann.writes(f"m{number}")
        pressed = ann.presses(question, "helped:no")
        await until(lambda: len(desk.received) == 32)
        assert desk.texts == ["hello from Ann", *numbered(0, 30)]
        assert desk.received[-1].external_id == f"interaction:{pressed}"


async def test_the_first_words_of_a_new_chat_do_not_wait_for_its_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        peer.fail_next("GET /channels", 503)
        await acquainted(peer, desk)
        peer.fail_next("GET /channels", 200, body="<html>")
        await acquainted(peer, desk, "Bea")
        peer.fail_next("GET /channels", 200, body={"not": "a list"})
        await acquainted(peer, desk, "Cid")
        assert len(desk.received) == 3


async def test_the_first_words_of_a_new_chat_do_not_wait_long_for_its_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FIRST_WORDS_WITHIN", 0.1)
    async with running(peer, connector, desk):
        peer.delay_next("GET /channels", 1.0)
        ann = await acquainted(peer, desk)
        ann.writes("more")
        await until(lambda: desk.texts[-1] == "more", 0.5)


async def test_malformed_events_are_passed_over(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(peer, connector, desk):
            ann = await acquainted(peer, desk)
            session = peer.sessions[0]
            for event in ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "INTERACTION_CREATE"):
                for data in (
                    {"id": "secret words"},
                    [],
                    None,
                    "x",
                    5,
                    {"author": "secret words", "edited_timestamp": "1"},
                ):
                    session.add(event, data)
            session.add("TYPING_START", {"x": 1})
            session.add("A_NEW_KIND", {"x": 1})
            ann.writes("fine")
            await until(lambda: desk.texts[-1] == "fine")
            assert (peer.identifies, peer.resumes) == (1, 0)
    assert sum(entry["action"] == "discord_event_malformed" for entry in logs if "action" in entry) >= 15
    assert "secret words" not in str(logs)
    assert "secret words" not in caplog.text


@pytest.mark.parametrize(
    "raw",
    ["[" * 50_000 + "]" * 50_000, "1" * 5_000, '{"op": 10, "d": null}', "[]"],
    ids=["deep", "digits", "a bad hello", "no frame"],
)
async def test_a_frame_that_breaks_the_connection_is_not_resumed_into_for_ever(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, raw: str
) -> None:
    # Wherever it is, it breaks the whole frame; what is no part of one is the frame.
    peer.as_sent = lambda frame: raw if "<raw>" in frame and raw[0] in "{[" else frame.replace('"<raw>"', raw)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await until(lambda: "session" in desk.records.memory)
        ann.writes("before")
        peer.sessions[0].add("MESSAGE_CREATE", {"content": "<raw>"})
        ann.writes("after")
        await until(lambda: desk.texts[-2:] == ["before", "after"])
        await until(lambda: bool(peer.live_sessions))
        ann.writes("and live")
        await until(lambda: desk.texts[-1] == "and live")
        assert peer.identifies == 2


async def test_a_number_that_is_none_does_no_harm(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    peer.as_sent = lambda frame: frame.replace('"s": 2,', '"s": "two",')
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await asyncio.sleep(0.1)
        ann.writes("after")
        await until(lambda: desk.texts[-1] == "after")
        await until(lambda: json.loads(desk.records.memory.get("session", "{}")).get("sequence", 0) >= 3)
        assert peer.identifies == 1
