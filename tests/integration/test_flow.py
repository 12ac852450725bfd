"""The flow of work: claim whoever is next, snooze, rank, hand back with a word or none."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.conversation import ConversationState, Priority, StateConflict
from bot.domain.history import EventKind
from bot.domain.lifecycle import UNTIL_WRITTEN
from bot.domain.lists import ListFilter
from bot.domain.message import Author
from bot.domain.said import Refusal
from bot.domain.staff import Agent, NotAllowed, Role
from bot.store import Store
from handoff.desk import Desk
from handoff.snoozing import snoozed_until
from tests.support.console import ASKED, HTMX, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql, told

URGENT = replace(ASKED, priority=Priority.URGENT)


async def kinds(store: Store, conversation_id: int) -> list[str]:
    return [one.kind.value for one in await store.events.of(conversation_id)]


async def test_each_of_many_who_ask_at_once_gets_another_customer_in_their_order(
    store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    ids = [await queued(store, name=f"n{number}") for number in range(5)]
    first = await queued(store, name="urgent", decision=URGENT)
    nobodys = await store.agents.add("Rex", Role.AUDITOR, None)
    with pytest.raises(NotAllowed):
        await desk.claim_next(nobodys)
    claimed = await desk.claim_next(mei)
    assert claimed is not None
    assert (claimed.id, claimed.agent) == (first, mei)
    assert (await kinds(store, first))[-1] == EventKind.CLAIMED
    assert any("Mei" in words or "joined" in words for words in await told(store, first))
    found = await asyncio.gather(*(desk.claim_next(agent) for agent in (mei, ada) * 4))
    got = [one.id for one in found if one is not None]
    assert sorted(got) == ids, "nobody is given twice, and nobody is left"
    assert found.count(None) == 3
    assert await desk.claim_next(mei) is None


async def test_claim_next_heeds_the_filters_of_the_list(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    await queued(store, name="web")
    wanted = await queued(store, name="discord", channel="discord")
    client = await sign_in(browser())
    claimed = await client.post("/console/claim-next?view=queue&channel=discord", headers=HTMX)
    assert claimed.headers["hx-push-url"] == f"/console/conversations/{wanted}?view=mine"
    assert f'id="conversation-{wanted}"' in claimed.text
    # Nobody waits there any more: what is open stays open, and the list is read anew.
    nobody = await client.post("/console/claim-next?view=queue&channel=discord", headers=HTMX)
    assert (nobody.text, nobody.headers["hx-retarget"]) == ("Nobody waits any more", "#trouble")
    assert nobody.headers["hx-trigger"] == "live:list"
    plain = await client.post("/console/claim-next?view=queue&channel=discord")
    assert plain.headers["location"] == "/console/?view=queue&channel=discord"
    assert await desk.claim_next(mei, ListFilter(language="fr")) is None


async def test_what_is_snoozed_leaves_the_list_wakes_and_can_be_undone(
    browser: Browser, store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    one = await queued(store)
    await desk.claim(one, mei)
    client = await sign_in(browser())
    here = f"/console/conversations/{one}"
    done = await client.post(f"{here}/snooze?view=mine", data={"until": "hour", "zone": "Asia/Shanghai"})
    assert done.headers["location"] == f"{here}?view=mine&done=snoozed"
    page = (await client.get(done.headers["location"])).text
    assert "Snoozed until <time" in page
    assert f'action="{here}/wake?view=mine"' in page
    assert f'id="row-{one}"' not in page
    assert f'id="row-{one}"' in (await client.get("/console/?view=snoozed")).text
    await client.post(f"{here}/wake")
    assert (await store.conversations.get(one)).snoozed_until is None
    assert (await kinds(store, one))[-2:] == [EventKind.SNOOZED, EventKind.WOKEN]
    # Until they write: no time wakes it, and their first word does.
    await client.post(f"{here}/snooze", data={"until": "written"})
    assert (await store.conversations.get(one)).snoozed_until == UNTIL_WRITTEN
    assert "until they write" in (await client.get("/console/?view=snoozed")).text
    assert await store.conversations.wake_due() == 0
    await said(store, "I am back", id="2")
    assert (await store.conversations.get(one)).snoozed_until is None
    for wrong in ({}, {"until": "at"}, {"until": "at", "at": "2001-01-01T00:00"}, {"until": "at", "at": "x" * 900}):
        assert (await client.post(f"{here}/snooze", data=wrong)).status_code == 422


def test_a_morning_is_where_the_agent_is() -> None:
    now = datetime(2026, 11, 28, 20, 30, tzinfo=UTC)  # a Saturday; in Shanghai it is Sunday already
    assert snoozed_until("tomorrow", now) == datetime(2026, 11, 29, 9, tzinfo=UTC)
    assert snoozed_until("tomorrow", now, "Asia/Shanghai") == datetime(2026, 11, 30, 1, tzinfo=UTC)
    assert snoozed_until("monday", now, "Asia/Shanghai") == datetime(2026, 11, 30, 1, tzinfo=UTC)
    assert snoozed_until("monday", now + timedelta(days=2)) == datetime(2026, 12, 7, 9, tzinfo=UTC)
    assert snoozed_until("at", now, "Europe/Berlin", "2026-12-01T10:00") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    for zone in ("../../etc/passwd", "Nowhere/At_All", "\x00"):
        assert snoozed_until("hours", now, zone) == now + timedelta(hours=3)
    for choice, at in (("", ""), ("at", "2026-11-28T20:29"), ("at", "2031-01-01T00:00"), ("at", "9999-12-31T23:59")):
        with pytest.raises(Refusal):
            snoozed_until(choice, now, "Pacific/Kiritimati" if at.startswith("9") else "", at)


async def test_anybody_ranks_a_conversation_and_undoes_it(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    first, last = await queued(store, name="first"), await queued(store, name="last")
    client = await sign_in(browser(), "Ada")
    here = f"/console/conversations/{last}"
    done = await client.post(f"{here}/priority?view=queue", data={"priority": "urgent"})
    page = (await client.get(done.headers["location"])).text
    assert re.findall(r'<li id="row-(\d+)"', page) == [str(last), str(first)]
    assert "The priority is Urgent now." in page
    undo = re.search(r'id="undo-priority.*?</form>', page, re.S)
    assert undo is not None
    assert 'name="priority" value="normal"' in undo[0]
    assert (await store.events.of(last))[-1].data["was"]["priority"] == "normal"
    await client.post(f"{here}/priority", data={"priority": "normal", "undo": "1"})
    assert (await store.conversations.get(last)).priority is Priority.NORMAL
    events = await kinds(store, last)
    await desk.prioritise(last, mei, Priority.NORMAL)
    assert await kinds(store, last) == events, "said again, nothing changes"
    assert (await client.post(f"{here}/priority", data={"priority": "highest"})).status_code == 422
    await desk.claim(last, mei)
    await desk.prioritise(last, ada, Priority.HIGH)
    await desk.resolve(last, mei)
    with pytest.raises(StateConflict):
        await desk.prioritise(last, mei, Priority.URGENT)


async def test_it_is_handed_back_with_a_last_word_or_without_any(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    client = await sign_in(browser())
    said_to: dict[str, list[str]] = {}
    for name, form in (("told", {}), ("word", {"word": "All the best"}), ("silent", {"silent": "1", "word": " "})):
        one = await queued(store, name=name)
        await desk.claim(one, mei)
        before = len(await store.messages.transcript((await store.conversations.get(one)).contact.id))
        before = len([m for m in await store.messages.of(one) if m.author in (Author.AGENT, Author.SYSTEM)])
        assert (await client.post(f"/console/conversations/{one}/hand-back", data=form)).status_code == 303
        assert (await store.conversations.get(one)).state is ConversationState.BOT
        after = [m for m in await store.messages.of(one) if m.author in (Author.AGENT, Author.SYSTEM)][before:]
        said_to[name] = [m.author.value for m in after if m.delivery is not None]
        assert (await kinds(store, one))[-1] == EventKind.HANDED_BACK
    assert said_to == {"told": ["system"], "word": ["agent", "system"], "silent": []}
    # Who does not have it says no last word either.
    other = await queued(store, name="other")
    refused = await client.post(f"/console/conversations/{other}/hand-back", data={"word": "Bye"})
    assert refused.status_code == 409
    assert all(m.text != "Bye" for m in await store.messages.of(other))
