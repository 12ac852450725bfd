"""What every connector promises (``bot/ports/``), the same tests over all of them, over real sockets.

A new platform adds one function to ``tests/support/stages.py``: its connector with the platform's far end and one
customer there.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from bot import guard
from bot.domain.channel import Capabilities, Outgoing, PermanentError, TemporaryError
from bot.domain.characters import shows
from bot.domain.message import Attachment, Button, Command, File, Incoming, MessageFormat
from bot.ports import Connector, Editing, Fetching, Typing
from switchboard.plugins import installed
from tests.support.stages import (
    STAGES,
    Answering,
    Attaching,
    Forwarding,
    Newer,
    Polling,
    Quoting,
    Reacting,
    Stage,
    received,
)
from tests.support.stand_in_desk import StandInDesk


@pytest.fixture
def desk() -> StandInDesk:
    return StandInDesk()


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest, desk: StandInDesk, var: Path) -> AsyncIterator[Stage]:
    async with STAGES[request.param](desk, var) as stage:
        yield stage


def test_every_installed_connector_is_on_a_stage() -> None:
    assert set(installed()) == {name.split()[0] for name in STAGES}


async def test_it_keeps_the_protocol(stage: Stage) -> None:
    assert isinstance(stage.connector, Connector)
    assert stage.connector.name in installed()
    assert stage.connector.account
    assert isinstance(stage.connector.capabilities, Capabilities)


@pytest.mark.parametrize("part", [Connector, Editing, Fetching, Typing], ids=lambda part: part.__name__)
async def test_what_it_has_is_called_as_the_protocol_says(stage: Stage, part: type) -> None:
    """``isinstance`` looks at names alone."""
    if isinstance(stage.connector, part):
        for name, method in inspect.getmembers(part, inspect.isfunction):
            if not name.startswith("_"):
                own = inspect.signature(getattr(type(stage.connector), name))
                assert list(own.parameters) == list(inspect.signature(method).parameters), name


@pytest.mark.parametrize(
    "text", ["忘记密码了怎么办", "👩‍👩‍👧 <b>&amp;</b> \u202eabc", "two\nlines", "x" * 4_000, "/unknown command"]
)
async def test_a_customers_words_arrive_as_they_were_written(stage: Stage, desk: StandInDesk, text: str) -> None:
    await stage.customer_says(text)
    (incoming,) = await received(desk)
    assert incoming.text == text
    assert (incoming.channel, incoming.account) == (stage.connector.name, stage.connector.account)
    assert incoming.external_id
    assert incoming.sender.external_id
    assert incoming.chat_id


async def test_messages_arrive_in_order_with_ids_of_their_own(stage: Stage, desk: StandInDesk) -> None:
    for number in range(10):
        await stage.customer_says(f"number {number}")
    arrived = await received(desk, 10)
    assert [incoming.text for incoming in arrived] == [f"number {number}" for number in range(10)]
    assert len({incoming.external_id for incoming in arrived}) == 10
    assert len({incoming.sender.external_id for incoming in arrived}) == 1


async def test_what_was_not_committed_comes_again_and_is_recorded_once(stage: Stage, desk: StandInDesk) -> None:
    desk.failures = 2
    await stage.customer_says("important")
    await stage.customer_says("and more")
    arrived = await received(desk, 2)
    await asyncio.sleep(0.5)
    assert sorted(incoming.text for incoming in arrived) == ["and more", "important"]


async def test_commands_are_commands(stage: Stage, desk: StandInDesk) -> None:
    await stage.customer_says("/start transfer_delay")
    await stage.customer_says("/human")
    start, human = await received(desk, 2)
    assert (start.command, start.argument) == (Command.START, "transfer_delay")
    assert human.command is Command.HUMAN


async def test_a_quoted_command_is_none(stage: Stage, desk: StandInDesk) -> None:
    await stage.customer_says("> /human")
    await stage.customer_says("he wrote: /human")
    assert [incoming.command for incoming in await received(desk, 2)] == [None, None]


async def test_a_forward_is_somebody_elses_and_no_command(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage, Forwarding):
        pytest.skip("nothing is forwarded here")
    await stage.customer_forwards("/human", "BitPie Official Support")
    incoming = guard.incoming((await received(desk))[0])
    assert (incoming.text, incoming.command) == ("/human", None)
    assert incoming.context.forward is not None


async def test_invisible_characters_alone_hold_nothing_up(stage: Stage, desk: StandInDesk) -> None:
    for nothing in ("\u200b\u2060", "\u3164", "\ufeff"):
        await stage.customer_says(nothing)
    await stage.customer_says("hello")
    async with asyncio.timeout(10):
        while not any(incoming.text == "hello" for incoming in desk.received):
            await asyncio.sleep(0.01)
    assert [incoming.text for incoming in desk.received if shows(incoming.text)] == ["hello"]
    assert not any(incoming.attachments or incoming.command for incoming in desk.received)


async def test_what_is_new_keeps_what_is_known(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage, Newer):
        pytest.skip("this platform is no newer than its connector")
    await stage.customer_sends_what_is_new("my words")
    (incoming,) = await received(desk)
    assert incoming.text == "my words"
    assert incoming.context.raw


@pytest.mark.parametrize("format", MessageFormat)
async def test_a_send_returns_the_platforms_id(stage: Stage, desk: StandInDesk, format: MessageFormat) -> None:
    await stage.customer_says("hi")
    (incoming,) = await received(desk)
    room = min(stage.connector.capabilities.max_length, 5_000)
    buttons = (Button("是", "helped:yes"),) if stage.connector.capabilities.buttons else ()
    for text in ("**hello** 您好", "字" * room, "<script>"):
        sent = Outgoing(incoming.channel, incoming.account, incoming.chat_id, text, format, buttons, key=text[:9])
        assert await stage.connector.send(sent)


async def test_a_send_to_nobody_fails_as_promised_or_not_at_all(stage: Stage) -> None:
    nobody = Outgoing(stage.connector.name, stage.connector.account, "404404", "hello", key="1")
    with contextlib.suppress(PermanentError, TemporaryError):
        assert await stage.connector.send(nobody)


async def chat(stage: Stage, desk: StandInDesk) -> Incoming:
    """The first word of the customer, to whom the desk may write from then on."""
    await stage.customer_says("hi")
    (incoming,) = await received(desk)
    return incoming


def to(incoming: Incoming, text: str, **fields: object) -> Outgoing:
    return Outgoing(incoming.channel, incoming.account, incoming.chat_id, text, key=uuid4().hex, **fields)  # type: ignore[arg-type]


async def test_what_it_says_it_can_it_can(stage: Stage) -> None:
    can = stage.connector.capabilities
    assert isinstance(stage.connector, Editing) is can.edits
    assert isinstance(stage.connector, Typing) is can.typing
    if isinstance(stage.connector, Fetching):
        assert isinstance(stage, Attaching)
    assert isinstance(stage, Quoting) is can.quotes
    assert can.length("👋", MessageFormat.TEXT) > 0


async def test_what_was_sent_is_changed_and_taken_back(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage.connector, Editing):
        pytest.skip("this platform's messages stay as they are")
    incoming = await chat(stage, desk)
    buttons = (Button("Yes", "helped:yes"),) if stage.connector.capabilities.buttons else ()
    ids = [await stage.connector.send(to(incoming, text, buttons=buttons)) for text in ("one", "two", "three")]
    assert len(set(ids)) == 3
    for _ in range(2):  # a retry of what is done already
        assert await stage.connector.edit(to(incoming, "TWO"), ids[1]) is None
    assert stage.customer_has() in (None, ["one", "TWO", "three"])
    for _ in range(2):
        assert await stage.connector.delete(incoming.chat_id, ids[0]) is None
    assert stage.customer_has() in (None, ["TWO", "three"])


async def test_a_change_fails_as_promised_or_not_at_all(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage.connector, Editing):
        pytest.skip("this platform's messages stay as they are")
    incoming = await chat(stage, desk)
    sent = await stage.connector.send(to(incoming, "one"))
    await stage.connector.delete(incoming.chat_id, sent)
    nobody = Outgoing(stage.connector.name, stage.connector.account, "404404", "hello", key="1")
    for message, external_id in ((to(incoming, "x"), sent), (to(incoming, "x"), "no id"), (nobody, sent)):
        with contextlib.suppress(PermanentError, TemporaryError):
            await stage.connector.edit(message, external_id)
        with contextlib.suppress(PermanentError, TemporaryError):
            await stage.connector.delete(message.chat_id, external_id)
    assert stage.customer_has() in (None, [])


async def test_what_a_customer_attaches_comes_with_it_or_is_fetched_up_to_a_limit(
    stage: Stage, desk: StandInDesk
) -> None:
    if not isinstance(stage, Attaching):
        pytest.skip("customers attach nothing here")
    content = bytes(range(256)) * 500
    await stage.customer_attaches(content, "bill.pdf")
    (incoming,) = await received(desk)
    (attachment,) = incoming.attachments
    assert attachment.name == "bill.pdf"
    if attachment.sha256:
        assert attachment.sha256 == hashlib.sha256(content).hexdigest()
        assert attachment.size == len(content)
        return
    assert isinstance(stage.connector, Fetching)
    fetch = stage.connector.fetch
    assert await fetch(attachment, incoming.chat_id, incoming.external_id, len(content)) == content
    with pytest.raises(PermanentError):
        await fetch(attachment, incoming.chat_id, incoming.external_id, len(content) - 1)
    with pytest.raises((PermanentError, TemporaryError)):
        await fetch(Attachment("file", "no reference"), incoming.chat_id, incoming.external_id, 100)


async def test_files_are_sent(stage: Stage, desk: StandInDesk) -> None:
    if not stage.connector.capabilities.attachments:
        pytest.skip("no files are sent here")
    incoming = await chat(stage, desk)
    files = (
        File('账单 "1"/2.pdf', "application/pdf", b"%PDF"),
        File("claims to be a picture.png", "image/png", b"<html>"),
        File("", "", b"x"),
        File("large.bin", "application/octet-stream", b"x" * 1_000_000),
    )
    ids = [await stage.connector.send(to(incoming, "", file=file)) for file in files]
    assert all(ids)
    assert len(set(ids)) == len(files)
    assert stage.customer_has() in (None, [""] * len(files))
    if isinstance(stage.connector, Editing):
        await stage.connector.delete(incoming.chat_id, ids[0])
        assert stage.customer_has() in (None, [""] * (len(files) - 1))


async def test_an_answer_shows_what_it_answers(stage: Stage, desk: StandInDesk) -> None:
    incoming = await chat(stage, desk)
    for answered in (incoming.external_id, "no id", "", None):
        assert await stage.connector.send(to(incoming, "hello", reply_to=answered))
    if isinstance(stage, Quoting):
        assert stage.customer_sees_quoted() == ["hi", None, None, None]


async def test_what_a_customer_answers_is_not_what_they_say(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage, Answering):
        pytest.skip("nothing is answered here")
    await stage.customer_answers("/human", "what does that do?")
    before, incoming = await received(desk, 2)
    assert (incoming.text, incoming.command, incoming.replies_to) == ("what does that do?", None, before.external_id)


async def test_polls_and_reactions_are_words(stage: Stage, desk: StandInDesk) -> None:
    if not isinstance(stage, Polling | Reacting):
        pytest.skip("there are none here")
    incoming = await chat(stage, desk)
    if isinstance(stage, Polling):
        await stage.customer_asks("Is it you?", "Yes", "No")
        (asked,) = (await received(desk, 2))[1].attachments
        assert asked.kind == "poll"
        for part in ("Is it you?", "Yes", "No"):
            assert part in f"{asked.name} {asked.reference}"
    if isinstance(stage, Reacting):
        count = len(desk.received)
        sent = await stage.connector.send(to(incoming, "Did that help?"))
        await stage.customer_reacts(sent, "👍")
        put = (await received(desk, count + 1))[count]
        assert (put.text, put.attachments, put.replies_to) == ("", (Attachment("reaction", "👍"),), sent)
        assert put.sender.external_id == incoming.sender.external_id


async def test_typing_is_a_courtesy_that_never_fails(stage: Stage) -> None:
    if isinstance(stage.connector, Typing):
        await stage.connector.typing("404404")
