"""A small policy for tests: some topics, one procedure, cues in two languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.conversation import Priority
from bot.domain.costs import default_costs
from bot.domain.cues import Cue, Cues
from bot.domain.decision import Decision, Handoff, transition
from bot.domain.dialogue import Ask, DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.forms import Detail, Kind
from bot.domain.heard import Heard
from bot.domain.procedure import Choice, Condition, End, Procedure, Step
from bot.domain.situation import Situation
from handoff.policy import Policy, Topic

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
THERE = Situation(NOW, wait=timedelta(minutes=5))
AWAY = Situation(NOW, open=False, on_duty=0, back_at=NOW + timedelta(hours=8))

HASH = Detail(Kind.HASH, "0x" + "ab" * 32, 0, 66, ("ethereum",))
TICKET = Detail(Kind.TICKET, "73906", 0, 5)
AMOUNT = Detail(Kind.AMOUNT, "300 USDT", 0, 4)

MONEY = Procedure(
    "money_missing",
    {"en": "Money has not arrived"},
    ("transfer_delay", "transaction_status"),
    "record",
    {
        "record": Step(
            "record",
            {"en": "What does the record say?"},
            when=(Condition("look", has=frozenset({Kind.HASH})),),
            asks=(Ask.HASH,),
            then="look",
            lacking="no_hash",
            choices=(
                Choice("pending", {"en": "Confirming"}, ("pending", "确认中"), frozenset({"cancel_transfer"})),
                Choice("no_hash", {"en": "Nothing"}, ("no record",), yes=False),
            ),
        ),
        "pending": Step("pending", {"en": "Wait, or speed it up."}, ends=End.SOLVED),
        "no_hash": Step("no_hash", {"en": "It was not sent."}, ends=End.SOLVED),
        "look": Step("look", {"en": "A person looks it up."}, ends=End.PERSON),
    },
)


def topic(handoff: Handoff, priority: Priority, **others: Any) -> Topic:
    """With the costs of a topic whose content names none."""
    return Topic(handoff, priority, costs=default_costs(handoff, priority), **others)


TOPICS = {
    "fee_explained": topic(Handoff.OFFER, Priority.NORMAL),
    "fee_reduce": topic(Handoff.NEVER, Priority.NORMAL),
    "identity_verification": topic(
        Handoff.OFFER, Priority.NORMAL, asks=(Ask.WORDS,), follow_ups=frozenset({Cue.HOW_LONG})
    ),
    "password_reset": topic(Handoff.OFFER, Priority.NORMAL),
    "ticket_status": topic(Handoff.OFFER, Priority.NORMAL, asks=(Ask.TICKET,)),
    "transfer_delay": topic(Handoff.OFFER, Priority.NORMAL),
    "transaction_status": topic(Handoff.OFFER, Priority.NORMAL),
    "suspicious_login": topic(Handoff.OFFER, Priority.HIGH),
    "funds_stolen": topic(Handoff.ALWAYS, Priority.URGENT),
    "person_in_danger": topic(Handoff.ALWAYS, Priority.URGENT),
    "complaint": topic(Handoff.ALWAYS, Priority.HIGH),
    "talk_to_human": topic(Handoff.ALWAYS, Priority.NORMAL),
    "greet": topic(Handoff.NEVER, Priority.NORMAL),
    "thanks": topic(Handoff.NEVER, Priority.NORMAL),
}

CUES = Cues(
    {
        Cue.GOES_ON: ("but", "不过"),
        Cue.DONE_ALL: ("did all that", "都试过了"),
        Cue.STILL_NOT: ("still not", "还是不行"),
        Cue.WHAT_NEXT: ("then what", "然后呢"),
        Cue.GIVEN: ("already sent", "发过了"),
        Cue.LACKS: ("don't have", "没有哈希"),
        Cue.HOW_LONG: ("how long", "多久"),
        Cue.NAMES: ("transfers",),
        Cue.ALSO: ("also", "另外"),
        Cue.CANCEL: ("never mind", "不用了"),
        Cue.WAITING: ("anyone there", "有人吗"),
        Cue.HUMAN: ("real person", "人工"),
        Cue.DO_IT: ("do it for me",),
        Cue.FINE: ("works fine",),
        Cue.DANGER: ("kill myself", "不想活"),
        Cue.CLOSES: ("it arrived", "到账了"),
    }
)

POLICY = Policy(TOPICS, {"money_missing": MONEY}, CUES)


def predicted(intent: str, confidence: float = 0.9, *, sure: bool = True, rest: float = 0.06) -> Prediction:
    """``intent`` first, and some others behind it."""
    others = ("greet", "fee_explained", "fee_reduce", "deny")
    ranking = [Ranked(intent, confidence), *(Ranked(name, rest) for name in others if name != intent)]
    return Prediction("…", intent, confidence, tuple(ranking), sure=sure and intent != OUT_OF_SCOPE)


def unsure(**likely: float) -> Prediction:
    """What the engine would not act on by itself, by intent."""
    ranking = sorted((Ranked(name, p) for name, p in likely.items()), key=lambda ranked: -ranked.confidence)
    return Prediction("…", ranking[0].name, ranking[0].confidence, tuple(ranking), sure=False)


def heard(text: str, meant: str | Prediction | None = None, *details: Detail) -> Heard:
    """A message; ``meant`` is what the engine surely makes of it, or its whole prediction."""
    prediction = predicted(meant) if isinstance(meant, str) else meant
    return Heard(text, prediction, details=details, known=details)


class Talk:
    """A conversation with the policy: its decisions, and what is open after each."""

    def __init__(self, policy: Policy = POLICY, situation: Situation = THERE) -> None:
        self.policy = policy
        self.situation = situation
        self.state = DialogueState()
        self.queued = False
        self._known: tuple[Detail, ...] = ()

    def says(self, text: str, meant: str | Prediction | None = None, *details: Detail) -> Decision:
        self._known = (*self._known, *details)
        prediction = predicted(meant) if isinstance(meant, str) else meant
        message = Heard(text, prediction, details=details, known=self._known)
        return self._after(self.policy.on_text(self.state, message, self.situation, queued=self.queued))

    def presses(self, payload: str) -> Decision:
        nothing = Heard("", known=self._known)
        if payload.startswith("topic:"):
            name = payload.removeprefix("topic:")
            return self._after(self.policy.on_topic(name, self.state, nothing, self.situation, queued=self.queued))
        return self._after(self.policy.on_step(payload, self.state, nothing, self.situation, queued=self.queued))

    def _after(self, decision: Decision) -> Decision:
        self.state = transition(self.state, decision, 1)
        self.queued = (self.queued or decision.escalates) and not decision.leaves_queue
        return decision
