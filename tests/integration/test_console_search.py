"""The search page over HTTP: what it shows of what it found, to whom, and how it goes on."""

from __future__ import annotations

import re

import httpx
import pytest

from bot.domain.search import AROUND
from bot.domain.secret import LABELS, SecretKind
from bot.domain.staff import Agent, Role
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import HOSTILE, HTMX, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql
from tests.support.words import WORDS


@pytest.fixture
async def client(browser: Browser, store: Store, mei: Agent) -> httpx.AsyncClient:
    await store.search_indexes.build()
    return await sign_in(browser())


async def found(client: httpx.AsyncClient, **asked: str) -> dict[str, str]:
    """The words of each hit, with what is marked in brackets."""
    page = (await client.get("/console/search", params=asked, headers=HTMX)).text
    assert "<html" not in page
    rows = re.findall(r'<li id="hit-([\w-]+)">(.*?)</li>', page, re.S)
    return {
        name: " ".join(re.sub("<[^>]+>", " ", re.sub("</?mark>", "|", words)).split()).replace("&#34;", '"')
        for name, words in rows
    }


async def test_customers_details_and_messages_are_found_and_what_was_looked_for_is_marked(
    client: httpx.AsyncClient, store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    mine = await queued(store, "我的钱包没有到账 Wallet", name="Wallet Wang", channel="discord")
    other = await said(store, "hello", id="2", name="Bo")
    value = "0x" + "ab12" * 16
    sql("UPDATE conversation SET details = %s WHERE id = %s", f'[{{"kind": "hash", "value": "{value}"}}]', other)
    await desk.claim(mine, mei)
    note = await desk.note(mine, mei, "checked the <b>wallet</b>, twice")
    hits = await found(client, q="wallet")
    first = next(iter(hits))
    assert first.startswith("customers-")
    assert "|Wallet| Wang" in hits[first]
    assert f"messages-{note.id}" in hits
    assert "Private note" in hits[f"messages-{note.id}"]
    assert "&lt;b&gt;|wallet|&lt;/b&gt;, twice" in hits[f"messages-{note.id}"]
    assert "With Mei" in hits[f"messages-{note.id}"]
    for words in ("钱", "钱包", "钱包没有到", "到账 钱包", '"到账 Wallet"'):
        assert any("messages" in name for name in await found(client, q=words)), words
    assert f"|{value[:9]}|" in (await found(client, q=value[:9]))[f"details-{other}"]
    assert list(await found(client, q="wallet", **{"in": "notes"})) == [f"notes-{note.id}"]
    # Every filter holds.
    for filters in (
        {"state": "resolved"}, {"channel": "web"}, {"language": "zh"}, {"agent": "999"}, {"until": "2020-01-01"},
        {"since": "2999-01-01"},
    ):  # fmt: skip
        assert not await found(client, q="wallet", **filters), filters
    every = {"state": "assigned", "channel": "discord", "language": "en", "agent": str(mei.id), "since": "2020-01-01"}
    assert f"messages-{note.id}" in await found(client, q="wallet", **every)


async def test_the_label_of_a_removed_secret_is_in_the_readers_language(
    client: httpx.AsyncClient, store: Store, sql: Sql
) -> None:
    label, chinese = LABELS[SecretKind.SEED_PHRASE], WORDS.say("secret.label.seed_phrase", "zh")
    await said(store, f"my phrase is {label}")
    # Where a long text is cut, too.
    await said(store, f"find me {'a' * (AROUND - 13)} {label} {'b' * AROUND}", id="2")
    sql("UPDATE agent SET locale = 'zh'")
    (hit,) = (await found(client, q="phrase is")).values()
    assert hit.endswith(f"my |phrase| |is| {chinese}")
    (hit,) = (await found(client, q="find me")).values()
    assert hit.endswith(f"aaa {chinese[:4]}…")


async def test_a_hostile_address_or_name_does_nothing(client: httpx.AsyncClient, store: Store) -> None:
    await said(store, HOSTILE, name=HOSTILE)
    for asked in (
        {"q": HOSTILE[:20]}, {"q": "\0"}, {"q": "%"}, {"q": "a" * 5000}, {"q": '"'}, {"q": "x", "before": "-1"},
        {"q": "x", "before": "9" * 30}, {"q": "x", "agent": "x", "since": "tomorrow", "until": "9999-12-31"},
        {"q": "x", "zone": "1e9", "since": "0001-01-01"}, {"in": "?", "state": "?", "channel": "\0", "language": "'"},
    ):  # fmt: skip
        answer = await client.get("/console/search", params=asked)
        assert answer.status_code == 200, asked
        assert "<img" not in answer.text
        assert "<script>" not in answer.text
    assert await found(client, q="onerror=alert")
    assert (await client.get("/console/search", params={"q": "nowhere to be seen"})).text.count("Try fewer words") == 1


async def test_without_scripts_pages_go_on_by_links(client: httpx.AsyncClient, store: Store) -> None:
    for number in range(45):
        await said(store, f"again and again {number}", id=str(number))
    seen: list[str] = []
    address: str | None = "/console/search?q=again"
    while address:
        page = (await client.get(address)).text
        assert 'name="q" value="again"' in page
        seen += re.findall(r'id="hit-messages-(\d+)"', page)
        link = re.search(r'id="further-link" class="button" href="([^"]+)"', page)
        address = link[1].replace("&amp;", "&") if link else None
    assert [int(one) for one in seen] == list(range(45, 0, -1))


async def test_a_hit_opens_its_conversation_there_however_long_it_went_on(
    client: httpx.AsyncClient, store: Store, sql: Sql
) -> None:
    conversation_id = await said(store, "the needle")
    sql(
        "INSERT INTO message (conversation_id, contact_id, author, text)"
        " SELECT %s, 1, 'customer', 'straw ' || n FROM generate_series(1, 1200) n",
        conversation_id,
    )
    page = (await client.get("/console/search?q=needle")).text
    link = re.search(r'class="hit" href="([^"#]+)#m-(\d+)"', page)
    assert link is not None
    opened = (await client.get(link[1])).text
    assert f'id="m-{link[2]}"' in opened
    assert 'id="later-' in opened
    assert "straw 300" in opened
    assert "straw 1200" not in opened
    assert "straw 1200" in (await client.get(link[1].partition("?")[0])).text


async def test_whoever_reads_conversations_searches_and_nobody_else(
    client: httpx.AsyncClient, browser: Browser, store: Store, sql: Sql
) -> None:
    await said(store, "find me")
    assert (await browser().get("/console/search?q=find")).status_code == 303
    for role in Role:
        sql("UPDATE agent SET role = %s", role.value)
        assert await found(client, q="find me")
    answer = await client.get("/console/search?q=find", headers=HTMX)
    assert answer.headers["HX-Replace-Url"] == "/console/search?q=find"
