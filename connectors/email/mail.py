"""A mail that was read: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from string import ascii_lowercase, ascii_uppercase

_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


class Problem(StrEnum):
    """What could not be read as it should be. The mail has what could; the raw file has all."""

    TOO_LARGE = "too_large"
    """Only its first part was read."""
    TOO_NESTED = "too_nested"
    """Parts within parts beyond what is followed: those below are left out, or files."""
    TOO_MANY_PARTS = "too_many_parts"
    BROKEN = "broken"
    """Its parts are not as the standards want them: one that never ends, or a code with mistakes."""
    CHARSET = "charset"
    """Some of its text had no charset, or not the one that it claims: it was guessed."""
    NO_SENDER = "no_sender"
    SEVERAL_SENDERS = "several_senders"
    NO_DATE = "no_date"
    ENCRYPTED = "encrypted"
    """S/MIME or PGP: the desk has no key."""
    WINMAIL = "winmail"
    """``winmail.dat`` that could not be read to its end; it is among the files."""
    CALENDAR = "calendar"
    """An invitation that could not be read; it is among the files."""
    NO_HTML = "no_html"
    """HTML beyond what is shown: its text was read."""
    UNREADABLE = "unreadable"
    """Reading failed: there is nothing but headers, or not even these."""


@dataclass(frozen=True, slots=True)
class Address:
    address: str
    """As it was written; ``key`` compares."""
    name: str = ""
    """Whatever the sender liked to call it."""

    @property
    def key(self) -> str:
        """The form in which two addresses are the same: letters of other alphabets stay as they are, since some become
        an ordinary one in small letters (the Kelvin sign a k)."""
        return self.address.translate(_SMALL)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower().rstrip(".")


@dataclass(frozen=True, slots=True)
class MailFile:
    name: str
    media_type: str
    content: bytes
    content_id: str = ""
    """By which the HTML shows it (``cid:``)."""
    inline: bool = False


class Ask(StrEnum):
    """What a calendar part is."""

    INVITES = "invites"
    CANCELS = "cancels"
    ANSWERS = "answers"
    TELLS = "tells"


@dataclass(frozen=True, slots=True)
class Invitation:
    ask: Ask
    title: str
    begin: datetime | date | None
    end: datetime | date | None
    place: str = ""
    organizer: str = ""
    answer: str = ""
    """Of one that answers: accepted, declined, tentative."""
    repeats: bool = False
    text: str = ""
    """In words that need no language: title, time with its zone, place, organizer; one to a line."""


@dataclass(frozen=True, slots=True)
class Bounce:
    failed: tuple[str, ...]
    """Addresses that get nothing from us any more until somebody looks."""
    delayed: tuple[str, ...]
    """Addresses whose server still tries."""
    returned: str = ""
    """The Message-ID of the mail that did not arrive, where the report has it."""
    reason: str = ""
    """The server's own words, one line."""


@dataclass(frozen=True, slots=True)
class Mail:
    senders: tuple[Address, ...] = ()
    """From: one, unless something is wrong."""
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    delivered_to: tuple[Address, ...] = ()
    """Where servers say they delivered it: tells our own address of a mail that was sent to a list."""
    subject: str = ""
    message_id: str = ""
    """With its angle brackets; empty where it has none."""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Oldest first."""
    date: datetime | None = None
    text: str = ""
    html: str = ""
    """As it came, for ``markup.clean``: never to be shown as it is."""
    files: tuple[MailFile, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    nested: tuple[Mail, ...] = ()
    """Mails that it carries: forwarded as attachments, or returned."""
    bounce: Bounce | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names in small letters, values decoded, topmost first."""
    problems: frozenset[Problem] = frozenset()
    size: int = 0

    @property
    def sender(self) -> Address | None:
        return self.senders[0] if self.senders else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a header, topmost first."""
        return tuple(value for key, value in self.headers if key == name)

    def first(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")
