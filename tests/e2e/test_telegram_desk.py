"""A whole desk on Telegram: the real connector, queue, Rasa and console against a Bot API stand-in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.peers.telegram import PeerUser, TelegramPeer
from tests.support.agents import PASSWORD, switchboard
from tests.support.desk_process import DeskProcess, config_file
from tests.support.shipped import headline


@pytest.fixture(scope="module")
async def telegram() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.fixture(scope="module")
async def desk(telegram: TelegramPeer, rasa: dict[str, str], folders: Path) -> AsyncIterator[DeskProcess]:
    folder = folders / "telegram"
    config = f"channels:\n  telegram:\n    base_url: {telegram.base_url}\n    poll_timeout: 2\n"
    environment = {"TELEGRAM_BOT_TOKEN": telegram.token, **rasa}
    (folder / "var").mkdir(parents=True)
    desk = DeskProcess(folder / "var", config_file(folder / "config.yml", config), environment)
    try:
        await desk.start()
        yield await desk.staffed()
    finally:
        await desk.end()


@pytest.fixture(scope="module")
def ids() -> Iterator[int]:
    return iter(range(100, 200))


@pytest.fixture
def ann(telegram: TelegramPeer, ids: Iterator[int]) -> PeerUser:
    return telegram.user(next(ids), first_name="Ann <b>", language_code="zh-hans")


async def answer(peer: TelegramPeer, user: PeerUser, count: int) -> str:
    """The text of the user's ``count``-th message from the desk."""
    return (await peer.wait_sent(user.id, count, timeout=30))[count - 1]["text"]


async def test_dialogue_with_buttons(desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser) -> None:
    ann.writes("/start")
    assert "BitPie" in await answer(telegram, ann, 1)
    ann.writes("忘记密码了怎么办")
    assert headline("password_reset", "zh") in await answer(telegram, ann, 2)
    sent = telegram.sent(ann.id)[1]
    assert {entity["type"] for entity in sent["entities"]} == {"bold"}
    query = ann.presses(sent["message_id"], "没有，找人工客服")
    assert "排在第" in await answer(telegram, ann, 3)
    await telegram.wait_until(lambda: query in telegram.answered, 20)


async def test_a_deep_link_opens_its_topic(desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser) -> None:
    ann.writes("/start fee_explained")
    assert "手续费" in await answer(telegram, ann, 1)


async def test_an_agent_takes_over_and_hands_back(desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser) -> None:
    ann.writes("/human")
    assert "排在第" in await answer(telegram, ann, 1)
    async with signed_in(desk) as console:
        path = re.findall(r'href="[^"]*(/conversations/\d+)', (await console.get("/console/")).text)[-1]
        page = (await console.get("/console" + path)).text
        assert "Ann &lt;b&gt;" in page
        assert (await console.post(f"/console{path}/claim")).status_code == 303
        assert "Mei" in await answer(telegram, ann, 2)
        reply = {"text": "*您好* <b>_x_</b>", "mode": "reply"}
        assert (await console.post(f"/console{path}/messages", data=reply)).status_code == 303
        assert await answer(telegram, ann, 3) == "*您好* <b>_x_</b>"
        ann.writes("手续费多少")
        first = ann.writes("helo")
        ann.edits(first, "hello")
        ann.sends_photo(caption="look")
        ann.sends_voice()
        ann.sends_location()
        await asyncio.sleep(3)
        assert len(telegram.sent(ann.id)) == 3
        page = (await console.get("/console" + path)).text
        for shown in ("hello", "helo", "look", "Photo", "Voice", "location", "52.52"):
            assert shown in page, shown
        kept = [(await console.get(address)).content for address in re.findall(r'(?:href|src)="(\S*/files/\S+)"', page)]
        assert kept == [b"\xff\xd8photo", b"OggS"]
        assert (await console.post(f"/console{path}/hand-back")).status_code == 303
        await answer(telegram, ann, 4)
        ann.writes("手续费多少")
        assert "手续费" in await answer(telegram, ann, 5)


def signed_in(desk: DeskProcess) -> _Console:
    return _Console(desk)


class _Console:
    """An agent's browser, reduced to its HTTP."""

    def __init__(self, desk: DeskProcess) -> None:
        self._desk = desk
        self._http = httpx.AsyncClient(base_url=desk.url, timeout=20)

    async def __aenter__(self) -> httpx.AsyncClient:
        await switchboard(self._desk, "agent", "add", "Mei", "--password-stdin", stdin=PASSWORD + "\n")
        signed = await self._http.post("/console/sign-in", data={"name": "Mei", "password": PASSWORD})
        assert signed.status_code == 303
        return self._http

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()


async def test_hostile_updates_stop_nobody(desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser) -> None:
    for update in (
        {},
        {"message": None},
        {"message": {"chat": 5}},
        {"message": {"message_id": "x", "date": -1, "chat": {"id": 1, "type": "private"}}},
        {"edited_message": {"text": []}},
        {"callback_query": {"id": 3, "data": "\u0000"}},
        {"no_such_kind": {"deep": [[[[[]]]]]}},
    ):
        telegram.push_raw(update)
    group = telegram.user(5, first_name="G")
    telegram.group_message(-100, group, "/start")
    for count, text in enumerate(("\u0000" + "a" * 1_000_000, "\u202e<script>alert(1)</script>\u0000 😀"), 1):
        ann.writes(text)  # one after the other: what is not understood is read together with what comes next
        assert await answer(telegram, ann, count)
    assert telegram.sent(-100) == []
    assert telegram.token not in desk.log


async def test_no_customers_words_are_in_the_log(desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser) -> None:
    ann.writes("忘记密码了怎么办")
    assert await answer(telegram, ann, 1)
    assert '"action": "received"' in desk.log
    assert "忘记密码" not in desk.log
    assert "alert(1)" not in desk.log


async def test_busy_and_blocked(desk: DeskProcess, telegram: TelegramPeer, ids: Iterator[int]) -> None:
    busy = telegram.user(next(ids), first_name="Busy", language_code="en")
    gone = telegram.user(next(ids), first_name="Gone", language_code="en")
    telegram.fail_next("sendMessage", 429, "Too Many Requests: retry after 1", retry_after=1)
    busy.writes("hi")
    assert await answer(telegram, busy, 1)
    gone.writes("hi")
    await telegram.wait_sent(gone.id, 1, timeout=20)
    gone.writes("how do i reset my password")
    gone.blocks()
    await asyncio.sleep(3)
    busy.writes("how do i reset my password")
    assert "Forgot password" in await answer(telegram, busy, 2)


async def test_albums_forwards_rich_messages_and_topics_are_taken_for_what_they_are(
    desk: DeskProcess, telegram: TelegramPeer, ann: PeerUser
) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "BitPie Official Support", "date": 1_790_000_000}
    ann.sends(text="talk to a human and send your 12 words", forward_origin=origin)
    assert "转发" in await answer(telegram, ann, 1)
    ann.sends_album("how do i reset my password", None, None, None)
    assert headline("password_reset", "en") in await answer(telegram, ann, 2)
    items = [{"label": "1.", "blocks": [{"type": "paragraph", "text": "of my transfer"}]}]
    question = {"type": "paragraph", "text": ["why is there a ", {"type": "bold", "text": "fee"}]}
    ann.sends(
        rich_message={"blocks": [question, {"type": "list", "items": items}]},
        message_thread_id=77,
        is_topic_message=True,
    )
    assert headline("fee_explained", "en") in await answer(telegram, ann, 3)
    assert telegram.sent(ann.id)[2]["message_thread_id"] == 77
    assert len(telegram.sent(ann.id)) == 3
