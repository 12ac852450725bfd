"""Sending to Discord: what customers see, what is tried again, and that nothing goes out twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import Button, File, MessageFormat
from connectors.discord import DiscordConnector, DiscordSettings
from tests.peers.discord import DiscordPeer, PeerUser
from tests.support.discord_connector import Desk, numbered, outgoing, settings, shown
from tests.support.words import WORDS


async def test_a_send_reaches_the_customer(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    asked = ann.writes("?")
    buttons = (Button("是", "helped:yes"), Button("x" * 100, "topic:b"), *(Button(str(n), f"n{n}") for n in range(5)))
    number = await connector.send(
        outgoing(ann, "**bold** <x>", format=MessageFormat.MARKDOWN, buttons=buttons, reply_to=str(asked))
    )
    (seen,) = ann.sees
    assert seen["id"] == number
    assert seen["content"] == r"**bold** \<x>"
    assert seen["message_reference"]["message_id"] == str(asked)
    labels = [[button["label"] for button in row["components"]] for row in seen["components"]]
    assert labels == [["是", "x" * 80, "0", "1", "2"], ["3", "4"]]
    assert seen["flags"] & 4  # no previews
    await connector.send(outgoing(ann, "*stars* #1", "2", reply_to="404404"))
    await connector.send(outgoing(ann, "x", "3", reply_to="interaction:5"))
    assert ann.sees[1]["content"] == r"\*stars\* #1"
    assert "message_reference" not in ann.sees[2]


@pytest.mark.parametrize("format", MessageFormat)
async def test_nobody_is_ever_pinged(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, format: MessageFormat
) -> None:
    asked = ann.writes("?")
    text = f"@everyone @here <@{ann.id}> <@!{ann.id}> <@&5> <#6> \\<@{ann.id}> `<@{ann.id}>`"
    number = await connector.send(outgoing(ann, text, format=format, reply_to=str(asked)))
    await connector.edit(outgoing(ann, f"{text} @everyone", format=format), number)
    await connector.send(outgoing(ann, "", "2", file=File("@everyone.txt", "text/plain", b"x"), reply_to=str(asked)))
    assert [seen["mentions_pinged"] for seen in ann.sees] == [[], []]


@pytest.mark.parametrize("text", ["*" * 1000, "字" * 2000, "😀" * 1000, "x" * 2000], ids=lambda text: text[0])
async def test_the_longest_texts_are_taken(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, text: str
) -> None:
    await connector.send(outgoing(ann, text))
    assert ann.sees[0]["content"].replace("\\", "") == text


async def test_what_no_second_try_changes(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    async def refused(message: Outgoing, match: str) -> None:
        with pytest.raises(PermanentError, match=match):
            await connector.send(message)

    await refused(outgoing(ann, "x" * 2001), "refused it")
    await refused(outgoing(ann, "  "), "empty")
    await refused(outgoing("404404", "hello"), "no such channel")
    await refused(outgoing("../users/@me", "hello"), "not a Discord channel")
    await refused(outgoing("", "hello"), "not a Discord channel")
    ann.closes_dms()
    await refused(outgoing(ann, "hello"), "switched off direct messages")
    ann.leaves(50278)
    await refused(outgoing(ann, "hello"), "share no server")
    for code, words_for_agents in ((50001, "may not see"), (50013, "may not send"), (10013, "no longer exists")):
        peer.fail_next("POST /channels", 403, body={"code": code, "message": "no"})
        await refused(outgoing(ann, "hello"), words_for_agents)
    for code in (0, 50006, 50035, 160002, 200000, 240000, 999_001):
        refuse(peer, 400, code, "Try again later" if code == 50035 else "Message was blocked")
        await refused(outgoing(ann, "hello"), f"refused it: .* \\(code {code}\\)")
    assert ann.sees == []


def refuse(peer: DiscordPeer, status: int, code: int, said: str = "no", **more: object) -> None:
    peer.fail_next("POST /channels", status, body={"code": code, "message": said, **more})


@pytest.mark.parametrize(
    ("fault", "match", "retry_after"),
    [
        (lambda peer: peer.fail_next("POST /channels", 503), "answered 503", None),
        (lambda peer: peer.fail_next("POST /channels", 404, body="<html>"), "no such address", None),
        (lambda peer: peer.fail_next("POST /channels", 401), "DISCORD_BOT_TOKEN", 60.0),
        (lambda peer: peer.limit_next("POST /channels", 45.5), "more slowly", 45.5),
        (lambda peer: peer.limit_next("POST /channels", 45.5, is_global=True), "more slowly", 45.5),
        (lambda peer: peer.limit_next("POST /channels", 45, cloudflare=True), "more slowly", 45.0),
        (lambda peer: peer.drop_next("POST /channels"), "could not be reached", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body="<html>"), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body=[1]), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body={}), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 403, body={"code": 20026}), "for spam", 600.0),
        (lambda peer: peer.fail_next("POST /channels", 403, body={"code": 40003}), "for now", 60.0),
        (lambda peer: peer.fail_next("POST /channels", 429, body="<html>"), "more slowly", 60.0),
        (lambda peer: peer.fail_next("POST /channels", 400, body="<html>400 Bad Request"), "answered 400", None),
        (lambda peer: refuse(peer, 400, 20028, retry_after=0.3), "more slowly", 0.3),
        (lambda peer: refuse(peer, 400, 20016), "more slowly", 60.0),
        (lambda peer: refuse(peer, 400, 40062), "more slowly", 60.0),
        (lambda peer: refuse(peer, 400, 40004), "at the moment", 60.0),
        (lambda peer: refuse(peer, 400, 40006), "at the moment", 60.0),
        (lambda peer: refuse(peer, 400, 130000), "at the moment", 60.0),
        (lambda peer: refuse(peer, 400, 40001), "DISCORD_BOT_TOKEN", 60.0),
        (lambda peer: refuse(peer, 400, 999_001, "Ledger is busy. Try again later"), "at the moment", 60.0),
        (lambda peer: refuse(peer, 400, 999_002, retry_after=7), "at the moment", 7.0),
        (lambda peer: refuse(peer, 400, 999_003, retry_after=1e9), "at the moment", 3600.0),
    ],
)
async def test_what_a_later_try_may_change(
    peer: DiscordPeer,
    connector: DiscordConnector,
    ann: PeerUser,
    fault: Callable[[DiscordPeer], None],
    match: str,
    retry_after: float | None,
) -> None:
    fault(peer)
    with pytest.raises(TemporaryError, match=match) as raised:
        await connector.send(outgoing(ann, "hello"))
    assert raised.value.retry_after == retry_after
    assert peer.token not in str(raised.value)
    await connector.send(outgoing(ann, "hello"))
    assert shown(ann) == ["hello"]


async def test_short_limits_are_waited_out(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    loop = asyncio.get_running_loop()
    for number, is_global in enumerate((False, True)):
        peer.limit_next("POST /channels", 0.2, is_global=is_global)
        started = loop.time()
        await connector.send(outgoing(ann, f"m{number}", str(number)))
        assert loop.time() - started >= 0.2
    peer.fail_next("POST /channels", 500)
    await connector.send(outgoing(ann, "m2", "2"))
    assert shown(ann) == numbered(0, 3)


async def test_a_send_that_is_given_up_does_not_block_later_ones(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.limit_next("POST /channels", 0.4, is_global=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connector.send(outgoing(ann, "m0", "0"))
    async with asyncio.timeout(10):
        await connector.send(outgoing(ann, "m1", "1"))
        await connector.send(outgoing(ann, "m0", "0", repeated=True))
    assert sorted(shown(ann)) == ["m0", "m1"]


async def test_nobody_there_to_answer(desk: Desk) -> None:
    connector = DiscordConnector(
        DiscordSettings(api_base="http://127.0.0.1:9/api/v10"), "a.b.c", desk.records, words=WORDS
    )
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.send(outgoing("5", "hello"))
    for step in (connector.edit(outgoing("5", "x"), "6"), connector.delete("5", "6")):
        with pytest.raises(TemporaryError):
            await step
    await connector.typing("5")
    await connector.close()


@pytest.mark.parametrize("token", ["wrong", "with space", "tökén", "", "a\nb"])
async def test_a_wrong_token_keeps_messages_waiting(peer: DiscordPeer, desk: Desk, ann: PeerUser, token: str) -> None:
    connector = DiscordConnector(settings(peer), token, desk.records, words=WORDS)
    with pytest.raises(TemporaryError, match="DISCORD_BOT_TOKEN") as raised:
        await connector.send(outgoing(ann, "hello"))
    assert raised.value.retry_after == 60.0
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        await connector.run(desk.receive)
    await connector.close()


async def test_a_send_whose_answer_was_lost_is_there_once(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "hello", "9:1"))
    number = await connector.send(outgoing(ann, "hello", "9:1", repeated=True))
    assert [seen["id"] for seen in ann.sees] == [number]
    other = await connector.send(outgoing(ann, "hello", "9:2"))
    assert [seen["id"] for seen in ann.sees] == [number, other]


@pytest.mark.parametrize("known", ["after", "reply_to", "interaction"])
async def test_also_when_discord_has_forgotten_the_nonce(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, known: str
) -> None:
    peer.nonce_window = 0.0
    asked = ann.writes("?")
    before = await connector.send(outgoing(ann, "hello", "0"))
    answered = str(ann.writes("and?"))
    fields = {
        "after": {"after": before},
        "reply_to": {"reply_to": answered},
        "interaction": {"reply_to": f"interaction:{answered}", "after": str(asked)},
    }[known]
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, " *hello*  ", "1", **fields))
    ann.writes("*hello*")  # the customer's, not ours
    number = await connector.send(outgoing(ann, " *hello*  ", "1", repeated=True, **fields))
    assert shown(ann) == ["hello", r"\*hello\*"]
    assert ann.sees[1]["id"] == number
    # One that never arrived is sent now, though there is an older one like it.
    fields = {"after": number}
    assert await connector.send(outgoing(ann, "*hello*", "2", repeated=True, **fields)) != number
    assert len(ann.sees) == 3
    # And what the customer said in the same words is not ours.
    theirs = str(ann.writes("the same words"))
    assert await connector.send(outgoing(ann, "the same words", "3", repeated=True, after=number)) != theirs
    assert shown(ann)[3:] == ["the same words"]


async def test_a_file_is_found_again(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    peer.nonce_window = 0.0
    asked = str(ann.writes("?"))
    file = File("bill.pdf", "application/pdf", b"%PDF-1")
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "", reply_to=asked, file=file))
    await connector.send(outgoing(ann, "", reply_to=asked, file=file, repeated=True))
    await connector.send(outgoing(ann, "", "2", reply_to=asked, file=replace(file, content=b"more"), repeated=True))
    assert [seen["attachments"][0]["size"] for seen in ann.sees] == [6, 4]


async def test_a_message_that_was_edited_before_it_was_known_to_be_there(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "wrong price"))
    await connector.send(outgoing(ann, "right price", repeated=True))
    assert shown(ann) == ["right price"]


async def test_history_that_cannot_be_searched_sends_nothing(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    asked = str(ann.writes("?"))
    for fault in (
        lambda: peer.fail_next("GET /channels", 503),
        lambda: peer.fail_next("GET /channels", 200, body="<html>"),
        lambda: peer.fail_next("GET /channels", 200, body={"a": 1}),
    ):
        fault()
        with pytest.raises(TemporaryError):
            await connector.send(outgoing(ann, "hello", repeated=True, reply_to=asked))
    assert ann.sees == []
