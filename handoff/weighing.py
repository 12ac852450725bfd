"""What the engine's ranking is worth: the expected cost of each thing that the bot could do.

Each topic has the cost of a wrong answer, of a needless handover and of a missed one (``bot.domain.costs``). Sibling
topics, which begin one procedure, count together: it does not matter which of them is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from bot.domain.conversation import Priority
from bot.domain.costs import Costs
from bot.domain.cues import Cue
from bot.domain.decision import Handoff
from bot.domain.dialogue import Ask
from bot.domain.engine import OUT_OF_SCOPE, Prediction

ASKING_BACK = 0.6
"""What a question back costs the customer, in handovers nobody needed."""
FIRST_QUESTION = 0.6
"""The share of a wrong answer that the beginning of a wrong procedure costs: it asks before it tells."""
DELAY = 0.5
"""The share of a missed handover that a question back costs: the person comes a message later."""
NAMED = 0.15
"""A handover for a topic that may be meant is named after it from this probability on."""
UNKNOWN = Costs(wrong=6.0, needless=1.0)
"""Of what is no topic: a person is what it gets in the end."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What the policy must know of a topic."""

    handoff: Handoff
    priority: Priority
    asks: tuple[Ask, ...] = ()
    costs: Costs = Costs()  # noqa: RUF009 (frozen)
    follow_ups: frozenset[Cue] = frozenset()
    """What may be asked right after its answer."""


class Act(Enum):
    ANSWER = auto()
    """The best topic, or its family's procedure; a topic that always goes to a person goes there."""
    ASK_BACK = auto()
    HAND_OVER = auto()


@dataclass(frozen=True, slots=True)
class Weighed:
    act: Act
    topic: str | None
    """The likeliest topic of what is done; None where no topic is known."""
    cost: float


def weigh(
    prediction: Prediction, topics: Mapping[str, Topic], families: Mapping[str, str], *, may_ask_back: bool = True
) -> Weighed:
    """The cheapest act. ``families`` names the procedure that a topic begins."""
    likely = {ranked.name: max(0.0, ranked.confidence) for ranked in prediction.ranking}
    likely.setdefault(prediction.intent, prediction.confidence)
    rest = max(0.0, 1.0 - sum(likely.values()))
    missed = {name: p * topics[name].costs.missed for name, p in likely.items() if name in topics}
    if prediction.sure and prediction.intent != OUT_OF_SCOPE:
        return Weighed(Act.ANSWER, prediction.intent, 0.0)
    options = [_handed_over(likely, rest, topics)]
    if may_ask_back:
        options.append(Weighed(Act.ASK_BACK, None, ASKING_BACK + DELAY * sum(missed.values())))
    groups: dict[str, list[str]] = {}
    for name in likely:
        if name in topics:
            groups.setdefault(families.get(name, name), []).append(name)
    for group, members in groups.items():
        meant = sum(likely[name] for name in members)
        best = max(members, key=lambda name: likely[name])
        others = sum(cost for name, cost in missed.items() if name not in members)
        wrong = max(topics[name].costs.wrong for name in members)
        wrong *= FIRST_QUESTION if group in families.values() else 1.0
        options.append(Weighed(Act.ANSWER, best, (1 - meant) * wrong + others))
    return min(options, key=lambda option: option.cost)


def _handed_over(likely: Mapping[str, float], rest: float, topics: Mapping[str, Topic]) -> Weighed:
    needless = sum(p * topics.get(name, _UNKNOWN_TOPIC).costs.needless for name, p in likely.items())
    meant = {name: p for name, p in likely.items() if name in topics and p >= NAMED}
    # What cannot wait is named even where something else is likelier.
    urgent = {name: p for name, p in meant.items() if topics[name].priority is Priority.URGENT}
    best = max(urgent or meant, key=lambda name: likely[name], default=None)
    return Weighed(Act.HAND_OVER, best, needless + rest * UNKNOWN.needless)


_UNKNOWN_TOPIC = Topic(Handoff.OFFER, Priority.NORMAL, costs=UNKNOWN)
