"""What a conversation is about, in the customer's own words: the first of them that tell something. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.domain.characters import shows
from bot.domain.message import Message

A_STORY = 60
"""Who writes more than so many characters tells something, whatever the engine takes it for."""
SURE = 0.5
"""From this confidence on the engine's best intent counts, where the bot went by none."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A message of the customer, and which intent it has, if that is known. Commands and pressed buttons are none."""

    message: Message
    intent: str | None = None


def problem_of(said: Sequence[Telling], empty: Collection[str]) -> Telling | None:
    """Of what the customer said, oldest first: what tells their problem. ``empty`` are the intents that say nothing of
    it, such as a greeting.

    A forward is somebody else's words, and is taken only where there is nothing else; then come words of whatever
    kind, then files. None where nothing was said."""
    spoken = [one for one in said if shows(one.message.text)]
    own = [one for one in spoken if one.message.context.forward is None]
    telling = (one for one in own if one.intent not in empty or len(one.message.text) > A_STORY)
    files = [one for one in said if one.message.attachments]
    return next(telling, None) or next(iter(own or files or spoken or said), None)
