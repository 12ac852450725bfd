"""A message about nothing open: what the engine says → what the bot does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.message import Command
from bot.domain.said import Said
from tests.support.policy import AMOUNT, AWAY, HASH, POLICY, THERE, TICKET, Talk, heard, predicted, unsure

ANSWER, ASK, ESCALATE = Action.ANSWER, Action.ASK_BACK, Action.ESCALATE
NEW = DialogueState()
MISSED = DialogueState(misses=1, offered=("fee_reduce", "fee_explained"))
OFFERED_ONE = DialogueState(misses=1, offered=("fee_reduce",))
ANSWERED = DialogueState(topic="fee_explained", told=("fee_explained",))
ANSWERED_URGENT = DialogueState(topic="suspicious_login")


def first_said(decision: Decision) -> str | None:
    return decision.says[0].key if decision.says else None


@pytest.mark.parametrize(
    ("dialogue", "intent", "action", "reason", "topic", "phrase"),
    [
        # Sure of a topic.
        (NEW, "fee_explained", ANSWER, None, "fee_explained", None),
        (MISSED, "fee_explained", ANSWER, None, "fee_explained", None),
        (NEW, "greet", ANSWER, None, "greet", None),
        # Topics that need a human.
        (NEW, "funds_stolen", ESCALATE, EscalationReason.TOPIC, "funds_stolen", "queued_urgent"),
        (NEW, "complaint", ESCALATE, EscalationReason.TOPIC, "complaint", "queued"),
        # Asked for.
        (NEW, "talk_to_human", ESCALATE, EscalationReason.ASKED, "talk_to_human", "queued"),
        # Not understood once, and twice in a row.
        (NEW, OUT_OF_SCOPE, ASK, None, None, "not_understood"),
        (MISSED, OUT_OF_SCOPE, ESCALATE, EscalationReason.NOT_UNDERSTOOD, None, "queued_unsure"),
        # Sure of a topic that has no answer: still nothing is guessed.
        (NEW, "brand_new_topic", ESCALATE, EscalationReason.NOT_UNDERSTOOD, None, "queued_unsure"),
        # Yes and no depend on what is open.
        (NEW, "deny", ANSWER, None, None, "what_else"),
        (ANSWERED, "deny", ESCALATE, EscalationReason.NOT_HELPED, None, "queued_not_helped"),
        (MISSED, "deny", ESCALATE, EscalationReason.NOT_UNDERSTOOD, None, "queued_unsure"),
        (NEW, "affirm", ANSWER, None, None, "what_else"),
        (ANSWERED, "affirm", ANSWER, None, None, "helped"),
        (MISSED, "affirm", ANSWER, None, None, "what_else"),
        (OFFERED_ONE, "affirm", ANSWER, None, "fee_reduce", None),
    ],
)
def test_decision_table(
    dialogue: DialogueState,
    intent: str,
    action: Action,
    reason: EscalationReason | None,
    topic: str | None,
    phrase: str | None,
) -> None:
    decision = POLICY.on_text(dialogue, heard("…", intent), THERE)
    assert (decision.action, decision.reason, decision.topic) == (action, reason, topic)
    assert first_said(decision) == (phrase and f"customer.{phrase}")


@pytest.mark.parametrize("intent", ["fee_explained", "deny", "affirm"])
def test_what_the_engine_is_not_sure_of_is_never_acted_upon(intent: str) -> None:
    message = heard("…", predicted(intent, 0.3, sure=False))
    decision = POLICY.on_text(NEW, message, THERE)
    assert (decision.action, first_said(decision), decision.understood) == (ASK, "customer.ask_back", False)
    assert POLICY.on_text(MISSED, message, THERE).action is ESCALATE


def test_the_nearest_topics_are_offered_and_only_topics() -> None:
    decision = POLICY.on_text(NEW, heard("…", predicted("fee_reduce", 0.3, sure=False)), THERE)
    assert decision.offers == ("fee_reduce", "fee_explained")


def test_only_near_topics_are_offered() -> None:
    ranking = (Ranked("fee_reduce", 0.5), Ranked("fee_explained", 0.2), Ranked("identity_verification", 0.01))
    message = heard("…", Prediction("…", "fee_reduce", 0.5, ranking, sure=False))
    assert POLICY.on_text(NEW, message, THERE).offers == ("fee_reduce", "fee_explained")


@pytest.mark.parametrize(("intent", "phrase"), [(OUT_OF_SCOPE, "outside"), ("greet", "ask_again")])
def test_without_a_near_topic_none_is_offered(intent: str, phrase: str) -> None:
    ranking = (Ranked(intent, 0.6), Ranked("fee_explained", 0.01))
    decision = POLICY.on_text(NEW, heard("…", Prediction("…", intent, 0.6, ranking, sure=False)), THERE)
    assert (decision.action, first_said(decision), decision.offers) == (ASK, f"customer.{phrase}", ())


# --- by cost ------------------------------------------------------------------------------------------


def test_a_likely_theft_goes_to_a_person_long_before_it_is_sure() -> None:
    decision = POLICY.on_text(NEW, heard("…", unsure(fee_explained=0.4, funds_stolen=0.3, fee_reduce=0.2)), THERE)
    assert (decision.action, decision.priority, decision.about) == (ESCALATE, Priority.URGENT, "funds_stolen")
    decision = POLICY.on_text(NEW, heard("…", unsure(fee_explained=0.5, funds_stolen=0.03, fee_reduce=0.4)), THERE)
    assert decision.action is ASK


def test_topics_for_people_count_together() -> None:
    together = heard("…", unsure(complaint=0.3, funds_stolen=0.2, fee_explained=0.3))
    assert POLICY.on_text(NEW, together, THERE).action is ESCALATE


@pytest.mark.parametrize(
    ("likely", "about", "reason"),
    [
        # The likeliest, though another is what made a person cheaper.
        ({"password_reset": 0.5, "complaint": 0.45}, "password_reset", EscalationReason.NOT_UNDERSTOOD),
        ({"complaint": 0.5, "password_reset": 0.45}, "complaint", EscalationReason.TOPIC),
        # What cannot wait goes before what is likelier; a greeting is no topic.
        ({"password_reset": 0.5, "funds_stolen": 0.4}, "funds_stolen", EscalationReason.TOPIC),
        ({"greet": 0.5, "complaint": 0.45}, None, EscalationReason.NOT_UNDERSTOOD),
    ],
)
def test_a_handover_is_named_after_what_is_meant(
    likely: dict[str, float], about: str | None, reason: EscalationReason
) -> None:
    decision = POLICY.on_text(NEW, heard("…", unsure(**likely)), THERE)
    assert (decision.action, decision.about or decision.topic, decision.reason) == (ESCALATE, about, reason)


def test_siblings_count_together() -> None:
    """It does not matter which of the topics is meant that begin one procedure."""
    decision = POLICY.on_text(NEW, heard("…", unsure(transfer_delay=0.5, transaction_status=0.46)), THERE)
    assert (decision.action, decision.procedure, decision.steps) == (ANSWER, "money_missing", ("record",))
    assert POLICY.on_text(NEW, heard("…", unsure(fee_explained=0.5, fee_reduce=0.46)), THERE).action is ASK


@pytest.mark.parametrize("text", ["i will kill myself", "钱没了 我不想活了"])
@pytest.mark.parametrize("queued", [False, True])
def test_a_person_in_danger_gets_no_menu(text: str, queued: bool) -> None:
    decision = POLICY.on_text(NEW, heard(text, "transfer_delay"), THERE, queued=queued)
    assert decision.topic == "person_in_danger"
    assert decision.priority is Priority.URGENT
    assert decision.escalates or decision.urges
    assert (decision.offers, decision.extra, decision.asks_whether_it_helped) == ((), (), False)


def test_danger_is_taken_from_the_engine_too() -> None:
    decision = POLICY.on_text(NEW, heard("…", unsure(complaint=0.5, person_in_danger=0.3)), THERE)
    assert (decision.reason, decision.topic) == (EscalationReason.DANGER, "person_in_danger")


# --- several at once, and details alone ---------------------------------------------------------------


def test_of_several_problems_the_gravest_comes_first_and_none_is_dropped() -> None:
    talk = Talk()
    message = heard("…", "fee_explained")
    parts = (predicted("fee_explained"), predicted("suspicious_login"))
    decision = POLICY.on_text(talk.state, replace(message, parts=parts), THERE)
    assert (decision.topic, decision.offers, decision.later) == (
        "suspicious_login",
        ("fee_explained",),
        ("fee_explained",),
    )
    talk.state = DialogueState(topic="suspicious_login", told=("suspicious_login",), later=("fee_explained",))
    taken_up = talk.says("yes", "affirm")
    assert (taken_up.topic, taken_up.opening, talk.state.later) == (
        "fee_explained",
        (Said("customer.next_topic"),),
        (),
    )


def test_of_several_parts_the_one_that_is_clear_is_answered() -> None:
    unclear = unsure(fee_reduce=0.3, identity_verification=0.2)
    message = replace(heard("…", unclear), parts=(predicted("fee_explained"), unclear))
    assert POLICY.on_text(NEW, message, THERE).topic == "fee_explained"


def test_a_bare_hash_begins_what_it_is_sent_for() -> None:
    decision = Talk().says(HASH.value, None, HASH)
    assert (decision.action, decision.about, decision.details) == (ESCALATE, "transaction_status", (HASH,))
    ticket = Talk().says("73906", None, TICKET)
    assert (ticket.action, ticket.topic) == (Action.COLLECT, "ticket_status")


def test_another_bare_detail_is_kept_and_asked_about_once() -> None:
    talk = Talk()
    asked = talk.says("300u", None, AMOUNT)
    assert (asked.action, first_said(asked), asked.details) == (ASK, "customer.what_about", (AMOUNT,))
    assert talk.says("300u", None, AMOUNT).reason is EscalationReason.COLLECTED


# --- asked for a person -------------------------------------------------------------------------------


def test_urgent_topics_go_to_the_front() -> None:
    assert POLICY.on_text(NEW, heard("…", "funds_stolen"), THERE).priority is Priority.URGENT
    assert POLICY.on_text(NEW, heard("…", "complaint"), THERE).priority is Priority.HIGH
    assert POLICY.on_human_asked(THERE).priority is Priority.NORMAL


@pytest.mark.parametrize("text", ["let me talk to a real person", "转人工"])
def test_a_wish_for_a_person_is_never_argued_with(text: str) -> None:
    assert POLICY.on_text(NEW, heard(text, "fee_explained"), THERE).reason is EscalationReason.ASKED
    in_a_story = "your 人工 never answers, i have been waiting for my transfer for days"
    assert POLICY.on_text(NEW, heard(in_a_story, "transfer_delay"), THERE).action is ANSWER


def test_who_is_handed_over_is_told_what_to_expect() -> None:
    keys = [said.key for said in POLICY.on_human_asked(THERE).says]
    assert keys == ["customer.queued", "customer.expect_place", "customer.expect_wait"]
    [_, back] = POLICY.on_human_asked(AWAY).says
    assert (back.key, back.values) == ("customer.expect_back", {"at": AWAY.back_at})


def test_an_answer_that_did_not_help_keeps_its_topics_priority() -> None:
    nothing = heard("")
    assert POLICY.on_helped(ANSWERED_URGENT, False, nothing, THERE).priority is Priority.HIGH
    assert POLICY.on_helped(ANSWERED, False, nothing, THERE).reason is EscalationReason.NOT_HELPED
    assert POLICY.on_helped(ANSWERED, True, nothing, THERE) == Decision(ANSWER, says=(Said("customer.helped"),))
    assert POLICY.on_helped(NEW, True, nothing, THERE).action is Action.SILENT


def test_commands() -> None:
    assert first_said(POLICY.on_command(Command.START, THERE)) == "customer.welcome"
    assert first_said(POLICY.on_command(Command.HELP, THERE)) == "customer.help"
    assert POLICY.on_command(Command.HUMAN, THERE) == POLICY.on_human_asked(THERE)


def test_every_failure_becomes_a_handoff() -> None:
    assert POLICY.on_engine_unavailable(heard("…"), THERE).reason is EscalationReason.ENGINE_UNAVAILABLE
    assert POLICY.on_turn_failed(THERE).reason is EscalationReason.TURN_FAILED
    for failed in (
        POLICY.on_engine_unavailable(heard("…"), THERE, queued=True),
        POLICY.on_turn_failed(THERE, queued=True),
    ):
        assert first_said(failed) == "customer.waiting_noted"
