"""What may not be stored or sent. Every message passes here before anything else sees it.

For now it removes what no store or platform can hold; what customers must never share is its next task.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bot.model import Incoming

MAX_TEXT = 100_000
"""Characters of one message that are kept; no platform sends as many, a hostile one might."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def incoming(message: Incoming) -> Incoming:
    """The message as it may be stored."""
    sender = replace(message.sender, name=clean(message.sender.name)[:200])
    attachments = tuple(
        replace(part, reference=clean(part.reference), name=clean(part.name)[:200], media_type=clean(part.media_type))
        for part in message.attachments
    )
    return replace(
        message,
        text=clean(message.text),
        argument=clean(message.argument)[:1_000],
        button=None if message.button is None else clean(message.button)[:64],
        attachments=attachments,
        sender=sender,
    )


def outgoing(text: str) -> str:
    """The text as it may be sent."""
    return clean(text)


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL and UTF-8 cannot hold, and not endless."""
    return _UNSTORABLE.sub("", text)[:MAX_TEXT]
