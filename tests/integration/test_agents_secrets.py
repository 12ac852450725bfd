"""Agents and customers' secrets: what agents may not write, what they delete for good, and what they mark."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from bot.content.answers import Answers
from bot.domain.context import Context
from bot.domain.conversation import ConversationState, EscalationReason, NotFound
from bot.domain.history import EventKind, by_agent
from bot.domain.message import Attachment, Author, Incoming, Sender
from bot.domain.secret import Removed, SecretKind
from bot.domain.staff import Agent, NotAllowed, Role
from bot.guard import incoming as cleared
from bot.queue import Queue
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import HTMX, PASSWORD, PNG, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql
from tests.support.scene import at_work
from tests.support.waiting import until

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PARTS = ("winner thank year", "wave sausage worth", "legal winner thank")
NO_SECRET = "my words: corgi marmalade zeppelin trombone"
"""What the search does not know, and an agent does."""


def holds(sql: Sql, *parts: str) -> list[str]:
    """The tables in which any of the parts stands, in whatever column."""
    tables = [row[0] for row in sql("select table_name from information_schema.tables where table_schema = 'public'")]
    like = [f"%{form}%" for part in parts for form in (part, part.encode().hex())]
    return [one for one in tables if sql(f'select 1 from "{one}" t where t::text like any(%s) limit 1', like)]


# --- what agents write ----------------------------------------------------------------------------


async def test_no_way_lets_a_secret_in(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    conversation_id = await queued(store, channel="discord")
    here = f"/console/conversations/{conversation_id}"
    await desk.claim(conversation_id, mei)
    reply = await desk.reply(conversation_id, mei, "Hello Ann")
    client = await sign_in(browser())
    client.headers["accept-language"] = "zh"
    text = f"the customer's phrase: {PHRASE}"
    json = {"Accept": "application/json"}
    for fields in (
        {"text": text, "mode": "reply", "submission": "a" * 20},
        {"text": text, "mode": "note", "submission": "b" * 20},
    ):
        answer = await client.post(f"{here}/messages", data=fields, headers=json)
        assert (answer.status_code, "sausage" in answer.text) == (422, False)
        assert answer.json()["problem"] == "这里面有助记词，没有保存。请告诉客户不要再发，并换个不含它的写法。"
    # Without scripts the words stay in their box.
    page = await client.post(f"{here}/messages", data={"text": text, "mode": "note"})
    assert page.status_code == 422
    assert re.search(rf"<textarea [^>]*>{re.escape(text).replace(chr(39), '&#39;')}</textarea>", page.text)
    assert page.headers["cache-control"] == "no-store"
    for act, fields in (
        (f"messages/{reply.id}/edit", {"text": text}),
        ("transfer", {"to": str(ada.id), "why": text}),
        ("put-back", {"why": text}),
    ):
        assert (await client.post(f"{here}/{act}", data=fields, headers=HTMX)).status_code == 422
    for name, content in (("words.txt", text.encode("utf-16")), (f"{PHRASE}.png", PNG)):
        answer = await client.post(
            f"{here}/messages", data={"text": "", "mode": "reply"}, files={"files": (name, content)}, headers=json
        )
        assert (answer.status_code, "sausage" in answer.text) == (422, False)
    ada_s = await sign_in(browser(), "Ada")
    taken = await ada_s.post(f"{here}/take-over", data={"holder": str(mei.id), "why": text})
    assert taken.status_code == 422
    for address, fields in (
        ("/console/agents", {"name": PHRASE, "role": "agent"}),
        (f"/console/agents/{ada.id}/name", {"name": PHRASE}),
    ):
        await client.post(address, data=fields)
    assert holds(sql, *PARTS) == []


# --- notes ----------------------------------------------------------------------------------------


async def test_a_note_is_deleted_for_good_by_its_author_and_by_leads(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    bea = await store.agents.add("Bea", Role.AGENT, await hash_password(PASSWORD))
    conversation_id = await queued(store)
    here = f"/console/conversations/{conversation_id}"
    first = await desk.note(conversation_id, ada, f"she read out: {NO_SECRET}", submission="c" * 20)
    second = await desk.note(conversation_id, ada, f"again: {NO_SECRET}")
    assert set(holds(sql, "corgi marmalade")) == {"message"}
    # A colleague may not, and is not offered it; nor does anything else become deletable.
    bea_s = await sign_in(browser(), "Bea")
    assert f'id="delete-{first.id}"' not in (await bea_s.get(here)).text
    assert (await bea_s.post(f"{here}/messages/{first.id}/delete-note")).status_code == 403
    with pytest.raises(NotAllowed):
        await desk.delete_note(first.id, bea)
    reply = (await store.messages.of(conversation_id))[0]
    with pytest.raises(NotFound):
        await desk.delete_note(reply.id, mei)
    # Asked about once more; final: there is nothing to undo.
    ada_s = await sign_in(browser(), "Ada")
    asked = (await ada_s.get(f"{here}?delete={first.id}")).text
    assert "Delete this note for good? Nobody will be able to read it." in asked
    assert (await ada_s.post(f"{here}/messages/{first.id}/delete-note")).status_code == 303
    assert (await ada_s.post(f"{here}/messages/{first.id}/delete-note")).status_code == 422
    lead = await sign_in(browser())
    assert (await lead.post(f"{here}/messages/{second.id}/delete-note")).status_code == 303
    assert holds(sql, "corgi marmalade", "trombone") == []
    page = (await bea_s.get(here)).text
    assert "Note deleted by Ada" in page
    assert "Note deleted by Mei" in page
    bea_s.headers["accept-language"] = "zh"
    assert "Mei 删除了这条备注" in (await bea_s.get(here)).text
    # Sent again by a page that lost the answer, it does not come back.
    again = await desk.note(conversation_id, ada, f"she read out: {NO_SECRET}", submission="c" * 20)
    assert (again.id, again.text, again.deleted_at is None) == (first.id, "Note deleted by Ada.", False)
    events = [one for one in await store.events.of(conversation_id) if one.kind is EventKind.NOTE_DELETED]
    assert [(one.actor, one.data["message"], one.data["author_id"]) for one in events] == [
        (by_agent(ada.id), first.id, ada.id),
        (by_agent(mei.id), second.id, ada.id),
    ]
    assert all(one.at is not None and datetime.now(UTC) >= one.at for one in events)


# --- what the search missed -----------------------------------------------------------------------


async def test_a_marked_message_is_gone_everywhere_and_its_customer_is_told(
    store: Store, queue: Queue, answers: Answers, desk: Desk, mei: Agent, sql: Sql
) -> None:
    sha256 = await store.files.add(PNG)
    photo = Attachment("photo", "photo-1", "corgi marmalade.png", "image/png", sha256=sha256)
    async with at_work(store, queue, answers) as scene:
        conversation_id = await scene.says(NO_SECRET, attachments=(photo,))
        await scene.edits(1, f"corrected: {NO_SECRET} kettledrum")
        await scene.says("hello?", replies_to="0", context=Context(quote="marmalade zeppelin trombone"))
        marked = next(one for one in await scene.messages() if "kettledrum" in one.text)
        sql(
            "update conversation set details = %s::jsonb where id = %s",
            '[{"kind": "version", "value": "Marmalade", "start": 0, "end": 9},'
            ' {"kind": "version", "value": "5.0.172", "start": 0, "end": 7}]',
            conversation_id,
        )
        await desk.claim(conversation_id, mei)
        await desk.note(conversation_id, mei, f"I do not get it: corrected: {NO_SECRET} kettledrum")
        await desk.mark_secret(marked.id, mei, SecretKind.SEED_PHRASE)
        assert holds(sql, "corgi", "marmalade", "zeppelin", "trombone", "kettledrum") == []
        assert sql("select 1 from file") == []
        now = (await store.messages.some([marked.id]))[marked.id]
        assert (now.text, now.removed) == ("[seed phrase removed]", (Removed(SecretKind.SEED_PHRASE),))
        assert [(one.name, one.sha256, one.problem is not None) for one in now.attachments] == [("", "", True)]
        kept = await store.conversations.get(conversation_id)
        assert [one.value for one in kept.details] == ["5.0.172"]
        # As if the search had found it: the customer is told, and whoever has it sees that it is urgent.
        await until(lambda: _told(store, conversation_id))
        kept = await store.conversations.get(conversation_id)
        assert (kept.state, kept.reason) == (ConversationState.ASSIGNED, EscalationReason.FUNDS_AT_RISK)
        assert await store.incoming.erasable(marked.id) == ("test", "7", ["1"]), "and from the platform"
        [event] = [one for one in await store.events.of(conversation_id) if one.kind is EventKind.SECRET_MARKED]
        assert (event.actor, event.data["message"], event.data["secret"]) == (
            by_agent(mei.id),
            marked.id,
            "seed_phrase",
        )
        # Only what customers wrote.
        with pytest.raises(NotFound):
            await desk.mark_secret((await scene.from_bot())[0].id, mei, SecretKind.PASSWORD)


async def test_a_secret_in_what_is_resolved_is_told_about_too(
    store: Store, queue: Queue, answers: Answers, desk: Desk, mei: Agent
) -> None:
    async with at_work(store, queue, answers) as scene:
        conversation_id = await scene.says(NO_SECRET)
        await desk.claim(conversation_id, mei)
        await desk.resolve(conversation_id, mei)
        await desk.mark_secret((await scene.messages())[0].id, mei, SecretKind.PRIVATE_KEY)
        await until(lambda: _told(store, conversation_id))
        assert (await store.conversations.get(conversation_id)).state is ConversationState.RESOLVED


async def _told(store: Store, conversation_id: int) -> bool:
    found = await store.messages.of(conversation_id)
    return any(one.author is Author.BOT and "**new wallet**" in one.text for one in found)


# --- what agents see ------------------------------------------------------------------------------


async def test_a_removed_secret_is_shown_in_the_agents_language(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    event = cleared(Incoming("web", "web", "1", Sender("Ann", "Ann"), "Ann", f"here: {PHRASE} , password: Sunny2026!"))
    conversation_id = (await store.incoming.record(event)).conversation_id
    assert conversation_id is not None
    here = f"/console/conversations/{conversation_id}"
    client = await sign_in(browser())
    page = (await client.get(f"{here}?view=bot")).text
    assert '<b class="blank">[seed phrase removed]</b>' in page
    assert "Removed: a seed phrase. Funds at risk: do not ask for it." in page
    assert "Removed: a password. Do not ask for it." in page
    client.headers["accept-language"] = "zh"
    page = (await client.get(f"{here}?view=bot")).text
    assert '<b class="blank">【助记词已移除】</b>' in page
    assert "已移除：助记词。资产有风险，不要向客户索要。" in page
    assert "seed phrase removed" not in page, "in the list beside it, too"


async def test_marking_is_asked_about_and_needs_a_kind(
    browser: Browser, store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    conversation_id = await said(store, NO_SECRET)
    here = f"/console/conversations/{conversation_id}"
    message = (await store.messages.of(conversation_id))[0]
    auditor = await store.agents.add("Olga", Role.AUDITOR, await hash_password(PASSWORD))
    client = await sign_in(browser())
    assert f'id="secret-{message.id}"' in (await client.get(here)).text
    asked = (await client.get(f"{here}?secret={message.id}")).text
    assert "Is this a secret?" in asked
    assert '<option value="private_key">A private key</option>' in asked
    for kind in ("", "nothing", "SEED_PHRASE"):
        answer = await client.post(f"{here}/messages/{message.id}/secret", data={"kind": kind})
        assert (answer.status_code, "Choose what kind of secret it is." in answer.text) == (422, True)
    assert f'id="secret-{message.id}"' not in (await (await sign_in(browser(), auditor.name)).get(here)).text
    olga = await sign_in(browser(), "Olga")
    assert (await olga.post(f"{here}/messages/{message.id}/secret", data={"kind": "password"})).status_code == 403
    assert holds(sql, "corgi marmalade") == ["message"]
    answer = await client.post(f"{here}/messages/{message.id}/secret", data={"kind": "password"}, headers=HTMX)
    assert (answer.status_code, "corgi" in answer.text) == (200, False)
    assert "Removed: a password. Do not ask for it." in answer.text
    assert f'id="secret-{message.id}"' not in answer.text, "nothing is left to be marked"
