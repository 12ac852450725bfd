"""What may be written: one door in (``incoming``), one out for the desk's own words (``outgoing``) and one for those of
agents (``agents``), and no way round.

Writers of the store accept only ``Cleared`` texts and ``ClearedIncoming`` events, and only this package makes them. It
removes what no store or platform can hold, and puts a label in the place of every secret that customers must not share.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.context import MAX_LINKS, MAX_RAW, Context, Link
from bot.domain.message import Cleared, ClearedContent, ClearedIncoming, ClearedWords, File, Incoming
from bot.domain.secret import FoundInFile, SecretKind
from bot.guard.blanking import (
    Before,
    Recorded,
    as_found,
    blanked,
    found_late,
    may_continue,
    needs_before,
    recorded,
    upload,
    with_files,
)
from bot.guard.by_agents import SecretInWords, check_file, cleared_words
from bot.guard.files import cleared_file, cleared_picture
from bot.guard.secrets import warm

__all__ = [
    "MAX_ATTACHMENTS",
    "MAX_ID",
    "MAX_QUOTE",
    "MAX_TEXT",
    "MAX_URL",
    "NOTHING_BEFORE",
    "Before",
    "Recorded",
    "SecretInWords",
    "agents",
    "agents_file",
    "as_found",
    "believable",
    "clean",
    "file",
    "file_as_it_is",
    "fill",
    "found_late",
    "identifier",
    "incoming",
    "may_continue",
    "needs_before",
    "outgoing",
    "phrases",
    "picture",
    "recorded",
    "upload",
    "warm",
]

NOTHING_BEFORE = Before()

MAX_TEXT = 100_000
"""Characters of one message that are kept; no platform sends as many, a hostile one might."""

MAX_ID = 255
"""Characters of an id: an index holds no endless ones."""

MAX_ATTACHMENTS = 100
"""Of one event."""
MAX_URL = 4_000
MAX_QUOTE = 10_000
"""Characters."""

_FIRST_YEAR = 2000
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def incoming(
    message: Incoming,
    before: Before = NOTHING_BEFORE,
    off: Collection[SecretKind] = frozenset(),
    files: Mapping[str, FoundInFile] | None = None,
) -> ClearedIncoming:
    """The event as it may be recorded, before anything else sees it: storable, and without secrets, save those of the
    kinds that are ``off``. ``files`` says by SHA-256 what was found in those that it brings.

    Where ``needs_before`` says so of what it gives, it is to be given ``before`` and asked again."""
    return ClearedIncoming(with_files(blanked(_storable(message), before, off), files or {}))


def file(content: bytes, off: Collection[SecretKind] = frozenset()) -> tuple[ClearedContent, FoundInFile]:
    """A customer's file as it may be kept, and what was found in it: in a text, labels stand in the place of secrets.
    Takes time in proportion to its length, up to ``files.MOST_TEXT`` characters; never raises."""
    return cleared_file(content, off)


def picture(
    content: bytes, text: str | None, off: Collection[SecretKind] = frozenset()
) -> tuple[ClearedContent, FoundInFile]:
    """The same of a customer's picture, by the ``text`` that was read in it; None where nobody could."""
    return cleared_picture(content, text, off)


def file_as_it_is(content: bytes) -> ClearedContent:
    """What an agent sends."""
    return ClearedContent(content)


def _storable(message: Incoming) -> Incoming:
    sender = replace(
        message.sender,
        external_id=identifier(message.sender.external_id),
        name=clean(message.sender.name)[:200],
        language=language if (language := message.sender.language) and _LANGUAGE.fullmatch(language) else None,
    )
    attachments = tuple(
        replace(
            part, reference=clean(part.reference), name=clean(part.name)[:200], media_type=clean(part.media_type)[:200]
        )
        for part in message.attachments[:MAX_ATTACHMENTS]
    )
    own = message.context.forward is None
    return replace(
        message,
        external_id=identifier(message.external_id),
        chat_id=identifier(message.chat_id),
        edits=message.edits and identifier(message.edits),
        deletes=message.deletes and identifier(message.deletes),
        replies_to=message.replies_to and identifier(message.replies_to),
        mark=message.mark and identifier(message.mark),
        thread=identifier(message.thread),
        subject=None if message.subject is None else clean(message.subject)[:1_000],
        sent_at=believable(message.sent_at),
        edited_at=believable(message.edited_at),
        text=clean(message.text),
        answered=clean(message.answered)[:MAX_QUOTE],
        group=message.group and identifier(message.group),
        context=_context(message.context),
        # Somebody else's words ask for nothing in the customer's name.
        command=message.command if own else None,
        argument=clean(message.argument)[:1_000] if own else "",
        button=clean(message.button)[:64] if own and message.button is not None else None,
        attachments=attachments,
        sender=sender,
        removed=(),
        cleans=(),
    )


def _context(context: Context) -> Context:
    if not context:
        return context
    forward = context.forward and replace(
        context.forward, name=clean(context.forward.name)[:200], at=believable(context.forward.at)
    )
    links = tuple(Link(clean(link.text)[:1_000], clean(link.url)[:MAX_URL]) for link in context.links[:MAX_LINKS])
    return Context(forward, clean(context.quote)[:MAX_QUOTE], links, clean(context.raw)[:MAX_RAW])


def outgoing(text: str) -> Cleared:
    """The desk's own text as it may be written: to a customer, or for agents."""
    return Cleared(clean(text))


def agents(text: str, lets_pass: Collection[SecretKind] = frozenset()) -> ClearedWords:
    """An agent's words as they may be written. Raises ``SecretInWords`` where they hold a customer's secret, save those
    of the kinds that the deployment ``lets_pass``."""
    return cleared_words(outgoing(text), lets_pass)


def agents_file(file: File, lets_pass: Collection[SecretKind] = frozenset()) -> None:
    """The same of a file that an agent sends: of its name, and of its content where that is text. Raises
    ``SecretInWords``."""
    check_file(file, lets_pass)


def phrases(texts: Mapping[str, str]) -> Mapping[str, Cleared]:
    """The desk's own words, by locale."""
    return {locale: outgoing(text) for locale, text in texts.items()}


def fill(text: Cleared, **numbers: int) -> Cleared:
    """The text with numbers in the place of their names: ``{position}``."""
    filled: str = text
    for name, number in numbers.items():
        filled = filled.replace(f"{{{name}}}", str(number))
    return Cleared(filled)


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL and UTF-8 cannot hold, and not endless."""
    return _UNSTORABLE.sub("", text)[:MAX_TEXT]


def identifier(value: str) -> str:
    """The platform's id, or where no index could hold it one made from it, the same each time."""
    if len(value) <= MAX_ID and not _UNSTORABLE.search(value):
        return value
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


def believable(at: datetime | None) -> datetime | None:
    """A platform's time, unless it is nonsense: a year that PostgreSQL knows and Python does not would make the
    message unreadable, and one to come every later edit look like an earlier one."""
    try:
        at = at and at.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return at if at and at.year >= _FIRST_YEAR and at < datetime.now(UTC) + timedelta(days=1) else None
