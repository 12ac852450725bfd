"""The connector against the stand-in, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog
import uvicorn
from aiohttp import ClientSession
from fastapi import FastAPI

from bot.model import Attachment, Button, Command, File, Incoming, MessageFormat, Outgoing, Receipt
from connectors import telegram as telegram_connector
from connectors.base import PermanentError, TemporaryError
from connectors.telegram import WEBHOOK_HEADER, TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.ports import HeldPort
from tests.support.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


class Desk:
    """The core as the connector sees it: keeps what is committed, once each, and may fail."""

    def __init__(self) -> None:
        self.committed: list[Incoming] = []
        self.attempts: list[str] = []
        self.before_commit: Callable[[Incoming], Awaitable[None]] | None = None

    async def receive(self, incoming: Incoming) -> Receipt:
        self.attempts.append(incoming.text)
        if self.before_commit is not None:
            await self.before_commit(incoming)
        if any(known.external_id == incoming.external_id for known in self.committed):
            return Receipt(1, 1, duplicate=True)
        self.committed.append(incoming)
        return Receipt(1, 1)

    @property
    def texts(self) -> list[str]:
        return [incoming.text for incoming in self.committed]

    async def wait(self, count: int) -> None:
        await until(lambda: len(self.committed) >= count)


def failing(times: int, text: str | None = None) -> Callable[[Incoming], Awaitable[None]]:
    """Fails so often, for every message or for the one with this text."""
    left = times

    async def fail(incoming: Incoming) -> None:
        nonlocal left
        if left and text in (None, incoming.text):
            left -= 1
            raise ConnectionError(f"database lost while writing {incoming.text!r}")

    return fail


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_connector, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(telegram_connector, "LONGEST_PAUSE", 0.1)


@pytest.fixture
async def peer() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def connector(peer: TelegramPeer) -> AsyncIterator[TelegramConnector]:
    connector = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=2), peer.token)
    yield connector
    await connector.close()


@asynccontextmanager
async def running(connector: TelegramConnector, desk: Desk) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(connector.run(desk.receive))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, PermanentError):
            await task


def outgoing(text: str, chat_id: int | str = 42, **fields: object) -> Outgoing:
    return Outgoing("telegram", "700100200", str(chat_id), text, **fields)  # type: ignore[arg-type]


# --- receiving


async def test_a_conversation_of_every_kind(peer: TelegramPeer, desk: Desk, connector: TelegramConnector) -> None:
    ann = peer.user(42, first_name="安", language_code="zh-hans")
    async with running(connector, desk):
        ann.writes("/start order_77")
        first = ann.writes("账单不对 😡")
        ann.edits(first, "账单不对！")
        ann.sends_photo(caption="see")
        ann.sends_document()
        ann.sends_voice()
        ann.sends_sticker("👍")
        ann.sends_location()
        await desk.wait(8)
        await peer.wait_until(lambda: not peer.pending)
    start, said, edit, *files = desk.committed
    assert connector.account == "700100200" == start.account
    assert (start.command, start.argument, start.sender.language) == (Command.START, "order_77", "zh-hans")
    assert said.text == "账单不对 😡"
    assert (edit.edits, edit.text) == (said.external_id, "账单不对！")
    assert [one.attachments[0].kind for one in files] == ["photo", "file", "voice", "sticker", "location"]
    assert files[0].text == "see"
    assert peer.files[files[0].attachments[0].reference] == b"\xff\xd8photo"


async def test_the_menu_is_announced_in_both_languages(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    async with running(connector, desk):
        await peer.wait_calls("setMyCommands", 2)
    assert set(peer.commands) == {"", "zh"}
    assert [command["command"] for command in peer.commands["zh"]] == ["start", "help", "human"]


async def test_a_pressed_button_is_answered_after_it_is_committed(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    ann.writes("hi")
    async with running(connector, desk):
        await desk.wait(1)
        buttons = (Button("是的 ✅", "helped:yes"), Button("没有", "helped:no"))
        message_id = await connector.send(outgoing("有帮助吗？", buttons=buttons))
        desk.before_commit = failing(1)
        query = ann.presses(int(message_id), "是的 ✅")
        await until(lambda: len(desk.attempts) == 2)
        assert peer.answered == []
        await desk.wait(2)
        await peer.wait_until(lambda: peer.answered == [query])
    assert (desk.committed[1].button, desk.committed[1].text) == ("helped:yes", "是的 ✅")
    assert "reply_markup" in peer.sent(42)[0]


async def test_a_press_too_old_to_answer_does_no_harm(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    ann.writes("hi")
    async with running(connector, desk):
        await desk.wait(1)
        message_id = await connector.send(outgoing("Did it help?", buttons=(Button("Yes", "helped:yes"),)))
        peer.fail_next("answerCallbackQuery", 400, "Bad Request: query is too old")
        ann.presses(int(message_id), "Yes")
        await peer.wait_calls("answerCallbackQuery")
        ann.writes("still here?")
        await desk.wait(3)


async def test_groups_and_malformed_updates_block_nothing(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    with structlog.testing.capture_logs() as logs:
        async with running(connector, desk):
            await peer.wait_calls("getUpdates")
            peer.group_message(-100, ann, "/human@desk_bot secret words")
            peer.push_raw({"message": {"text": ["secret words"]}})
            peer.push_raw({"message": "secret words"})
            peer.push_raw({"update_id": "secret words"})
            ann.blocks()
            ann.writes("hello")
            await desk.wait(1)
            await peer.wait_until(lambda: len(peer.pending) == 1)  # the one without an id, which none can confirm
            calls = len(peer.calls)
            await asyncio.sleep(0.2)
            assert len(peer.calls) - calls < 10
    assert desk.texts == ["hello"]
    assert not peer.called("sendMessage")
    assert [entry["action"] for entry in logs].count("telegram_update_malformed") >= 3
    assert "secret" not in str(logs)


@pytest.mark.parametrize(
    "raw", [b"[" * 50_000 + b"]" * 50_000, b"1" * 5_000, b'"\xff"'], ids=["deep", "digits", "utf-8"]
)
async def test_an_update_that_no_library_loads_does_not_hold_up_its_batch(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector, raw: bytes
) -> None:
    ann = peer.user(42)
    peer.as_sent = lambda answer: answer.replace(b'"<raw>"', raw)
    peer.push_raw({"message": {"text": "<raw>"}})
    ann.writes('\\ "[{ after it')
    async with running(connector, desk):
        await desk.wait(1)
        await peer.wait_until(lambda: not peer.pending)
    assert desk.texts == ['\\ "[{ after it']


async def test_the_offset_moves_only_after_the_commit(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    for text in ("one", "two", "three"):
        ann.writes(text)
    failed = asyncio.Event()

    async def hold(incoming: Incoming) -> None:
        if incoming.text == "two" and not failed.is_set():
            failed.set()
            raise ConnectionError(f"database lost while writing {incoming.text!r}")

    desk.before_commit = hold
    with structlog.testing.capture_logs() as logs:
        async with running(connector, desk):
            await desk.wait(3)
            await peer.wait_until(lambda: not peer.pending)
    assert desk.attempts == ["one", "two", "two", "three"]
    assert desk.texts == ["one", "two", "three"]
    first, second = (call.parameters.get("offset") for call in peer.called("getUpdates")[:2])
    assert first is None
    assert second == "810000002", "asked again from the update that failed"
    assert "'two'" not in str(logs)


async def test_a_long_outage_of_the_store_loses_nothing(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    desk.before_commit = failing(6)
    async with running(connector, desk):
        ann.writes("one")
        ann.writes("two")
        await desk.wait(2)
    assert desk.texts == ["one", "two"]


async def test_a_crash_between_fetch_and_commit_loses_nothing(peer: TelegramPeer, desk: Desk) -> None:
    ann = peer.user(42)
    for text in ("one", "two", "three"):
        ann.writes(text)
    writing_two = asyncio.Event()

    async def hang(incoming: Incoming) -> None:
        if incoming.text == "two":
            writing_two.set()
            await asyncio.Event().wait()

    desk.before_commit = hang
    settings = TelegramSettings(base_url=peer.base_url, poll_timeout=1)
    crashed = TelegramConnector(settings, peer.token)
    async with running(crashed, desk):
        await writing_two.wait()
        peer.fail_next("getUpdates", 500, "the crash also keeps the last confirmation back")
    await crashed.close()
    assert desk.texts == ["one"]
    assert len(peer.pending) == 3

    desk.before_commit = None
    successor = TelegramConnector(settings, peer.token)
    async with running(successor, desk):
        await desk.wait(3)
        await peer.wait_until(lambda: not peer.pending)
    await successor.close()
    assert desk.texts == ["one", "two", "three"], "the first came twice, and was refused as a duplicate"


async def test_a_clean_shutdown_confirms_what_was_committed_and_no_more(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    for text in ("one", "two", "three"):
        ann.writes(text)
    writing_two = asyncio.Event()

    async def hang(incoming: Incoming) -> None:
        if incoming.text == "two":
            writing_two.set()
            await asyncio.Event().wait()

    desk.before_commit = hang
    async with running(connector, desk):
        await writing_two.wait()
    assert [update["message"]["text"] for update in peer.pending] == ["two", "three"]


async def test_ids_that_start_anew_after_a_quiet_week(
    peer: TelegramPeer, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.telegram._FORGET_AFTER", 0.0)
    ann = peer.user(42)
    short = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=1), peer.token)
    async with running(short, desk):
        ann.writes("before")
        await desk.wait(1)
        await peer.wait_calls("getUpdates", 3)  # one of them came back empty
        peer.next_update_id = 5_000
        ann.writes("after")
        await desk.wait(2)
    await short.close()
    assert desk.texts == ["before", "after"]


async def test_a_server_without_webhooks_is_polled(peer: TelegramPeer, desk: Desk) -> None:
    peer.fail_next("deleteWebhook", 404, "Not Found", times=1)
    polling = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=1), peer.token)
    async with running(polling, desk):
        peer.user(42).writes("hello")
        await desk.wait(1)
    await polling.close()


async def test_it_outlives_everything_that_may_pass(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    peer.fail_next("getMe", 502, "Bad Gateway")
    peer.drop_next("deleteWebhook")
    peer.fail_next("getUpdates", 429, "Too Many Requests: retry after 1", retry_after=1)
    peer.fail_next("getUpdates", 500, "Internal Server Error")
    peer.drop_next("getUpdates")
    peer.drop_next("getUpdates", after_effect=True)
    ann.writes("hello")
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with running(connector, desk):
        await desk.wait(1)
    assert loop.time() - started >= 1, "waited as long as Telegram asked"


async def test_it_outlives_a_restart_of_the_server(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    async with running(connector, desk):
        ann.writes("before")
        await desk.wait(1)
        await peer.stop()
        ann.writes("meanwhile")
        await asyncio.sleep(0.1)
        await peer.start()
        await desk.wait(2)
    assert desk.texts == ["before", "meanwhile"]


async def test_another_poller_is_named_and_outlived(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    with structlog.testing.capture_logs() as logs:
        async with running(connector, desk):
            await peer.wait_calls("getUpdates")
            async with ClientSession() as session:
                await session.get(f"{peer.base_url}/bot{peer.token}/getUpdates")
            await peer.wait_calls("getUpdates", 3)
            ann.writes("hello")
            await desk.wait(1)
    assert any("another program" in str(entry.get("fix")) for entry in logs)


async def test_polling_takes_an_old_webhook_away_but_not_what_waits(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    async with ClientSession() as session:
        await session.post(f"{peer.base_url}/bot{peer.token}/setWebhook", json={"url": "http://127.0.0.1:9/x"})
    peer.user(42).writes("waiting")
    async with running(connector, desk):
        await desk.wait(1)
    assert peer.webhook is None


@pytest.mark.parametrize("token", ["700100200:wrong", "", "nonsense", "700:with space"])
async def test_a_wrong_token_says_the_fix_and_not_the_token(peer: TelegramPeer, desk: Desk, token: str) -> None:
    connector = TelegramConnector(TelegramSettings(base_url=peer.base_url), token)
    with pytest.raises(PermanentError, match="TELEGRAM_BOT_TOKEN") as raised:
        await connector.run(desk.receive)
    await connector.close()
    assert not token or token not in str(raised.value)


async def test_a_token_revoked_while_running(peer: TelegramPeer, desk: Desk, connector: TelegramConnector) -> None:
    async with running(connector, desk) as task:
        await peer.wait_calls("getUpdates")
        peer.fail_next("getUpdates", 401, "Unauthorized", times=2)
        peer.user(42).writes("hello")
        with pytest.raises(PermanentError, match="TELEGRAM_BOT_TOKEN"):
            await asyncio.wait_for(task, 5)


# --- sending


@pytest.fixture
def ann_wrote(peer: TelegramPeer) -> None:
    peer.user(42).writes("hi")


@pytest.mark.usefixtures("ann_wrote")
async def test_sending_needs_no_run(peer: TelegramPeer, connector: TelegramConnector) -> None:
    message_id = await connector.send(outgoing("*as it stands* 👋 https://example.com"))
    (message,) = peer.sent(42)
    assert message["message_id"] == int(message_id)
    assert message["text"] == "*as it stands* 👋 https://example.com"
    assert "entities" not in message
    assert message["link_preview_options"] == {"is_disabled": True}


@pytest.mark.usefixtures("ann_wrote")
async def test_markdown_and_buttons(peer: TelegramPeer, connector: TelegramConnector) -> None:
    text = "😀 **重要** [链接](https://example.com)\n\n- a\n- `b`"
    await connector.send(
        outgoing(text, format=MessageFormat.MARKDOWN, buttons=(Button("A", "topic:a"), Button("B", "人" * 21)))
    )
    (message,) = peer.sent(42)
    assert message["text"] == "😀 重要 链接\n\n• a\n• b"
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in message["entities"]] == [
        ("bold", 3, 2),
        ("text_link", 6, 2),
        ("code", 16, 1),
    ]
    assert message["reply_markup"]["inline_keyboard"] == [
        [{"text": "A", "callback_data": "topic:a"}],
        [{"text": "B", "callback_data": "人" * 21}],
    ]


@pytest.mark.usefixtures("ann_wrote")
async def test_what_cannot_be_encoded_is_cleaned(peer: TelegramPeer, connector: TelegramConnector) -> None:
    await connector.send(outgoing("a\0b\ud83dc", buttons=(Button("x\ud83d", "x"),)))
    await connector.send(outgoing("**a\0b\ud83d**", format=MessageFormat.MARKDOWN))
    assert [message["text"] for message in peer.sent(42)] == ["ab\ufffdc", "ab\ufffd"]


@pytest.mark.usefixtures("ann_wrote")
async def test_the_longest_text(peer: TelegramPeer, connector: TelegramConnector) -> None:
    await connector.send(outgoing("😀" * 2048))
    with pytest.raises(PermanentError, match="too long"):
        await connector.send(outgoing("😀" * 2049))
    assert len(peer.sent(42)) == 1


@pytest.mark.parametrize(
    "message",
    [
        outgoing(""),
        outgoing(" \n"),
        outgoing("\0"),
        outgoing("", format=MessageFormat.MARKDOWN),
        outgoing("hello", "nobody"),
        outgoing("hello", "@channel"),
    ],
)
async def test_what_is_refused_without_asking(
    peer: TelegramPeer, connector: TelegramConnector, message: Outgoing
) -> None:
    with pytest.raises(PermanentError):
        await connector.send(message)
    assert peer.calls == []


@pytest.mark.usefixtures("ann_wrote")
async def test_a_customer_who_blocked_the_bot(peer: TelegramPeer, connector: TelegramConnector) -> None:
    peer.users[42].blocks()
    with pytest.raises(PermanentError, match="blocked this bot"):
        await connector.send(outgoing("hello"))
    peer.users[42].unblocks()
    await connector.send(outgoing("hello"))
    peer.users[42].deactivates()
    with pytest.raises(PermanentError, match="no longer exists"):
        await connector.send(outgoing("hello"))


async def test_a_customer_who_never_wrote(peer: TelegramPeer, connector: TelegramConnector) -> None:
    with pytest.raises(PermanentError, match="never wrote"):
        await connector.send(outgoing("hello", 43))


@pytest.mark.usefixtures("ann_wrote")
@pytest.mark.parametrize(
    ("status", "description", "retry_after", "expected"),
    [
        (429, "Too Many Requests: retry after 7", 7, TemporaryError),
        (500, "Internal Server Error", None, TemporaryError),
        (502, "Bad Gateway", None, TemporaryError),
        (409, "Conflict", None, TemporaryError),
        (400, "Bad Request: BUTTON_DATA_INVALID", None, PermanentError),
        (400, "Bad Request: chat not found", None, PermanentError),
        (403, "Forbidden: something new", None, PermanentError),
    ],
)
async def test_refusals(
    peer: TelegramPeer,
    connector: TelegramConnector,
    status: int,
    description: str,
    retry_after: int | None,
    expected: type[TemporaryError | PermanentError],
) -> None:
    peer.fail_next("sendMessage", status, description, retry_after=retry_after)
    with pytest.raises(expected) as raised:
        await connector.send(outgoing("hello"))
    if isinstance(raised.value, TemporaryError):
        assert raised.value.retry_after == (None if retry_after is None else float(retry_after))
        assert isinstance(raised.value.retry_after, float | None)
    assert peer.sent(42) == []


@pytest.mark.usefixtures("ann_wrote")
@pytest.mark.parametrize("refusal", [(401, "Unauthorized"), (404, "Not Found")])
async def test_messages_wait_for_a_token_to_be_mended(
    peer: TelegramPeer, connector: TelegramConnector, refusal: tuple[int, str]
) -> None:
    message_id = await connector.send(outgoing("hello"))
    for method in ("sendMessage", "sendDocument", "editMessageText", "deleteMessage", "getFile"):
        peer.fail_next(method, *refusal)
    for attempt in (
        connector.send(outgoing("hello")),
        connector.send(outgoing("", file=File("a.txt", "text/plain", b"a"))),
        connector.edit(outgoing("hello"), message_id),
        connector.delete("42", message_id),
        connector.fetch(Attachment("file", "F"), "42", "42:1", 100),
    ):
        with pytest.raises(TemporaryError, match="TELEGRAM_BOT_TOKEN") as raised:
            await attempt
        assert raised.value.retry_after == 60


@pytest.mark.usefixtures("ann_wrote")
@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_cut_connection_is_temporary(
    peer: TelegramPeer, connector: TelegramConnector, after_effect: bool
) -> None:
    peer.drop_next("sendMessage", after_effect=after_effect)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing("hello"))
    assert len(peer.sent(42)) == int(after_effect)


async def test_no_server_at_all(peer: TelegramPeer, connector: TelegramConnector) -> None:
    await peer.stop()
    with pytest.raises(TemporaryError):
        await connector.send(outgoing("hello"))
    await connector.typing("42")


@pytest.mark.parametrize("body", ["", "<html>busy</html>", "[]", "{}", '{"ok": true, "result": {}}'])
async def test_something_else_answers_in_telegrams_place(body: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connector = TelegramConnector(TelegramSettings(base_url=f"http://127.0.0.1:{port}"), "700:abc")
        with pytest.raises(TemporaryError, match="could not be understood"):
            await connector.send(outgoing("hello"))
        await connector.close()


@pytest.mark.usefixtures("ann_wrote")
async def test_many_sends_do_not_wait_behind_a_fetch(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    async with running(connector, desk):
        await desk.wait(1)
        peer.latency = 0.2
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(connector.send(outgoing(f"message {number}")) for number in range(32)))
        assert loop.time() - started < 32 * peer.latency / 2
    assert len(peer.sent(42)) == 32


@pytest.mark.usefixtures("ann_wrote")
async def test_typing_is_shown_and_never_raises(peer: TelegramPeer, connector: TelegramConnector) -> None:
    await connector.typing("42")
    assert peer.actions == [(42, "typing")]
    peer.fail_next("sendChatAction", 403, "Forbidden: bot was blocked by the user")
    await connector.typing("42")
    await connector.typing("not a chat")


# --- changing what was sent


@pytest.mark.usefixtures("ann_wrote")
async def test_an_edit_gives_text_style_and_buttons(peer: TelegramPeer, connector: TelegramConnector) -> None:
    message_id = await connector.send(outgoing("helo", buttons=(Button("Yes", "helped:yes"),)))
    changed = outgoing("**您好** 👋", format=MessageFormat.MARKDOWN, buttons=(Button("No", "helped:no"),))
    await connector.edit(changed, message_id)
    (message,) = peer.sent(42)
    assert message["text"] == "您好 👋"
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in message["entities"]] == [("bold", 0, 2)]
    assert message["reply_markup"]["inline_keyboard"] == [[{"text": "No", "callback_data": "helped:no"}]]
    await connector.edit(changed, message_id)
    assert len(peer.called("editMessageText")) == 2, "the second changed nothing, and is done all the same"
    await connector.edit(outgoing("plain"), message_id)
    (message,) = peer.sent(42)
    assert (message["text"], "entities" in message, "reply_markup" in message) == ("plain", False, False)


async def test_an_edit_that_cannot_be_says_why(peer: TelegramPeer, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    theirs = ann.writes("hi")
    message_id = await connector.send(outgoing("hello"))
    ann.deletes(int(message_id))
    for gone in (message_id, "999"):
        with pytest.raises(PermanentError, match="no longer in the customer's chat"):
            await connector.edit(outgoing("changed"), gone)
    with pytest.raises(PermanentError, match="keeps its earlier words"):
        await connector.edit(outgoing("changed"), str(theirs))
    with pytest.raises(PermanentError, match="not a Telegram message"):
        await connector.edit(outgoing("changed"), "x")
    with pytest.raises(PermanentError, match="empty"):
        await connector.edit(outgoing(" "), message_id)
    ann.blocks()
    with pytest.raises(PermanentError, match="blocked this bot"):
        await connector.edit(outgoing("changed"), message_id)


async def test_a_deletion_takes_the_message_back(peer: TelegramPeer, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    ann.writes("hi")
    first, second, third = [await connector.send(outgoing(text)) for text in ("one", "two", "three")]
    await connector.delete("42", first)
    ann.deletes(int(second))
    for gone in (first, second, "999"):
        await connector.delete("42", gone)
    assert [message["text"] for message in peer.sent(42)] == ["three"]
    peer.sent(42)[0]["date"] -= 49 * 3600
    with pytest.raises(PermanentError, match="48 hours"):
        await connector.delete("42", third)
    for chat_id, external_id in (("nobody", "1"), ("42", "x")):
        with pytest.raises(PermanentError, match="not a Telegram"):
            await connector.delete(chat_id, external_id)
    ann.blocks()
    with pytest.raises(PermanentError, match="blocked this bot"):
        await connector.delete("42", third)


@pytest.mark.usefixtures("ann_wrote")
async def test_changes_are_tried_again_when_telegram_is_busy(peer: TelegramPeer, connector: TelegramConnector) -> None:
    message_id = await connector.send(outgoing("hello"))
    for method in ("editMessageText", "deleteMessage"):
        peer.fail_next(method, 429, "Too Many Requests: retry after 7", retry_after=7)
        peer.drop_next(method)
    for _ in range(2):
        for attempt in (connector.edit(outgoing("changed"), message_id), connector.delete("42", message_id)):
            with pytest.raises(TemporaryError):
                await attempt
    assert [message["text"] for message in peer.sent(42)] == ["hello"]


# --- quotes


async def test_an_answer_quotes_the_customers_message(peer: TelegramPeer, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    question = ann.writes("how long?")
    for external_id in (f"42:{question}", f"42:{question}:edit:1700000000:9"):
        await connector.send(outgoing("two days", reply_to=external_id))
    await connector.send(outgoing("", reply_to=f"42:{question}", file=File("a.txt", "text/plain", b"a")))
    assert [message["reply_to_message"]["text"] for message in peer.sent(42)] == ["how long?"] * 3


async def test_what_cannot_be_quoted_is_sent_all_the_same(peer: TelegramPeer, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    ann.deletes(question := ann.writes("how long?"))
    for external_id in (f"42:{question}", "42:999", "43:1", "callback:4300000", "", "x", "42:" + "9" * 40):
        await connector.send(outgoing("two days", reply_to=external_id))
    assert len(peer.sent(42)) == 7
    assert not any("reply_to_message" in message for message in peer.sent(42))


async def test_what_a_customer_answers_is_named_as_the_desk_knows_it(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    own = ann.writes("hi")
    sent = await connector.send(outgoing("hello"))
    async with running(connector, desk):
        ann.replies(int(sent), "thanks")
        ann.replies(own, "I mean this")
        await desk.wait(3)
    assert [said.replies_to for said in desk.committed] == [None, sent, desk.committed[0].external_id]


# --- files


def png(width: int = 3, height: int = 2, size: int = 100) -> bytes:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4)
    return header.ljust(size, b"\0")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x02\x00\x03rest"


def a_file(content: bytes, name: str = "a.bin", media_type: str = "application/octet-stream") -> Outgoing:
    return outgoing("", file=File(name, media_type, content))


@pytest.mark.usefixtures("ann_wrote")
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(), "photo"),
        (JPEG, "photo"),
        (png(10_000, 100), "document"),  # more than Telegram takes as a picture
        (png(9_000, 100), "document"),  # too long a strip
        (b"\x89PNG\r\n\x1a\n and nothing that a PNG needs", "document"),
        (png(size=10_000_001), "document"),
        (b"GIF89a and the rest", "document"),
        (b"<html>", "document"),
    ],
)
async def test_pictures_are_shown_and_everything_else_arrives_as_a_file(
    peer: TelegramPeer, connector: TelegramConnector, content: bytes, kind: str
) -> None:
    sent = await connector.send(a_file(content, '账单 "1".png', "image/png"))
    (message,) = peer.sent(42)
    assert str(message["message_id"]) == sent
    file = message["photo"][0] if kind == "photo" else message["document"]
    assert peer.files[file["file_id"]] == content
    if kind == "document":
        assert file["file_name"].startswith("账单")
    await connector.delete("42", sent)
    assert peer.sent(42) == []


@pytest.mark.usefixtures("ann_wrote")
async def test_files_that_cannot_be_sent(peer: TelegramPeer, connector: TelegramConnector) -> None:
    with pytest.raises(PermanentError, match="empty"):
        await connector.send(a_file(b""))
    with pytest.raises(PermanentError, match="25 MB"):
        await connector.send(a_file(b"x" * (connector.capabilities.max_file + 1)))
    assert peer.calls == []
    peer.fail_next("sendDocument", 413, "Request Entity Too Large")
    with pytest.raises(PermanentError, match="too large"):
        await connector.send(a_file(b"x"))
    peer.users[42].blocks()
    with pytest.raises(PermanentError, match="blocked"):
        await connector.send(a_file(png()))
    peer.users[42].unblocks()
    peer.drop_next("sendPhoto")
    with pytest.raises(TemporaryError):
        await connector.send(a_file(png()))
    assert len(peer.called("sendDocument")) == 1, "only a refused picture is sent as a file"


async def test_what_customers_attach_is_fetched(peer: TelegramPeer, desk: Desk, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    content = bytes(range(256)) * 1000
    async with running(connector, desk):
        ann.sends_photo(content=content)
        ann.sends_document(content=content)
        ann.sends_voice(content=content)
        ann.sends_sticker(content=content)
        ann.sends_location()
        await desk.wait(5)
    *files, location = [said.attachments[0] for said in desk.committed]
    for hidden in (False, True):
        peer.sizes_hidden = hidden
        for file in files:
            assert await connector.fetch(file, "42", "42:1", len(content)) == content
    with pytest.raises(PermanentError, match="location"):
        await connector.fetch(location, "42", "42:1", 100)


async def test_no_more_is_fetched_than_the_desk_keeps(peer: TelegramPeer, connector: TelegramConnector) -> None:
    kept = peer.store_file(b"x" * 3_000_000)["file_id"]
    with pytest.raises(PermanentError, match=r"larger than 1\.91 MB"):
        await connector.fetch(Attachment("file", kept, size=3_000_000), "42", "42:1", 2_000_000)
    assert peer.calls == [], "its size was known"
    for hidden in (False, True):
        peer.sizes_hidden = hidden
        with pytest.raises(PermanentError, match="larger than"):
            await connector.fetch(Attachment("file", kept), "42", "42:1", 2_000_000)
    large = peer.store_file(b"x" * (20 * 1024 * 1024 + 1))["file_id"]
    with pytest.raises(PermanentError, match="20 MB"):
        await connector.fetch(Attachment("video", large), "42", "42:1", 10**9)


async def test_files_that_do_not_come(peer: TelegramPeer, connector: TelegramConnector) -> None:
    attachment = Attachment("file", peer.store_file(b"x" * 100_000)["file_id"])
    peer.fail_next("getFile", 400, "Bad Request: invalid file_id")
    with pytest.raises(PermanentError, match="Invalid file_id"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    with pytest.raises(TemporaryError, match="or no longer"):
        await connector.fetch(Attachment("file", "unknown"), "42", "42:1", 10**9)
    peer.fail_next("download", 404, "Not Found")
    peer.drop_next("download")
    with pytest.raises(TemporaryError, match="base_file_url"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    assert len(await connector.fetch(attachment, "42", "42:1", 10**9)) == 100_000


# --- how it is doing


class Said:
    """``Health`` that keeps what was said."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.troubles: list[str] = []

    def connecting(self) -> None:
        self._become("connecting")

    def connected(self, account: str) -> None:
        self._become(f"connected {account}")

    def _become(self, state: str) -> None:
        if self.states[-1:] != [state]:
            self.states.append(state)

    def trouble(self, error: str) -> None:
        self.troubles.append(error)


@pytest.fixture
def health() -> Said:
    return Said()


@pytest.fixture
async def observed(peer: TelegramPeer, health: Said) -> AsyncIterator[TelegramConnector]:
    settings = TelegramSettings(base_url=peer.base_url, poll_timeout=30)
    connector = TelegramConnector(settings, peer.token, health)
    yield connector
    await connector.close()


async def test_trouble_is_told_and_when_it_is_over(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    peer.fail_next("getMe", 502, f"Bad Gateway at /bot{peer.token}/getMe")
    async with running(observed, desk):
        await until(lambda: health.states == ["connecting", "connected 700100200"])
        peer.drop_next("getUpdates", times=2)
        peer.user(42).writes("hello")
        await desk.wait(1)
        await until(lambda: len(health.states) == 4)  # at once, although a fetch would wait for half a minute
        assert health.states[2:] == ["connecting", "connected 700100200"]
        desk.before_commit = failing(1)
        peer.users[42].writes("my words")
        await desk.wait(2)
    assert health.troubles[0].startswith(
        "getMe: Bad Gateway at /bot<token>/getMe. Fix: check this machine's connection"
    )
    assert sum("getUpdates" in said for said in health.troubles) == 2
    assert "could not be recorded (ConnectionError)" in health.troubles[-1]
    assert peer.token.partition(":")[2] not in str(health.troubles)
    assert "my words" not in str(health.troubles)


async def test_another_poller_is_trouble_with_a_fix(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    async with running(observed, desk):
        await peer.wait_calls("getUpdates")
        async with ClientSession() as session:
            await session.get(f"{peer.base_url}/bot{peer.token}/getUpdates")
        await until(lambda: bool(health.troubles))
    assert "another program fetches this bot's messages: stop it" in health.troubles[0]
    assert health.states[-1] == "connecting", "only a fetch that nobody ended shows that the other is gone"


async def test_a_skipped_update_is_trouble(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    async with running(observed, desk):
        await peer.wait_calls("getUpdates")
        peer.push_raw({"message": {"text": "my words"}})
        await until(lambda: bool(health.troubles))
    assert "an update was skipped" in health.troubles[0]
    assert "my words" not in health.troubles[0]


# --- the token


@pytest.fixture
def all_logs() -> Iterator[io.StringIO]:
    """Everything that any library logs, down to debug."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


async def test_no_log_and_no_error_holds_the_token_or_a_text(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector, all_logs: io.StringIO
) -> None:
    secret = peer.token.partition(":")[2]
    ann = peer.user(42)
    ann.writes("my words")
    for method in ("getMe", "getUpdates", "sendMessage"):
        peer.fail_next(method, 500, f"Internal Server Error at /bot{peer.token}/{method}")
    peer.drop_next("getUpdates")
    with structlog.testing.capture_logs() as logs:
        async with running(connector, desk):
            await desk.wait(1)
            for _ in range(2):
                with contextlib.suppress(TemporaryError):
                    await connector.send(outgoing("our words"))
            peer.fail_next("sendMessage", 400, f"Bad Request: /bot{peer.token}/sendMessage")
            with pytest.raises(PermanentError) as refused:
                await connector.send(outgoing("our words"))
            await connector.send(outgoing("", file=File("our words.png", "image/png", png())))
            kept = Attachment("file", peer.store_file(b"my words")["file_id"])
            assert await connector.fetch(kept, "42", "42:1", 100) == b"my words"
        await peer.stop()
        with pytest.raises(TemporaryError) as unreachable:
            await connector.send(outgoing("our words"))
    written = all_logs.getvalue() + str(logs) + str(refused.value) + str(unreachable.value)
    assert "telegram_call_failed" in written
    assert secret not in written
    assert " words" not in written


# --- the webhook


@asynccontextmanager
async def served(connector: TelegramConnector, desk: Desk, port: int) -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(connector.routes(desk.receive))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}/telegram/webhook"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def port() -> Iterator[int]:
    with HeldPort() as held:
        yield held.number


@pytest.fixture
async def hooked(peer: TelegramPeer, port: int) -> AsyncIterator[TelegramConnector]:
    settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url=f"http://127.0.0.1:{port}")
    connector = TelegramConnector(settings, peer.token)
    yield connector
    await connector.close()


async def test_webhook(peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int) -> None:
    ann = peer.user(42)
    desk.before_commit = failing(2, "two")
    async with served(hooked, desk, port), running(hooked, desk):
        ann.writes("one")
        ann.writes("two")
        peer.push_raw({"message": {"text": 7}})
        ann.writes("three")
        await desk.wait(3)
        await peer.wait_until(lambda: not peer.pending)
    assert desk.attempts == ["one", "two", "two", "two", "three"]
    assert not peer.called("getUpdates")


async def test_webhook_before_the_server_is_up(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    ann = peer.user(42)
    async with running(hooked, desk):
        ann.writes("early")
        await peer.wait_until(lambda: peer.webhook is not None and peer.webhook.last_error is not None)
        async with served(hooked, desk, port):
            await desk.wait(1)
    assert desk.texts == ["early"]


async def test_webhook_presses_are_answered(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    ann = peer.user(42)
    async with served(hooked, desk, port), running(hooked, desk):
        ann.writes("hi")
        await desk.wait(1)
        message_id = await hooked.send(outgoing("Did it help?", buttons=(Button("Yes", "helped:yes"),)))
        query = ann.presses(int(message_id), "Yes")
        await peer.wait_until(lambda: peer.answered == [query])


async def test_webhook_refusals(peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int) -> None:
    async with served(hooked, desk, port) as url, running(hooked, desk), ClientSession() as session:
        await peer.wait_until(lambda: peer.webhook is not None)
        assert peer.webhook is not None
        assert peer.webhook.secret is not None
        right = {WEBHOOK_HEADER: peer.webhook.secret}
        said = b'{"update_id": 1, "message": {}}'

        async def status(data: bytes, headers: dict[str, str]) -> int:
            async with session.post(url, data=data, headers=headers) as answer:
                return answer.status

        assert await status(said, {}) == 403
        assert await status(said, {WEBHOOK_HEADER: "wrong"}) == 403
        assert await status(said, {WEBHOOK_HEADER: "ключ"}) == 403
        assert await status(b"x" * 1_000_001, right) == 413
        for malformed in (b"", b"{", b"\xff", b"[" * 200_000):
            assert await status(malformed, right) == 400
        for odd in (b"[]", b"null", b"7", b'"x"', b"1" * 5_000, b"[" * 200_000 + b"]" * 200_000, said):
            assert await status(odd, right) == 200
        async with session.get(url, headers=right) as answer:
            assert answer.status == 405
    assert desk.committed == []


async def test_webhook_checks_the_secret_before_it_reads(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    async with served(hooked, desk, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /telegram/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        assert b"403" in await asyncio.wait_for(reader.readline(), 5), "answered although no body has come"
        writer.close()


async def test_a_refused_webhook_address_says_the_fix(peer: TelegramPeer, desk: Desk) -> None:
    settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url="http://desk.example")
    connector = TelegramConnector(settings, peer.token)
    with pytest.raises(PermanentError, match="webhook_url"):
        await connector.run(desk.receive)
    await connector.close()


async def test_polling_serves_no_webhook(desk: Desk, connector: TelegramConnector) -> None:
    assert connector.routes(desk.receive).routes == []
