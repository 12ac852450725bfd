"""Who works at the desk, in the store: names, roles, links, sessions; who is disabled, and what their chats become."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.conversation import ConversationState, NotFound, Priority
from bot.domain.message import Author, Visibility
from bot.domain.staff import Agent, NotAllowed, Role
from bot.pipeline.rendering import plain
from bot.runtime.feed import Feed
from bot.store import Store
from handoff.desk import Desk
from handoff.staff import Staff
from tests.support.console import ASKED, queued, said
from tests.support.lifecycle import queue_of

SOON = timedelta(hours=1)


@pytest.fixture
def staff(store: Store, desk: Desk) -> Staff:
    return Staff(store.agents, desk, "BitPie")


async def signed_in(store: Store, who: Agent, token: str) -> None:
    assert await store.agents.add_session(
        who.id, token, datetime.now(UTC) + SOON, address="10.0.0.7", browser="Firefox"
    )


async def told(store: Store, conversation_id: int) -> list[str]:
    """What the desk said to the customer."""
    messages = await store.messages.of(conversation_id)
    return [one.text for one in messages if one.author is Author.SYSTEM and one.visibility is Visibility.PUBLIC]


# --- who there is


async def test_the_list_says_what_everybody_has_in_hand(store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    await desk.claim(await queued(store), ada)
    await desk.claim(await queued(store, name="Bob"), ada)
    await signed_in(store, ada, "a")
    await store.agents.add_session(ada.id, "over", datetime.now(UTC) - SOON)
    await store.agents.record_presence(ada)
    gone = await store.agents.add("Zoe", Role.AGENT, None)
    await store.agents.disable(gone.id, {"": "x"})
    found = await store.agents.staff()
    assert [(one.agent.name, one.conversations, one.sessions) for one in found] == [
        ("Ada", 2, 1),
        ("Mei", 0, 0),
        ("Zoe", 0, 0),
    ]
    assert [one.agent.seen_at is not None for one in found] == [True, False, False]
    assert await store.agents.colleague(ada.id) == found[0]
    (session,) = await store.agents.sessions(ada.id)
    assert (session.address, session.browser, session.by_link) == ("10.0.0.7", "Firefox", False)
    with pytest.raises(NotFound):
        await store.agents.colleague(999)


# --- names


async def test_names_are_unique_whatever_their_case(staff: Staff, mei: Agent, ada: Agent) -> None:
    assert (await staff.rename(mei, "MEI")).name == "MEI"
    with pytest.raises(ValueError, match="already an agent named ada"):
        await staff.rename(mei, "ada")
    with pytest.raises(ValueError, match="customers know another agent as ADA"):
        await staff.show_as(mei, "ADA")
    with pytest.raises(ValueError, match="already an agent named ada"):
        await staff.add("ada", Role.AGENT)
    with pytest.raises(ValueError, match="customers know another agent as ada"):
        await staff.add("Ada 2", Role.AGENT, seen_as="ada")
    with pytest.raises(NotFound):
        await staff.rename(Agent(999, "x", Role.AGENT, has_password=False), "y")


async def test_a_public_name_is_free_again_when_its_agent_is_disabled(
    store: Store, staff: Staff, mei: Agent, ada: Agent
) -> None:
    await staff.disable(ada)
    assert (await staff.show_as(mei, "Ada")).public_name == "Ada"
    with pytest.raises(ValueError, match="customers know another agent as Ada"):
        await staff.enable(ada)
    await staff.show_as(ada, "Ada L.")
    assert (await staff.enable(ada)).disabled_at is None


async def test_without_a_public_name_it_is_the_name_if_that_is_one(staff: Staff, mei: Agent) -> None:
    assert (await staff.add("admin", Role.ADMIN)).public_name is None
    assert (await staff.add("Wang", Role.AGENT)).public_name == "Wang"
    assert (await staff.add("zoe@desk", Role.AGENT, seen_as="Mr. Wu")).public_name == "Mr. Wu"
    # Somebody is known by it already.
    await staff.show_as(mei, "Tom")
    assert (await staff.add("Tom", Role.AGENT)).public_name is None


async def test_a_public_name_reads_as_it_stands_and_formats_nothing(
    store: Store, desk: Desk, staff: Staff, mei: Agent
) -> None:
    for name in ("**x**", "[a](http://b)", "{position}", "<b>x</b>", "`x` & _y_", "Mei L."):
        conversation_id = await queued(store, name=name)
        await desk.claim(conversation_id, await staff.show_as(mei, name))
        assert plain((await told(store, conversation_id))[-1]).startswith(f"{name} from BitPie support has joined")


# --- who may


Act = Callable[[Staff, Agent, Agent], Awaitable[object]]
ACTS: dict[str, Act] = {
    "add": lambda staff, who, by: staff.add("New", Role.AGENT, by=by),
    "link": lambda staff, who, by: staff.link(who, by=by),
    "rename": lambda staff, who, by: staff.rename(who, "Other", by=by),
    "show_as": lambda staff, who, by: staff.show_as(who, "Other", by=by),
    "set_role": lambda staff, who, by: staff.set_role(who, Role.ADMIN, by=by),
    "disable": lambda staff, who, by: staff.disable(who, by=by),
    "enable": lambda staff, who, by: staff.enable(who, by=by),
    "end_sessions": lambda staff, who, by: staff.end_sessions(who, by=by),
}


async def test_the_right_counts_in_the_moment_of_the_act(store: Store, staff: Staff, mei: Agent, ada: Agent) -> None:
    """Mei was an admin when she was looked at."""
    await store.agents.add("Root", Role.ADMIN, None)
    await signed_in(store, ada, "a")
    before = await store.agents.staff()
    for lose in (lambda: staff.set_role(mei, Role.AGENT), lambda: staff.disable(mei)):
        await lose()
        for act in ACTS.values():
            with pytest.raises(NotAllowed):
                await act(staff, ada, mei)
        await staff.set_role(mei, Role.ADMIN)
    await staff.enable(mei)
    assert await store.agents.staff() == before
    for act in ACTS.values():
        await act(staff, ada, mei)


async def test_the_last_admin_stays(store: Store, staff: Staff, mei: Agent, ada: Agent) -> None:
    for act in (lambda: staff.disable(mei, by=mei), lambda: staff.set_role(mei, Role.AGENT, by=mei)):
        with pytest.raises(ValueError, match="Mei is the only admin: make another agent admin first"):
            await act()
    other = await staff.set_role(ada, Role.ADMIN, by=mei)
    await staff.disable(mei, by=mei)
    with pytest.raises(ValueError, match="Ada is the only admin"):
        await staff.disable(other, by=other)


@pytest.mark.parametrize("act", ["disable", "demote", "leave"])
async def test_of_two_admins_who_do_it_to_each_other_one_remains(store: Store, staff: Staff, act: str) -> None:
    async def admins() -> list[Agent]:
        return [agent for agent in await store.agents.all() if agent.role is Role.ADMIN and not agent.disabled_at]

    for number in range(4):
        one, two = [await store.agents.add(f"{name}{number}", Role.ADMIN, None) for name in ("Mei", "Ada")]
        for earlier in (await admins())[:-2]:
            await staff.disable(earlier)

        async def do(who: Agent, by: Agent) -> object:
            if act == "disable":
                return await staff.disable(who, by=by)
            if act == "demote":
                return await staff.set_role(who, Role.AGENT, by=by)
            return await staff.disable(by, by=by)

        ended = await asyncio.gather(do(one, two), do(two, one), return_exceptions=True)
        assert sorted(isinstance(one, NotAllowed | ValueError) for one in ended) == [False, True]
        assert len(await admins()) == 1


# --- disabled


async def test_who_is_disabled_has_no_way_in_and_their_chats_go_back_to_their_places(
    store: Store, desk: Desk, staff: Staff, feed: Feed, mei: Agent, ada: Agent
) -> None:
    first = await queued(store, name="Ann")
    second = await queued(store, name="Bob")
    third = await queued(store, name="Cid")
    for one in (second, first):
        await desk.claim(one, ada)
    await said(store, "anybody?", id="2", name="Ann")
    await signed_in(store, ada, "a")
    await store.agents.add_sign_in(ada.id, "link", datetime.now(UTC) + SOON)
    kinds: list[str] = []
    with feed.watch(lambda event: kinds.append(event.kind) is None) as watch:
        assert await staff.disable(ada, by=mei) == 2
        while "agent" not in kinds:
            assert await watch.changed(5)
    assert await store.agents.agent_of_session("a") is None
    assert await store.agents.sessions(ada.id) == []
    assert await store.agents.redeem_sign_in("link") is None
    assert await store.agents.password_of("Ada") is None
    assert not await store.agents.add_session(ada.id, "b", datetime.now(UTC) + SOON)
    queue = await queue_of(store)
    assert [(one.id, one.agent) for one in queue] == [(first, None), (second, None), (third, None)]
    for place, one in ((1, first), (2, second)):
        assert f"at place **{place}**" in (await told(store, one))[-1]
        notes = [m.text for m in await store.messages.of(one) if m.visibility is Visibility.PRIVATE]
        assert notes[-1] == "Ada does not work at this desk any more: back into the queue."
    # Twice is once.
    assert await staff.disable(ada, by=mei) == 0
    assert (await staff.enable(ada, by=mei)).disabled_at is None
    # Nothing of before is valid again.
    assert await store.agents.agent_of_session("a") is None
    assert await store.agents.redeem_sign_in("link") is None


async def test_reason_topic_and_priority_stay(store: Store, desk: Desk, staff: Staff, mei: Agent, ada: Agent) -> None:
    decision = replace(ASKED, priority=Priority.URGENT, topic="fee_explained")
    conversation_id = await queued(store, decision=decision)
    before = await store.conversations.get(conversation_id)
    await desk.claim(conversation_id, ada)
    await staff.disable(ada)
    now = await store.conversations.get(conversation_id)
    assert (now.reason, now.topic, now.priority, now.queued_at) == (
        before.reason,
        before.topic,
        Priority.URGENT,
        before.queued_at,
    )


async def test_each_is_told_the_place_that_they_have_in_the_end(
    store: Store, desk: Desk, staff: Staff, mei: Agent, ada: Agent
) -> None:
    from_the_bot = await said(store, name="Zoe")
    held = [await queued(store, name=name) for name in ("Ann", "Bob")]
    held.append(await queued(store, name="Cid", decision=replace(ASKED, priority=Priority.URGENT)))
    for one in (from_the_bot, *held):
        await desk.claim(one, ada)
    await staff.disable(ada)
    queue = await queue_of(store)
    assert [one.id for one in queue] == [held[2], held[0], held[1], from_the_bot]
    for place, one in enumerate(queue, 1):
        assert f"at place **{place}**" in (await told(store, one.id))[-1]


async def test_what_comes_to_an_agent_while_they_are_disabled_is_put_back_by_the_sweep(
    store: Store, desk: Desk, staff: Staff, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await staff.disable(ada)
    # As by a request that was let in before.
    await desk.claim(conversation_id, ada)
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 1
    now = await store.conversations.get(conversation_id)
    assert (now.state, now.agent) == (ConversationState.QUEUED, None)
    notes = [m.text for m in await store.messages.of(conversation_id) if m.visibility is Visibility.PRIVATE]
    assert notes[-1].startswith("Ada does not work at this desk any more")
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 0


async def test_disabling_while_customers_write_and_agents_claim(
    store: Store, desk: Desk, staff: Staff, mei: Agent, ada: Agent
) -> None:
    held = [await queued(store, name=f"c{number}") for number in range(8)]
    for one in held[:4]:
        await desk.claim(one, ada)
    busy = [said(store, "still here", id="2", name=f"c{number}") for number in range(8)]
    claims = [desk.claim(one, ada) for one in held[4:]]
    async with asyncio.timeout(20):
        await asyncio.gather(*busy, *claims, staff.disable(ada, by=mei))
        await desk.put_back_abandoned(timedelta(minutes=15))
    assert [one.id for one in await queue_of(store)] == held


# --- links and sessions


async def test_a_new_link_ends_the_older_ones(store: Store, mei: Agent, ada: Agent) -> None:
    soon = datetime.now(UTC) + SOON
    await store.agents.add_sign_in(ada.id, "of ada", soon)
    await asyncio.gather(*(store.agents.add_sign_in(mei.id, f"link {number}", soon) for number in range(5)))
    redeemed = [await store.agents.redeem_sign_in(f"link {number}") for number in range(5)]
    assert len([one for one in redeemed if one]) == 1
    assert await store.agents.redeem_sign_in("of ada") is not None


async def test_a_link_for_who_is_disabled_is_refused(staff: Staff, mei: Agent, ada: Agent) -> None:
    await staff.disable(ada)
    with pytest.raises(ValueError, match="Ada is disabled: enable them first"):
        await staff.link(ada, by=mei)


async def test_sessions_and_links_end_and_streams_are_told(
    store: Store, staff: Staff, feed: Feed, mei: Agent, ada: Agent
) -> None:
    await signed_in(store, ada, "a")
    await signed_in(store, ada, "b")
    await signed_in(store, mei, "m")
    await store.agents.add_sign_in(ada.id, "link", datetime.now(UTC) + SOON)
    with feed.watch(lambda event: event.kind == "agent") as watch:
        assert await staff.end_sessions(ada, by=mei) == 2
        assert await watch.changed(5)
    assert await store.agents.agent_of_session("a") is None
    assert await store.agents.redeem_sign_in("link") is None
    assert await store.agents.agent_of_session("m") is not None
    assert await staff.end_sessions(ada, by=mei) == 0


async def test_passwords_are_judged_wherever_they_are_set(store: Store, staff: Staff, mei: Agent) -> None:
    for words in ("bitpie2024!", "Mei-mei-2024", "Qwertyuiop1"):
        with pytest.raises(ValueError, match="easy to guess"):
            await staff.set_password(mei, words)
        with pytest.raises(ValueError, match="easy to guess"):
            await staff.add("New", Role.AGENT, password=words)
    with pytest.raises(ValueError, match="at least 10"):
        await staff.set_password(mei, "tidal")
    assert [agent.name for agent in await store.agents.all()] == ["Mei"]
