"""Whose conversation a mail belongs to. By what only a mail of ours carries, and never by its subject; and never into a
conversation of which the sender is not one, whatever the mail carries.

A mail of ours has ``Message-ID: <t.THREAD.UNIQUE.MAC@domain>`` and ``Reply-To: support+t.THREAD.MAC@domain``. The MACs
are HMAC-SHA256 with the desk's secret, 80 bits of it in base 32: they say that the desk made them, for that thread."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from connectors.email.mail import Address, Mail

_SHORT = r"[a-z2-7]{16}"
_UNIQUE = r"[a-z0-9-]{1,40}"
_ID = re.compile(rf"<t\.({_SHORT})\.({_UNIQUE})\.({_SHORT})@([^<>@\s]+)>", re.IGNORECASE | re.ASCII)
_TAG = re.compile(rf"t\.({_SHORT})\.({_SHORT})", re.IGNORECASE | re.ASCII)
_LONGEST_LOCAL = 64


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation by mail, as the desk has it."""

    key: str
    participants: frozenset[str]
    """Whose mails belong to it: its customer, and whom a mail of ours in it was addressed to since. Each as
    ``Address.key``. Being named by a customer's Cc makes nobody a participant."""
    broadcast: bool = False
    """One mail went to many: whoever answers it begins a conversation of their own."""


class Evidence(StrEnum):
    OUR_MAIL = "our_mail"
    """It answers a mail of ours, which has the desk's MAC in its Message-ID."""
    REPLY_ADDRESS = "reply_address"
    THEIR_MAIL = "their_mail"
    """It answers a mail that the desk received."""
    NONE = "none"


class Doubt(StrEnum):
    FORGED = "forged"
    """An address or id in the form of ours that the desk did not make."""
    STRANGER = "stranger"
    """It carries what belongs to a conversation of somebody else: forwarded, copied, or stolen."""
    BROADCAST = "broadcast"
    SEVERAL = "several"
    """It carries what belongs to several conversations of the sender."""
    NO_SENDER = "no_sender"


@dataclass(frozen=True, slots=True)
class Belongs:
    thread: str | None
    """None: a conversation of its own begins, with ``Signing.new_thread``."""
    evidence: Evidence = Evidence.NONE
    related: tuple[str, ...] = ()
    """Threads of others, and further ones of the sender, that the mail has to do with: for agents, and for nobody
    else."""
    doubts: frozenset[Doubt] = frozenset()


class Signing:
    """What the desk's mails carry, and what is theirs among what comes back."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("The secret that signs reply addresses needs at least 16 bytes.")
        self._secret = secret

    def new_thread(self, mail: Mail, raw: bytes) -> str:
        """The key of the thread that this mail begins: the same each time it is read."""
        sender = mail.sender.key if mail.sender else ""
        name = mail.message_id or hashlib.sha256(raw).hexdigest()
        return self._mac("thread", sender, name)

    def message_id(self, thread: str, unique: str, domain: str) -> str:
        """The Message-ID of a mail of ours; ``unique`` is the delivery's, so that a mail sent again has the same."""
        if not re.fullmatch(_SHORT, thread) or not re.fullmatch(_UNIQUE, unique):
            raise ValueError(f"No Message-ID can be made of thread {thread!r} and {unique!r}.")
        return f"<t.{thread}.{unique}.{self._mac('id', thread, unique)}@{domain}>"

    def reply_address(self, thread: str, address: str) -> str:
        """``support@desk.example`` as the address to which answers in that thread go."""
        local, _, domain = address.rpartition("@")
        tagged = f"{local}+t.{thread}.{self._mac('reply', thread)}"
        if not re.fullmatch(_SHORT, thread) or len(tagged) > _LONGEST_LOCAL:
            raise ValueError(
                f"{address} is too long for reply addresses: use one with at most {_LONGEST_LOCAL - 36} characters "
                "before the @."
            )
        return f"{tagged}@{domain}"

    def thread_of(self, message_id: str) -> str | None:
        """The thread of a Message-ID that the desk made; None for any other, also for one that looks like it."""
        match = _ID.fullmatch(message_id)
        if match is None:
            return None
        thread, unique, mac = (match[n].lower() for n in (1, 2, 3))
        return thread if hmac.compare_digest(mac, self._mac("id", thread, unique)) else None

    def thread_of_address(self, address: str) -> str | None:
        local = address.rpartition("@")[0]
        match = _TAG.fullmatch(local.partition("+")[2])
        if match is None:
            return None
        thread, mac = match[1].lower(), match[2].lower()
        return thread if hmac.compare_digest(mac, self._mac("reply", thread)) else None

    def _mac(self, use: str, *parts: str) -> str:
        text = "\0".join((use, *parts)).encode()
        return b32encode(hmac.digest(self._secret, text, "sha256")[:10]).decode().lower()


def looks_ours(text: str) -> bool:
    """Whether it has the form of an id or a reply address of a desk."""
    return bool(_ID.fullmatch(text) or _TAG.fullmatch(text.rpartition("@")[0].partition("+")[2]))


def asked_for(mail: Mail, signing: Signing) -> tuple[frozenset[str], frozenset[str]]:
    """Which threads, and threads of which Message-IDs, ``belongs`` will ask for: so that a caller reads all at once."""
    answered = (*mail.in_reply_to, *mail.references)
    threads = {one for one in map(signing.thread_of, answered) if one}
    threads |= {one for one in (signing.thread_of_address(a.address) for a in _addressed(mail)) if one}
    return frozenset(threads), frozenset(one for one in answered if not looks_ours(one))


def belongs(
    mail: Mail,
    signing: Signing,
    thread: Callable[[str], Thread | None],
    thread_of_mail: Callable[[str], Thread | None],
) -> Belongs:
    """Pure, given the look-ups: ``thread`` by its key, ``thread_of_mail`` by the Message-ID of a mail that came in."""
    sender = mail.sender
    doubts: set[Doubt] = set()
    if sender is None or len({one.key for one in mail.senders}) > 1:
        doubts.add(Doubt.NO_SENDER)
    mine: dict[str, Evidence] = {}
    others: dict[str, None] = {}
    for evidence, found in _candidates(mail, signing, thread, thread_of_mail, doubts):
        if found.broadcast:
            doubts.add(Doubt.BROADCAST)
        elif sender is not None and Doubt.NO_SENDER not in doubts and sender.key in found.participants:
            mine.setdefault(found.key, evidence)
        else:
            doubts.add(Doubt.STRANGER)
            others.setdefault(found.key)
    if len(mine) > 1:
        doubts.add(Doubt.SEVERAL)
    chosen = next(iter(mine), None)
    related = tuple(one for one in (*mine, *others) if one != chosen)
    return Belongs(chosen, mine[chosen] if chosen else Evidence.NONE, related, frozenset(doubts))


def _candidates(
    mail: Mail,
    signing: Signing,
    thread: Callable[[str], Thread | None],
    thread_of_mail: Callable[[str], Thread | None],
    doubts: set[Doubt],
) -> Iterator[tuple[Evidence, Thread]]:
    """In the order in which they count: what it says it answers, where it was sent, what went before, newest first."""
    theirs: list[str] = []

    def ours(ids: Iterable[str]) -> Iterator[tuple[Evidence, Thread]]:
        for one in ids:
            if key := signing.thread_of(one):
                if found := thread(key):
                    yield Evidence.OUR_MAIL, found
            elif looks_ours(one):
                doubts.add(Doubt.FORGED)
            else:
                theirs.append(one)

    yield from ours(mail.in_reply_to)
    for address in _addressed(mail):
        if key := signing.thread_of_address(address.address):
            if found := thread(key):
                yield Evidence.REPLY_ADDRESS, found
        elif looks_ours(address.address):
            doubts.add(Doubt.FORGED)
    yield from ours(one for one in reversed(mail.references) if one not in mail.in_reply_to)
    for one in theirs:
        if found := thread_of_mail(one):
            yield Evidence.THEIR_MAIL, found


def _addressed(mail: Mail) -> tuple[Address, ...]:
    return tuple({one.key: one for one in (*mail.delivered_to, *mail.to, *mail.cc)}.values())
