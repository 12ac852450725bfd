"""What the bot has open with a customer, once a decision is carried out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.conversation import EscalationReason
from bot.domain.cues import Cue
from bot.domain.decision import Action, Decision, transition
from bot.domain.dialogue import TOLD_AT_MOST, Ask, DialogueState, from_json

OPEN = DialogueState(1, "fee_explained", ("fee_reduce",), (Ask.HASH,), told=("fee_explained",), later=("complaint",))
ANSWER = Decision(Action.ANSWER, topic="transfer_delay", asks=(Ask.HASH, Ask.TIME))
STEP = Decision(Action.ANSWER, procedure="money", steps=("record", "ask"), about="transfer_delay")
ASK_BACK = Decision(Action.ASK_BACK, offers=("fee_reduce", "fee_explained"), understood=False)
ESCALATE = Decision(Action.ESCALATE, topic="talk_to_human", reason=EscalationReason.ASKED)
TOLD = ("fee_explained", "transfer_delay")


@pytest.mark.parametrize(
    ("decision", "after"),
    [
        (ANSWER, DialogueState(0, "transfer_delay", (), ANSWER.asks, told=TOLD, later=("complaint",), opened_by=7)),
        (replace(ANSWER, keeps_dialogue=True), replace(OPEN, misses=0)),
        (replace(ANSWER, resumes=True), replace(OPEN, misses=0, told=TOLD)),
        (
            replace(ANSWER, later=("refund",)),
            DialogueState(0, "transfer_delay", (), ANSWER.asks, told=TOLD, later=("refund",), opened_by=7),
        ),
        (
            STEP,
            DialogueState(
                0,
                "transfer_delay",
                procedure="money",
                step="ask",
                told=("fee_explained", "money.record", "money.ask"),
                later=("complaint",),
                opened_by=7,
            ),
        ),
        (ASK_BACK, replace(OPEN, misses=2, offered=ASK_BACK.offers, unread=(7,))),
        (replace(ASK_BACK, keeps_dialogue=True), replace(OPEN, misses=2, unread=(7,))),
        (Decision(Action.SILENT), OPEN),
        (Decision(Action.SILENT, gathers=True), replace(OPEN, gathered=(7,))),
        (ESCALATE, DialogueState(topic="talk_to_human", told=("fee_explained", "talk_to_human"), later=OPEN.later)),
        (Decision(Action.ANSWER, leaves_queue=True), DialogueState(told=OPEN.told, later=OPEN.later)),
    ],
)
def test_what_is_open_after_a_decision(decision: Decision, after: DialogueState) -> None:
    assert transition(OPEN, decision, 7) == after


def test_a_follow_up_is_remembered_as_told() -> None:
    said = Decision(Action.ANSWER, about="fee_explained", follow_up=Cue.HOW_LONG, resumes=True)
    assert transition(OPEN, said).told == ("fee_explained", "fee_explained+how_long")


def test_what_was_gathered_is_read_once() -> None:
    waiting = transition(transition(OPEN, Decision(Action.SILENT, gathers=True), 7), ASK_BACK, 8)
    assert waiting.gathered == ()


def test_misses_are_counted_in_a_row() -> None:
    state = DialogueState()
    for decision, misses in ((ASK_BACK, 1), (ASK_BACK, 2), (ANSWER, 0), (ASK_BACK, 1)):
        state = transition(state, decision)
        assert state.misses == misses


def test_memory_is_bounded() -> None:
    state = DialogueState()
    for number in range(TOLD_AT_MOST * 2):
        state = transition(state, Decision(Action.ANSWER, topic=f"topic_{number}"))
    assert len(state.told) == TOLD_AT_MOST
    assert state.told[-1] == f"topic_{TOLD_AT_MOST * 2 - 1}"


def test_it_is_kept_as_what_differs_and_read_by_other_versions() -> None:
    assert DialogueState().as_json == {}
    assert from_json(OPEN.as_json) == OPEN
    assert from_json({**OPEN.as_json, "invented_later": [1], "asks": ["hash", "invented_later"]}) == OPEN
