"""Measures what is read of mails: replies, threads, robots, and mails with mistakes.

.venv/bin/python -m benchmarks.email [replies|threads|robots|mistakes] [--seed 1] [--long] [--others]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from benchmarks.email import exchanges, mutating, reading_replies, threading
from benchmarks.email.clients import CLIENTS, LANGUAGES
from benchmarks.email.robots import ROBOTS
from connectors.email.loops import signs
from connectors.email.markup import clean
from connectors.email.quoting import take_apart
from connectors.email.reading import read
from connectors.email.threads import belongs
from connectors.email.trust import trust


def main() -> None:
    ask = argparse.ArgumentParser(prog="benchmarks.email", description=__doc__)
    ask.add_argument("what", nargs="?", choices=("replies", "threads", "robots", "mistakes"))
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--long", action="store_true", help="as many as the targets name")
    ask.add_argument("--count", type=int, help="of the part's units, instead of either form's number")
    ask.add_argument("--others", action="store_true", help="quotequail and mail-parser-reply beside, where installed")
    given = ask.parse_args()
    parts = {"replies": _replies, "threads": _threads, "robots": _robots, "mistakes": _mistakes}
    for name, part in parts.items():
        if given.what in (None, name):
            part(given)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _replies(given: argparse.Namespace) -> None:
    finders = {"ours": reading_replies.ours} | (reading_replies.others() if given.others else {})
    found = reading_replies.measure(given.seed, given.count or (40 if given.long else 5), finders)
    _say(f"\n| program | mails | {' | '.join(finders)} |\n|---|---|{'---|' * len(finders)}")
    rows = [("all", lambda _: True)] + [(one, lambda cell, one=one: one in cell) for one in (*LANGUAGES, *CLIENTS)]
    for name, belongs_to in rows:
        count = sum(n for cell, n in found.mails.items() if belongs_to(cell))
        right = (sum(n for cell, n in found.right[one].items() if belongs_to(cell)) for one in finders)
        _say(f"| {name} | {count} | {' | '.join(f'{100 * n / count:.1f} %' for n in right)} |")
    _say(f"texts that were lost in part: {found.lost}; read otherwise than written: {found.misread}")
    for made, text in found.examples[:3]:
        _say(
            f"\nnot exact: {made.client}, {made.language}, {made.style}\n{text}\n--- found\n{take_apart(text).written}"
        )


def _threads(given: argparse.Namespace) -> None:
    found = threading.Campaign(given.seed).run(given.count or (3000 if given.long else 300))
    _say(f"\n{found.threads} threads, {found.mails} mails: {found.strangers} in another customer's conversation, ")
    _say(f"{100 * found.right / found.mails:.2f} % where they belong; not there: {dict(found.wrong)}")


def _robots(given: argparse.Namespace) -> None:
    found = exchanges.campaign(given.seed, given.count or (100_000 if given.long else 3_200))
    _say(f"\n{len(ROBOTS)} robots, {found.mails} mails; budget broken: {len(found.broken)} {found.broken[:3]}")
    _say(f"answers {sum(found.answers.values())}, unasked {sum(found.unasked.values())}")
    for robot in ROBOTS:
        if found.answers[robot.name]:
            _say(f"- {robot.name}: {found.answers[robot.name]} answers, {found.unasked[robot.name]} unasked")


def _mistakes(given: argparse.Namespace) -> None:
    count = given.count or (100_000 if given.long else 2_000)
    problems: Counter[str] = Counter()
    slowest = 0.0
    begin = time.process_time()
    for raw in mutating.mutated(given.seed, count):
        at = time.process_time()
        mail = read(raw)
        taken = take_apart(mail.text)
        if taken.text != mail.text or mail.size != len(raw):
            raise SystemExit("a text was lost in part")
        signs(mail, threading.SIGNING, ["support@desk.example"])
        belongs(mail, threading.SIGNING, lambda _: None, lambda _: None)
        trust(mail, ["mx.desk.example"], own_domains=["desk.example"], own_names=["Desk"])
        clean(mail.html)
        slowest = max(slowest, time.process_time() - at)
        problems.update(one.value for one in mail.problems)
        if not (mail.text or mail.html or mail.files or mail.headers or mail.nested or not raw.strip()):
            problems["nothing at all"] += 1
    spent = time.process_time() - begin
    _say(f"\n{count} mails with mistakes: none raised, {1000 * spent / count:.1f} ms each, slowest {slowest:.2f} s")
    _say(", ".join(f"{name} {n}" for name, n in problems.most_common()))


if __name__ == "__main__":
    main()
