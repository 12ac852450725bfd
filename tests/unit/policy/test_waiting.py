"""Who waits for a person is served and told how they stand, and nobody argues."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.conversation import Priority
from bot.domain.decision import Action
from bot.domain.dialogue import from_json
from bot.domain.message import Command
from bot.domain.situation import Expectation
from handoff.waiting import told_anew
from tests.support.policy import AWAY, HASH, THERE, Talk, unsure

NOTHING = unsure(fee_explained=0.2, out_of_scope=0.4)


def waiting() -> Talk:
    talk = Talk()
    talk.says("…", "talk_to_human")
    assert talk.queued
    return talk


def keys(decision: object) -> list[str]:
    return [said.key for said in decision.says]  # type: ignore[attr-defined]


def test_what_the_bot_is_sure_of_is_answered_meanwhile() -> None:
    talk = waiting()
    decision = talk.says("what does it cost", "fee_explained")
    assert (decision.action, decision.topic, keys(decision)) == (
        Action.ANSWER,
        "fee_explained",
        ["customer.still_waiting"],
    )
    assert talk.queued


@pytest.mark.parametrize(
    ("text", "meant"), [("anyone there?", None), ("有人吗", None), ("how long", None), ("…", "talk_to_human")]
)
def test_asking_again_in_any_words_tells_the_place_and_the_wait(text: str, meant: str | None) -> None:
    decision = waiting().says(text, meant or NOTHING)
    assert keys(decision) == ["customer.already_queued", "customer.expect_place", "customer.expect_wait"]
    assert decision.extra == ("cancel",)


def test_when_nobody_is_there_it_is_said_when_somebody_will_be() -> None:
    talk = waiting()
    talk.situation = AWAY
    assert keys(talk.says("anyone there", NOTHING)) == ["customer.already_queued", "customer.expect_back"]
    talk.situation = replace(AWAY, back_at=None)
    assert keys(talk.says("anyone there", NOTHING)) == ["customer.already_queued", "customer.expect_later"]


def test_details_are_added_to_the_case() -> None:
    decision = waiting().says(HASH.value, None, HASH)
    assert (decision.action, decision.details) == (Action.COLLECT, (HASH,))
    assert decision.says[0].key == "customer.waiting_collected"


def test_what_was_given_before_is_read_back() -> None:
    talk = waiting()
    talk.says(HASH.value, None, HASH)
    again = talk.says("i already sent it", NOTHING)
    assert (again.says[0].key, again.says[0].values) == ("customer.waiting_given", {"details": "0xababab…ababab"})
    assert keys(waiting().says("i already sent it", NOTHING))[0] == "customer.waiting_noted"


def test_thanks_and_anger_close_nothing() -> None:
    assert keys(waiting().says("thanks", "thanks"))[0] == "customer.waiting_thanks"
    angry = waiting().says("always the same", "complaint")
    assert (keys(angry)[0], angry.offers, angry.urges) == ("customer.waiting_sorry", (), False)


def test_what_the_bot_cannot_answer_is_kept_and_not_repeated_line_by_line() -> None:
    talk = waiting()
    assert keys(talk.says("blah", NOTHING))[0] == "customer.waiting_noted"
    assert keys(talk.says("and blah", NOTHING)) == ["customer.waiting_noted_more"]
    talk.situation = replace(THERE, now=THERE.now + timedelta(minutes=10))
    assert keys(talk.says("and blah", NOTHING))[0] == "customer.waiting_noted"


@pytest.mark.parametrize("text", ["never mind", "不用了"])
def test_the_queue_can_be_left(text: str) -> None:
    talk = waiting()
    decision = talk.says(text, "deny")
    assert decision.leaves_queue
    assert not talk.queued
    assert talk.policy.on_cancel(queued=True) == decision
    assert not talk.policy.on_cancel(queued=False).leaves_queue


def test_who_says_it_is_solved_may_leave_and_is_not_thrown_out() -> None:
    talk = waiting()
    assert keys(talk.says("it arrived", NOTHING))[0] == "customer.waiting_solved"
    assert talk.queued


def test_what_cannot_wait_goes_forward() -> None:
    talk = waiting()
    decision = talk.says("…", "funds_stolen")
    assert (decision.urges, decision.priority, decision.topic) == (True, Priority.URGENT, "funds_stolen")
    again = talk.says("…", "funds_stolen")
    assert again.topic is None, "first aid is given once"


def test_buttons_and_commands_while_waiting() -> None:
    talk = waiting()
    assert talk.presses("topic:fee_explained").topic == "fee_explained"
    assert keys(talk.presses("step:money_missing.record.pending"))[0] == "customer.already_queued"
    for command in Command:
        assert keys(talk.policy.on_command(command, THERE, queued=True))[0] == "customer.already_queued"
    assert keys(talk.policy.on_attachment(waiting().state, THERE, queued=True))[0] == "customer.waiting_noted"


def told_now() -> Expectation:
    """Five minutes, at ``NOW``."""
    return Talk().says("…", "talk_to_human").expects or pytest.fail("nothing was told")


@pytest.mark.parametrize(
    ("after", "wait", "phrase"),
    [
        (19, 90, None),  # told a moment ago
        (20, 5, "customer.wait_longer"),  # twenty minutes later it is five minutes again
        (20, None, "customer.wait_longer"),  # over, and nobody knows how long it takes yet
        (20, -8, None),
    ],
)
def test_who_was_told_a_wait_is_told_when_it_takes_longer(after: int, wait: int | None, phrase: str | None) -> None:
    now = replace(
        THERE, now=THERE.now + timedelta(minutes=after), wait=None if wait is None else timedelta(minutes=wait)
    )
    decision = told_anew(told_now(), now)
    assert (decision and keys(decision)[0]) == phrase
    if decision:
        assert decision.expects == now.expectation


@pytest.mark.parametrize(
    ("wait", "phrase"), [(45, None), (35, "customer.wait_shorter"), (155, None), (165, "customer.wait_longer")]
)
def test_a_long_wait_may_change_by_half_or_an_hour(wait: int, phrase: str | None) -> None:
    told = replace(THERE, wait=timedelta(minutes=120)).expectation
    now = replace(THERE, now=THERE.now + timedelta(minutes=20), wait=timedelta(minutes=wait))
    decision = told_anew(told, now)
    assert (decision and keys(decision)[0]) == phrase


def test_when_the_desk_closes_who_waits_is_told_when_somebody_is_back() -> None:
    later = replace(AWAY, now=AWAY.now + timedelta(minutes=21))
    decision = told_anew(told_now(), later)
    assert decision is not None
    assert keys(decision) == ["customer.wait_longer", "customer.expect_back"]


def test_where_no_time_was_said_nothing_is_told_anew() -> None:
    told = replace(THERE, wait=None).expectation
    assert told_anew(told, replace(THERE, now=THERE.now + timedelta(days=1))) is None


def test_the_state_remembers_what_was_told_until_the_wait_ends() -> None:
    talk = waiting()
    assert talk.state.expectation == THERE.expectation
    talk.says("what does it cost", "fee_explained")
    assert talk.state.expectation == THERE.expectation
    talk.situation = replace(THERE, now=THERE.now + timedelta(minutes=3), wait=timedelta(minutes=9))
    talk.says("anyone there?", NOTHING)
    assert talk.state.expectation == talk.situation.expectation
    assert from_json(talk.state.as_json) == talk.state
    talk.says("never mind", NOTHING)
    assert talk.state.expectation is None
