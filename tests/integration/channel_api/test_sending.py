"""What apps get: signed, under one id however often it is tried, and with bounds for an app that hangs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.findings import Level
from bot.domain.message import Button, File, Incoming, MessageFormat, Receipt
from bot.ports import Access
from bot.runtime import http
from connectors.api import ApiConnector, ApiSettings, AppSettings, sending
from connectors.api.check import examine
from connectors.api.commands import new_secret
from connectors.api.description import openapi
from tests.support.api_channel import DOCS, SECRET, VARIABLE, Memory, api_connector, sample_client
from tests.support.ports import HOST, HeldPort
from tests.support.serving import served
from tests.support.stand_in_desk import StandInDesk
from tests.support.waiting import until


class Hook:
    """An app's webhook that answers as it is told, and remembers what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.raw: list[bytes] = []
        self.answers: list[web.Response] = []
        self.hangs = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append(body)
        self.got.append((dict(request.headers), json.loads(body)))
        if self.hangs:
            await asyncio.sleep(30)
        return self.answers.pop(0) if self.answers else web.json_response({"id": f"theirs-{len(self.got)}"})

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, body in self.got]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application(client_max_size=2**25)
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


@pytest.fixture
async def connector(hook: Hook) -> AsyncIterator[ApiConnector]:
    connector = api_connector(hook.url)
    yield connector
    await connector.close()


def outgoing(text: str, key: str = "1", **fields: Any) -> Outgoing:
    return Outgoing("api", "sample", "sample:ann", text, key=key, **fields)


async def test_what_is_sent_is_signed_and_says_all(hook: Hook, connector: ApiConnector) -> None:
    said = "**Fees** are [here](https://example.com).\n\n- one\n- two"
    more = {"buttons": (Button("Yes", "helped:yes"),), "reply_to": "m1", "thread": "t", "repeated": True}
    assert await connector.send(outgoing(said, format=MessageFormat.MARKDOWN, **more)) == "theirs-1"
    await connector.send(outgoing("", "2", file=File("账单.pdf", "application/pdf", b"\x00%PDF", as_file=True)))
    await connector.edit(outgoing("*new*"), "theirs-1")
    await connector.delete("sample:ann", "theirs-1")
    await connector.typing("sample:ann")
    message, file, edit, deletion, typing = hook.bodies
    for (headers, _), raw in zip(hook.got, hook.raw, strict=True):
        Webhook(SECRET).verify(raw, headers)
        assert headers["Content-Type"] == "application/json"
    assert message["text"] == "Fees are here (https://example.com).\n\n• one\n• two"
    assert (message["type"], message["markdown"], message["contact"]) == ("message", said, {"id": "ann"})
    assert (message["buttons"], message["reply_to"], message["thread"], message["repeated"]) == (
        [{"label": "Yes", "payload": "helped:yes"}],
        "m1",
        "t",
        True,
    )
    assert base64.b64decode(file["file"].pop("content")) == b"\x00%PDF"
    assert file["file"] == {"name": "账单.pdf", "media_type": "application/pdf", "size": 5, "as_file": True}
    assert (edit["type"], edit["message"], edit["text"], edit["markdown"]) == ("edit", "theirs-1", "*new*", None)
    assert (deletion["type"], deletion["message"]) == ("delete", "theirs-1")
    assert typing["type"] == "typing"


async def test_tries_of_one_message_have_one_id_and_others_their_own(hook: Hook, connector: ApiConnector) -> None:
    await connector.send(outgoing("one", "1:2.5:0"))
    await connector.send(outgoing("one", "1:2.5:0", repeated=True))
    await connector.send(outgoing("one", "1:2.5:1"))
    for text in ("a", "b", "a"):  # the last one is no repetition of the first
        await connector.edit(outgoing(text), "theirs-1")
    first, again, other, *edits = [headers["webhook-id"] for headers, _ in hook.got]
    assert first == again != other
    assert len({*edits}) == 3


async def test_without_an_id_in_the_answer_the_message_is_known_by_the_webhook_id(
    hook: Hook, connector: ApiConnector
) -> None:
    for answer in (
        web.Response(status=204),
        web.Response(text="thanks"),
        web.json_response({"id": 5}),
        web.json_response({"id": "a b"}),
        web.json_response({"id": "x" * 129}),
        web.Response(body=b"x" * 100_000),  # that it took the message its status says
        web.json_response({"id": "a"}, headers={"Content-Encoding": "gzip"}),
    ):
        hook.answers.append(answer)
        assert await connector.send(outgoing("hi")) == hook.got[-1][0]["webhook-id"]


@pytest.mark.parametrize(
    ("answer", "error", "wait"),
    [
        (web.json_response({"error": "blocked by Ann"}, status=422), PermanentError, None),
        (web.Response(status=410), PermanentError, None),
        (web.Response(status=500), TemporaryError, None),
        (web.Response(status=502, headers={"Retry-After": "7"}), TemporaryError, None),
        (web.Response(status=503, headers={"Retry-After": "7"}), TemporaryError, 7.0),
        (web.Response(status=429, headers={"Retry-After": "9999999"}), TemporaryError, 3600.0),
        (web.Response(status=429, headers={"Retry-After": "soon"}), TemporaryError, None),
        (web.Response(status=401), TemporaryError, 30.0),
        (web.Response(status=404), TemporaryError, 30.0),
        (web.Response(status=302, headers={"Location": "/elsewhere"}), TemporaryError, 30.0),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
async def test_what_an_answer_means(
    hook: Hook, connector: ApiConnector, answer: web.Response, error: type[Exception], wait: float | None
) -> None:
    hook.answers.append(answer)
    with pytest.raises(error) as raised:
        await connector.send(outgoing("hi"))
    assert getattr(raised.value, "retry_after", None) == wait
    assert str(answer.status) in str(raised.value)
    if answer.status == 422:
        assert "blocked by Ann" in str(raised.value)
    assert len(hook.got) == 1


async def test_an_app_that_hangs_holds_up_nobody_else(
    hook: Hook, connector: ApiConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WITHIN", 0.5)
    monkeypatch.setattr(sending, "FIRST_PAUSE", 2.0)
    hook.hangs = True
    tries = await asyncio.gather(
        *(connector.send(outgoing("hi", str(number))) for number in range(30)), return_exceptions=True
    )
    assert all(isinstance(error, TemporaryError) for error in tries)
    # Those that were not even sent say so by a time.
    assert sum(error.retry_after is None for error in tries) == sending.AT_ONCE
    arrived = len(hook.got)
    assert 0 < arrived <= sending.AT_ONCE
    with pytest.raises(TemporaryError, match="lately") as paused:
        await connector.send(outgoing("hi"))
    assert paused.value.retry_after
    assert len(hook.got) == arrived
    hook.hangs = False

    async def sent() -> bool:
        with contextlib.suppress(TemporaryError):
            return bool(await connector.send(outgoing("hi")))
        return False

    async with asyncio.timeout(10):
        while not await sent():
            await asyncio.sleep(0.05)


async def test_a_half_open_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connector = api_connector(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(TemporaryError):
            await connector.send(outgoing("hi"))
        await connector.typing("sample:ann")
        await connector.close()


async def test_a_webhook_inside_must_be_allowed(hook: Hook) -> None:
    connector = api_connector(hook.url, egress=())
    with pytest.raises(TemporaryError, match=r"egress\.allow"):
        await connector.send(outgoing("hi"))
    await connector.close()
    assert hook.got == []


async def test_an_app_that_is_gone_or_takes_nothing_gets_nothing(hook: Hook) -> None:
    connector = api_connector(None)
    for chat_id in ("sample:ann", "other:ann", "nobody", "sample:"):
        with pytest.raises(PermanentError):
            await connector.send(Outgoing("api", "sample", chat_id, "hi", key="1"))
        await connector.typing(chat_id)
    await connector.close()


async def test_apps_are_accounts_of_one_channel(hook: Hook) -> None:
    names = ("wechat", "line-oa")
    settings = ApiSettings(apps={name: AppSettings(webhook_url=hook.url) for name in names})
    secrets = {"API_CHANNEL_SECRET_WECHAT": new_secret(), "API_CHANNEL_SECRET_LINE_OA": new_secret()}
    memory = Memory()
    connector = ApiConnector(settings, secrets, files=memory, notices=memory, receipts=memory, egress=["127.0.0.1"])
    assert connector.accounts == {*names}
    for name in names:
        await connector.send(Outgoing("api", name, f"{name}:ann", "hi", key=name))
    for (headers, _), raw, secret in zip(hook.got, hook.raw, secrets.values(), strict=True):
        Webhook(secret).verify(raw, headers)
    await connector.close()


# --- what operators see -----------------------------------------------------------------------------


async def test_doctor_says_of_each_app_whether_it_is_there(hook: Hook) -> None:
    settings = ApiSettings(
        apps={
            "sample": AppSettings(webhook_url=hook.url),
            "off": AppSettings(webhook_url=hook.url),
            "wallet": AppSettings(may_write_to=("telegram", "telegrm")),
        }
    )
    secrets = {VARIABLE: SECRET, "API_CHANNEL_SECRET_WALLET": new_secret()}
    access = Access("", secrets, ["127.0.0.1"], ["api", "telegram"])
    sample, off, wallet, misspelt = await examine(settings, access)
    assert (sample.level, hook.bodies[0]["type"]) == (Level.OK, "ping")
    assert (off.level, "API_CHANNEL_SECRET_OFF" in off.fix) == (Level.WRONG, True)
    assert wallet.level is Level.OK
    assert (misspelt.level, "telegrm" in misspelt.words) == (Level.WRONG, True)
    assert "api, telegram" in misspelt.fix
    assert "channels.api.apps.wallet.may_write_to" in misspelt.fix
    hook.answers.append(web.Response(status=401))
    refused, *_ = await examine(settings, access)
    assert (refused.level, "same secret" in refused.fix) == (Level.WRONG, True)


async def test_the_client_of_the_docs_refuses_what_is_not_the_desks(tmp_path: Path) -> None:
    with sample_client(tmp_path / "chat.db", "http://127.0.0.1:9") as (client, webhook):
        stranger = api_connector(webhook, secrets={VARIABLE: new_secret()})
        with pytest.raises(TemporaryError, match="401"):
            await stranger.send(outgoing("I am the desk"))
        await stranger.close()
        assert client.screen("ann") == []


async def test_the_client_of_the_docs_keeps_files_for_a_desk_that_is_down_and_no_customer_waits_for_another(
    tmp_path: Path,
) -> None:
    desk, memory = StandInDesk(), Memory()

    async def receive(incoming: Incoming) -> Receipt:
        if incoming.sender.external_id == "bea":
            raise ConnectionError("not now")
        return await desk.receive(incoming)

    connector = api_connector("https://bridge.example/hook", memory)
    with HeldPort() as port, sample_client(tmp_path / "chat.db", f"http://{HOST}:{port.number}") as (client, _):
        client.says("bea", "busy for ever")
        client.says("ann", "", files=[{"content": b"a bill", "name": "bill.pdf", "media_type": "application/pdf"}])
        client.says("ann", "paid")
        await until(lambda: client.failures > 2)
        async with served(http.application([connector.routes(receive)], {}), port.number):
            await until(lambda: client.unsent() == (1, []))
        await connector.close()
    bill, paid = desk.received
    (file,) = bill.attachments
    assert (memory.files[file.sha256], file.name, paid.text) == (b"a bill", "bill.pdf", "paid")


def test_the_description_beside_the_page_is_the_contract() -> None:
    """Written anew by ``switchboard api openapi > docs/channel-api/openapi.json``."""
    assert json.loads((DOCS / "openapi.json").read_text(encoding="utf-8")) == json.loads(json.dumps(openapi()))
