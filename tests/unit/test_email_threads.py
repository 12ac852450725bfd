"""A mail goes to the conversation that it belongs to, and never into another customer's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.email.threading import Campaign
from connectors.email.mail import Address, Mail
from connectors.email.threads import Belongs, Doubt, Evidence, Signing, Thread, belongs

DESK = "support@desk.example"
SIGNING = Signing(b"the secret of the desk")
FORGER = Signing(b"the secret of another")
ALICE, BOB = "alice@example.net", "bob@example.net"
KEY = SIGNING.new_thread(Mail(senders=(Address(ALICE),), message_id="<1@example.net>"), b"")
THREADS = {KEY: Thread(KEY, frozenset({ALICE}))}


def mail(sender: str = ALICE, *, to: str = DESK, answers: tuple[str, ...] = (), **more: object) -> Mail:
    return Mail(senders=(Address(sender),), to=(Address(to),), in_reply_to=answers, message_id="<new@x>", **more)  # type: ignore[arg-type]


def where(one: Mail, threads: dict[str, Thread] = THREADS, mails: dict[str, Thread] | None = None) -> Belongs:
    return belongs(one, SIGNING, threads.get, (mails or {}).get)


OURS = SIGNING.message_id(KEY, "17", "desk.example")
REPLY = SIGNING.reply_address(KEY, DESK)


@pytest.mark.parametrize(
    ("one", "evidence"),
    [
        (mail(answers=(OURS,)), Evidence.OUR_MAIL),
        (mail(answers=(OURS.upper(),)), Evidence.OUR_MAIL),
        (mail("Alice@Example.NET", to=REPLY.upper()), Evidence.REPLY_ADDRESS),
        (mail(references=("<old@x>", OURS)), Evidence.OUR_MAIL),
        (mail(delivered_to=(Address(REPLY),)), Evidence.REPLY_ADDRESS),
        (mail(answers=("<first@x>",)), Evidence.THEIR_MAIL),
    ],
)
def test_a_customer_s_answer_goes_on_with_the_thread(one: Mail, evidence: Evidence) -> None:
    assert where(one, mails={"<first@x>": THREADS[KEY]}) == Belongs(KEY, evidence)


@pytest.mark.parametrize(
    ("one", "doubt"),
    [
        (mail(BOB, answers=(OURS,), to=REPLY), Doubt.STRANGER),
        (mail(BOB, answers=("<first@x>",)), Doubt.STRANGER),
        (mail(to=FORGER.reply_address(KEY, DESK)), Doubt.FORGED),
        (mail(answers=(FORGER.message_id(KEY, "17", "desk.example"),)), Doubt.FORGED),
        (mail(answers=(OURS.replace(".17.", ".18."),)), Doubt.FORGED),
        (Mail(senders=(Address(ALICE), Address(BOB)), in_reply_to=(OURS,)), Doubt.NO_SENDER),
        (Mail(in_reply_to=(OURS,)), Doubt.NO_SENDER),
    ],
)
def test_what_is_forged_stolen_or_passed_on_opens_no_conversation_of_others(one: Mail, doubt: Doubt) -> None:
    found = where(one, mails={"<first@x>": THREADS[KEY]})
    assert found.thread is None
    assert doubt in found.doubts
    assert found.related == ((KEY,) if doubt is not Doubt.FORGED else ())


def test_a_letter_that_only_looks_like_one_of_ours_is_none() -> None:
    kelvin = "\u212a"
    threads = {KEY: Thread(KEY, frozenset({"kate@example.net"}))}
    assert where(mail("Kate@example.net", answers=(OURS,)), threads).thread == KEY
    assert where(mail(f"{kelvin}ate@example.net", answers=(OURS,)), threads).thread is None
    for char in (kelvin, "\u017f"):
        assert SIGNING.thread_of(f"<t.{KEY[:-1]}{char}.17.{'a' * 16}@desk.example>") is None
        assert SIGNING.thread_of_address(f"support+t.{KEY}.{char * 16}@desk.example") is None


def test_neither_subject_nor_copy_makes_a_participant() -> None:
    assert where(mail(subject="Re: the same")) == Belongs(None)
    named = where(mail(BOB, answers=("<first@x>",), cc=(Address(ALICE),)), mails={"<first@x>": THREADS[KEY]})
    assert named.thread is None
    # Whom a mail of ours was addressed to is one.
    assert where(mail(BOB, answers=(OURS,)), {KEY: Thread(KEY, frozenset({ALICE, BOB}))}).thread == KEY


def test_each_who_answers_a_newsletter_begins_a_conversation() -> None:
    found = where(mail(answers=(OURS,), to=REPLY), {KEY: Thread(KEY, frozenset({ALICE}), broadcast=True)})
    assert (found.thread, found.doubts) == (None, {Doubt.BROADCAST})


def test_of_two_threads_of_a_customer_the_one_that_is_answered_counts() -> None:
    other = SIGNING.new_thread(Mail(senders=(Address(ALICE),), message_id="<2@example.net>"), b"")
    threads = THREADS | {other: Thread(other, frozenset({ALICE}))}
    answered = SIGNING.message_id(other, "3", "desk.example")
    found = where(mail(answers=(answered,), references=(OURS, answered), to=REPLY), threads)
    assert (found.thread, found.related, found.doubts) == (other, (KEY,), {Doubt.SEVERAL})


def test_a_mail_read_twice_begins_the_same_thread_and_nobody_else_s() -> None:
    first = mail()
    assert SIGNING.new_thread(first, b"a") == SIGNING.new_thread(first, b"b")
    assert SIGNING.new_thread(first, b"a") != SIGNING.new_thread(mail(BOB), b"a")
    nameless = Mail(senders=(Address(ALICE),))
    assert SIGNING.new_thread(nameless, b"a") != SIGNING.new_thread(nameless, b"b")


def test_an_address_that_has_no_room_for_a_token_says_so() -> None:
    with pytest.raises(ValueError, match="too long for reply addresses"):
        SIGNING.reply_address(KEY, f"{'a' * 40}@desk.example")
    assert len(REPLY.split("@")[0]) <= 64


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16), st.integers(0, 15))
def test_no_guessed_token_passes(guess: str, at: int) -> None:
    local = REPLY.split("@")[0]
    mac = local[-16:]
    changed = mac[:at] + ("a" if mac[at] != "a" else "b") + mac[at + 1 :]
    assert SIGNING.thread_of_address(f"{local[:-16]}{changed}@desk.example") is None
    assert SIGNING.thread_of_address(f"support+t.{KEY}.{guess}@desk.example") is None or guess == mac
    # A token of one use is none of another.
    assert SIGNING.thread_of(f"<t.{KEY}.17.{mac}@desk.example>") is None


def test_threads_of_many_customers_do_not_mix() -> None:
    found = Campaign(7).run(25)
    assert found.strangers == 0
    assert found.right / found.mails >= 0.99, found.wrong
