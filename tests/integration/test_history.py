"""Every act leaves one event, in the transaction in which it is done: what a conversation went through can be told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.content.answers import Answers
from bot.domain.conversation import ConversationState, EscalationReason, NotFound, Reopening, StateConflict
from bot.domain.history import (
    BOT,
    CUSTOMER,
    OPERATOR,
    STRANGER,
    SYSTEM,
    EventKind,
    HistoryEvent,
    by_agent,
)
from bot.domain.staff import Agent, Role
from bot.queue import TURN
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import ASKED, HTMX, PASSWORD, Browser, queued, said, sign_in
from tests.support.lifecycle import Sql, is_here, writes

SOON = timedelta(hours=1)


async def kinds(store: Store, conversation_id: int) -> list[str]:
    return [event.kind.value for event in await store.events.of(conversation_id)]


async def last(store: Store, conversation_id: int) -> HistoryEvent:
    return (await store.events.of(conversation_id))[-1]


# --- conversations --------------------------------------------------------------------------------


async def test_a_whole_life_is_told_in_order(store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql) -> None:
    conversation_id = await queued(store)
    waited = (await store.conversations.get(conversation_id)).queued_at
    await desk.claim(conversation_id, mei)
    await desk.reply(conversation_id, mei, "how can I help?")
    await desk.reply(conversation_id, mei, "are you there?")  # nobody waited for it
    await desk.transfer(conversation_id, mei, ada, "she knows fees")
    await desk.take_over(conversation_id, mei, ada.id, "a misunderstanding")
    await desk.put_back(conversation_id, mei, "my shift is over")
    await desk.claim(conversation_id, ada)
    await desk.hand_back(conversation_id, ada)
    await desk.claim(conversation_id, ada)
    await desk.resolve(conversation_id, ada)
    sql("UPDATE message SET held_until = NULL")
    await desk.reopen(conversation_id, mei)

    events = await store.events.of(conversation_id)
    assert [(event.kind, event.actor, event.agent_id) for event in events] == [
        (EventKind.OPENED, CUSTOMER, None),
        (EventKind.ESCALATED, BOT, None),
        (EventKind.CLAIMED, by_agent(mei.id), mei.id),
        (EventKind.ANSWERED, by_agent(mei.id), mei.id),
        (EventKind.TRANSFERRED, by_agent(mei.id), ada.id),
        (EventKind.TAKEN_OVER, by_agent(mei.id), mei.id),
        (EventKind.REQUEUED, by_agent(mei.id), mei.id),
        (EventKind.CLAIMED, by_agent(ada.id), ada.id),
        (EventKind.HANDED_BACK, by_agent(ada.id), ada.id),
        (EventKind.CLAIMED, by_agent(ada.id), ada.id),
        (EventKind.RESOLVED, by_agent(ada.id), ada.id),
        (EventKind.REOPENED, by_agent(mei.id), mei.id),
    ]
    assert [event.id for event in events] == sorted(event.id or 0 for event in events)
    assert all(event.at is not None for event in events)
    by_kind = {event.kind: event for event in events}
    assert by_kind[EventKind.ESCALATED].at == waited
    assert by_kind[EventKind.ESCALATED].data["reason"] == "asked"
    assert by_kind[EventKind.ANSWERED].data["was"] == {"waiting_since": waited and waited.isoformat()}
    assert by_kind[EventKind.TRANSFERRED].data["why"] == "she knows fees"
    # What a release makes null is known for ever.
    gone = by_kind[EventKind.HANDED_BACK].data["was"]
    assert (gone["reason"], gone["queued_at"], gone["agent_id"]) == ("asked", waited and waited.isoformat(), ada.id)
    now = await store.conversations.get(conversation_id)
    assert (now.reason, now.queued_at) == (None, None)


async def test_what_is_refused_or_changes_nothing_leaves_no_event(
    store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    known = await store.events.of(conversation_id)
    sql("UPDATE agent SET disabled_at = now() WHERE id = %s", ada.id)
    for refused, error in (
        (desk.claim(conversation_id, ada), StateConflict),
        (desk.take_over(conversation_id, ada, ada.id, "mine"), StateConflict),
        (desk.hand_back(conversation_id, ada), StateConflict),
        (desk.resolve(conversation_id, ada), StateConflict),
        (desk.reply(conversation_id, ada, "hello"), StateConflict),
        (desk.reopen(conversation_id, ada), StateConflict),
        (desk.transfer(conversation_id, mei, ada, "yours"), ValueError),
        (desk.claim(99, mei), NotFound),
    ):
        with pytest.raises(error):
            await refused
    await desk.claim(conversation_id, mei)  # it is theirs already
    await desk.take_over(conversation_id, mei, mei.id, "mine")
    assert await store.events.of(conversation_id) == known


async def test_an_act_that_does_not_end_leaves_no_event(store: Store, mei: Agent) -> None:
    conversation_id = await queued(store)
    known = await store.events.of(conversation_id)
    with pytest.raises(KeyError):
        await store.conversations.claim(conversation_id, mei.id, {})  # no words for the customer
    assert await store.events.of(conversation_id) == known
    assert (await store.conversations.get(conversation_id)).state is ConversationState.QUEUED


async def test_of_many_who_claim_at_once_one_has_an_event(store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    conversation_id = await queued(store)
    ends = await asyncio.gather(
        *(desk.claim(conversation_id, one) for one in (mei, ada) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(end, StateConflict) for end in ends) == 4
    assert (await kinds(store, conversation_id)).count("claimed") == 1


async def test_a_bot_that_loses_against_a_person_escalates_nothing(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await said(store)
    taken = await store.turns.begin((await store.messages.of(conversation_id))[-1].id)
    assert taken is not None
    await desk.claim(conversation_id, mei)
    await store.turns.finish(taken, ASKED, [], language="en")
    assert await kinds(store, conversation_id) == ["opened", "claimed"]


async def test_a_turn_that_is_given_up_escalates(store: Store) -> None:
    conversation_id = await said(store)
    message_id = (await store.messages.of(conversation_id))[-1].id
    await store.dead_letters.record_failure(TURN, message_id, "ValueError at x:1")
    await store.dead_letters.add(TURN, message_id, {"": "one moment"})
    escalated = await last(store, conversation_id)
    assert (escalated.kind, escalated.data["reason"]) == (EventKind.ESCALATED, EscalationReason.TURN_FAILED)
    assert await store.dead_letters.add(TURN, message_id, {"": "one moment"}) is None
    assert await kinds(store, conversation_id) == ["opened", "escalated"]


async def test_an_undone_resolve_is_as_if_it_had_not_been(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    before = await desk.claim(conversation_id, mei)
    assert before.waiting_since is not None
    await desk.resolve(conversation_id, mei)
    now = await desk.reopen(conversation_id, mei)
    assert (now.waiting_since, now.queued_at) == (before.waiting_since, before.queued_at)
    assert (await last(store, conversation_id)).kind is EventKind.RESOLVE_UNDONE


async def test_who_writes_again_reopens(store: Store, desk: Desk, mei: Agent, answers: Answers, sql: Sql) -> None:
    words = answers.words.by_locale("customer.reopened")
    reopening = Reopening(SOON, SOON, words, words)
    conversation_id = await queued(store)
    for is_there in (True, False):
        await store.conversations.claim(conversation_id, mei.id, {"": "hello"})
        await desk.resolve(conversation_id, mei)
        await is_here(store, mei)
        if not is_there:
            sql("UPDATE agent SET seen_at = now() - interval '1 day'")
        await writes(store, "still there?", f"again-{is_there}", reopening)
        event = await last(store, conversation_id)
        assert (event.kind, event.actor) == (EventKind.REOPENED, CUSTOMER)
        assert (event.agent_id, event.data["state"]) == ((mei.id, "assigned") if is_there else (None, "queued"))
        if is_there:
            await desk.put_back(conversation_id, mei, "later")


async def test_what_waits_for_who_is_gone_is_put_back_by_the_desk_itself(
    store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    gone, disabled = await queued(store, name="Ann"), await queued(store, name="Bob")
    await desk.claim(gone, mei)
    await desk.claim(disabled, ada)
    sql("UPDATE agent SET seen_at = now() - interval '1 day' WHERE id = %s", mei.id)
    sql("UPDATE conversation SET waiting_since = now() - interval '1 day' WHERE id = %s", gone)
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 1
    await desk.disable_agent(ada)
    for conversation_id, who, why in ((gone, mei, "15 min"), (disabled, ada, "work at this desk any more")):
        event = await last(store, conversation_id)
        assert (event.kind, event.actor, event.agent_id) == (EventKind.REQUEUED, SYSTEM, who.id)
        assert why in event.data["why"]


# --- snoozed --------------------------------------------------------------------------------------


async def test_what_is_snoozed_stays_with_its_agent_until_its_time(
    store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    until = datetime.now(UTC) + SOON
    now = await store.conversations.snooze(conversation_id, mei.id, until)
    assert (now.state, now.snoozed_until) == (ConversationState.ASSIGNED, until)
    sql("UPDATE agent SET seen_at = now() - interval '1 day'")
    sql("UPDATE conversation SET waiting_since = now() - interval '1 day'")
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 0
    assert await store.conversations.wake_due() == 0
    sql("UPDATE conversation SET snoozed_until = now()")
    woken = await asyncio.gather(*(store.conversations.wake_due() for _ in range(3)))
    assert sum(woken) == 1
    assert (await store.conversations.get(conversation_id)).snoozed_until is None
    events = await store.events.of(conversation_id)
    assert [(event.kind, event.actor) for event in events[-2:]] == [
        (EventKind.SNOOZED, by_agent(mei.id)),
        (EventKind.WOKEN, SYSTEM),
    ]
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 1


async def test_a_customer_who_writes_wakes(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await store.conversations.snooze(conversation_id, mei.id, datetime.now(UTC) + SOON)
    assert await writes(store, "one more thing", "2") == conversation_id
    now = await store.conversations.get(conversation_id)
    assert (now.snoozed_until, now.agent and now.agent.id) == (None, mei.id)
    event = await last(store, conversation_id)
    assert (event.kind, event.actor) == (EventKind.WOKEN, CUSTOMER)


async def test_an_agent_wakes_their_own(store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await store.conversations.snooze(conversation_id, mei.id, datetime.now(UTC) + SOON)
    with pytest.raises(StateConflict, match="Mei has this"):
        await store.conversations.wake(conversation_id, ada.id)
    assert (await store.conversations.wake(conversation_id, mei.id)).snoozed_until is None
    known = await kinds(store, conversation_id)
    await store.conversations.wake(conversation_id, mei.id)
    assert await kinds(store, conversation_id) == known


# --- who comes in, and who is refused -------------------------------------------------------------


async def trail(store: Store, who: Agent) -> list[tuple[str, str, Any]]:
    return [(event.kind.value, event.actor.kind.value, dict(event.data)) for event in await store.events.about(who.id)]


async def test_signing_in_and_out_is_told_with_its_address(store: Store, browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    await client.post("/console/sign-out")
    await client.post("/console/sign-out")
    events = await store.events.about(mei.id)
    assert [(event.kind, event.actor, event.address) for event in events] == [
        (EventKind.AGENT_ADDED, OPERATOR, None),
        (EventKind.SIGNED_IN, by_agent(mei.id), "10.0.0.0"),
        (EventKind.SIGNED_OUT, by_agent(mei.id), "10.0.0.0"),
    ]
    assert events[0].data == {"name": "Mei", "role": "admin"}
    assert events[1].data["by_link"] is False


async def test_what_an_agent_does_on_a_page_is_told_with_its_address(
    store: Store, desk: Desk, browser: Browser, mei: Agent, ada: Agent
) -> None:
    one, other = await sign_in(browser()), await sign_in(browser(), "Ada")
    conversation_id = await queued(store)
    address = f"/console/conversations/{conversation_id}"
    for client, act, form in (
        (one, "claim", {}),
        (one, "messages", {"text": "how can I help?"}),
        (other, "take-over", {"holder": mei.id, "why": "she is away"}),
    ):
        assert (await client.post(f"{address}/{act}", data=form)).status_code == 303
    assert (await one.post(f"/console/agents/{ada.id}/end-sessions")).status_code == 303
    await desk.hand_back(conversation_id, ada)
    told = [(event.kind.value, event.address) for event in await store.events.of(conversation_id)]
    assert told == [
        ("opened", None),
        ("escalated", None),
        ("claimed", "10.0.0.0"),
        ("answered", "10.0.0.0"),
        ("taken_over", "10.0.0.1"),
        ("handed_back", None),  # by no page
    ]
    ended = (await store.events.about(ada.id))[-2]
    assert (ended.kind, ended.address) == (EventKind.SESSIONS_ENDED, "10.0.0.0")


async def test_who_is_refused_is_known_and_what_they_typed_is_not(
    store: Store, browser: Browser, mei: Agent, ada: Agent, sql: Sql
) -> None:
    await store.agents.disable(ada.id, {"": "x"})
    for name, password in (("mei", "hunter2"), ("hunter2", "x"), ("Ada", PASSWORD)):
        answer = await browser().post("/console/sign-in", data={"name": name, "password": password})
        assert answer.status_code == 403
    found = sql(
        "SELECT actor, agent_id, address, data->>'reason' FROM event WHERE kind = 'sign_in_refused' ORDER BY id"
    )
    assert found == [
        (STRANGER.kind.value, mei.id, "10.0.0.0", "wrong_password"),
        (STRANGER.kind.value, None, "10.0.0.1", "unknown_name"),
        (STRANGER.kind.value, ada.id, "10.0.0.2", "disabled"),
    ]
    assert sql("SELECT 1 FROM event WHERE event::text LIKE '%%hunter2%%'") == []


async def test_a_link_that_is_over_is_refused_once(store: Store, mei: Agent) -> None:
    await store.agents.add_sign_in(mei.id, "over", datetime.now(UTC) - SOON)
    for _ in range(3):
        assert await store.agents.redeem_sign_in("over", address="10.0.0.9") is None
    assert await store.agents.redeem_sign_in("never made", address="10.0.0.9") is None
    refused = [event for event in await store.events.about(mei.id) if event.kind is EventKind.SIGN_IN_REFUSED]
    assert [(event.data, event.address) for event in refused] == [({"reason": "link_expired"}, "10.0.0.9")]


async def test_a_refused_right_and_a_wrong_old_password_are_told(store: Store, browser: Browser, ada: Agent) -> None:
    client = await sign_in(browser(), "Ada")
    assert (await client.get("/console/agents")).status_code == 403
    assert (await client.get("/console/agents", headers=HTMX)).status_code == 403
    data = {"password": "a long new password", "old": "wrong"}
    assert (await client.post("/console/password", data=data)).status_code == 403
    assert (await trail(store, ada))[2:] == [
        ("right_refused", "agent", {"right": "view_agents"}),
        ("right_refused", "agent", {"right": "view_agents"}),
        ("password_refused", "agent", {}),
    ]
    assert {event.address for event in (await store.events.about(ada.id))[2:]} == {"10.0.0.0"}


async def test_a_new_password_is_told_by_whom(store: Store, browser: Browser, ada: Agent) -> None:
    client = await sign_in(browser(), "Ada")
    data = {"password": "tidal glacier voyage", "old": PASSWORD}
    assert (await client.post("/console/password", data=data)).status_code == 303
    await store.agents.set_password(ada.id, "hash")
    told = [event for event in await store.events.about(ada.id) if event.kind is EventKind.PASSWORD_SET]
    assert [(event.actor, event.address) for event in told] == [(by_agent(ada.id), "10.0.0.0"), (OPERATOR, None)]
    assert not any("hash" in str(event.data) for event in told)


async def test_what_becomes_of_an_account_is_told(store: Store, desk: Desk, mei: Agent) -> None:
    tom = await store.agents.add("Tom", Role.AGENT, None, by=mei.id)
    await desk.claim(await queued(store), tom)
    await store.agents.make_sign_in(tom.id, "link", datetime.now(UTC) + SOON, by=mei.id)
    await store.agents.rename(tom.id, "Thomas", by=mei.id)
    await store.agents.set_public_name(tom.id, None, by=mei.id)
    await store.agents.set_role(tom.id, Role.ADMIN)
    await store.agents.end_sessions(tom.id, by=mei.id)
    await store.agents.disable(tom.id, {"": "back in the queue"}, by=mei.id)
    await store.agents.disable(tom.id, {"": "back in the queue"}, by=mei.id)  # is disabled already
    await store.agents.enable(tom.id, by=mei.id)
    found = [entry for entry in await trail(store, tom) if entry[0] not in ("claimed", "requeued")]
    expires_at = found[1][2].pop("expires_at")
    assert datetime.fromisoformat(expires_at) > datetime.now(UTC)
    assert found == [
        ("agent_added", "agent", {"name": "Tom", "role": "agent"}),
        ("link_made", "agent", {}),
        ("agent_renamed", "agent", {"name": "Thomas", "was": {"name": "Tom"}}),
        ("agent_shown_as", "agent", {"public_name": None, "was": {"public_name": "Tom"}}),
        ("agent_role_changed", "operator", {"role": "admin", "was": {"role": "agent"}}),
        ("sessions_ended", "agent", {"sessions_ended": 0}),
        ("agent_disabled", "agent", {"put_back": 1, "sessions_ended": 0}),
        ("agent_enabled", "agent", {}),
    ]


async def test_refused_sign_ins_are_forgotten_and_nothing_else(store: Store, sql: Sql, mei: Agent) -> None:
    await store.events.record_sign_in_refused("Mei", "10.0.0.9")
    await store.events.record_sign_in_refused("nobody", "10.0.0.9")
    await store.agents.rename(mei.id, "Meimei")
    sql("UPDATE event SET at = now() - interval '91 days'")
    await store.events.record_sign_in_refused("Meimei", "10.0.0.9")
    await store.agents.forget_expired()
    left = [row[0] for row in sql("SELECT kind FROM event ORDER BY id")]
    assert left.count("sign_in_refused") == 1
    assert "agent_renamed" in left
