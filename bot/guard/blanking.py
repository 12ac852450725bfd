"""An event of a customer with a label in the place of every secret: in the words, and in all that comes with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from bot.domain.context import MAX_RAW, Context, Link
from bot.domain.forms import Kind
from bot.domain.message import WITHOUT_CONTENT, Attachment, Incoming, Message
from bot.domain.said import fault
from bot.domain.secret import Cleaning, FoundInFile, Removed, SecretKind, labelled, united
from bot.domain.uploads import Upload
from bot.guard import secrets
from bot.guard.secrets import Certainty, Known, Searched

_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)", re.IGNORECASE | re.DOTALL)
_DEPTH = 40
"""Of JSON that is read; what is deeper is dropped."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the desk knows of a customer who writes."""

    texts: tuple[tuple[int, str], ...] = ()
    """Their latest messages before this one by number, the oldest first; the last four are read."""
    asked: frozenset[Kind] = field(default_factory=frozenset)
    """The kinds of detail that they were asked for: a hash that was asked for is no key."""


def needs_before(message: Incoming, blanked: Incoming) -> bool:
    """Whether ``Before`` may change what is found in the message: ``blanked`` is what it became without."""
    return any(one.doubtful for one in blanked.removed) or secrets.continues(message.text)


def may_continue(text: str) -> bool:
    """Whether it may be a part of a secret that is spread over several messages."""
    return secrets.continues(text)


def found_late(message: Message, before: Before, off: Collection[SecretKind]) -> tuple[Cleaning, ...]:
    """What of a recorded message, and of those before it, is a secret that nobody had seen whole."""
    return _spread(before, message.id, message.text, Known(before.asked, frozenset(off)))


def _spread(before: Before, number: int, text: str, known: Known) -> tuple[Cleaning, ...]:
    """Each message by itself was searched before it was recorded, with what was asked for then: what is found in one
    alone now was let through for a reason, and stays unless something is found in several."""
    several = [*before.texts[-(secrets.MOST_MESSAGES - 1) :], (number, text)]
    found = secrets.search([words for _, words in several], known)
    is_spread = any(len({span.message for span in one.spans}) > 1 for one in found.findings)
    return tuple(cleanings(several, found)) if is_spread else ()


def blanked(message: Incoming, before: Before, off: Collection[SecretKind]) -> Incoming:
    """The event without its secrets: ``removed`` says which there were, ``cleans`` how earlier messages are to be."""
    known = Known(before.asked, frozenset(off))
    search = _Search(known)
    text, cleans = _with_earlier(message.text, before, search)
    context = message.context
    return replace(
        message,
        text=text,
        subject=None if message.subject is None else search(message.subject),
        answered=search(message.answered),
        argument=search(message.argument),
        button=message.button and _button(message.button, search),
        sender=replace(message.sender, name=search(message.sender.name)),
        attachments=tuple(_attachment(part, search) for part in message.attachments),
        context=context and _context(context, search),
        # A file that was uploaded before has its name without the secrets in it by now.
        removed=united(search.removed, *(labelled(part.name) for part in message.attachments if part.sha256)),
        cleans=cleans,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message that is in the database, as it may be there."""

    text: str
    attachments: tuple[Attachment, ...]
    context: Context
    removed: tuple[Removed, ...]
    parts: tuple[str, ...]
    """What was cut out of it by itself: to be looked for elsewhere."""
    cleans: tuple[Cleaning, ...]
    """Of messages before it, and of itself, that hold a secret together."""


def recorded(
    number: int,
    text: str,
    attachments: tuple[Attachment, ...],
    context: Context,
    before: Before,
    off: Collection[SecretKind],
) -> Recorded:
    """The same search for what was recorded when nobody searched. ``before``: messages that are clean already."""
    search = _Search(Known(before.asked, frozenset(off)))
    clean = search(text)
    together: tuple[Cleaning, ...] = ()
    if before.texts and secrets.continues(clean):
        together = _spread(before, number, clean, search.known)
    return Recorded(
        clean,
        tuple(_attachment(part, search) for part in attachments),
        context and _context(context, search),
        united(search.removed),
        tuple(search.parts),
        together,
    )


def with_files(message: Incoming, files: Mapping[str, FoundInFile]) -> Incoming:
    """The event with what was found in its files: what was withheld is not attached."""
    if not files:
        return message
    found = [files[part.sha256] for part in message.attachments if part.sha256 in files]
    return replace(
        message,
        attachments=tuple(
            as_found(part, files[part.sha256]) if part.sha256 in files else part for part in message.attachments
        ),
        removed=united(message.removed, *(one.removed for one in found)),
    )


def as_found(part: Attachment, found: FoundInFile) -> Attachment:
    """The attachment with its content, or with the reason why that is not kept."""
    if not found.withheld:
        return part
    return replace(part, sha256="", problem=fault("it held a secret, and was not kept", "fault.held_secret"))


def upload(brought: Upload, off: Collection[SecretKind]) -> tuple[Upload, tuple[Removed, ...]]:
    """A file's name and type as they may be kept, and what was removed from them."""
    search = _Search(Known(off=frozenset(off)))
    kept = replace(brought, name=search(brought.name), media_type=search(brought.media_type))
    return kept, united(search.removed)


class _Search:
    """Searches one text after the other, and remembers what was removed."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.removed: list[Removed] = []
        self.parts: list[str] = []
        """What was cut out."""

    def __call__(self, text: str) -> str:
        if not text:
            return text
        found = secrets.search([text], self.known)
        self.removed += removed_in(found)
        self.parts += [text[span.start : span.end] for one in found.findings for span in one.spans]
        return found.redacted[0]


def removed_in(found: Searched, message: int | None = None) -> list[Removed]:
    """What was found, in all the messages or in one."""
    return [
        Removed(one.kind, one.certainty is Certainty.DOUBTFUL)
        for one in found.findings
        if message is None or any(span.message == message for span in one.spans)
    ]


def _with_earlier(text: str, before: Before, search: _Search) -> tuple[str, tuple[Cleaning, ...]]:
    """The message's own words, read together with those before it: a phrase may be spread over them."""
    earlier = before.texts[-(secrets.MOST_MESSAGES - 1) :]
    if not earlier or not text:
        return search(text), ()
    last = len(earlier)
    found = secrets.search([*(words for _, words in earlier), text], search.known)
    search.removed += removed_in(found, last)
    return found.redacted[last], tuple(cleanings(earlier, found))


def cleanings(earlier: Collection[tuple[int, str]], found: Searched) -> list[Cleaning]:
    """Of the messages searched, those that are to be other than they are."""
    cleans = []
    for place, (number, words) in enumerate(earlier):
        if found.redacted[place] != words:
            spans = [span for one in found.findings for span in one.spans if span.message == place]
            parts = tuple(words[span.start : span.end] for span in spans)
            cleans.append(Cleaning(number, words, found.redacted[place], parts, tuple(removed_in(found, place))))
    return cleans


def _attachment(part: Attachment, search: Callable[[str], str]) -> Attachment:
    # A reference to content on the platform is one word, and no words of the customer's.
    says = part.kind in WITHOUT_CONTENT or any(map(str.isspace, part.reference))
    reference = search(part.reference) if says else _without_name(part.reference, search)
    return replace(part, reference=reference, name=search(part.name), media_type=search(part.media_type))


def _button(payload: str, search: Callable[[str], str]) -> str:
    """Ours are one word each."""
    return search(payload) if any(map(str.isspace, payload)) else payload


def _without_name(reference: str, search: Callable[[str], str]) -> str:
    """An address ends with the file's name, which customers choose. Where that is a secret, it ends before."""
    before, slash, name = reference.rpartition("/")
    named = unquote(name)
    return before + slash if slash and search(named) != named else reference


def _context(context: Context, search: Callable[[str], str]) -> Context:
    forward = context.forward and replace(context.forward, name=search(context.forward.name))
    links = tuple(Link(search(link.text), search(link.url)) for link in context.links)
    return Context(forward, search(context.quote), links, _raw(context.raw, search))


def _raw(raw: str, search: Callable[[str], str]) -> str:
    """JSON with every text in it searched by itself. What is cut off and no JSON any more is dropped if anything is
    found in it."""
    if not raw:
        return raw
    try:
        return json.dumps(_walked(json.loads(raw), search, _DEPTH), ensure_ascii=False)[:MAX_RAW]
    except (ValueError, RecursionError):
        plain = _ESCAPE.sub(" ", raw)
        return raw if search(plain) == plain else ""


def _walked(value: Any, search: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        return search(value)
    if not depth:
        return None
    if isinstance(value, dict):
        return {search(str(name)): _walked(one, search, depth - 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_walked(one, search, depth - 1) for one in value]
    return value
