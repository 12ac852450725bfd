"""A customer has shared a secret: here, where it was removed, or elsewhere, which they tell. Pure functions.

Who has a seed phrase, a private key or an exchange's API secret has the funds: the customer reads what to do now before
anything else, and a person sees them first. After a password, a code or a number they are warned, and served as usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.cues import Cue, Cues
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import Ask, DialogueState
from bot.domain.said import Said
from bot.domain.secret import OPENS_WALLETS, Removed, SecretKind, TheirCopy
from bot.domain.situation import Situation
from handoff.escalation import escalate, expectation

TOLD = "funds_at_risk"
"""Remembered in ``DialogueState.told`` once the customer was told what to do."""


def warnings(removed: Sequence[Removed], theirs: TheirCopy) -> tuple[Said, ...]:
    """What was removed and why, then what to do with their own copy."""
    said = [Said("customer.removed.doubtful" if one.doubtful else f"customer.removed.{one.kind}") for one in removed]
    if theirs is not TheirCopy.NONE:
        said.append(Said(f"customer.removed.copy_{theirs}"))
    return tuple(said)


def on_removed(
    removed: Sequence[Removed], state: ConversationState, situation: Situation, theirs: TheirCopy
) -> Decision:
    """The message held what surely opens somebody's funds."""
    return _funds_at_risk((*warnings(removed, theirs), *_steps(one.kind for one in removed)), state, situation)


def warned(
    decision: Decision | None,
    removed: Sequence[Removed],
    state: ConversationState,
    situation: Situation,
    theirs: TheirCopy,
) -> Decision:
    """The message held a secret of another sort. The warning comes before what the rest of it comes to; alone where
    that is nothing, or a question back: half a message is easily misread."""
    says = warnings(removed, theirs)
    asks = (Ask.HASH,) if any(one.doubtful for one in removed) else ()
    if decision is not None and decision.understood and decision.action is not Action.SILENT and not decision.may_wait:
        return replace(decision, opening=(*says, *decision.opening), asks_too=asks)
    if state is ConversationState.QUEUED:
        says = (*says, Said("customer.already_queued"), *expectation(situation))
    details = () if decision is None else decision.details
    return Decision(Action.ANSWER, says=says, asks_too=asks, details=details, keeps_dialogue=True)


def told_in_words(cues: Cues, text: str) -> bool:
    """Whether the customer says that somebody else has their phrase or key ("I already gave him my phrase")."""
    return cues.has(Cue.SECRET, text) and any(_tells_so(cues, clause) for clause in cues.clauses(text))


def _tells_so(cues: Cues, clause: str) -> bool:
    has = partial(cues.has, text=clause)
    given = has(Cue.GAVE) or (has(Cue.ENTERED) and has(Cue.ELSEWHERE))
    return given and has(Cue.SECRET) and not has(Cue.NOT_DONE)


def on_told(state: DialogueState, situation: Situation, *, queued: bool) -> Decision:
    """They say so in words alone: the same case."""
    said = () if TOLD in state.told else (Said("customer.at_risk.given"), *_steps((SecretKind.SEED_PHRASE,)))
    return _funds_at_risk(said, ConversationState.QUEUED if queued else ConversationState.BOT, situation)


def _steps(kinds: Iterable[SecretKind]) -> tuple[Said, ...]:
    found = set(kinds)
    wallet = (Said("customer.at_risk.wallet"),) if found & OPENS_WALLETS else ()
    return (*wallet, Said("customer.at_risk.api")) if SecretKind.API_SECRET in found else wallet


def _funds_at_risk(said: Sequence[Said], state: ConversationState, situation: Situation) -> Decision:
    if state is ConversationState.BOT:
        return escalate(
            EscalationReason.FUNDS_AT_RISK,
            situation,
            phrase="customer.queued_urgent",
            priority=Priority.URGENT,
            opening=said,
            remembers=TOLD,
        )
    waits = state is ConversationState.QUEUED
    return Decision(
        Action.ANSWER,
        opening=tuple(said),
        says=(Said("customer.waiting_urgent"), *expectation(situation)) if waits else (),
        reason=EscalationReason.FUNDS_AT_RISK,
        priority=Priority.URGENT,
        # What is resolved waits for nobody any more.
        urges=waits or state is ConversationState.ASSIGNED,
        keeps_dialogue=True,
        remembers=TOLD,
        expects=situation.expectation if waits else None,
    )
