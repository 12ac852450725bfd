"""Lists: what each view shows, in which order, a piece at a time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.conversation import Priority
from bot.domain.lists import ListFilter, ListPlace, ListView
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import ASKED, HTMX, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql

ALL = ListFilter()


async def shown(store: Store, view: ListView, agent: Agent, only: ListFilter = ALL) -> list[int]:
    """The ids of a view, read in pieces of two."""
    found: list[int] = []
    after: ListPlace | None = None
    while True:
        piece, after = await store.lists.read(view, agent.id, only, 2, after and ListPlace.read(str(after)))
        found += [one.id for one in piece]
        if after is None:
            return found


async def test_each_view_has_its_own_in_their_order(store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql) -> None:
    ids = [await queued(store, name=f"n{number}") for number in range(9)]
    urgent = await queued(store, name="urgent", decision=replace(ASKED, priority=Priority.URGENT))
    with_bot = [await said(store, name=f"b{number}") for number in range(3)]
    mine, theirs, snoozed, resolved = ids[:3], ids[3:5], ids[5], ids[6]
    for one in (*mine, snoozed, resolved):
        await desk.claim(one, mei)
    for one in theirs:
        await desk.claim(one, ada)
    await desk.reply(mine[1], mei, "Hello")
    await store.conversations.snooze(snoozed, mei.id, datetime.now(UTC) + timedelta(hours=1))
    await desk.resolve(resolved, mei)
    for number, one in enumerate(ids):  # the higher the id, the longer they wait
        sql("UPDATE conversation SET waiting_since = waiting_since - %s * interval '1 hour' WHERE id = %s", number, one)
        sql("UPDATE conversation SET queued_at = queued_at - %s * interval '1 hour' WHERE id = %s", number, one)
    assert await shown(store, ListView.QUEUE, mei) == [urgent, ids[8], ids[7]]
    assert await shown(store, ListView.MINE, mei) == [mine[1], mine[2], mine[0]]
    assert await shown(store, ListView.ANSWER, mei) == [mine[2], mine[0]]
    assert await shown(store, ListView.LONGEST, mei) == [*ids[:6:-1], theirs[1], theirs[0], mine[2], mine[0], urgent]
    assert await shown(store, ListView.URGENT, mei) == [urgent]
    assert await shown(store, ListView.COLLEAGUES, mei) == theirs[::-1]
    assert await shown(store, ListView.SNOOZED, mei) == [snoozed]
    assert await shown(store, ListView.SNOOZED, ada) == []
    assert await shown(store, ListView.BOT, mei) == with_bot[::-1]
    assert await shown(store, ListView.RESOLVED, mei) == [resolved]
    assert sorted(await shown(store, ListView.ALL, mei)) == sorted([*ids, urgent, *with_bot])
    counts = await store.lists.counts(list(ListView), mei.id)
    for view in ListView:
        assert counts[view] == len(await shown(store, view, mei)), view


async def test_a_list_goes_on_where_it_was_whatever_happens_before_it(
    store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    ids = [await queued(store, name=f"n{number}") for number in range(6)]
    piece, after = await store.lists.read(ListView.QUEUE, mei.id, ALL, 3)
    assert [one.id for one in piece] == ids[:3]
    await desk.claim(ids[0], mei)
    await queued(store, name="new", decision=replace(ASKED, priority=Priority.URGENT))
    rest, end = await store.lists.read(ListView.QUEUE, mei.id, ALL, 3, after)
    assert [one.id for one in rest] == ids[3:]
    assert end is None


async def test_filters_narrow_every_view(store: Store, mei: Agent, sql: Sql) -> None:
    chinese = await queued(store, name="zh", channel="discord")
    await queued(store, name="en")
    sql("UPDATE conversation SET language = 'zh', topic = 'refund' WHERE id = %s", chinese)
    for only in (ListFilter(channel="discord"), ListFilter(topic="refund"), ListFilter("discord", "refund", "zh")):
        assert await shown(store, ListView.QUEUE, mei, only) == [chinese]
    assert await shown(store, ListView.QUEUE, mei, ListFilter(language="fr")) == []
    assert await store.lists.languages() == ["en", "zh"]


async def test_a_list_grows_to_its_end_and_the_address_says_what_it_is(
    browser: Browser, store: Store, mei: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoff.console.pages.conversations.lists.PIECE", 2)
    monkeypatch.setattr("handoff.console.pages.conversations.lists.MOST", 4)
    ids = [await queued(store, name=f"n{number}", channel="discord") for number in range(7)]
    await queued(store, name="other")
    client = await sign_in(browser())
    address: str | None = "/console/?view=queue&channel=discord"
    found: list[list[int]] = []
    while address:
        page = (await client.get(address)).text
        found.append([int(number) for number in re.findall(r'<li id="row-(\d+)"', page)])
        more = re.search(r'id="more-rows-of[^>]*href="([^"]+)"', page)
        grows = re.search(r'id="more-rows-of[^>]*hx-get="([^"]+)"[^>]*intersect', page)
        address = (grows or more or [None, None])[1]
        address = address and address.replace("&amp;", "&")
    # Two, then four, which is the most; then what follows, as a list of its own.
    assert found == [ids[:2], ids[:4], ids[4:6], ids[4:7]]
    assert "channel=discord" in page
    assert f'href="/console/conversations/{ids[6]}?view=queue&amp;channel=discord&amp;after=' in page
    # An act keeps the list beside it; what is wrong in an address is as if it were not there.
    claimed = await client.post(f"/console/conversations/{ids[0]}/claim?view=all&channel=discord&rows=x&after=~")
    assert claimed.headers["location"] == f"/console/conversations/{ids[0]}?view=all&channel=discord"
    for nonsense in ("rows=-1", "rows=99999999", "after=1~2~3~4", f"after=1~{'9' * 17}~1", "channel=%00", "topic=%27"):
        answer = await client.get(f"/console/list?view=longest&{nonsense}", headers=HTMX)
        assert answer.status_code == 200, nonsense


@pytest.mark.parametrize("written", ["", "x", "1~2", "0~99999999999999999999~1", "0~1~99999999999999999999", "1~２~3"])
def test_a_place_that_is_none_is_none(written: str) -> None:
    place = ListPlace(datetime(2026, 11, 28, 1, 2, 3, 456789, tzinfo=UTC), 17, 2)
    assert ListPlace.read(str(place)) == place
    assert ListPlace.read(written) is None
