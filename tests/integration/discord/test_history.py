"""What was said while the desk was away is read from the history of the chats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from discord.utils import time_snowflake

from bot.domain.channel import Chat
from connectors.discord import DiscordConnector
from tests.peers.discord import DiscordPeer, PeerUser
from tests.peers.discord.entities import Message
from tests.support.discord_connector import Desk, acquainted, numbered, outgoing, restarted, running
from tests.support.waiting import until


async def test_first_contact_while_the_desk_was_down_and_the_session_expired(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        await acquainted(peer, desk)
    peer.expire_sessions()
    bea, cid = peer.user("Bea"), peer.user("Cid")
    old = Message(time_snowflake(datetime.now(UTC) - timedelta(hours=25)), peer.state.dm(cid), cid.profile, "long ago")
    peer.state.post(old)
    for number in range(3):
        bea.writes(f"m{number}")
        cid.writes(f"m{number}")
    async with restarted(peer, desk):
        await asyncio.sleep(0.2)
        assert len(desk.received) == 1  # nobody can tell a bot of them
        bea.writes("m3")
        cid.writes("m3")
        await until(lambda: len(desk.received) == 9)
        assert desk.texts_of(bea) == numbered(0, 4)
        assert desk.texts_of(cid) == numbered(0, 4)


async def test_words_that_the_bot_has_answered_are_no_first_words(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, ann: PeerUser
) -> None:
    ann.writes("to a desk of long ago")
    await connector.send(outgoing(ann, "answered then"))
    ann.writes("unanswered")
    async with running(peer, connector, desk):
        ann.writes("new")
        await until(lambda: desk.texts == ["unanswered", "new"])


@pytest.mark.parametrize("missed", [99, 100, 101, 200, 260])
async def test_what_was_missed_is_read_from_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, missed: int
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(missed):
        ann.writes(f"m{number}")
        if number % 40 == 20:
            # Of the bot's own, as from a desk on another machine.
            peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "own"))
    async with restarted(peer, desk):
        await until(lambda: len(desk.texts) >= missed + 1)
        ann.writes("live")
        await until(lambda: desk.texts[-1] == "live")
        assert desk.texts == ["hello from Ann", *numbered(0, missed), "live"]
        assert [event.mark for event in desk.received] == [event.external_id for event in desk.received]


async def test_a_page_of_the_bots_own_messages_is_passed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for _ in range(210):
        peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "own"))
    ann.writes("behind them")
    async with restarted(peer, desk):
        await until(lambda: desk.texts[-1] == "behind them")
    peer.calls.clear()
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages")
        await asyncio.sleep(0.1)
        assert len(peer.called("GET", "/messages")) == 2  # behind the mark, and what changed before it


async def test_edits_and_deletions_while_away(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        ids = [ann.writes(f"m{number}") for number in range(60)]
        await until(lambda: len(desk.received) == 60)
    peer.expire_sessions()
    ann.edits(ids[58], "changed")
    ann.edits(ids[3], "too long ago")
    ann.deletes(ids[57])
    ann.writes("new, deleted soon")
    new = ann.writes("new")
    ann.edits(new, "new and changed")
    async with restarted(peer, desk):
        await until(lambda: len(desk.received) == 64)
        changes = [(event.text, event.edits, event.deletes) for event in desk.received[60:]]
        assert changes == [
            ("new, deleted soon", None, None),
            ("new and changed", None, None),
            ("changed", str(ids[58]), None),
            ("", None, str(ids[57])),
        ]
    desk.before = None
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages", 6)
        await asyncio.sleep(0.1)
        assert len([event for event in desk.received if event.deletes]) == 1
        assert len({event.external_id for event in desk.received}) == len(desk.received)


async def test_words_behind_a_command_and_its_answer_are_found_after_a_restart(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        await peer.wait_until(lambda: len(peer.commands) == 2)
        ann = peer.user("Ann")
        await ann.wait_answers(ann.runs("human"))
        assert len(desk.received) == 1
    peer.expire_sessions()
    ann.writes("m0")
    peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "How can we help?"))
    ann.writes("m1")
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["m0", "m1"])


async def test_many_first_words_while_away_are_all_read(peer: DiscordPeer, desk: Desk) -> None:
    ann = peer.user("Ann")
    for number in range(230):
        ann.writes(f"m{number}")
    async with restarted(peer, desk):
        ann.writes("m230")
        await until(lambda: len(desk.received) >= 231)
        assert desk.texts == numbered(0, 231)


async def test_chats_that_were_long_quiet_are_not_searched_for_changes(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        first = ann.writes("m0")
        await until(lambda: len(desk.received) == 1)
    peer.expire_sessions()
    ann.edits(first, "changed")
    desk.records.active_at = datetime.now(UTC) - timedelta(days=8)
    peer.calls.clear()
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages", 2)  # at the start, and when the new session began
        await asyncio.sleep(0.1)
        assert all("after" in call.payload for call in peer.called("GET", "/messages"))
        assert len(desk.received) == 1


async def test_live_events_do_not_overtake_what_was_missed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(150):
        ann.writes(f"m{number}")
    peer.delay_next(f"GET /channels/{ann.channel_id}", 0.3, times=2)
    async with restarted(peer, desk):
        for number in range(150, 160):
            ann.writes(f"m{number}")
            await asyncio.sleep(0.02)
        await until(lambda: len(desk.received) >= 161)
        assert desk.texts == ["hello from Ann", *numbered(0, 160)]


async def test_a_known_chat_without_a_mark_is_read_although_history_fails_at_first(
    peer: DiscordPeer, desk: Desk, ann: PeerUser
) -> None:
    """Somebody who opened the chat by a command, and wrote when nobody was there."""
    desk.records.extra[str(ann.channel_id)] = Chat(str(ann.channel_id), None, datetime.now(UTC))
    ann.writes("m0")
    peer.fail_next("GET /channels", 503, times=2)
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["m0"])


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (404, 10003), (400, 50035)])
async def test_history_that_is_refused_blocks_nobody(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, status: int, code: int
) -> None:
    async with running(peer, connector, desk):
        ann, bea = await acquainted(peer, desk), await acquainted(peer, desk, "Bea")
    peer.expire_sessions()
    bea.writes("missed")
    peer.fail_next(f"GET /channels/{ann.channel_id}", status, times=5, body={"code": code, "message": "no"})
    async with restarted(peer, desk):
        await until(lambda: "missed" in desk.texts)
        ann.writes("live")
        await until(lambda: "live" in desk.texts)


@pytest.mark.parametrize(
    "fault",
    [
        lambda peer: peer.fail_next("GET /channels", 503, times=3),
        lambda peer: peer.fail_next("GET /channels", 500),  # repeated by discord.py, after a second
        lambda peer: peer.limit_next("GET /channels", 0.2),
        lambda peer: peer.limit_next("GET /channels", 0.2, is_global=True),
        lambda peer: peer.limit_next("GET /channels", 40),
        lambda peer: peer.limit_next("GET /channels", 40, cloudflare=True),
        lambda peer: peer.drop_next("GET /channels", times=3),
        lambda peer: peer.fail_next("GET /channels", 200, body="<html>", times=2),
        lambda peer: peer.fail_next("GET /channels", 200, body={"x": 1}, times=2),
    ],
    ids=["503", "500", "429", "429 global", "429 long", "cloudflare", "dropped", "html", "no list"],
)
async def test_history_is_read_whatever_goes_wrong_at_first(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, fault: Callable[[DiscordPeer], None]
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(3):
        ann.writes(f"m{number}")
    fault(peer)
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["hello from Ann", *numbered(0, 3)])
