"""Robots get no answer, and no exchange of robots goes on."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.email import exchanges
from benchmarks.email.robots import ROBOTS
from connectors.email.loops import (
    ANSWERS_WITHOUT_AGENT,
    UNASKED_A_DAY,
    Budget,
    Exchanged,
    Sign,
    What,
    fingerprint,
    may_send,
    outgoing_headers,
    signs,
)
from connectors.email.reading import read
from connectors.email.threads import Signing

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)
SIGNING = Signing(b"the secret of the desk")


def found(*lines: str) -> frozenset[Sign]:
    raw = "\r\n".join(("To: support@desk.example", *lines)) + "\r\n\r\nwords"
    return signs(read(raw.encode()), SIGNING, ["support@desk.example"])


@pytest.mark.parametrize(
    "lines",
    [
        ("From: Alice <alice@example.net>", "Subject: Question", "Auto-Submitted: no", "Precedence: first-class"),
        ("From: norepl@example.net", "Subject: 自动续费怎么关闭"),
        ("From: anna@example.net", "Subject: Re: automatic withdrawal", "Return-Path: <anna@example.net>"),
        ("From: bounce.lee@example.net", "Subject: Out of memory"),
        ("From: a@example.net", "Subject: Autoreparatur", "X-Auto-Response-Suppress: DR, RN, NRN"),
    ],
)
def test_people_are_no_robots(lines: tuple[str, ...]) -> None:
    assert found(*lines) == frozenset()


@pytest.mark.parametrize(
    ("lines", "sign"),
    [
        (("From: a@example.net", "Auto-Submitted: auto-replied"), Sign.AUTO_SUBMITTED),
        (("From: a@example.net", "Precedence: bulk"), Sign.PRECEDENCE),
        (("From: a@example.net", "List-Id: <x.y>"), Sign.LIST),
        (("From: a@example.net", "Return-Path: <>"), Sign.NULL_SENDER),
        (("From: No-Reply@example.net",), Sign.NO_REPLY),
        (("From: a@example.net", "Reply-To: donotreply@example.net"), Sign.NO_REPLY),
        (("From: a@example.net", "Subject: 自动回复: 提现"), Sign.VACATION),
        (("From: support+t.abc@desk.example",), Sign.OURS),
        (("From: a@example.net", f"Message-ID: {SIGNING.message_id('a' * 16, '1', 'desk.example')}"), Sign.OURS),
        (("From: a@example.net", *(f"Received: from hop{n}" for n in range(60))), Sign.LOOP),
    ],
)
def test_robots_are_known_by_what_they_say(lines: tuple[str, ...], sign: Sign) -> None:
    assert sign in found(*lines)


def test_every_robot_that_says_so_is_known_and_ours_says_so() -> None:
    tally = exchanges.campaign(1, 10 * len(ROBOTS))
    assert [one.name for one in ROBOTS if one.says_so and tally.told[one.name] < 10] == []
    assert tally.broken == []
    assert {name for name, n in tally.answers.items() if n} <= {one.name for one in ROBOTS if not one.says_so}
    ours = [f"{name}: {value}" for name, value in outgoing_headers(automatic=True).items()]
    assert {Sign.AUTO_SUBMITTED, Sign.LOOP} <= found("From: other@desk2.example", *ours)


def test_one_answer_for_each_mail_and_few_that_answer_nobody() -> None:
    asked = Exchanged(What.RECEIVED, NOW, "<1>", person=True)
    answer = Exchanged(What.SENT, NOW, "<1>")
    assert may_send([asked], "<1>", NOW) is Budget.SEND
    assert may_send([asked, answer], "<1>", NOW) is Budget.ANSWERED
    assert may_send([], "<1>", NOW) is Budget.NO_PERSON
    assert may_send([Exchanged(What.RECEIVED, NOW, "<1>", person=False)], "<1>", NOW) is Budget.NO_PERSON
    notices = [Exchanged(What.SENT, NOW + timedelta(hours=2 * n)) for n in range(UNASKED_A_DAY)]
    assert may_send(notices[:1], "", NOW + timedelta(minutes=59)) is Budget.HOUR
    assert may_send(notices[:1], "", NOW + timedelta(minutes=60)) is Budget.SEND
    assert may_send(notices, "", NOW + timedelta(hours=23)) is Budget.DAY
    assert may_send(notices, "", NOW + timedelta(hours=24)) is Budget.SEND


def test_same_words_make_a_robot_until_an_agent_writes() -> None:
    words = fingerprint("Thank you, we have received your request 4711.")
    assert words == fingerprint("Thank you,\nwe have received your request 4712 .")
    assert fingerprint("Yes.") == ""
    history = [Exchanged(What.RECEIVED, NOW + timedelta(days=n), f"<{n}>", True, words) for n in range(3)]
    assert may_send(history, "<2>", NOW + timedelta(days=90)) is Budget.ROBOT
    assert may_send(history, "", NOW + timedelta(days=90)) is Budget.ROBOT
    agent = Exchanged(What.AGENT, NOW + timedelta(days=91))
    later = Exchanged(What.RECEIVED, NOW + timedelta(days=92), "<9>", True, words)
    assert may_send([*history, agent, later], "<9>", NOW + timedelta(days=92)) is Budget.SEND


@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    delays=st.lists(st.integers(1, 40_000), min_size=2, max_size=8),
    marked=st.tuples(st.booleans(), st.booleans()),
    notices=st.integers(0, 3),
    same=st.booleans(),
)
def test_two_desks_that_write_to_each_other_fall_silent(
    delays: list[int], marked: tuple[bool, bool], notices: int, same: bool
) -> None:
    """Each answers what it gets and would send notices besides; servers on the way may take our marks off."""
    histories: tuple[list[Exchanged], list[Exchanged]] = ([], [])
    sent: Counter[int] = Counter()
    due: list[tuple[datetime, int, int, bool, str]] = [(NOW, 0, 0, True, "")]  # when, to whom, number, person, words
    number = 0
    while due:
        now, desk, mail, person, words = heappop(due)
        history = histories[desk]
        history.append(Exchanged(What.RECEIVED, now, f"<{mail}>", person, words))
        for answers in (f"<{mail}>", *[""] * notices):
            if may_send(history, answers, now) is not Budget.SEND:
                continue
            history.append(Exchanged(What.SENT, now, answers))
            number += 1
            sent[desk] += 1
            assert number < 6 * ANSWERS_WITHOUT_AGENT, "they never stop"
            says = "the same words every time" if same else f"{number}"
            heappush(
                due, (now + timedelta(seconds=delays[number % len(delays)]), 1 - desk, number, not marked[desk], says)
            )
    for history in histories:
        answered = Counter(one.id for one in history if one.what is What.SENT and one.id)
        unasked = [one.at for one in history if one.what is What.SENT and not one.id]
        assert max(answered.values(), default=0) <= 1
        assert all(sum(at - timedelta(days=1) < one <= at for one in unasked) <= 3 for at in unasked)
        assert all(sum(at - timedelta(hours=1) < one <= at for one in unasked) <= 1 for at in unasked)
    if all(marked):
        assert number <= 2 * (1 + 3 + 3)
