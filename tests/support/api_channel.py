"""The channel by API for tests: its connector, and the client that docs/channel-api gives to readers."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from standardwebhooks import Webhook

from bot.domain.delivery import DeliveryReceipt
from bot.domain.message import DeliveryState, Incoming, Receipt
from bot.domain.notice import Notice, NoticeReceipt
from bot.ports import Health
from bot.runtime import http
from bot.settings import ROOT
from connectors.api import ApiConnector, ApiSettings, AppSettings
from connectors.api.commands import new_secret
from tests.support.serving import served

DOCS = ROOT / "docs" / "channel-api"
SECRET = new_secret()
VARIABLE = "API_CHANNEL_SECRET_SAMPLE"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("channel_api_client", DOCS / "client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.FIRST_PAUSE, module.LONGEST_PAUSE = 0.05, 0.2
    return module


client_module = _load()


@contextmanager
def sample_client(database: Path, desk: str, secret: str = SECRET) -> Iterator[tuple[Any, str]]:
    """The client, listening, and the address of its webhook."""
    client = client_module.Client(database, desk, "sample", secret)
    webhook = client.start("127.0.0.1", 0)
    try:
        yield client, webhook
    finally:
        client.stop()


@dataclass
class Memory:
    """``Files``, ``Notices`` and ``Receipts`` in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    receipts: list[tuple[str, str, str, str, DeliveryReceipt]] = field(default_factory=list)
    refuses: Exception | None = None

    async def add(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[sha256] = content
        return sha256

    async def give(self, notice: Notice) -> NoticeReceipt:
        if self.refuses is not None:
            raise self.refuses
        duplicate = any((known.source, known.id) == (notice.source, notice.id) for known in self.notices)
        if not duplicate:
            self.notices.append(notice)
        return NoticeReceipt(1, len(self.notices), DeliveryState.PENDING, duplicate=duplicate)

    async def record(
        self, channel: str, account: str, contact_id: str, external_id: str, told: DeliveryReceipt
    ) -> Receipt:
        if self.refuses is not None:
            raise self.refuses
        self.receipts.append((channel, account, contact_id, external_id, told))
        return Receipt(len(self.receipts), 1)


def api_connector(
    webhook: str | None,
    memory: Memory | None = None,
    *,
    secrets: dict[str, str] | None = None,
    health: Health | None = None,
    egress: tuple[str, ...] = ("127.0.0.1",),
    **app: Any,
) -> ApiConnector:
    memory = memory or Memory()
    settings = ApiSettings(apps={"sample": AppSettings(webhook_url=webhook, **{"rate": 1000} | app)})
    return ApiConnector(
        settings,
        {VARIABLE: SECRET} if secrets is None else secrets,
        files=memory,
        notices=memory,
        receipts=memory,
        egress=egress,
        health=health,
    )


def signed(body: bytes, id: str, *, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a call, by the standard's own library."""
    sent = int(time.time()) if at is None else at
    signature = Webhook(secret).sign(id, datetime.fromtimestamp(sent, UTC), body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(sent), "webhook-signature": signature}


class Caller:
    """Calls the desk as an app does, one try a call."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def post(self, path: str, body: Any, id: str = "1", **how: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = how["headers"] if "headers" in how else signed(content, id, **how)
        return await self.http.post(f"/api/v1/apps/sample{path}", content=content, headers=headers)

    async def event(self, id: str = "1", /, **event: Any) -> httpx.Response:
        return await self.post("/events", {"contact": {"id": "ann"}} | event, id)


@asynccontextmanager
async def calling(connector: ApiConnector, receive: Callable[[Incoming], Awaitable[Receipt]]) -> AsyncIterator[Caller]:
    """The desk's side on a server of its own, and an app that calls it."""
    app = http.application([connector.routes(receive)], {})
    async with served(app) as address, httpx.AsyncClient(base_url=address, timeout=10) as client:
        try:
            yield Caller(client)
        finally:
            await connector.close()
