"""What can be recognised by its form: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a detail is."""

    HASH = "hash"
    ADDRESS = "address"
    AMOUNT = "amount"
    COIN = "coin"
    NETWORK = "network"
    TIME = "time"
    DURATION = "duration"
    TICKET = "ticket"
    VERSION = "version"
    SYSTEM = "system"
    DEVICE = "device"
    MAILBOX = "mailbox"
    PHONE = "phone"
    EXCHANGE = "exchange"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that a customer's text states, and where it stands.

    ``value`` is what an agent copies: an address as its chain writes it, ``300 USDT``, ``2 h``, ``5.0.172``; a time is
    kept in the customer's words. ``chains`` are those that a hash or an address fits, likeliest first, and the one that
    a network is. Where ``valid`` is False it looks like one, and its checksum or length is wrong: a typo, or half
    of it. ``minutes`` is a duration's length, or how long ago a time is, where that can be said without a calendar.

    An amount with a coin is two details side by side: ``0.35`` (value ``0.35 ETH``) and ``eth``.
    """

    kind: Kind
    value: str
    start: int
    end: int
    chains: tuple[str, ...] = ()
    valid: bool = True
    minutes: int | None = None


PLACEHOLDERS: Mapping[Kind, str] = {
    Kind.HASH: "[hash]",
    Kind.ADDRESS: "[address]",
    Kind.MAILBOX: "[mail]",
    Kind.TICKET: "[ticket]",
    Kind.PHONE: "[phone]",
}
"""What stands in a masked text for details that say nothing of what a customer wants."""

NUMBER = "[number]"
"""What stands there for any other number of seven digits or more."""
