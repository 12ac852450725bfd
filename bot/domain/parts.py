"""A message in parts (an album), and what an edit leaves of it: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.characters import shows
from bot.domain.context import NO_CONTEXT, Context
from bot.domain.message import Attachment

PARTS_AT_MOST = 30
"""Of one message; platforms have about ten. What comes behind them is a message of its own."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a message, or one part of it, consists of."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    context: Context = NO_CONTEXT

    def same(self, other: Content) -> bool:
        """Whether a reader would see the same; what a connector has no words for does not count."""
        return (
            self.text == other.text
            and references(self.attachments) == references(other.attachments)
            and (self.context.links, self.context.quote) == (other.context.links, other.context.quote)
        )


def references(attachments: Iterable[Attachment]) -> list[tuple[str, str]]:
    return [(one.kind, one.reference) for one in attachments]


def together(parts: Sequence[Content]) -> Content:
    """The whole of several parts: whichever has words, they are the message's."""
    if len(parts) == 1:
        return parts[0]
    context = NO_CONTEXT
    for part in parts:
        context = context.joined(part.context)
    return Content(
        "\n".join(part.text for part in parts if shows(part.text)),
        tuple(attachment for part in parts for attachment in part.attachments),
        context,
    )


def carried(now: Iterable[Attachment], known: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """``now``, with the content of those that the desk has already, or the problem; who has one of both keeps it: a
    file that was removed while it was fetched stays removed."""
    kept = {(one.kind, one.reference): one for one in known if one.sha256 or one.problem}
    return tuple(one if one.sha256 or one.problem else kept.get((one.kind, one.reference), one) for one in now)
