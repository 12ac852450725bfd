"""What the bot has open with a customer: plain data. ``bot.domain.decision.transition`` is what changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.forms import Kind
from bot.domain.situation import Expectation


class Ask(StrEnum):
    """What an answer or a step asks the customer for (``asks`` of the content)."""

    HASH = "hash"
    ADDRESS = "address"
    TICKET = "ticket"
    DEVICE = "device"
    AMOUNT = "amount"
    TIME = "time"
    VERSION = "version"
    MAILBOX = "mailbox"
    WORDS = "words"
    YES_NO = "yes_no"

    @property
    def kinds(self) -> frozenset[Kind]:
        """The details that give what is asked for; none where any words do."""
        return _KINDS.get(self, frozenset())


_KINDS: Mapping[Ask, frozenset[Kind]] = {
    Ask.HASH: frozenset({Kind.HASH}),
    Ask.ADDRESS: frozenset({Kind.ADDRESS}),
    Ask.TICKET: frozenset({Kind.TICKET}),
    Ask.DEVICE: frozenset({Kind.DEVICE, Kind.SYSTEM, Kind.VERSION}),
    Ask.AMOUNT: frozenset({Kind.AMOUNT}),
    Ask.TIME: frozenset({Kind.TIME, Kind.DURATION}),
    Ask.VERSION: frozenset({Kind.VERSION}),
    Ask.MAILBOX: frozenset({Kind.MAILBOX}),
}

TOLD_AT_MOST = 60
"""Topics and steps remembered as said; a conversation that is told more begins to forget the first."""


@dataclass(frozen=True, slots=True)
class DialogueState:
    """The bot's memory of a conversation. It stays while the customer waits for a person, and begins anew after one
    had the conversation."""

    misses: int = 0
    """Turns in a row that were not understood."""
    topic: str | None = None
    """What the customer was last answered about, while "did it help" is open."""
    offered: tuple[str, ...] = ()
    """The topics of the last question back, nearest first."""
    asks: tuple[Ask, ...] = ()
    """What the last answer or step asked for, and is not there yet."""
    procedure: str | None = None
    step: str | None = None
    """Where in the procedure the customer is: the step that was said last."""
    told: tuple[str, ...] = ()
    """Topics (``transfer_delay``) and steps (``money_missing.pending``) whose words were said: never said again."""
    later: tuple[str, ...] = ()
    """Other topics that the customer named, to be taken up when the first is done."""
    gathered: tuple[int, ...] = ()
    """Messages that had no answer of their own: they are read together with the next."""
    unread: tuple[int, ...] = ()
    """Messages that were not understood: the next is also read together with them."""
    opened_by: int | None = None
    """The customer's message that the open topic began with: what is not understood is also read together with it."""
    noted: str = ""
    """When the waiting customer was last told that what they wrote is kept, as ISO 8601."""
    told_at: str = ""
    """When the waiting customer was last told how long it takes, as ISO 8601."""
    told_until: str = ""
    """The end of the wait that they were told, as ISO 8601; empty where no time was said."""

    @property
    def is_open(self) -> bool:
        """Whether something was answered or asked that the next words may be about."""
        return self.topic is not None or self.procedure is not None

    @property
    def asked_kinds(self) -> frozenset[Kind]:
        return frozenset().union(*(ask.kinds for ask in self.asks))

    @property
    def expectation(self) -> Expectation | None:
        """What the waiting customer was told about when a person comes; None where nothing was."""
        if not self.told_at:
            return None
        until = datetime.fromisoformat(self.told_until) if self.told_until else None
        return Expectation(datetime.fromisoformat(self.told_at), until)

    def expecting(self, told: Expectation | None) -> DialogueState:
        """The same where nothing was told; else the customer now expects that."""
        if told is None:
            return self
        until = "" if told.until is None else told.until.isoformat()
        return replace(self, told_at=told.told_at.isoformat(), told_until=until)

    def closed(self) -> DialogueState:
        """The same with nothing open; what was told stays told."""
        return replace(DialogueState(), told=self.told, later=self.later)

    @property
    def as_json(self) -> dict[str, Any]:
        """What differs from a new state; ``from_json`` reads it."""
        new = DialogueState()
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value != getattr(new, name)
        }


def from_json(kept: Mapping[str, Any]) -> DialogueState:
    """Takes also what another version kept: names it does not know are passed over."""
    known = {field.name for field in fields(DialogueState)}
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.items() if name in known}
    if "asks" in values:
        values["asks"] = tuple(Ask(ask) for ask in values["asks"] if ask in set(Ask))
    return DialogueState(**values)
