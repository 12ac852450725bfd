"""What each mistake with a topic costs: the policy does what is expected to cost least.

The unit is one handover that nobody needed: a person's minutes, and a customer's wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.conversation import Priority
from bot.domain.decision import Handoff


@dataclass(frozen=True, slots=True)
class Costs:
    wrong: float = 2.4
    """The answer is given to somebody who asked something else."""
    needless: float = 1.0
    """A person is asked for where the answer would have done."""
    missed: float = 0.0
    """No person is asked for where this topic needs one."""


def default_costs(handoff: Handoff, priority: Priority) -> Costs:
    """For a topic whose content names none: the more urgent, the worse it is missed and the less a handover costs."""
    if handoff is Handoff.ALWAYS:
        urgent = priority is Priority.URGENT
        return Costs(wrong=3.0 if urgent else 4.0, needless=0.0, missed=8.0 if urgent else 3.0)
    if handoff is Handoff.NEVER:
        return Costs(wrong=3.2)
    return Costs()
