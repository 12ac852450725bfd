"""What the bot has open with a customer, once a decision is carried out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.conversation import EscalationReason
from bot.domain.decision import Action, Decision, transition
from bot.domain.dialogue import DialogueState

OPEN = DialogueState(1, "fee_explained", ("fee_reduce",))
ANSWER = Decision(Action.ANSWER, topic="transfer_delay")
ASK_BACK = Decision(Action.ASK_BACK, offers=("fee_reduce", "fee_explained"), understood=False)
ESCALATE = Decision(Action.ESCALATE, topic="talk_to_human", reason=EscalationReason.ASKED)


@pytest.mark.parametrize(
    ("decision", "after"),
    [
        (ANSWER, DialogueState(0, "transfer_delay", ())),
        (replace(ANSWER, topic=None), DialogueState(0, None, ())),
        (replace(ANSWER, keeps_dialogue=True), DialogueState(0, "fee_explained", ("fee_reduce",))),
        (ASK_BACK, DialogueState(2, None, ("fee_reduce", "fee_explained"))),
        (replace(ASK_BACK, keeps_dialogue=True), DialogueState(2, "fee_explained", ("fee_reduce",))),
        (ESCALATE, DialogueState()),
        (replace(ESCALATE, understood=False, offers=("fee_reduce",)), DialogueState()),
    ],
)
def test_what_is_open_after_a_decision(decision: Decision, after: DialogueState) -> None:
    assert transition(OPEN, decision) == after


def test_misses_are_counted_in_a_row() -> None:
    state = DialogueState()
    for decision, misses in ((ASK_BACK, 1), (ASK_BACK, 2), (ANSWER, 0), (ASK_BACK, 1)):
        state = transition(state, decision)
        assert state.misses == misses
