"""Buttons and commands: every one is answered in time, and the chat is opened from a server."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.message import Button, Command, Incoming
from connectors.discord import DiscordConnector, background
from tests.peers.discord import DiscordPeer
from tests.support.discord_connector import (
    Desk,
    Doing,
    acquainted,
    answering,
    asked,
    from_server,
    outgoing,
    restarted,
    running,
    shown,
)
from tests.support.waiting import until
from tests.support.words import WORDS


async def test_a_press_is_answered_in_time_though_the_desk_is_slow(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk, locale="zh-CN")
        question = await asked(connector, ann)

        async def slow(incoming: Incoming) -> None:
            await asyncio.sleep(2.4)

        desk.before = slow
        first = ann.presses(question, "helped:no")
        second = ann.presses(question, "helped:no")
        for pressed in (first, second):
            (answer,) = await ann.wait_answers(pressed)
            assert (answer["type"], answer["at"] < 2.9) == (6, True)
        desk.before = None
        await until(lambda: len(desk.received) == 3, 4)
        await asyncio.sleep(0.1)
        assert len(ann.interaction_answers(first)) == len(ann.interaction_answers(second)) == 1
        assert len(peer.called("POST", "/interactions")) == 2
        press = desk.received[1]
        assert (press.button, press.text, press.external_id) == ("helped:no", "No", f"interaction:{first}")
        assert press.sender.language == "zh-CN"


async def test_a_press_is_answered_once_it_is_committed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        pressed = ann.presses(await asked(connector, ann), "helped:yes")
        (answer,) = await ann.wait_answers(pressed)
        assert answer["at"] < 1
        assert desk.received[-1].button == "helped:yes"
        ran = ann.runs("human")
        (answer,) = await ann.wait_answers(ran)
        assert (answer["type"], answer["ephemeral"]) == (4, True)
        assert answer["data"]["content"] == WORDS.say("discord.here")
        assert desk.received[-1].command is Command.HUMAN
        assert desk.received[-1].text == "/human"


async def test_buttons_work_after_a_restart(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        question = await asked(connector, ann)
    during = ann.presses(question, "helped:no")
    async with restarted(peer, desk):
        await until(lambda: desk.received[-1].external_id == f"interaction:{during}")
        pressed = ann.presses(question, "helped:yes")
        await ann.wait_answers(pressed)
        assert desk.received[-1].button == "helped:yes"
        assert len(desk.received) == 3


async def test_unknown_buttons_and_late_answers_disturb_nobody(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        strange = int(await connector.send(outgoing(ann, "?", buttons=(Button("old", "from:an:older:desk"),))))
        peer.interaction_window = 0.0
        ann.presses(strange, "from:an:older:desk")
        await until(lambda: desk.received[-1].button == "from:an:older:desk")
        await peer.wait_calls("POST", "/interactions")
        peer.interaction_window = 3.0
        for fault in (
            lambda: peer.fail_next("POST /interactions", 503),
            lambda: peer.drop_next("POST /interactions", after_effect=True),
            lambda: peer.limit_next("POST /interactions", 40),
            lambda: peer.fail_next("POST /interactions", 200, body="<html>"),
        ):
            fault()
            pressed = ann.presses(strange, "from:an:older:desk")
            await until(lambda number=pressed: desk.received[-1].external_id == f"interaction:{number}")
        for fault in (
            lambda: peer.limit_next("POST /interactions", 0.1),
            lambda: peer.fail_next("POST /interactions", 500),
        ):
            fault()
            pressed = ann.presses(strange, "from:an:older:desk")
            assert len(await ann.wait_answers(pressed)) == 1
        assert (peer.identifies, peer.resumes) == (1, 0)
        assert [event.external_id for event in desk.received] == list(
            dict.fromkeys(event.external_id for event in desk.received)
        )


async def test_commands_are_announced(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        await peer.wait_until(lambda: len(peer.commands) == 2)
        assert sorted(command["name"] for command in peer.commands) == ["human", "support"]
        for command in peer.commands:
            assert command["contexts"] == [0, 1]
            assert set(command["description_localizations"]) == {"zh-CN", "zh-TW"}
    async with restarted(peer, desk):
        await peer.wait_calls("PUT", "/commands", 2)


async def test_commands_that_cannot_be_announced_are_told(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    peer.fail_next("PUT /applications", 403, body={"code": 20012, "message": "Not authorized"})
    async with running(peer, connector, desk):
        await until(lambda: bool(doing.troubles))
        assert "slash commands" in doing.troubles[0]
        await acquainted(peer, desk)


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("de", "en")])
@pytest.mark.parametrize("way", ["support", "human", "button"])
async def test_the_chat_is_opened_from_a_server(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, way: str, locale: str, language: str
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale=locale)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        before = len(ann.sees)
        number = from_server(peer, ann, way)
        answers = await ann.wait_answers(number, 2)
        assert [answer["type"] for answer in answers] == [5, "edit"]
        assert all(answer["ephemeral"] for answer in answers)
        assert answers[0]["at"] < 1
        link = f"https://discord.com/channels/@me/{ann.channel_id}"
        assert answers[1]["data"]["content"] == WORDS.say("discord.there", WORDS.match(language), link=link)
        assert shown(ann)[before:] == ["How can we help?"]
        (event,) = desk.received
        assert event.command is (Command.HUMAN if way == "human" else Command.START)
        assert (event.chat_id, event.sender.external_id) == (str(ann.channel_id), str(ann.id))
        assert event.sender.language == locale
        # And they go on there.
        ann.writes("my card")
        await until(lambda: desk.texts == ["my card"])


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_closed_messages_are_said_honestly(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, locale: str
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale=locale)
        ann.closes_dms()
        await peer.wait_until(lambda: len(peer.commands) == 2)
        impatient = [from_server(peer, ann, "button") for _ in range(3)]
        for number in impatient:
            answers = await ann.wait_answers(number, 2)
            assert answers[-1]["data"]["content"] == WORDS.say("discord.closed", WORDS.match(locale))
        ann.opens_dms()
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert str(ann.channel_id) in answers[-1]["data"]["content"]


async def test_a_chat_that_a_person_has_is_only_linked(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "WRITTEN_WITHIN", 0.3)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        link = f"https://discord.com/channels/@me/{ann.channel_id}"
        assert answers[-1]["data"]["content"] == WORDS.say("discord.continue", "en", link=link)


async def test_a_chat_that_cannot_be_opened_is_said(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "WRITTEN_WITHIN", 0.3)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale="zh-CN")
        await peer.wait_until(lambda: len(peer.commands) == 2)
        for body in ("<html>", [1], {"id": None}):
            peer.fail_next("POST /users/@me/channels", 200, body=body)
            answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
            assert answers[-1]["data"]["content"] == WORDS.say("discord.failed", "zh")
        peer.fail_next("POST /users/@me/channels", 503)
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert answers[-1]["data"]["content"] == WORDS.say("discord.failed", "zh")
        desk.failures = 10_000
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert answers[-1]["data"]["content"] == WORDS.say("discord.failed", "zh")
        desk.failures = 0
        await until(lambda: len(desk.received) == 1)  # and yet it was not lost
        assert desk.received[0].chat_id == str(ann.channel_id)


async def test_an_interaction_on_a_server_that_cannot_be_answered_opens_the_chat_all_the_same(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        await peer.wait_until(lambda: len(peer.commands) == 2)
        peer.interaction_window = 0.0
        from_server(peer, ann, "support")
        await ann.wait_sees(1)
        assert shown(ann) == ["How can we help?"]
