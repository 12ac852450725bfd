"""Sending to Telegram: text, style, quotes; what is refused and what is worth another try; edits and deletions."""

from __future__ import annotations

import asyncio
import json

import pytest

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment, Button, File, MessageFormat
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk, outgoing, running
from tests.support.words import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


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
async def test_a_server_without_the_method_is_no_fault_of_the_token(
    peer: TelegramPeer, connector: TelegramConnector
) -> None:
    peer.fail_next("sendDocument", 404, "Not Found: method not found")
    with pytest.raises(PermanentError, match="up to date"):
        await connector.send(outgoing("", file=File("a.txt", "text/plain", b"a")))


@pytest.mark.usefixtures("ann_wrote")
async def test_a_refusal_with_status_200_is_one(peer: TelegramPeer, connector: TelegramConnector) -> None:
    """As some servers answer that others wrote (docs/decisions/0134)."""
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message to delete not found"}
    peer.as_sent = lambda _: json.dumps(refusal).encode()
    await connector.delete("42", "7")  # it is gone, as it was to be
    refusal["description"] = "Bad Request: chat not found"
    with pytest.raises(PermanentError, match="no such chat"):
        await connector.send(outgoing("hello"))
    refusal |= {"error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 3}}
    with pytest.raises(TemporaryError) as raised:
        await connector.send(outgoing("hello"))
    assert raised.value.retry_after == 3.0


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
        connector = TelegramConnector(TelegramSettings(base_url=f"http://127.0.0.1:{port}"), "700:abc", words=WORDS)
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
