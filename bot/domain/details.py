"""The details of a conversation: what a customer told in a form of its own. Pure functions over ``forms.Detail``."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.forms import Detail, Kind

AT_MOST = 50
"""Kept of one conversation; who sends more of them is no customer with a problem."""

FIRST = (
    Kind.HASH,
    Kind.TICKET,
    Kind.ADDRESS,
    Kind.AMOUNT,
    Kind.COIN,
    Kind.NETWORK,
    Kind.EXCHANGE,
    Kind.TIME,
    Kind.DURATION,
)
"""The order in which agents read them; the others follow."""


def merged(known: Iterable[Detail], new: Iterable[Detail]) -> tuple[Detail, ...]:
    """Each once, in the order told. Of what is told in a better form (with its checksum right) that one stays."""
    found: dict[tuple[Kind, str], Detail] = {}
    for detail in (*known, *new):
        key = (detail.kind, detail.value)
        before = found.get(key)
        if before is None or (detail.valid and not before.valid):
            found[key] = detail
    return tuple(found.values())[:AT_MOST]


def in_order(details: Iterable[Detail]) -> list[Detail]:
    """For agents: what identifies the case first."""
    return sorted(details, key=lambda detail: FIRST.index(detail.kind) if detail.kind in FIRST else len(FIRST))
