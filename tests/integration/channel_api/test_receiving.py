"""What apps bring: who they are, what is taken once, and what is refused with its reason."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot import guard
from bot.domain.context import Forward, ForwardKind
from bot.domain.delivery import DeliveryReceipt, DeliveryStatus, ReceiptRefused
from bot.domain.message import Command
from bot.domain.notice import NoticeRefused, NotNow
from connectors.api import signing
from connectors.api.commands import new_secret
from connectors.api.intake import MOST_BODY, MOST_FILE
from tests.support.api_channel import SECRET, VARIABLE, Caller, Memory, api_connector, calling, signed
from tests.support.discord_connector import Doing
from tests.support.stand_in_desk import StandInDesk

HOOK = "https://bridge.example/hook"
HELLO = {"type": "message", "contact": {"id": "ann"}, "text": "hello"}


@pytest.fixture
def desk() -> StandInDesk:
    return StandInDesk()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def app(desk: StandInDesk, memory: Memory) -> AsyncIterator[Caller]:
    async with calling(api_connector(HOOK, memory), desk.receive) as app:
        yield app


# --- what a customer did ----------------------------------------------------------------------------


async def test_a_message_is_recorded_with_all_that_is_known_of_it(app: Caller, desk: StandInDesk) -> None:
    contact = {"id": "wx-安", "name": "安", "language": "zh-CN"}
    answer = await app.event(
        "m1",
        type="message",
        contact=contact,
        text="你好 👋",
        reply_to="m0",
        thread="t",
        subject="s",
        sent_at="2026-11-28T08:00:00+08:00",
    )
    assert (answer.status_code, answer.json()) == (200, {"duplicate": False, "message_id": 1})
    (event,) = desk.received
    assert (event.channel, event.account, event.external_id, event.chat_id) == ("api", "sample", "m1", "sample:wx-安")
    assert (event.sender.external_id, event.sender.name, event.sender.language) == ("wx-安", "安", "zh-CN")
    assert (event.text, event.replies_to, event.thread, event.subject) == ("你好 👋", "m0", "t", "s")
    assert event.sent_at == datetime(2026, 11, 28, tzinfo=UTC)


async def test_each_thing_that_a_customer_does(app: Caller, desk: StandInDesk, memory: Memory) -> None:
    for number, event in enumerate(
        (
            {"type": "message", "text": "/human"},
            {"type": "edit", "message": "m1", "text": "hallo"},
            {"type": "delete", "message": "m1"},
            {"type": "press", "payload": "helped:yes", "label": "Yes"},
            {"type": "receipt", "message": "msg_1", "status": "failed", "error": "blocked"},
            {"type": "receipt", "message": "msg_2", "status": "read", "sent_at": "2026-11-28T08:00:00Z"},
        )
    ):
        assert (await app.event(f"e{number}", **event)).status_code == 200
    human, edit, deletion, press = desk.received
    assert human.command is Command.HUMAN
    assert (edit.edits, edit.text) == ("m1", "hallo")
    assert deletion.deletes == "m1"
    assert (press.button, press.text) == ("helped:yes", "Yes")
    (*failed, why), (*_, read) = memory.receipts
    assert (failed, why.status) == (["api", "sample", "ann", "msg_1"], DeliveryStatus.FAILED)
    assert "blocked" in str(why.error)
    assert read == DeliveryReceipt(DeliveryStatus.READ, datetime(2026, 11, 28, 8, tzinfo=UTC))


async def test_what_a_customer_passes_on_is_told_from_their_own_words(app: Caller, desk: StandInDesk) -> None:
    passed = {"name": "Support", "kind": "channel", "at": "2026-11-28T08:00:00Z"}
    assert (await app.event("f", type="message", text="/human", forwarded=passed, quote="the part")).status_code == 200
    context = guard.incoming(desk.received[0]).context
    assert context.forward == Forward("Support", ForwardKind.CHANNEL, datetime(2026, 11, 28, 8, tzinfo=UTC))
    assert context.quote == "the part"
    assert guard.incoming(desk.received[0]).command is None


async def test_what_the_contract_has_no_field_for_is_kept_for_agents(app: Caller, desk: StandInDesk) -> None:
    assert (await app.event("1", type="message", text="here", other={"place": [52.5, 13.4]})).status_code == 200
    assert desk.received[0].context.raw == '{"place": [52.5, 13.4]}'
    answer = await app.event("2", type="message", text="here", other={"x": "y" * 20_000})
    assert (answer.status_code, "other" in answer.json()["message"]) == (422, True)


async def test_an_edit_leaves_files_or_says_which_there_are(app: Caller, desk: StandInDesk) -> None:
    token = (await app.post("/files", {"content": base64.b64encode(b"x").decode()})).json()["file"]
    for number, files in enumerate((None, [], [{"file": token}])):
        event = {"type": "edit", "message": "m1", "text": "new" if files is None else ""}
        assert (await app.event(f"e{number}", **event, files=files)).status_code == 200
    said = [(event.replaces_attachments, len(event.attachments)) for event in desk.received]
    assert said == [(False, 0), (True, 0), (True, 1)]


async def test_what_comes_again_is_recorded_once_and_what_failed_may_come_again(app: Caller, desk: StandInDesk) -> None:
    desk.failures = 1
    failed = await app.event("m1", type="message", text="hello")
    assert (failed.status_code, failed.json()["error"], failed.headers["retry-after"]) == (503, "unavailable", "2")
    assert "hello" not in failed.text
    for duplicate in (False, True, True):
        assert (await app.event("m1", type="message", text="hello")).json()["duplicate"] is duplicate
    assert len(desk.received) == 1


async def test_a_receipt_that_comes_too_early_is_to_come_again_and_one_for_nothing_is_refused(
    app: Caller, memory: Memory
) -> None:
    memory.refuses = NotNow("on its way")
    receipt = {"type": "receipt", "message": "msg_1", "status": "failed", "error": "blocked"}
    early = await app.event("b", **receipt)
    assert (early.status_code, early.json()["error"], early.headers["retry-after"]) == (503, "busy", "1")
    for code in ("unknown_message", "contradicts"):
        memory.refuses = ReceiptRefused(code, "not so")
        answer = await app.event("b", **receipt)
        assert (answer.status_code, answer.json()) == (409, {"error": code, "message": "not so"})
    memory.refuses = None
    assert (await app.event("b", **receipt)).json() == {"duplicate": False, "message_id": 1}
    assert len(memory.receipts) == 1


async def test_files_come_before_their_message(app: Caller, desk: StandInDesk, memory: Memory) -> None:
    content = bytes(range(256)) * 40
    upload = {"content": base64.b64encode(content).decode()}
    answer = await app.post("/files", upload)
    assert (answer.status_code, answer.json()["size"]) == (201, len(content))
    token = answer.json()["file"]
    files = [
        {"file": token, "name": "账单.pdf", "media_type": "application/pdf"},
        {"file": token, "media_type": "image/png"},
    ]
    assert (await app.event(type="message", files=files)).status_code == 200
    bill, picture = desk.received[0].attachments
    assert memory.files == {bill.sha256: content}
    assert (bill.kind, bill.name, bill.media_type, bill.size) == ("file", "账单.pdf", "application/pdf", len(content))
    assert (picture.kind, picture.sha256) == ("photo", bill.sha256)


async def test_nobody_names_a_file_that_is_not_theirs_or_too_old(
    app: Caller, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await app.post("/files", {"content": base64.b64encode(b"x").decode()})).json()["file"]
    sha256, size, until, mac = token.split(".")
    other = await memory.add(b"of another customer")
    forged = [
        f"{other}.{size}.{until}.{mac}",
        f"{sha256}.{size}.{int(until) + 9}.{mac}",
        token[:-1],
        sha256,
        "ü",
        "....",
    ]
    for name in forged:
        answer = await app.event(type="message", files=[{"file": name}])
        assert (answer.status_code, answer.json()["error"]) == (422, "no_file")
    monkeypatch.setattr(signing, "FILE_KEPT", -1)
    token = (await app.post("/files", {"content": base64.b64encode(b"x").decode()})).json()["file"]
    late = await app.event(type="message", files=[{"file": token}])
    assert (late.status_code, "upload it again" in late.json()["message"]) == (422, True)


# --- who it is --------------------------------------------------------------------------------------


async def test_only_what_is_signed_now_is_taken(app: Caller, desk: StandInDesk) -> None:
    body = json.dumps(HELLO).encode()
    good = signed(body, "1")
    now = int(time.time())
    for wrong, why in (
        ({}, "headers"),
        (good | {"webhook-signature": "v1,AAAA"}, "no signature fits"),
        (good | {"webhook-signature": "v1"}, "no signature fits"),
        (good | {"webhook-signature": "v1,== v1,%"}, "no signature fits"),
        (good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")}, "no signature fits"),
        (good | {"webhook-id": "2"}, "no signature fits"),
        (good | {"webhook-id": "a b"}, "visible ASCII"),
        (good | {"webhook-timestamp": str(now - 1)}, "no signature fits"),
        (good | {"webhook-timestamp": "soon"}, "Unix time"),
        (signed(body, "1", at=now - 330), "seconds too old"),
        (signed(body, "1", at=now + 330), "seconds too early"),
        (signed(body, "1", secret=new_secret()), "no signature fits"),
    ):
        answer = await app.post("/events", body, headers=wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "signature"), wrong
        assert why in answer.json()["message"]
    assert (await app.post("/events", body + b" ", headers=good)).status_code == 401
    assert desk.received == []
    both = good | {"webhook-signature": f"v1,AAAA {good['webhook-signature']} v2,x"}
    assert (await app.post("/events", body, headers=both)).status_code == 200


async def test_while_a_secret_is_changed_both_are_good(desk: StandInDesk) -> None:
    new, old = new_secret(), new_secret()
    secrets = {VARIABLE: new, "API_CHANNEL_OLD_SECRET_SAMPLE": old}
    async with calling(api_connector(HOOK, secrets=secrets), desk.receive) as app:
        for number, secret in enumerate((new, old)):
            assert (await app.post("/events", HELLO, str(number), secret=secret)).status_code == 200
        assert (await app.post("/events", HELLO, "3", secret=SECRET)).status_code == 401


@pytest.mark.parametrize("secrets", [{}, {VARIABLE: "hunter2"}, {VARIABLE: "whsec_c2hvcnQ="}])
async def test_an_app_without_a_secret_is_off_and_says_so(desk: StandInDesk, secrets: dict[str, str]) -> None:
    doing = Doing()
    connector = api_connector(HOOK, secrets=secrets, health=doing)
    async with calling(connector, desk.receive) as app:
        answer = await app.post("/events", HELLO)
        assert (answer.status_code, answer.json()["error"]) == (404, "no_app")
        assert VARIABLE in answer.json()["message"]
        with pytest.raises(Exception, match=VARIABLE):
            await connector.run(desk.receive)
    assert VARIABLE in doing.troubles[0]
    assert "hunter2" not in doing.troubles[0]


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "error", "field"),
    [
        ({"type": "message", "txt": "hello"}, "malformed", "message.txt"),
        ({"type": "massage", "text": "hello"}, "malformed", "type"),
        ({"type": "message", "text": " \n"}, "empty", "blank"),
        ({"type": "edit", "message": "m", "text": ""}, "empty", "blank"),
        ({"type": "message", "text": "x" * 20_001}, "malformed", "message.text"),
        ({"type": "message", "text": 5}, "malformed", "message.text"),
        ({"type": "message", "text": "x", "contact": {"id": ""}}, "malformed", "message.contact.id"),
        ({"type": "message", "text": "x", "contact": {"id": "a\nb"}}, "malformed", "message.contact.id"),
        ({"type": "message", "text": "x", "contact": {"id": "x" * 201}}, "malformed", "message.contact.id"),
        ({"type": "message", "text": "x", "sent_at": "2026-11-28T08:00:00"}, "malformed", "message.sent_at"),
        ({"type": "message", "text": "x", "reply_to": "a b"}, "malformed", "message.reply_to"),
        ({"type": "message", "files": [{"file": "x"}] * 11}, "malformed", "message.files"),
        ({"type": "press", "payload": "ü" * 33, "label": "x"}, "malformed", "payload"),
        ({"type": "delete"}, "malformed", "delete.message"),
        ({"type": "receipt", "message": "x", "status": "failed", "error": ""}, "malformed", "receipt.error"),
        ({"type": "receipt", "message": "x", "status": "failed", "error": "a\0"}, "malformed", "receipt.error"),
        ({"type": "receipt", "message": "x", "status": "failed"}, "malformed", "error says why"),
        ({"type": "receipt", "message": "x", "status": "read", "error": "x"}, "malformed", "error says why"),
        ({"type": "receipt", "message": "x", "status": "seen"}, "malformed", "receipt.status"),
        ({"type": "receipt", "message": "x"}, "malformed", "receipt.status"),
        ({"type": "message", "text": "x", "thread": "a\0"}, "malformed", "message.thread"),
    ],
)
async def test_bad_input_is_refused_with_the_place(
    app: Caller, desk: StandInDesk, event: dict[str, Any], error: str, field: str
) -> None:
    answer = await app.event(**event)
    assert (answer.status_code, answer.json()["error"]) == (422, error)
    assert field in answer.json()["message"]
    assert desk.received == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 50_000, b'{"type": "message", "text": "\\ud800"}'])
async def test_what_is_no_event_at_all_is_refused(app: Caller, body: bytes) -> None:
    assert (await app.post("/events", body)).status_code == 422


async def test_sizes_and_rates_have_an_end(desk: StandInDesk) -> None:
    async with calling(api_connector(HOOK, rate=5), desk.receive) as app:
        assert (await app.post("/events", b"x" * (MOST_BODY + 1))).status_code == 413
        large = base64.b64encode(bytes(MOST_FILE + 1)).decode()
        assert (await app.post("/files", {"content": large})).status_code == 413
        assert (await app.post("/files", {"content": "a b"})).json()["error"] == "malformed"
        assert (await app.post("/files", {"content": ""})).json()["error"] == "empty"
        answers = [await app.event(f"m{number}", type="message", text="x") for number in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].headers["retry-after"] == "1"
        assert len(desk.received) == len(answers) - len(refused)
        # Whoever is not the app uses up none of it.
        assert (await app.post("/events", HELLO, secret=new_secret())).status_code == 401


async def test_an_app_without_a_webhook_brings_no_customers(desk: StandInDesk) -> None:
    async with calling(api_connector(None), desk.receive) as app:
        answer = await app.post("/events", HELLO)
        assert (answer.status_code, answer.json()["error"]) == (403, "no_webhook")


# --- notices ----------------------------------------------------------------------------------------


async def test_a_notice_goes_to_own_customers_and_to_those_of_channels_that_are_named(
    desk: StandInDesk, memory: Memory
) -> None:
    async with calling(api_connector(None, memory, may_write_to=("telegram", "api")), desk.receive) as app:
        own = {"to": {"contact": "ann"}, "text": {"en": "Hello", "zh": "您好"}, "topic": "suspicious_login"}
        answer = await app.post("/notices", own, "n1")
        assert answer.json() == {
            "duplicate": False,
            "message_id": 1,
            "conversation_id": 1,
            "delivery": "pending",
            "error": None,
            "delivered_at": None,
            "read_at": None,
        }
        assert (await app.post("/notices", own, "n1")).json()["duplicate"] is True
        theirs = {"to": {"channel": "telegram", "contact": "42"}, "text": "Hello", "priority": "urgent"}
        assert (await app.post("/notices", theirs, "n2")).status_code == 200
        others = {"to": {"contact": "bea", "account": "wechat"}, "text": "Hello"}
        assert (await app.post("/notices", others, "n4")).status_code == 200
        first, second, third = memory.notices
        assert (third.channel, third.account) == ("api", "wechat")
        assert (first.source, first.id, first.channel, first.account) == ("sample", "n1", "api", "sample")
        assert (second.channel, second.account, second.texts, second.priority.label) == (
            "telegram",
            None,
            {"": "Hello"},
            "urgent",
        )
        other = await app.post("/notices", {"to": {"channel": "discord", "contact": "42"}, "text": "Hello"}, "n3")
        assert (other.status_code, other.json()["error"]) == (403, "channel")
        assert "may_write_to" in other.json()["message"]


async def test_an_app_writes_to_its_own_customers_alone_unless_it_may(app: Caller, memory: Memory) -> None:
    for to in ({"contact": "bea", "account": "wechat"}, {"contact": "42", "channel": "telegram"}):
        answer = await app.post("/notices", {"to": to, "text": "Hello"})
        assert (answer.status_code, answer.json()["error"]) == (403, "channel")
    assert memory.notices == []


@pytest.mark.parametrize(
    ("refusal", "status", "error"),
    [
        (NoticeRefused("unknown_contact", "nobody"), 404, "unknown_contact"),
        (NoticeRefused("id_taken", "taken"), 409, "id_taken"),
        (NoticeRefused("ambiguous_contact", "two"), 409, "ambiguous_contact"),
        (NoticeRefused("empty", "empty"), 422, "empty"),
        (NotNow("busy"), 503, "busy"),
    ],
)
async def test_why_a_notice_is_not_said(
    app: Caller, memory: Memory, refusal: Exception, status: int, error: str
) -> None:
    memory.refuses = refusal
    answer = await app.post("/notices", {"to": {"contact": "ann"}, "text": "x"})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": {"contact": "a\0"}},
        {"to": {"contact": "a", "account": "\0"}},
        {"to": {"contact": "a", "channel": "Telegram"}},
        {"topic": "\0"},
        {"thread": "\0"},
        {"locale": "\0"},
        {"text": {}},
        {"text": {"\0": "x"}},
        {"text": "x" * 20_001},
        {"priority": "now"},
        {"texts": "x"},
    ],
)
async def test_what_is_no_notice_is_refused(app: Caller, memory: Memory, wrong: dict[str, Any]) -> None:
    answer = await app.post("/notices", {"to": {"contact": "ann"}, "text": "x"} | wrong)
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
    assert memory.notices == []
