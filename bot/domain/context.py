"""What a customer's message has besides its own words: whose words it passes on, what it quotes, where its links lead.
Plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MAX_LINKS = 100
MAX_RAW = 20_000
"""Characters."""


class ForwardKind(StrEnum):
    USER = "user"
    CHANNEL = "channel"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Forward:
    """Whose words a message passes on. They are never the customer's own."""

    name: str = ""
    """As the platform gives it, which anybody may choose; empty where it gives none."""
    kind: ForwardKind = ForwardKind.UNKNOWN
    at: datetime | None = None
    """When they were written."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address behind words that do not show it."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Context:
    forward: Forward | None = None
    """The text and the attachments are somebody else's: no command, no pressed button, nothing the customer told."""
    quote: str = ""
    """The part of another message that this one quotes."""
    links: tuple[Link, ...] = ()
    raw: str = ""
    """JSON of what the connector has no words for: for agents, as it came."""

    def __bool__(self) -> bool:
        return self != NO_CONTEXT

    def edited(self, now: Context) -> Context:
        """After an edit that brought ``now``: whose words they are and what they answer does not change by it."""
        return Context(now.forward or self.forward, now.quote or self.quote, now.links, now.raw)

    def joined(self, other: Context) -> Context:
        """Of two parts of one message."""
        links = tuple(dict.fromkeys((*self.links, *other.links)))[:MAX_LINKS]
        raw = "\n".join(filter(None, (self.raw, other.raw)))[:MAX_RAW]
        return Context(self.forward or other.forward, self.quote or other.quote, links, raw)

    @property
    def as_json(self) -> dict[str, Any] | None:
        """None for an empty one; ``from_json`` reads it."""
        if not self:
            return None
        kept: dict[str, Any] = {}
        if self.forward is not None:
            at = self.forward.at and self.forward.at.astimezone(UTC).isoformat()
            kept["forward"] = {"name": self.forward.name, "kind": self.forward.kind.value, "at": at}
        if self.links:
            kept["links"] = [[link.text, link.url] for link in self.links]
        return kept | {name: value for name, value in (("quote", self.quote), ("raw", self.raw)) if value}


NO_CONTEXT = Context()


def from_json(kept: Mapping[str, Any] | None) -> Context:
    """Takes also what another version kept: names it does not know are passed over."""
    if not kept:
        return NO_CONTEXT
    forward = None
    if found := kept.get("forward"):
        kind = ForwardKind(found["kind"]) if found["kind"] in set(ForwardKind) else ForwardKind.UNKNOWN
        forward = Forward(found["name"], kind, datetime.fromisoformat(found["at"]) if found["at"] else None)
    links = tuple(Link(text, url) for text, url in kept.get("links", ()))
    return Context(forward, kept.get("quote", ""), links, kept.get("raw", ""))
