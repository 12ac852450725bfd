"""From where an agent's act is done, for its event: said once around a whole request, so that no act can forget it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bot.domain.history import ActorKind, HistoryEvent

_address: ContextVar[str | None] = ContextVar("address", default=None)


@contextmanager
def acts_from(address: str | None) -> Iterator[None]:
    """Events of what agents do within it, and in tasks that it begins, have this address unless they say another."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


def address_of(happened: HistoryEvent) -> str | None:
    """The event's own address, else that of the request in which an agent did it. Customers' are not kept."""
    if happened.address is None and happened.actor.kind is ActorKind.AGENT:
        return _address.get()
    return happened.address
