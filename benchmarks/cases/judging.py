"""What became of a customer's case: solved alone, solved with a person, handed over needlessly, unsolved or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks.cases.customer import CHECKED, Customer, Matter
from benchmarks.cases.desk import Desk
from benchmarks.cases.loading import World
from benchmarks.cases.model import Case, Message, Turn
from benchmarks.cases.reading import kept, right

Solved = Literal["alone", "person", "needless", "unsolved", "wrong"]
_TOO_LONG = 8
"""Steps after which nobody real would still be there."""
_AT_LENGTH = 6


@dataclass(frozen=True)
class Outcome:
    """One case on one desk."""

    case: str
    language: str
    kind: str
    cause: str
    topic: str
    solved: Solved
    why: str
    steps: int
    repeats: int
    asked_again: int
    foreign: int
    dialogue: tuple[tuple[Message, Turn | None], ...]

    def as_json(self) -> dict[str, Any]:
        shown = [
            {"customer": message, "desk": turn.model_dump(exclude_none=True) if turn else None}
            for message, turn in self.dialogue
        ]
        return {**asdict(self), "dialogue": shown}


def play(case: Case, desk: Desk, world: World, seed: int = 1) -> Outcome:
    """The whole dialogue of one customer. Raises DeskFailed."""
    customer = Customer(case, world, seed)
    messages: list[Message] = []
    dialogue: list[tuple[Message, Turn | None]] = []
    said: list[Message] | None = customer.opens()
    while said:
        messages += said
        turns = desk.answer(case.id, messages)[-len(said) :]
        dialogue += zip(said, turns, strict=True)
        said = customer.hears(turns)
        if customer.record.steps == _TOO_LONG:
            customer.leaves("too long")
            break
    solved, why = judge(customer)
    record = customer.record
    return Outcome(
        case=case.id,
        language=case.language,
        kind=case.kind,
        cause=case.cause,
        topic=world.causes[case.cause].topics[0],
        solved=solved,
        why=why,
        steps=record.steps,
        repeats=record.repeats,
        asked_again=record.asked_again,
        foreign=record.foreign,
        dialogue=tuple(dialogue),
    )


def judge(customer: Customer) -> tuple[Solved, str]:
    """What it came to, and why in a few words."""
    record = customer.record
    if record.false_sentence:
        return "wrong", record.false_sentence
    if record.menu:
        return "unsolved", "a menu for a person in danger"
    if record.handed_after_thanks:
        return "needless", "handed over after thanks"
    open_ones = [m for m in customer.matters if not m.let_go and (m.solved_at is None)]
    if record.handed_at is not None:
        return _with_a_person(customer, open_ones)
    if not open_ones:
        return "alone", ""
    return "unsolved", record.left or "no more to say"


def _with_a_person(customer: Customer, open_ones: Sequence[Matter]) -> tuple[Solved, str]:
    record = customer.record
    assert record.handed_at is not None
    if record.abandoned:
        return "unsolved", "abandoned while waiting"
    if record.unnoticed:
        return "unsolved", "danger not noticed while waiting"
    # What was told only after the handover came to a person who was there already.
    told = [m for m in open_ones if m.told_at is None or m.told_at <= record.handed_at] or list(open_ones)
    if any(_late(matter, record.handed_at) for matter in told):
        return "unsolved", "handed over too late"
    if any(m.cause.right and not right(m.heard, m.cause) for m in told if m.cause.person == "at_once"):
        return "unsolved", "handed over without a kind word"
    asked = record.asked_at is not None and record.asked_at <= record.handed_at
    if (
        not (asked or record.pushes or record.rephrased or record.lacked)
        and told
        and all(m.cause.person == "facts" for m in told)
    ):
        return "needless", "handed over unasked"
    must = {kind: value for kind, value in record.given.items() if kind in CHECKED}
    lost = [kind for kind, value in must.items() if not kept(value, kind, record.details)]
    if lost:
        return "unsolved", f"details lost: {', '.join(lost)}"
    return "person", ""


def _late(matter: Matter, handed_at: int) -> bool:
    needed = handed_at - (matter.told_at or handed_at) + 1
    if matter.cause.person == "at_once":
        return needed > 1
    return needed > (matter.cause.within if matter.cause.person == "needed" else _AT_LENGTH)
