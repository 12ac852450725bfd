"""Long exchanges with robots, against the budget: what the desk would send by itself, and what it does send."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.email.generating import DESK
from benchmarks.email.robots import ROBOTS, Robot, says
from connectors.email.loops import Budget, Exchanged, What, fingerprint, may_send, signs
from connectors.email.quoting import take_apart
from connectors.email.reading import read
from connectors.email.threads import Signing

_SIGNING = Signing(b"a secret of the benchmark")


@dataclass(slots=True)
class Tally:
    mails: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    """Mails with a sign of a robot, by robot."""
    broken: list[str] = field(default_factory=list)
    """Where the budget did not hold."""


def campaign(seed: int, mails: int) -> Tally:
    """Every robot brings its share of the mails, each soon after what it got, and at least once an hour by itself: a
    storm. The desk would like to answer each, and to send a notice after each."""
    tally = Tally()
    for number, robot in enumerate(ROBOTS):
        share = mails // len(ROBOTS) + (number < mails % len(ROBOTS))
        _with(random.Random(seed * 1000 + number), robot, share, tally)  # noqa: S311 - nothing secret
    return tally


def _with(draw: random.Random, robot: Robot, mails: int, tally: Tally) -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    history: list[Exchanged] = []
    for number in range(mails):
        subject, text = says(draw, robot, number, "Withdrawal")
        lines = {"From": robot.sender, "To": DESK, "Subject": subject, "Message-ID": f"<{number}@{robot.sender[-9:]}>"}
        lines |= {name: value.replace("{subject}", subject) for name, value in robot.headers.items()}
        raw = "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + f"\r\n{text}\r\n"
        mail = read(raw.encode())
        found = signs(mail, _SIGNING, [DESK])
        tally.mails += 1
        tally.told[robot.name] += bool(found)
        words = fingerprint(take_apart(mail.text).written)
        history.append(Exchanged(What.RECEIVED, now, mail.message_id, not found, words))
        if may_send(history, mail.message_id, now) is Budget.SEND:
            history.append(Exchanged(What.SENT, now, mail.message_id))
            tally.answers[robot.name] += 1
        if may_send(history, "", now) is Budget.SEND:
            history.append(Exchanged(What.SENT, now))
            tally.unasked[robot.name] += 1
        tally.broken += _breaches(history, robot.name)
        now += robot.after + timedelta(seconds=draw.randint(0, 30))
        history = _kept(history)


def _kept(history: list[Exchanged]) -> list[Exchanged]:
    """All that was sent, of which the budget keeps few, and of what came in the newest hundred."""
    received = [one for one in history if one.what is What.RECEIVED]
    oldest = received[-100].at if len(received) > 100 else None
    return [one for one in history if one.what is not What.RECEIVED or oldest is None or one.at >= oldest]


def _breaches(history: list[Exchanged], name: str) -> Iterator[str]:
    """The promises, counted by other code than that which keeps them."""
    last = history[-1]
    if last.what is not What.SENT:
        return
    sent = [one for one in history if one.what is What.SENT]
    if last.id and sum(one.id == last.id for one in sent) > 1:
        yield f"{name}: a mail was answered twice"
    unasked = [one.at for one in sent if not one.id]
    if sum(one > last.at - timedelta(hours=1) for one in unasked) > 1:
        yield f"{name}: two mails in an hour that answer nobody"
    if sum(one > last.at - timedelta(days=1) for one in unasked) > 3:
        yield f"{name}: four mails in a day that answer nobody"
