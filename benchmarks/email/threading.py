"""Threads of many customers, mixed, with everything that leads mails astray; and where each mail must go."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.email import generating, wordings
from benchmarks.email.clients import CLIENTS, LANGUAGES
from connectors.email.mail import Mail
from connectors.email.reading import read
from connectors.email.threads import Belongs, Signing, Thread, asked_for, belongs

SIGNING = Signing(b"a secret of the benchmark")
_FORGER = Signing(b"what somebody else made up")


@dataclass(slots=True)
class Desk:
    """What a desk would have written down."""

    threads: dict[str, Thread] = field(default_factory=dict)
    of_mail: dict[str, str] = field(default_factory=dict)
    sent: int = 0

    def receive(self, raw: bytes) -> tuple[Mail, Belongs, str]:
        mail = read(raw)
        keys, ids = asked_for(mail, SIGNING)
        # A desk asks the database once for these, and for no others.
        found = {key: self.threads[key] for key in keys if key in self.threads}
        by_mail = {one: self.threads[self.of_mail[one]] for one in ids if one in self.of_mail}
        where = belongs(mail, SIGNING, found.get, by_mail.get)
        key = where.thread or SIGNING.new_thread(mail, raw)
        if key not in self.threads:
            self.threads[key] = Thread(key, frozenset({mail.sender.key} if mail.sender else ()))
        if mail.message_id:
            self.of_mail.setdefault(mail.message_id, key)
        return mail, where, key

    def send(self, key: str, *, cc: tuple[str, ...] = ()) -> tuple[str, str]:
        """Message-ID and reply address of a mail of ours in that thread."""
        self.sent += 1
        if cc:
            thread = self.threads[key]
            self.threads[key] = Thread(key, thread.participants | set(cc))
        return (
            SIGNING.message_id(key, str(self.sent), "desk.example"),
            SIGNING.reply_address(key, generating.DESK),
        )


@dataclass(slots=True)
class Outcome:
    mails: int = 0
    right: int = 0
    strangers: int = 0
    """In a conversation of another customer."""
    wrong: Counter[str] = field(default_factory=Counter)
    threads: int = 0


@dataclass(slots=True)
class _Customer:
    address: str
    name: str
    language: str
    client: str


class Campaign:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - nothing secret
        self.desk = Desk()
        self.outcome = Outcome()
        self._number = 0
        self._owner: dict[str, str] = {}
        self._recent: list[tuple[str, str, str]] = []
        """Message-ID, reply address and owner of mails of ours."""

    def run(self, threads: int) -> Outcome:
        for _ in range(threads):
            self._thread()
        self.outcome.threads = len(self._owner)
        return self.outcome

    def _customer(self) -> _Customer:
        self._number += 1
        language = self.draw.choice(LANGUAGES)
        address = f"customer{self._number}@{self.draw.choice(('example.net', 'example.cn', 'mail.example'))}"
        return _Customer(address, self.draw.choice(wordings.NAMES[language]), language, self.draw.choice(list(CLIENTS)))

    def _thread(self) -> None:
        who = self._customer()
        subject = self.draw.choice(wordings.SUBJECTS[who.language])
        first_id = self._id(who)
        key = self._mail(who, "first", None, subject, {"Message-ID": first_id})
        self._owner[key] = who.address
        if self.draw.random() < 0.15:  # a second one before anybody answered
            self._mail(who, "own mail", key, f"Re: {subject}", {"In-Reply-To": first_id, "References": first_id})
        references = [first_id]
        for _ in range(self.draw.choice((1, 1, 2, 3))):
            ours, reply = self.desk.send(key)
            references.append(ours)
            self._recent.append((ours, reply, who.address))
            headers = self._answer_headers(who, ours, reply, references)
            expected = None if headers.pop("lost", None) else key
            got = self._mail(who, "reply" if expected else "reply without any trace", key, f"Re: {subject}", headers)
            references.append(headers["Message-ID"])
            if got != key:
                break
        self._astray(who, key, subject, references)

    def _answer_headers(self, who: _Customer, ours: str, reply: str, references: list[str]) -> dict[str, str]:
        """What programs keep of a thread differs."""
        full = {"In-Reply-To": ours, "References": " ".join(references), "To": reply, "Message-ID": self._id(who)}
        match self.draw.choices(range(6), (70, 8, 8, 8, 5.7, 0.3))[0]:
            case 1:
                full["To"] = generating.DESK
            case 2:
                del full["References"], full["In-Reply-To"]
            case 3:
                full["In-Reply-To"] = f"<{self.draw.getrandbits(60):x}@rewritten.example>"  # some servers give ids anew
                del full["References"]
            case 4:
                full["To"] = full["To"].upper() if self.draw.random() < 0.5 else f'"{reply}" <{reply}>'
                full["References"] = full["References"].replace("> <", ">\t<")
            case 5:
                full = {"To": generating.DESK, "Message-ID": full["Message-ID"], "lost": "1"}
        return full

    def _astray(self, who: _Customer, key: str, subject: str, references: list[str]) -> None:
        stranger = self._customer()
        ours, reply = self.desk.send(key)
        chain = " ".join([*references, ours])
        acts: dict[str, Callable[[], object]] = {
            "forwarded to a stranger who writes to us": lambda: self._mail(
                stranger, "forwarded", None, f"Fwd: {subject}", {"References": chain, "In-Reply-To": ours, "To": reply}
            ),
            "forged reply address": lambda: self._mail(
                stranger, "forged", None, subject, {"To": _FORGER.reply_address(key, generating.DESK)}
            ),
            "forged id": lambda: self._mail(
                stranger, "forged", None, subject, {"In-Reply-To": _FORGER.message_id(key, "1", "desk.example")}
            ),
            "the same subject, another person": lambda: self._mail(
                stranger, "same subject", None, f"Re: {subject}", {}
            ),
            "the same subject, something new": lambda: self._mail(who, "subject used again", None, subject, {}),
            "copied by the customer, answers all": lambda: self._mail(
                stranger, "copied", None, f"Re: {subject}", {"In-Reply-To": references[0], "References": references[0]}
            ),
            "named by an agent, answers all": lambda: self._named(stranger, key, subject),
            "newsletter, answered": lambda: self._newsletter(subject),
            "forged sender, no trace": lambda: self._mail(who, "forged sender", None, subject, {}),
            "two senders": lambda: self._mail(
                _Customer(f"{stranger.address}, {who.address}", "", who.language, who.client),
                "two senders",
                None,
                subject,
                {"In-Reply-To": ours, "To": reply},
            ),
            "two threads of one customer": lambda: self._two(who, key, subject),
        }
        acts[self.draw.choice(list(acts))]()

    def _named(self, named: _Customer, key: str, subject: str) -> None:
        ours, reply = self.desk.send(key, cc=(named.address,))
        self._mail(named, "named by us", key, f"Re: {subject}", {"In-Reply-To": ours, "To": reply})

    def _two(self, who: _Customer, key: str, subject: str) -> None:
        other = self._mail(who, "first", None, f"{subject} 2", {"Message-ID": self._id(who)})
        self._owner[other] = who.address
        ours, reply = self.desk.send(other)
        old, _ = self.desk.send(key)
        self._mail(who, "two threads", other, subject, {"In-Reply-To": ours, "References": old, "To": reply})

    def _newsletter(self, subject: str) -> None:
        key = SIGNING.new_thread(Mail(message_id=f"<news{self._number}@desk.example>"), b"")
        self.desk.threads[key] = Thread(key, frozenset(), broadcast=True)
        ours, reply = self.desk.send(key)
        for _ in range(3):
            self._mail(self._customer(), "newsletter", None, f"Re: {subject}", {"In-Reply-To": ours, "To": reply})

    def _id(self, who: _Customer) -> str:
        self._number += 1
        return f"<{self._number}.{self.draw.getrandbits(40):x}@{who.address.rpartition('@')[2]}>"

    def _mail(self, who: _Customer, kind: str, expected: str | None, subject: str, headers: dict[str, str]) -> str:
        """Sends it and judges where it went; ``expected`` is None where it must have a conversation of its own."""
        headers = {"Message-ID": self._id(who)} | headers
        known = set(self.desk.threads)
        made = generating.reply(self.draw, who.client, who.language)
        sender = who.address if "," in who.address else f"{who.name} <{who.address}>"
        raw = generating.raw(self.draw, made, sender=sender, subject=subject, headers=headers)
        _, _, key = self.desk.receive(raw)
        self.outcome.mails += 1
        right = key == expected if expected else key not in known
        self.outcome.right += right
        if not right:
            self.outcome.wrong[kind] += 1
        owner = self._owner.get(key)
        if owner and owner != who.address and kind != "named by us":
            self.outcome.strangers += 1
        return key
