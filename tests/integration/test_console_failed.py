"""Failed messages, over HTTP: the page, the sign on every other one, and the buttons; and messages not delivered."""

from __future__ import annotations

import re

import pytest

from bot.domain.conversation import ConversationState
from bot.domain.message import Author, DeliveryState
from bot.domain.said import Fault
from bot.domain.staff import Agent, Role
from bot.queue import DELIVER, TURN
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import HOSTILE, HTMX, PASSWORD, Browser, queued, said, sign_in

NOTICE = {"": "A person will see to it."}
ERROR = "KeyError in fit, bot/pipeline/rendering.py:88"


@pytest.fixture
async def ada(store: Store) -> Agent:
    """A lead: what the desk failed on is not an agent's business."""
    return await store.agents.add("Ada", Role.LEAD, await hash_password(PASSWORD))


async def poisoned(store: Store, name: str = "Ann") -> tuple[int, int]:
    """A conversation, and its message whose turn was given up."""
    conversation_id = await said(store, HOSTILE, name=name)
    message_id = (await store.messages.of(conversation_id))[-1].id
    await store.dead_letters.record_failure(TURN, message_id, ERROR)
    await store.dead_letters.add(TURN, message_id, NOTICE)
    return conversation_id, message_id


async def undelivered(store: Store, desk: Desk, agent: Agent) -> tuple[int, int]:
    """A conversation that the agent has, and her reply, whose delivery failed."""
    conversation_id = await queued(store, name="Bob")
    await desk.claim(conversation_id, agent)
    reply = await desk.reply(conversation_id, agent, "Hello!")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.fail(begun, Fault("the customer blocked the bot"))
    return conversation_id, reply.id


async def test_what_is_given_up_is_listed_and_every_page_says_so(browser: Browser, store: Store, ada: Agent) -> None:
    client = await sign_in(browser(), "Ada")
    for path in ("/", "/channels", "/navigation", "/failed"):
        assert 'class="count alarm"' not in (await client.get(f"/console{path}")).text
    assert "No failed messages" in (await client.get("/console/failed")).text
    conversation_id, message_id = await poisoned(store)
    for path in ("/", "/channels", "/navigation", "/failed"):
        page = (await client.get(f"/console{path}")).text
        place = re.search(r'<a id="to-failed".*?</a>', page, re.S)
        assert place is not None
        assert '<span class="count alarm">1</span>' in place[0]
    part = (await client.get("/console/failed", headers=HTMX)).text
    assert "<html" not in part
    assert f'href="/console/conversations/{conversation_id}#m-{message_id}"' in part
    assert ERROR in part
    assert "Failed 1 times" not in part
    assert "Failed once" in part
    assert "Try all again" not in part
    # Nothing that the customer wrote.
    assert "alert(1)" not in part


async def test_it_is_tried_again_or_dismissed_and_twice_does_nothing(
    browser: Browser, store: Store, mei: Agent
) -> None:
    client = await sign_in(browser())
    _, first = await poisoned(store)
    _, second = await poisoned(store, "Bob")
    page = (await client.get("/console/failed", headers=HTMX)).text
    assert "Try all again" in page
    for _ in range(2):
        answer = await client.post(f"/console/failed/turn/{first}/dismiss", headers=HTMX)
        assert answer.status_code == 200
        assert f"failed-turn-{first}" not in answer.text
        assert f"failed-turn-{second}" in answer.text
    assert await store.turns.begin(first) is None
    for _ in range(2):
        answer = await client.post(f"/console/failed/turn/{second}/again")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/failed")
    assert await store.dead_letters.count() == 0
    assert await store.turns.begin(second) is not None
    await poisoned(store, "Cid")
    await poisoned(store, "Dee")
    assert "No failed messages" in (await client.post("/console/failed/again", headers=HTMX)).text


async def test_nobody_else_may(browser: Browser, store: Store, mei: Agent) -> None:
    _, message_id = await poisoned(store)
    for what in ("again", "dismiss"):
        answer = await browser().post(f"/console/failed/turn/{message_id}/{what}")
        assert answer.headers["location"].startswith("/console/sign-in")
        client = await sign_in(browser())
        answer = await client.post(
            f"/console/failed/turn/{message_id}/{what}", headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
    assert await store.dead_letters.count() == 1


async def test_a_message_not_delivered_is_tried_again_by_any_agent(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id, message_id = await undelivered(store, desk, mei)
    client = await sign_in(browser(), "Ada")
    address = f"/console/conversations/{conversation_id}"
    assert f'action="{address}/messages/{message_id}/retry?view=queue"' in (await client.get(address)).text
    answer = await client.post(f"{address}/messages/{message_id}/retry", headers=HTMX)
    assert answer.status_code == 200
    assert f"messages/{message_id}/retry" not in answer.text
    (now,) = (m for m in await store.messages.of(conversation_id) if m.id == message_id)
    assert (now.delivery, now.delivery_error) == (DeliveryState.PENDING, None)
    begun = await store.deliveries.begin(message_id)
    assert begun is not None
    # Its day to be delivered in begins anew.
    assert begun.attempts == 1
    assert begun.retried_at is not None
    answer = await client.post(f"{address}/messages/{message_id}/retry", headers=HTMX)
    assert answer.status_code == 422
    assert "This message is on its way already, or there." in answer.text


async def test_a_given_up_delivery_is_offered_in_both_places(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    conversation_id = await queued(store, name="Bob")
    await desk.claim(conversation_id, mei)
    notice = next(m for m in await store.messages.of(conversation_id) if m.author is Author.SYSTEM and m.delivery)
    await store.dead_letters.record_failure(DELIVER, notice.id, ERROR)
    await store.dead_letters.add(DELIVER, notice.id, NOTICE)
    client = await sign_in(browser())
    assert "from the desk" in (await client.get("/console/failed")).text
    address = f"/console/conversations/{conversation_id}"
    page = (await client.get(address)).text
    assert f"not delivered: given up after 1 try ({ERROR})" in page
    assert (await client.post(f"{address}/messages/{notice.id}/retry", headers=HTMX)).status_code == 200
    assert await store.dead_letters.count() == 0
    assert (await store.conversations.get(conversation_id)).state is ConversationState.ASSIGNED
