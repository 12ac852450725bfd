"""What the list says of each conversation, and for whom."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.conversation import EscalationReason
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction, Ranked
from bot.domain.forms import Detail, Kind
from bot.domain.history import EventKind
from bot.domain.message import Command, Reply
from bot.domain.problem import problem_of
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from handoff.rules import NO_PROBLEM
from tests.support.console import ASKED, HTMX, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql

HASH = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"


async def understood(store: Store, conversation_id: int, intent: str, decision: Decision) -> None:
    """The bot deals with the customer's last message, which has that intent."""
    message = (await store.messages.of(conversation_id))[-1]
    taken = await store.turns.begin(message.id)
    prediction = Prediction(message.text, intent, 0.95, (Ranked(intent, 0.95),), sure=True)
    await store.turns.finish(taken, decision, [Reply("Well.")], language="en", prediction=prediction)


async def problem(store: Store, conversation_id: int, agent: Agent) -> str | None:
    glance = (await store.glances.of([conversation_id], agent.id))[conversation_id]
    found = problem_of(glance.said, NO_PROBLEM)
    return None if found is None else found.message.text


def rows(page: str) -> dict[int, str]:
    """The HTML of each row by its conversation."""
    return {int(found[1]): found[0] for found in re.finditer(r'<li id="row-(\d+)">.*?</li>', page, re.S)}


async def test_the_problem_is_what_they_told_in_this_matter(store: Store, desk: Desk, mei: Agent, sql: Sql) -> None:
    one = await said(store, "the fee is too high", id="0")
    await understood(store, one, "fee_explained", Decision(Action.ANSWER, topic="fee_explained"))
    sql("UPDATE message SET created_at = created_at - interval '3 days'")
    # A new matter, days later: neither a command, a button nor a greeting says what it is.
    await said(store, "/start", id="1", command=Command.START)
    await said(store, "Yes, thanks", id="2", button="helped:yes")
    await said(store, "hi", id="3")
    await understood(store, one, "greet", Decision(Action.ANSWER, topic="greet"))
    assert await problem(store, one, mei) == "hi", "all that they said so far"
    await said(store, "my money is gone", id="4")
    await said(store, "where is it", id="5")
    asked = Decision(Action.ESCALATE, reason=EscalationReason.TOPIC, topic="transfer_delay")
    await understood(store, one, "transfer_delay", asked)
    assert await problem(store, one, mei) == "my money is gone"
    # They wait over night for us: that is no pause of theirs.
    sql("UPDATE message SET created_at = created_at - interval '1 day'")
    sql("UPDATE conversation SET queued_at = queued_at - interval '1 day'")
    await said(store, "is anybody there?", id="6")
    assert await problem(store, one, mei) == "my money is gone"
    # What they took back is gone from the list, too; an edit is read as it is now.
    await said(store, "my coins are gone", id="e", edits="Ann-4")
    assert await problem(store, one, mei) == "my coins are gone"
    await said(store, id="d", deletes="Ann-4")
    assert await problem(store, one, mei) == "where is it"


async def test_a_row_says_who_it_is_what_they_want_and_for_how_long(browser: Browser, store: Store, mei: Agent) -> None:
    details = (Detail(Kind.HASH, HASH, 0, 0), Detail(Kind.COIN, "usdt", 0, 0), Detail(Kind.DEVICE, "Pixel 8", 0, 0))
    first = await queued(store, "my <b>money</b>", name="", decision=replace(ASKED, details=details))
    row = rows((await (await sign_in(browser())).get("/console/")).text)[first]
    contact = (await store.conversations.get(first)).contact
    assert re.search(rf'class="row-name">Visitor {contact.code}</bdi>', row)
    assert "my &lt;b&gt;money&lt;/b&gt;" in row
    assert '<span class="topic">fee_explained</span>' in row
    assert re.findall(r"<code .*?>(.*?)</code>", row) == ["0x5c50…2060", "USDT"]
    assert "anybody at the same device may write" in row
    assert 'data-language="en"' in row
    assert 'title="the customer asked for a person"' in row
    assert HASH not in row


async def test_what_is_unread_is_each_agents_own(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    one = await queued(store, "hello")
    await said(store, "are you there?", id="2")
    clients = {name: await sign_in(browser(), name) for name in ("Mei", "Ada")}
    here = f"/console/conversations/{one}"

    async def unread(name: str, view: str = "queue") -> int:
        row = rows((await clients[name].get(f"/console/?view={view}")).text).get(one, "")
        found = re.search(r'title="(\d+) new message', row)
        return int(found[1]) if found else 0

    assert (await unread("Mei"), await unread("Ada")) == (2, 2)
    # A page that is refreshed in a hidden tab is read by nobody; one that lies before its agent is.
    await clients["Mei"].get(here, headers=HTMX)
    assert await unread("Mei") == 2
    await clients["Mei"].get(here, headers=HTMX | {"Switchboard-Visible": "yes"})
    assert (await unread("Mei"), await unread("Ada")) == (0, 2)
    await desk.claim(one, mei)
    await said(store, "and now?", id="3")
    assert await unread("Mei", "mine") == 1
    assert await unread("Ada", "mine") == 0, "a colleague has it"
    await store.glances.see(one, mei.id, 1)
    assert await unread("Mei", "mine") == 1, "what was seen stays seen"
    await clients["Mei"].get(here)
    assert await unread("Mei", "mine") == 0


async def test_marks_of_what_was_resolved_long_ago_are_forgotten(
    store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    one, two = await queued(store, name="one"), await queued(store, name="two")
    for conversation_id in (one, two):
        await store.glances.see(conversation_id, mei.id, 9)
        await desk.claim(conversation_id, mei)
    await desk.resolve(one, mei)
    await store.glances.forget_old()
    assert sql("SELECT count(*) FROM agent_seen") == [(2,)]
    sql("UPDATE conversation SET resolved_at = resolved_at - interval '31 days' WHERE id = %s", one)
    await store.glances.forget_old()
    assert sql("SELECT conversation_id FROM agent_seen") == [(two,)]


async def test_who_returns_is_recognised_and_keeps_the_name_that_agents_gave(
    browser: Browser, store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    first = await queued(store, "the first time", name="")
    contact = (await store.conversations.get(first)).contact
    client = await sign_in(browser())
    named = await client.post(f"/console/conversations/{first}/name", data={"name": "  Wang <i>Wei</i>\n"})
    assert named.status_code == 303
    await desk.claim(first, mei)
    await desk.resolve(first, mei)
    again = await queued(store, "the second time", name="", id="2")
    assert again != first
    page = (await client.get(f"/console/conversations/{again}")).text
    assert "Wang &lt;i&gt;Wei&lt;/i&gt;" in rows(page)[again]
    assert "wrote before, in 1 earlier conversation" in rows(page)[again]
    assert "on web: no name" in re.sub("<[^>]+>", "", page)
    other = await queued(store, name="Ben")
    for words in ("Wang", contact.code.lower()):
        found = await client.get(f"/console/conversations/{other}/contacts?find={words}", headers=HTMX)
        assert "Wang &lt;i&gt;Wei&lt;/i&gt;" in found.text
    # Names can be deleted, and history cannot: it does not have them.
    events = [one for one in await store.events.about(mei.id) if one.kind is EventKind.CONTACT_NAMED]
    assert [one.data for one in events] == [{"contact": contact.id, "named": True}]
    await client.post(f"/console/conversations/{again}/name", data={"name": " "})
    assert f"Visitor {contact.code}" in (await client.get(f"/console/conversations/{again}")).text
    assert sql("SELECT count(*) FROM event WHERE data::text LIKE '%%Wang%%'") == [(0,)]


@pytest.mark.parametrize(("name", "words"), [("x" * 81, "at most 80"), ("\u200b\u3164", "shows nothing")])
async def test_a_name_that_is_none_is_refused(
    browser: Browser, store: Store, mei: Agent, name: str, words: str
) -> None:
    one = await queued(store)
    refused = await (await sign_in(browser())).post(f"/console/conversations/{one}/name", data={"name": name})
    assert refused.status_code == 422
    assert words in refused.text
    assert (await store.conversations.get(one)).contact.given_name is None
