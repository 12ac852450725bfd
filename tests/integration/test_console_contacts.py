"""Contacts that are one person, over HTTP: an agent says so and takes it back, and nothing is guessed."""

from __future__ import annotations

import re

import pytest

from bot.domain.message import Incoming, Sender
from bot.domain.staff import Agent
from bot.store import Store
from tests.support.console import HOSTILE, HTMX, Browser, delivered, queued, said, sign_in


async def contact_of(store: Store, conversation_id: int) -> int:
    return (await store.conversations.get(conversation_id)).contact.id


def found_in(page: str) -> list[str]:
    return re.findall(r'id="candidate-\d+-\d+">\s*<p><bdi>(.*?)</bdi>', page)


async def test_contacts_are_found_by_a_part_of_their_name_or_their_whole_id(
    browser: Browser, store: Store, mei: Agent
) -> None:
    mine = await said(store, name="Ann", channel="discord")
    await said(store, name="Ann Lee", channel="telegram")
    await said(store, name="joanna", channel="web")
    await said(store, name="Ben", channel="web")
    client = await sign_in(browser())
    address = f"/console/conversations/{mine}"

    async def search(words: str) -> list[str]:
        part = await client.get(f"{address}/contacts", params={"find": words}, headers=HTMX)
        assert part.status_code == 200
        assert "<html" not in part.text
        page = await client.get(address, params={"find": words})
        assert found_in(page.text) == found_in(part.text)
        return found_in(part.text)

    assert await search("ann") == ["joanna", "Ann Lee"]
    assert await search("Ben") == ["Ben"]
    assert await search("%") == []
    assert await search(" \x00 ") == []
    none = await client.get(f"{address}/contacts", params={"find": "nobody"}, headers=HTMX)
    assert "No contact found." in none.text
    shown = (await client.get(f"{address}/contacts", params={"find": "Ben"}, headers=HTMX)).text
    assert ">web</span>" in shown
    assert "<code>Ben</code>" in shown
    assert "active <time" in re.sub(r"\s+", " ", shown)


async def test_where_accounts_say_which_platform_it_is_agents_read_them(
    browser: Browser, store: Store, mei: Agent
) -> None:
    mine = await said(store, name="Ann", channel="apps", account="wechat")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{mine}")).text
    assert ">wechat</span>" in page
    assert "<dd>wechat</dd>" in page
    assert "<dd>apps<" not in page


async def test_a_link_shows_the_other_history_and_is_undone(browser: Browser, store: Store, mei: Agent) -> None:
    mine = await said(store, "hello from discord", name="Ann", channel="discord")
    theirs = await queued(store, "hello from telegram", name="Annie", channel="telegram")
    for message in await store.messages.of(theirs):
        if message.delivery is not None:
            await delivered(store, message.id, f"t{message.id}")
    await said(store, "taken back", id="2", name="Annie", channel="telegram")
    await store.incoming.record(
        Incoming("telegram", "telegram", "d", Sender("Annie"), chat_id="Annie", deletes="Annie-2")
    )
    other = await contact_of(store, theirs)
    client = await sign_in(browser())
    address = f"/console/conversations/{mine}"
    assert "hello from telegram" not in (await client.get(address, headers=HTMX)).text

    done = await client.post(f"{address}/links?view=mine", data={"other": str(other)})
    assert (done.status_code, done.headers["location"]) == (303, f"{address}?view=mine&linked={other}")
    page = (await client.get(done.headers["location"])).text
    assert "Linked with <bdi>Annie</bdi> on telegram." in page
    said_there = page.split('class="said"')[1].split("</ol>")[0]
    assert "hello from telegram" in said_there
    assert "You are number 1." in said_there
    assert re.search(r'class="customer deleted">.*taken back', said_there, re.S)
    assert f'href="/console/conversations/{theirs}?view=mine"' in page
    assert "Linked by <bdi>Mei</bdi>" in page

    from_there = (await client.get(f"/console/conversations/{theirs}")).text
    assert "hello from discord" in from_there.split('class="said"')[1]

    assert "Linked</span>" in (await client.get(f"{address}/contacts?find=Annie", headers=HTMX)).text
    link = (await store.contacts.links(await contact_of(store, mine)))[0]
    assert f'action="{address}/links/{link.id}/undo?view=mine"' in page
    undone = await client.post(f"{address}/links/{link.id}/undo", headers=HTMX)
    assert undone.status_code == 200
    assert "hello from telegram" not in undone.text
    assert await store.contacts.links(await contact_of(store, mine)) == []
    assert (await client.post(f"{address}/links/{link.id}/undo")).status_code == 303


async def test_nothing_is_linked_by_itself(browser: Browser, store: Store, mei: Agent) -> None:
    mine = await said(store, "the same name", name="Ann", channel="discord")
    await said(store, "as here", name="Ann", channel="telegram")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{mine}?find=Ann")).text
    assert "Only link when you are sure" in page
    assert 'class="person"' not in page
    assert await store.contacts.links(await contact_of(store, mine)) == []


@pytest.mark.parametrize(
    ("other", "status", "words"),
    [
        ("999", 422, "That contact is not known any more"),
        ("1", 422, "A contact cannot be linked with itself."),
        ("abc", 404, "There is nothing here"),
        (str(2**63), 404, "There is nothing here"),
    ],
)
async def test_what_cannot_be_linked_is_refused(
    browser: Browser, store: Store, mei: Agent, other: str, status: int, words: str
) -> None:
    mine = await said(store, channel="discord")
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{mine}/links", data={"other": other})
    assert answer.status_code == status
    assert words in answer.text


async def test_only_agents_on_the_desks_own_pages_link(browser: Browser, store: Store, mei: Agent) -> None:
    mine, theirs = await said(store, channel="discord"), await said(store, name="Ben")
    other = {"other": str(await contact_of(store, theirs))}
    address = f"/console/conversations/{mine}"
    assert (await browser().post(f"{address}/links", data=other)).headers["location"].startswith("/console/sign-in")
    assert (await browser().get(f"{address}/contacts?find=Ben")).status_code == 303
    client = await sign_in(browser())
    foreign = await client.post(f"{address}/links", data=other, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert await store.contacts.links(await contact_of(store, mine)) == []


async def test_hostile_names_and_words_stay_text(browser: Browser, store: Store, mei: Agent) -> None:
    mine = await said(store, channel="discord")
    theirs = await said(store, HOSTILE, name=f"\u202e{HOSTILE}", channel="telegram")
    client = await sign_in(browser())
    address = f"/console/conversations/{mine}"
    found = (await client.get(f"{address}/contacts", params={"find": "<script>"}, headers=HTMX)).text
    assert found_in(found)
    linked = await client.post(f"{address}/links", data={"other": str(await contact_of(store, theirs))}, headers=HTMX)
    assert "Linked with" in linked.text
    searched = await client.get(address, params={"find": HOSTILE})
    for page in (found, linked.text, searched.text):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert 'hx-get="/console/"' not in page
