"""What the tests of the agents' console share: who is there, and who wrote what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx

from bot.domain.channel import Capabilities
from bot.domain.conversation import EscalationReason, Reopening
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction, Ranked
from bot.domain.message import Incoming, Reply, Sender
from bot.store import Store

PASSWORD = "correct horse"
ASKED = Decision(Action.ESCALATE, reason=EscalationReason.ASKED)
HTMX = {"HX-Request": "true"}
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>" hx-get="/console/" onclick='x' {{ 7*7 }} &amp;"""
CAPABILITIES = {
    "web": Capabilities(),
    "discord": Capabilities(edits=True, attachments=True, quotes=True, pictures_as_files=True, max_file=100_000),
    "apps": Capabilities(named_accounts=True),
}
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08" + bytes(40)

Browser = Callable[[], httpx.AsyncClient]


async def sign_in(client: httpx.AsyncClient, name: str = "Mei") -> httpx.AsyncClient:
    answer = await client.post("/console/sign-in", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303
    return client


async def said(
    store: Store,
    text: str = "hello",
    *,
    id: str = "1",
    name: str = "Ann",
    channel: str = "web",
    reopening: Reopening | None = None,
    **fields: object,
) -> int:
    """The conversation's id. One sender for each name and channel."""
    incoming = Incoming(channel, channel, f"{name}-{id}", Sender(name, name, "en"), chat_id=name, text=text)
    receipt = await store.incoming.record(replace(incoming, **fields), reopening)
    assert receipt.conversation_id is not None
    return receipt.conversation_id


async def queued(store: Store, text: str = "hello", decision: Decision = ASKED, **said_: object) -> int:
    conversation_id = await said(store, text, **said_)
    message = (await store.messages.of(conversation_id))[-1]
    taken = await store.turns.begin(message.id)
    ranking = (Ranked("fee_explained", 0.974), Ranked("fee_reduce", 0.02))
    prediction = Prediction(text, "fee_explained", 0.974, ranking, sure=True)
    await store.turns.finish(
        taken, decision, [Reply("You are number {position}.")], language="en", prediction=prediction
    )
    return conversation_id


async def delivered(store: Store, message_id: int, external_id: str) -> None:
    """The message, as it is now, is with the customer."""
    begun = await store.deliveries.begin(message_id)
    assert begun is not None
    await store.deliveries.record_sent(begun, 0, external_id)
