"""Contacts that are one person: said by agents, taken back by agents, guessed by nobody."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from bot.domain.conversation import Contact, NotFound
from bot.domain.message import Incoming, Sender
from bot.domain.staff import Agent, Role
from bot.runtime.feed import Feed
from bot.store import Store
from handoff.desk import Desk


async def contact(store: Store, name: str, channel: str = "test") -> Contact:
    await store.incoming.record(Incoming(channel, "bot", "1", Sender(f"id-{name}", name), name, "hello"))
    found = await store.contacts.get(channel, "bot", f"id-{name}")
    assert found is not None
    return found


@pytest.fixture
async def mei(store: Store) -> Agent:
    return await store.agents.add("Mei", Role.AGENT, None)


async def names(store: Store, of: Contact) -> list[str]:
    return [link.contact.name for link in await store.contacts.links(of.id)]


async def test_a_link_is_seen_from_both_sides_and_can_be_undone(store: Store, desk: Desk, mei: Agent) -> None:
    ann, anna = await contact(store, "ann"), await contact(store, "anna", "web")
    await desk.link(anna.id, ann.id, mei)
    (link,) = await store.contacts.links(ann.id)
    assert (link.contact, link.agent_name) == (anna, "Mei")
    (back,) = await store.contacts.links(anna.id)
    assert (back.id, back.contact) == (link.id, ann)
    await desk.undo_link(link.id, mei)
    assert await store.contacts.links(ann.id) == []
    assert await store.contacts.links(anna.id) == []
    await desk.undo_link(link.id, mei)
    await desk.undo_link(999, mei)
    await desk.link(ann.id, anna.id, mei)
    (again,) = await store.contacts.links(ann.id)
    assert again.id != link.id


async def test_who_linked_and_who_undid_is_never_lost(store: Store, desk: Desk, mei: Agent, database_url: str) -> None:
    ann, anna = await contact(store, "ann"), await contact(store, "anna")
    tom = await store.agents.add("Tom", Role.AGENT, None)
    await desk.link(ann.id, anna.id, mei)
    await desk.undo_link((await store.contacts.links(ann.id))[0].id, tom)
    await desk.undo_link(1, mei)
    await desk.link(ann.id, anna.id, tom)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        found = await connection.execute("SELECT agent_id, undone_by FROM contact_link ORDER BY id")
        assert await found.fetchall() == [(mei.id, tom.id), (tom.id, None)]


async def test_said_twice_also_at_once_it_is_one_link(store: Store, desk: Desk, mei: Agent) -> None:
    ann, anna = await contact(store, "ann"), await contact(store, "anna")
    await asyncio.gather(*(desk.link(*pair, mei) for pair in [(ann.id, anna.id), (anna.id, ann.id)] * 4))
    assert await names(store, ann) == ["anna"]
    (link,) = await store.contacts.links(ann.id)
    await desk.undo_link(link.id, mei)
    assert await store.contacts.links(ann.id) == []


async def test_what_cannot_be_linked(store: Store, desk: Desk, mei: Agent) -> None:
    ann = await contact(store, "ann")
    with pytest.raises(ValueError, match="itself"):
        await desk.link(ann.id, ann.id, mei)
    for pair in ((ann.id, 999), (999, ann.id), (998, 999)):
        with pytest.raises(NotFound):
            await desk.link(*pair, mei)
    assert await store.contacts.links(ann.id) == []
    assert await store.contacts.links(999) == []


async def test_links_reach_as_far_as_they_go(store: Store, desk: Desk, mei: Agent) -> None:
    a, b, c, d, e = [await contact(store, name) for name in "abcde"]
    await desk.link(c.id, d.id, mei)
    await desk.link(a.id, b.id, mei)
    await desk.link(b.id, c.id, mei)
    await desk.link(d.id, a.id, mei)  # a circle
    assert sorted(await names(store, a)) == ["b", "c", "d"]
    assert sorted(await names(store, c)) == ["a", "b", "d"]
    assert await names(store, e) == []
    links = await store.contacts.links(a.id)
    assert [link.id for link in links] == sorted(link.id for link in links)
    for link in await store.contacts.links(c.id):
        if link.contact in (b, d):
            await desk.undo_link(link.id, mei)
    assert sorted(await names(store, a)) == ["b", "d"]
    assert await names(store, c) == []


async def test_whoever_shows_one_of_them_reads_anew(store: Store, desk: Desk, mei: Agent, feed: Feed) -> None:
    ann, anna = await contact(store, "ann"), await contact(store, "anna")
    with feed.watch() as all_events:
        while await all_events.changed(0.5):
            pass
    with (
        feed.watch(lambda event: event.contact_id == ann.id) as first,
        feed.watch(lambda event: event.contact_id == anna.id) as second,
    ):
        await desk.link(ann.id, anna.id, mei)
        assert await first.changed(5)
        assert await second.changed(5)
        await desk.undo_link((await store.contacts.links(ann.id))[0].id, mei)
        assert await first.changed(5)
        assert await second.changed(5)


async def test_contacts_are_found_by_what_they_are_called(store: Store) -> None:
    called = ["Ann Lee", "Anna", "100% Ann", "a_b", "axb", "back\\slash", "王小明", "Ann"]
    contacts = {name: await contact(store, name) for name in called}
    nobody = 0

    async def found(words: str, **options: int) -> list[str]:
        return [c.name for c in await store.contacts.find(words, besides=options.pop("besides", nobody), **options)]

    assert await found("ann") == ["Ann", "100% Ann", "Anna", "Ann Lee"]
    assert await found("ANN L") == ["Ann Lee"]
    assert await found("%") == ["100% Ann"]
    assert await found("_") == ["a_b"]
    assert await found("\\") == ["back\\slash"]
    assert await found("小明") == ["王小明"]
    assert await found("nobody'; --") == []
    assert await found("id-axb") == ["axb"]
    assert await found("id-ax") == []
    assert await found("ann", besides=contacts["Anna"].id) == ["Ann", "100% Ann", "Ann Lee"]
    assert await found("ann", limit=2) == ["Ann", "100% Ann"]
