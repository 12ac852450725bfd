"""Conversations at the console: the queue, claiming, replying, notes, resolving."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.context import Context, Forward, ForwardKind, Link
from bot.domain.conversation import Conversation, ConversationState, Priority
from bot.domain.message import Attachment, Author, Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import ASKED, HTMX, PNG, Browser, queued, said, sign_in


@pytest.mark.parametrize("id", ["0", "-1", "abc", "1.5", str(2**63), "9" * 5000, "%00", "999"])
@pytest.mark.parametrize("headers", [{}, HTMX])
async def test_an_id_that_names_nothing_is_not_found(
    browser: Browser, mei: Agent, id: str, headers: dict[str, str]
) -> None:
    client = await sign_in(browser())
    for answer in (
        await client.get(f"/console/conversations/{id}", headers=headers),
        await client.post(f"/console/conversations/{id}/claim", headers=headers),
    ):
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text


async def test_the_queue_is_served_by_priority_then_wait(browser: Browser, store: Store, mei: Agent) -> None:
    await queued(store, name="first")
    await queued(store, name="second")
    await queued(store, name="stolen", decision=replace(ASKED, priority=Priority.URGENT))
    client = await sign_in(browser())
    page = (await client.get("/console/")).text
    assert re.findall(r'class="row-name">(\w+)', page) == ["stolen", "first", "second"]
    assert "<title>(3) BitPie desk</title>" in page
    assert "the customer asked for a person" in page
    assert "Urgent" in page


async def test_of_two_who_claim_at_once_one_wins_and_the_other_is_told_who(
    browser: Browser, store: Store, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    clients = [await sign_in(browser(), name) for name in ("Mei", "Ada")]
    for headers, won in (({}, 303), (HTMX, 200)):
        answers = await asyncio.gather(
            *(client.post(f"/console/conversations/{conversation_id}/claim", headers=headers) for client in clients)
        )
        assert sorted(answer.status_code for answer in answers) == [won, 409]
        winner = (await store.conversations.get(conversation_id)).agent
        assert winner is not None
        loser = next(answer for answer in answers if answer.status_code == 409)
        assert f"{winner.name} has this conversation." in loser.text
        assert 'role="alert"' in loser.text


async def test_the_life_of_a_conversation(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store, "my transfer")
    client = await sign_in(browser())
    here = f"/console/conversations/{conversation_id}"

    async def now() -> Conversation:
        return await store.conversations.get(conversation_id)

    assert (await client.post(f"{here}/claim")).headers["location"] == f"{here}?view=queue"
    assert (await client.post(f"{here}/messages", data={"text": "Hello Ann"})).status_code == 303
    assert (await client.post(f"{here}/messages", data={"text": "looks odd", "mode": "note"})).status_code == 303
    page = (await client.get(f"{here}?view=mine")).text
    assert "Hello Ann" in page
    assert "looks odd" in page
    await client.post(f"{here}/hand-back")
    assert (await now()).state is ConversationState.BOT
    await client.post(f"{here}/claim")
    await client.post(f"{here}/resolve")
    assert (await now()).state is ConversationState.RESOLVED
    assert "Claim</button>" not in (await client.get(here)).text


async def test_a_note_never_reaches_the_customer(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    await client.post(f"/console/conversations/{conversation_id}/messages", data={"text": "a secret", "mode": "note"})
    contact = (await store.conversations.get(conversation_id)).contact
    notes = [one for one in await store.messages.of(conversation_id) if one.text == "a secret"]
    assert [(note.visibility, note.delivery) for note in notes] == [(Visibility.PRIVATE, None)]
    assert all(one.text != "a secret" for one in await store.messages.transcript(contact.id))


async def test_who_does_not_have_the_conversation_cannot_reply_and_keeps_the_words(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    address = f"/console/conversations/{conversation_id}/messages"
    unclaimed = await client.post(address, data={"text": "my long answer"})
    assert unclaimed.status_code == 409
    assert "Claim it first." in unclaimed.text
    assert ">my long answer</textarea>" in unclaimed.text
    await desk.claim(conversation_id, ada)
    taken = await client.post(address, data={"text": "my long answer"}, headers=HTMX)
    assert taken.status_code == 409
    assert "Ada has this conversation." in taken.text
    assert not [one for one in await store.messages.of(conversation_id) if one.author is Author.AGENT]


@pytest.mark.parametrize(("text", "words"), [("  \n ", "nothing to send"), ("x" * 10_001, "at most 10,000")])
async def test_what_cannot_be_sent_is_refused_with_the_reason(
    browser: Browser, store: Store, desk: Desk, mei: Agent, text: str, words: str
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/messages", data={"text": text})
    assert answer.status_code == 422
    assert words in answer.text


async def test_what_is_somebody_elses_is_marked_and_leads_nowhere(browser: Browser, store: Store, mei: Agent) -> None:
    forward = Forward("BitPie \u202eSupport", ForwardKind.CHANNEL, datetime(2026, 1, 2, tzinfo=UTC))
    links = (Link("Claim <b>here</b>", "https://claim.example/seed?<script>"),)
    context = Context(forward, "the <i>quoted</i> part", links, '{"poll": "<img>"}')
    conversation_id = await queued(
        store, "Send your 12 words", context=context, attachments=(Attachment("dice", "🎲 3"),)
    )
    page = (await (await sign_in(browser())).get(f"/console/conversations/{conversation_id}")).text
    assert 'class="bubble forwarded"' in page
    assert "from the channel <bdi>BitPie Support</bdi>" in page
    assert "the &lt;i&gt;quoted&lt;/i&gt; part" in page
    assert "<bdi>Claim &lt;b&gt;here&lt;/b&gt;</bdi>" in page
    assert '<code dir="ltr">https://claim.example/seed?&lt;script&gt;</code>' in page
    assert "{&#34;poll&#34;: &#34;&lt;img&gt;&#34;}" in page
    assert "claim.example" not in "".join(re.findall(r'(?:href|src)="[^"]*"', page))
    assert "<b>dice</b>" in page
    assert "[Forwarded] Send your 12 words" in page, "in the list, too"


async def test_what_an_edit_took_away_is_shown_with_the_version_that_had_it(
    browser: Browser, store: Store, mei: Agent
) -> None:
    content = await store.files.add(PNG)
    picture = Attachment("photo", "p1", "receipt.png", sha256=content)
    conversation_id = await queued(store, "see", attachments=(picture,))
    await said(store, "see", id="e", edits="Ann-1", replaces_attachments=True)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "edited, with other files" in page
    assert "No longer attached" in page
    address = re.search(r'src="(/console/files/\d+/0\?version=\d+)&amp;as=picture"', page)
    assert address is not None
    assert (await client.get(address[1])).content == PNG
    assert (await client.get(address[1].replace("version=", "version=9"))).status_code == 404


async def test_a_message_that_shows_nothing_says_so(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store, "\u200b\u3164")
    page = (await (await sign_in(browser())).get(f"/console/conversations/{conversation_id}")).text
    assert "(no visible character)" in page
