"""The decision table: what is open, what the engine says → what the bot does."""

from __future__ import annotations

import pytest

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.message import Command
from handoff.policy import Policy, Topic

ANSWER, ASK, ESCALATE = Action.ANSWER, Action.ASK_BACK, Action.ESCALATE
NEW = DialogueState()
MISSED = DialogueState(misses=1, offered=("fee_reduce", "fee_explained"))
OFFERED_ONE = DialogueState(misses=1, offered=("fee_reduce",))
ANSWERED = DialogueState(last_answer="fee_explained")
ANSWERED_URGENT = DialogueState(last_answer="suspicious_login")

POLICY = Policy(
    {
        "fee_explained": Topic(Handoff.OFFER, Priority.NORMAL),
        "fee_reduce": Topic(Handoff.NEVER, Priority.NORMAL),
        "suspicious_login": Topic(Handoff.OFFER, Priority.HIGH),
        "funds_stolen": Topic(Handoff.ALWAYS, Priority.URGENT),
        "complaint": Topic(Handoff.ALWAYS, Priority.HIGH),
        "talk_to_human": Topic(Handoff.ALWAYS, Priority.NORMAL),
        "greet": Topic(Handoff.NEVER, Priority.NORMAL),
        "thanks": Topic(Handoff.NEVER, Priority.NORMAL),
    }
)


def predicted(intent: str, confidence: float = 0.9, *, sure: bool = True) -> Prediction:
    others = ("greet", "fee_explained", "fee_reduce", "deny", "complaint", "funds_stolen")
    ranking = [Ranked(intent, confidence), *(Ranked(name, 0.06) for name in others if name != intent)]
    return Prediction("…", intent, confidence, tuple(ranking), sure=sure and intent != OUT_OF_SCOPE)


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
        (ANSWERED, "deny", ESCALATE, EscalationReason.NOT_HELPED, None, "queued"),
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
    decision = POLICY.on_text(dialogue, predicted(intent))
    assert (decision.action, decision.reason, decision.topic) == (action, reason, topic)
    assert decision.phrase == (phrase and f"customer.{phrase}")


@pytest.mark.parametrize("intent", ["fee_explained", "talk_to_human", "deny", "affirm", "funds_stolen"])
def test_what_the_engine_is_not_sure_of_is_never_acted_upon(intent: str) -> None:
    decision = POLICY.on_text(NEW, predicted(intent, 0.3, sure=False))
    assert (decision.action, decision.phrase, decision.understood) == (ASK, "customer.ask_back", False)
    assert POLICY.on_text(MISSED, predicted(intent, 0.3, sure=False)).action is ESCALATE


def test_the_nearest_topics_are_offered_and_only_topics() -> None:
    decision = POLICY.on_text(NEW, predicted("fee_reduce", 0.3, sure=False))
    assert decision.offers == ("fee_reduce", "fee_explained", "complaint")


def test_only_near_topics_are_offered() -> None:
    ranking = (Ranked("fee_reduce", 0.5), Ranked("fee_explained", 0.2), Ranked("complaint", 0.01))
    decision = POLICY.on_text(NEW, Prediction("…", "fee_reduce", 0.5, ranking, sure=False))
    assert decision.offers == ("fee_reduce", "fee_explained")


@pytest.mark.parametrize(("intent", "phrase"), [(OUT_OF_SCOPE, "outside"), ("greet", "ask_again")])
def test_without_a_near_topic_none_is_offered(intent: str, phrase: str) -> None:
    ranking = (Ranked(intent, 0.6), Ranked("fee_explained", 0.01))
    decision = POLICY.on_text(NEW, Prediction("…", intent, 0.6, ranking, sure=False))
    assert (decision.action, decision.phrase, decision.offers) == (ASK, f"customer.{phrase}", ())


def test_urgent_topics_go_to_the_front() -> None:
    assert POLICY.on_text(NEW, predicted("funds_stolen")).priority is Priority.URGENT
    assert POLICY.on_text(NEW, predicted("complaint")).priority is Priority.HIGH
    assert POLICY.on_human_asked().priority is Priority.NORMAL


def test_an_answer_that_did_not_help_keeps_its_topics_priority() -> None:
    assert POLICY.on_helped(ANSWERED_URGENT, helped=False).priority is Priority.HIGH
    assert POLICY.on_helped(ANSWERED, helped=False).reason is EscalationReason.NOT_HELPED
    assert POLICY.on_helped(ANSWERED, helped=True) == Decision(ANSWER, phrase="customer.helped")


def test_small_talk_leaves_open_what_was_open() -> None:
    assert POLICY.on_text(ANSWERED, predicted("thanks")).keeps_dialogue
    assert not POLICY.on_text(ANSWERED, predicted("fee_reduce")).keeps_dialogue


def test_commands() -> None:
    assert POLICY.on_command(Command.START).phrase == "customer.welcome"
    assert POLICY.on_command(Command.HELP).phrase == "customer.help"
    assert POLICY.on_command(Command.HUMAN) == POLICY.on_human_asked()


def test_every_failure_becomes_a_handoff() -> None:
    assert POLICY.on_engine_unavailable().reason is EscalationReason.ENGINE_UNAVAILABLE
    assert POLICY.on_turn_failed().reason is EscalationReason.TURN_FAILED
    assert {POLICY.on_engine_unavailable().action, POLICY.on_turn_failed().action} == {ESCALATE}
