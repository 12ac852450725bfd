"""Robots and bouncers that answer whatever they get, as their programs write: some say what they are, some do not."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

Lines = dict[str, str]


@dataclass(frozen=True, slots=True)
class Robot:
    name: str
    sender: str
    headers: Lines
    subject: str = "Re: {subject}"
    text: str = "Thank you for your message."
    after: timedelta = timedelta(seconds=5)
    says_so: bool = True
    """Whether anything in its headers tells that it is one."""


def _vacation(number: int, subject: str, text: str, headers: Lines) -> Robot:
    return Robot(f"absence {number}", f"away{number}@example.net", headers, subject, text)


def _report(
    number: int, text: str, *, sender: str = "MAILER-DAEMON@mx.example.net", headers: Lines | None = None
) -> Robot:
    return Robot(
        f"bouncer {number}", sender, headers or {"Return-Path": "<>"}, "Undelivered Mail Returned to Sender", text
    )


ROBOTS: tuple[Robot, ...] = (
    _vacation(1, "Automatic reply: {subject}", "I am out of the office.", {"X-Auto-Response-Suppress": "All"}),
    _vacation(2, "Automatische Antwort: {subject}", "Ich bin nicht im Büro.", {"Auto-Submitted": "auto-replied"}),
    _vacation(3, "自动回复: {subject}", "您好，我正在休假。", {}),
    _vacation(4, "自動返信: {subject}", "不在にしております。", {"Precedence": "bulk"}),
    _vacation(5, "Out of Office: {subject}", "Back on Monday.", {"Precedence": "junk"}),
    _vacation(6, "Re: {subject}", "Ich bin im Urlaub.", {"X-Autoreply": "yes"}),
    _vacation(7, "Abwesenheitsnotiz: {subject}", "Zurück am Montag.", {}),
    _vacation(8, "Auto: {subject}", "away", {"Auto-Submitted": "auto-replied (vacation)", "Precedence": "bulk"}),
    _vacation(9, "外出自动回复：{subject}", "出差中。", {"Return-Path": "<>"}),
    _vacation(10, "Re: {subject}", "On leave", {"X-Autorespond": "{subject}"}),
    _report(1, "<customer@example.net>: host mx said: 550 5.1.1 user unknown"),
    _report(
        2,
        "The following address failed:\n\n  customer@example.net\n",
        headers={"X-Failed-Recipients": "customer@example.net"},
    ),
    _report(3, "Delivery is delayed.", sender="postmaster@example.net", headers={}),
    _report(4, "Message could not be delivered", headers={"Auto-Submitted": "auto-replied"}),
    _report(5, "mailbox full", sender="mail-daemon@example.net", headers={}),
    Robot(
        "ticket system, marked", "help@other.example", {"Auto-Submitted": "auto-generated"}, "[Ticket #{n}] {subject}"
    ),
    Robot(
        "ticket system, Zendesk's mark", "help2@other.example", {"X-Zendesk-From-Account-Id": "7"}, "[#{n}] {subject}"
    ),
    Robot("ticket system, OTRS's mark", "help3@other.example", {"X-OTRS-Loop": "yes"}, "[Ticket#{n}] {subject}"),
    Robot("ticket system, a desk of this kind", "help4@other.example", {"X-Switchboard-Loop": "1"}, "Re: {subject}"),
    Robot("list", "members@list.example", {"List-Id": "<members.list.example>", "Precedence": "list"}),
    Robot("list's keeper", "members-request@list.example", {}, "Your message awaits approval"),
    Robot("newsletter", "news@shop.example", {"List-Unsubscribe": "<mailto:out@shop.example>"}, "News {n}"),
    Robot("no reply", "no-reply@shop.example", {}, "Order {n}"),
    Robot("do not reply", "DoNotReply@bank.example", {}, "Statement {n}"),
    Robot("monitor", "cron@host.example", {"X-Cron-Env": "<SHELL=/bin/sh>"}, "Cron {n}"),
    Robot(
        "receipt",
        "reader@example.net",
        {"Content-Type": "multipart/report; report-type=disposition-notification"},
        "Read: {n}",
    ),
    # Those that say nothing: only what they do gives them away.
    Robot(
        "ticket system, silent",
        "care@silent.example",
        {},
        "Request {n} received",
        "Thank you. Your request has the number {n}. We will answer within two days.",
        timedelta(minutes=3),
        says_so=False,
    ),
    Robot(
        "ticket system, silent and slow",
        "care@slow.example",
        {},
        "Request {n}",
        "We have received your message number {n} and will answer soon.",
        timedelta(hours=5),
        says_so=False,
    ),
    Robot(
        "chatterbox, silent",
        "bot@chatter.example",
        {},
        "Re: {subject}",
        "{words}",
        timedelta(seconds=20),
        says_so=False,
    ),
    Robot(
        "chatterbox, silent and slow",
        "bot@patient.example",
        {},
        "Re: {subject}",
        "{words}",
        timedelta(hours=7),
        says_so=False,
    ),
    Robot("forwarder back to us", "boss@example.net", {"X-Switchboard-Loop": "1"}, "Fwd: {subject}"),
    Robot("our own address", "support@desk.example", {}, "Re: {subject}"),
)

_WORDS = (
    "balance",
    "network",
    "transfer",
    "please",
    "check",
    "again",
    "still",
    "missing",
    "morning",
    "account",
    "help",
)


def says(draw: random.Random, robot: Robot, number: int, subject: str) -> tuple[str, str]:
    """Subject and text of its next mail."""
    words = " ".join(draw.choice(_WORDS) for _ in range(12))

    def fill(text: str) -> str:
        return text.replace("{n}", str(number)).replace("{subject}", subject[:60]).replace("{words}", words)

    return fill(robot.subject), fill(robot.text)
