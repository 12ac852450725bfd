"""What is said right after an answer, a step or a question is read with what was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.conversation import EscalationReason
from bot.domain.cues import Cue
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import Ask
from bot.domain.engine import Prediction
from bot.domain.forms import Detail, Kind
from bot.domain.said import Said
from handoff.policy import Policy
from tests.support.policy import (
    AMOUNT,
    CUES,
    HASH,
    MONEY,
    POLICY,
    THERE,
    TICKET,
    TOPICS,
    Talk,
    heard,
    predicted,
    unsure,
)

NOT_HELPED, COLLECTED = EscalationReason.NOT_HELPED, EscalationReason.COLLECTED
NOTHING = unsure(fee_explained=0.2, out_of_scope=0.4)


def answered(topic: str) -> Talk:
    talk = Talk()
    talk.says("…", topic)
    return talk


def test_what_was_asked_for_is_taken_and_reaches_a_person() -> None:
    decision = answered("ticket_status").says("73906", None, TICKET)
    assert (decision.reason, decision.about, decision.details) == (COLLECTED, "ticket_status", (TICKET,))
    assert decision.says[0] == Said("customer.queued_collected", {"details": "73906"})


def test_words_are_taken_where_words_were_asked_for() -> None:
    assert answered("identity_verification").says("it says the photo is blurred", NOTHING).reason is COLLECTED
    assert answered("identity_verification").says("thanks", "thanks").topic == "thanks"


def test_a_picture_of_what_was_asked_for_goes_to_a_person() -> None:
    talk = answered("ticket_status")
    assert talk.policy.on_attachment(talk.state, talk.situation).reason is COLLECTED
    new = Talk()
    assert new.policy.on_attachment(new.state, new.situation).action is Action.ASK_BACK


@pytest.mark.parametrize("text", ["ok did all that", "都试过了", "thanks but still not there"])
@pytest.mark.parametrize("meant", ["thanks", "affirm", None])
def test_did_all_that_is_no_thanks(text: str, meant: str | None) -> None:
    assert answered("password_reset").says(text, meant and predicted(meant)).reason is NOT_HELPED


def test_ok_and_then_is_asked_about_once() -> None:
    talk = answered("password_reset")
    asked = talk.says("ok 然后呢", "affirm")
    assert (asked.action, asked.says) == (Action.ASK_BACK, (Said("customer.which_step"),))
    assert talk.state.topic == "password_reset"
    assert talk.says("ok 然后呢", "affirm").reason is NOT_HELPED


def test_a_yes_closes_and_a_yes_but_does_not() -> None:
    assert answered("password_reset").says("yes", "affirm").says == (Said("customer.helped"),)
    assert answered("password_reset").says("yes but", "affirm").action is Action.ASK_BACK
    assert answered("password_reset").says("it arrived", NOTHING).says == (Said("customer.helped"),)


def test_how_long_is_about_what_was_answered() -> None:
    talk = answered("identity_verification")
    decision = talk.says("how long does it take", "response_time")
    assert (decision.about, decision.follow_up) == ("identity_verification", Cue.HOW_LONG)
    assert talk.state.topic == "identity_verification"


def test_how_long_is_about_another_topic_only_where_it_names_one() -> None:
    sure = predicted("transfer_delay", 0.95)
    assert answered("identity_verification").says("and how long will this take?", sure).follow_up is Cue.HOW_LONG
    assert answered("identity_verification").says("how long do transfers take", sure).about == "transfer_delay"


def test_given_already_is_looked_up_and_not_asked_for_again() -> None:
    talk = Talk()
    talk.says("sent 300u", "fee_explained", AMOUNT)
    decision = talk.says("i already sent that", NOTHING)
    assert decision.reason is COLLECTED
    assert decision.says[0].values == {"details": "300 USDT"}
    asked = answered("fee_explained").says("already sent", NOTHING)
    assert asked.says == (Said("customer.not_seen"),)


def test_the_same_answer_is_never_given_twice() -> None:
    assert answered("password_reset").says("…", "password_reset").reason is NOT_HELPED
    talk = answered("fee_reduce")
    talk.says("…", "fee_explained")
    again = talk.says("…", "fee_reduce")
    assert (again.action, again.topic, again.says) == (Action.ASK_BACK, None, (Said("customer.said_already"),))
    assert talk.says("…", "fee_reduce").reason is NOT_HELPED


def test_the_same_button_twice_is_answered_once() -> None:
    talk = Talk()
    assert talk.presses("topic:fee_explained").topic == "fee_explained"
    assert talk.presses("topic:fee_explained").action is Action.SILENT


def test_another_topic_is_another_topic() -> None:
    talk = answered("fee_explained")
    assert talk.says("…", "password_reset").topic == "password_reset"
    assert talk.state.topic == "password_reset"


# --- procedures -------------------------------------------------------------------------------------


POLICY_THAT_COLLECTS = Policy(
    TOPICS | {"suspicious_login": replace(TOPICS["suspicious_login"], asks=(Ask.TIME,))},
    {"money_missing": replace(MONEY, collects=(Kind.HASH, Kind.AMOUNT, Kind.NETWORK, Kind.TIME, Kind.EXCHANGE))},
    CUES,
)


def begun() -> Talk:
    talk = Talk()
    decision = talk.says("my money is not there", "transfer_delay")
    assert (decision.steps, decision.about, talk.state.step) == (("record",), "transfer_delay", "record")
    return talk


@pytest.mark.parametrize("text", ["it says Pending", "还在确认中", "CONFIRMING"])
def test_a_step_is_answered_in_words(text: str) -> None:
    decision = begun().says(text, NOTHING)
    assert (decision.steps, decision.asks_whether_it_helped) == (("pending",), True)


def test_a_step_is_answered_by_its_button_once() -> None:
    talk = begun()
    assert talk.presses("step:money_missing.record.pending").steps == ("pending",)
    assert talk.presses("step:money_missing.record.pending").action is Action.SILENT
    assert talk.presses("step:money_missing.record.no_hash").steps == ("no_hash",)
    assert talk.presses("step:unknown.record.no_hash").says == (Said("customer.what_else"),)


def test_a_step_is_answered_by_an_intent_or_a_plain_no() -> None:
    assert begun().says("…", "cancel_transfer").steps == ("pending",)
    assert begun().says("no", "deny").steps == ("no_hash",)


def test_a_step_takes_what_it_asks_for() -> None:
    decision = begun().says(f"here {HASH.value}", NOTHING, HASH)
    assert (decision.reason, decision.steps) == (EscalationReason.PROCEDURE, ("look",))
    assert decision.about == "transfer_delay"


def test_what_is_known_is_not_asked_for() -> None:
    decision = Talk().says(f"where is {HASH.value}", "transfer_delay", HASH)
    assert (decision.escalates, decision.steps) == (True, ("look",))


def test_what_the_first_message_answers_is_not_asked() -> None:
    assert Talk().says("my money is not there, it says pending", "transfer_delay").steps == ("pending",)
    story = "my money is not there, it says pending, " + "and then this and that happened " * 4
    assert Talk().says(story, "transfer_delay").steps == ("record",)


def test_who_has_not_got_it_goes_on_without() -> None:
    assert begun().says("i don't have one", NOTHING).steps == ("no_hash",)


def test_an_aside_is_answered_and_the_question_is_taken_up_again() -> None:
    talk = begun()
    aside = talk.says("what does it cost", "fee_explained")
    assert (aside.topic, aside.resumes, aside.asks_whether_it_helped) == ("fee_explained", True, False)
    assert (talk.state.procedure, talk.state.step) == ("money_missing", "record")
    assert talk.says("pending", NOTHING).steps == ("pending",)


def test_a_procedure_is_left_at_once_for_a_person() -> None:
    assert begun().says("…", "talk_to_human").reason is EscalationReason.ASKED
    assert begun().says("…", "funds_stolen").topic == "funds_stolen"


def test_what_is_no_answer_is_asked_again_once() -> None:
    talk = begun()
    again = talk.says("blah", NOTHING)
    assert (again.action, again.extra, again.steps) == (Action.ASK_BACK, ("choices", "human"), ())
    assert talk.says("blah", NOTHING).reason is EscalationReason.NOT_UNDERSTOOD


def test_a_step_that_did_not_help_leads_to_a_person() -> None:
    talk = begun()
    talk.says("pending", NOTHING)
    assert talk.says("no", "deny").reason is NOT_HELPED
    assert talk.queued


def test_who_goes_on_to_a_person_may_add_what_they_will_ask_for() -> None:
    talk = Talk(POLICY_THAT_COLLECTS)
    talk.says("my 300 USDT is not there, it says pending", "transfer_delay", AMOUNT)
    assert talk.says("no", "deny").lacks == (Kind.HASH, Kind.NETWORK, Kind.TIME)
    assert talk.says(HASH.value, None, HASH).action is Action.COLLECT


def test_a_word_for_a_time_gives_nothing_in_a_message_about_something_else() -> None:
    today = Detail(Kind.TIME, "2026-11-28", 0, 2, minutes=0)
    talk = Talk(POLICY_THAT_COLLECTS)
    talk.says("…", "suspicious_login")
    assert talk.state.asks == (Ask.TIME,)
    asked = talk.says("今天天气怎么样", unsure(out_of_scope=0.98), today)
    assert asked.action is Action.ASK_BACK
    assert talk.says("今天早上", NOTHING, today).reason is EscalationReason.COLLECTED


def test_the_bot_says_that_it_cannot_do_it_and_a_person_looks() -> None:
    decision = answered("fee_reduce").says("then do it for me", NOTHING)
    assert (decision.reason, decision.opening) == (NOT_HELPED, (Said("customer.cannot_do"),))


def test_what_is_fine_is_no_answer_to_a_step() -> None:
    decision = begun().says("the pending one works fine, there is no record of the other", NOTHING)
    assert decision.steps == ("no_hash",)


@pytest.mark.parametrize(
    ("together", "topic"),
    [
        ("fee_reduce", "fee_reduce"),
        ("password_reset", None),  # what is open
        ("greet", None),
        (unsure(fee_reduce=0.3, fee_explained=0.3), None),
    ],
)
def test_what_says_nothing_alone_is_read_with_what_the_topic_began_with(
    together: str | Prediction, topic: str | None
) -> None:
    talk = answered("password_reset")
    decision = POLICY.on_read_together(talk.state, heard("…", together), THERE)
    assert (decision and decision.topic) == topic


def test_nothing_of_a_procedure_is_said_twice() -> None:
    talk = begun()
    talk.says("pending", NOTHING)
    talk.says("yes", "affirm")
    later: Decision = talk.says("my money is not there", "transfer_delay")
    assert later.reason is NOT_HELPED
