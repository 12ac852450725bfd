"""Files of customers: a text is searched for secrets and kept with labels in their place, a document that holds one is
not kept at all, and what cannot be read is kept and said to be unsearched. By content; names are not believed."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.message import ClearedContent
from bot.domain.secret import LABELS, FoundInFile, Removed, SecretKind, united
from bot.guard import secrets
from bot.guard.files.documents import document_text
from bot.guard.files.texts import MOST_TEXT, plainer, readings
from bot.guard.secrets import Certainty, Known

__all__ = ["MOST_TEXT", "cleared_file", "cleared_picture"]

UNSEARCHED = FoundInFile(searched=False)


def cleared_file(content: bytes, off: Collection[SecretKind]) -> tuple[ClearedContent, FoundInFile]:
    """The content as it may be kept, and what was found in it."""
    if content.startswith(b"PK\x03\x04"):
        return _of_document(content, Known(off=frozenset(off)))
    whole = True
    for reading in readings(content):
        text, rest = reading.text[:MOST_TEXT], reading.text[MOST_TEXT:]
        whole = whole and not rest
        redacted, removed = _searched(text, Known(off=frozenset(off)))
        plain = plainer(redacted)
        hidden = () if plain == redacted else _searched(plain, Known(off=frozenset(off)))[1]
        if hidden:
            return withheld(united(removed, hidden))
        if removed:
            return ClearedContent(reading.encoded(redacted + rest)), FoundInFile(removed, searched=whole)
        if reading.sure:
            return ClearedContent(content), FoundInFile(searched=whole)
    # An old encoding is a guess: nothing was found by any of them, and some was tried.
    tried = next(iter(readings(content)), None) is not None or not content
    return ClearedContent(content), FoundInFile(searched=tried and whole)


def cleared_picture(
    content: bytes, text: str | None, off: Collection[SecretKind]
) -> tuple[ClearedContent, FoundInFile]:
    """The same of a picture, by the text that somebody read in it; None where nobody could."""
    if text is None:
        return ClearedContent(content), UNSEARCHED
    _, removed = _searched(text[:MOST_TEXT], Known(off=frozenset(off)))
    return withheld(removed) if removed else (ClearedContent(content), FoundInFile(searched=len(text) <= MOST_TEXT))


def withheld(removed: tuple[Removed, ...]) -> tuple[ClearedContent, FoundInFile]:
    """What is kept of it is not even its length. No text has the NUL, and so none is taken for this."""
    labels = " ".join(LABELS[one.kind] for one in removed)
    return ClearedContent(b"\0" + labels.encode()), FoundInFile(removed, withheld=True)


def _of_document(content: bytes, known: Known) -> tuple[ClearedContent, FoundInFile]:
    text, whole = document_text(content)
    _, removed = _searched(text[:MOST_TEXT], known)
    if removed:
        return withheld(removed)
    return ClearedContent(content), FoundInFile(searched=whole and len(text) <= MOST_TEXT)


def _searched(text: str, known: Known) -> tuple[str, tuple[Removed, ...]]:
    found = secrets.search([text], known)
    return found.redacted[0], united(Removed(one.kind, one.certainty is Certainty.DOUBTFUL) for one in found.findings)
