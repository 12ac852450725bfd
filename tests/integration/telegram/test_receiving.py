"""Receiving from Telegram: every kind of update, in order, each acknowledged only once it is committed."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from aiohttp import ClientSession

from bot.domain.channel import PermanentError
from bot.domain.message import Button, Command, Incoming
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk, failing, outgoing, running
from tests.support.waiting import until
from tests.support.words import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


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
    crashed = TelegramConnector(settings, peer.token, words=WORDS)
    async with running(crashed, desk):
        await writing_two.wait()
        peer.fail_next("getUpdates", 500, "the crash also keeps the last confirmation back")
    await crashed.close()
    assert desk.texts == ["one"]
    assert len(peer.pending) == 3

    desk.before_commit = None
    successor = TelegramConnector(settings, peer.token, words=WORDS)
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
    short = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=1), peer.token, words=WORDS)
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
    polling = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=1), peer.token, words=WORDS)
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
    connector = TelegramConnector(TelegramSettings(base_url=peer.base_url), token, words=WORDS)
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
