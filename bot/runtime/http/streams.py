"""How many event streams may be open at once, and whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.runtime import handles
from bot.runtime.http.limits import Limits, connections_for


class Audience(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"
    """Who has written to the desk."""
    STRANGER = "stranger"
    """Who has a cookie, as anybody may have any number of."""


class Streams:
    """Counts the open event streams of one process. Every audience has places of its own, so that strangers, however
    many, keep no customer out, and nobody keeps an agent out; and nobody alone can take them all."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Without ``limits``, by the file handles that this process may have."""
        self.limits = limits = limits or Limits(connections_for(handles.limit()))
        self._places = {
            Audience.AGENT: int(limits.connections * limits.agents),
            Audience.CUSTOMER: int(limits.connections * limits.customers),
            Audience.STRANGER: int(limits.connections * limits.strangers),
        }
        self._each = {
            Audience.AGENT: limits.streams_of_agent,
            Audience.CUSTOMER: limits.streams_of_visitor,
            Audience.STRANGER: limits.streams_of_visitor,
        }
        self.open: Counter[Audience] = Counter()
        self._of: dict[str, list[Audience]] = {}
        """By whose they are. What one has open at a time counts in one audience."""

    def to_agent(self, session: str, *, stream: Response, refusal: Response) -> Response:
        """``stream`` to one who is signed in, or ``refusal`` where there is no place for it when it is sent."""
        return _Placed(self._place(Audience.AGENT, f"agent {session}"), stream, refusal)

    def to_visitor(self, visitor: str, *, known: bool, stream: Response, refusal: Response) -> Response:
        """The same to a visitor; ``known`` is who has written to the desk."""
        audience = Audience.CUSTOMER if known else Audience.STRANGER
        return _Placed(self._place(audience, f"visitor {visitor}"), stream, refusal)

    def wrote(self, visitor: str) -> None:
        """A visitor who has written is a stranger no more: their streams count among the customers', where there is
        room."""
        theirs = self._of.get(f"visitor {visitor}", [])
        for index, audience in enumerate(theirs):
            if audience is Audience.STRANGER and self.open[Audience.CUSTOMER] < self._places[Audience.CUSTOMER]:
                self.open[Audience.STRANGER] -= 1
                self.open[Audience.CUSTOMER] += 1
                theirs[index] = Audience.CUSTOMER

    @contextmanager
    def _place(self, audience: Audience, key: str) -> Iterator[bool]:
        theirs = self._of.get(key, [])
        if self.open[audience] >= self._places[audience] or len(theirs) >= self._each[audience]:
            yield False
            return
        self.open[audience] += 1
        theirs.append(audience)
        self._of[key] = theirs
        try:
            yield True
        finally:
            # Whichever of them: they are all alike.
            self.open[theirs.pop()] -= 1
            if not theirs:
                del self._of[key]


class _Placed(Response):
    """Takes the place when it is sent and not when it is made: what is never sent would never give it back."""

    def __init__(self, place: AbstractContextManager[bool], stream: Response, refusal: Response) -> None:
        super().__init__()
        self._place, self._stream, self._refusal = place, stream, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place as taken:
            await (self._stream if taken else self._refusal)(scope, receive, send)
