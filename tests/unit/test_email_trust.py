"""Who a sender is, so far as anybody vouches for it, and who only looks like somebody."""

from __future__ import annotations

import pytest

from connectors.email.reading import read
from connectors.email.trust import Mark, Standing, Trust, trust

OURS = "mx.desk.example"


def judged(*lines: str, sender: str = "Alice <alice@example.net>", **more: object) -> Trust:
    raw = "\r\n".join((*lines, f"From: {sender}", "Subject: x")) + "\r\n\r\nwords"
    given = {"own_domains": ["switchboard.example"], "own_names": ["Switchboard"], **more}
    return trust(read(raw.encode()), [OURS], **given)  # type: ignore[arg-type]


def results(text: str, server: str = OURS) -> str:
    return f"Authentication-Results: {server}; {text}"


@pytest.mark.parametrize(
    ("lines", "standing"),
    [
        ((results("dmarc=pass header.from=example.net"),), Standing.VERIFIED),
        (
            (results("spf=pass smtp.mailfrom=b@x.example; dkim=pass (2048-bit key; x) header.d=example.net"),),
            Standing.VERIFIED,
        ),
        (
            (results("dkim=fail header.d=example.net"), results("dkim=pass header.d=mail.example.net")),
            Standing.VERIFIED,
        ),
        ((results("spf=pass smtp.mailfrom=bounce@news.example.net"),), Standing.VERIFIED),
        (
            (results("dkim=pass header.d=elsewhere.example; spf=pass smtp.mailfrom=elsewhere.example"),),
            Standing.UNVERIFIED,
        ),
        ((results("dkim=pass header.d=net"),), Standing.UNVERIFIED),
        ((results("dkim=pass header.d=notexample.net"),), Standing.UNVERIFIED),
        (
            (results("dmarc=fail (p=reject) header.from=example.net; spf=pass smtp.mailfrom=example.net"),),
            Standing.FAILED,
        ),
        ((results("dmarc=pass header.from=example.net", "mx.attacker.example"),), Standing.UNVERIFIED),
        (("Received: by mx", results("none"), "Received: from evil", results("dmarc=pass")), Standing.UNVERIFIED),
        ((results('spf=none reason="; dmarc=pass"'),), Standing.UNVERIFIED),
        ((results("spf=none (; dmarc=pass header.from=example.net"),), Standing.UNVERIFIED),
        ((), Standing.UNVERIFIED),
    ],
)
def test_only_what_the_trusted_server_says_of_the_sender_s_own_domain_counts(
    lines: tuple[str, ...], standing: Standing
) -> None:
    assert judged(*lines).standing is standing


def test_two_senders_are_never_verified() -> None:
    found = judged(results("dmarc=pass"), sender="alice@example.net, bob@example.net")
    assert found.standing is Standing.UNVERIFIED
    assert Mark.SEVERAL_SENDERS in found.marks


@pytest.mark.parametrize(
    ("sender", "mark"),
    [
        ("x@sw\u0456tchboard.example", Mark.LIKE_OURS),
        ("x@xn--swtchboard-y2i.example", Mark.LIKE_OURS),
        ("x@switchbaord.example", None),  # two letters: that far nobody looks
        ("x@switchboard1.example", Mark.LIKE_OURS),
        ("x@swltchboard.example", Mark.LIKE_OURS),
        ("x@switch-board.example", Mark.LIKE_OURS),
        ("x@switchboard.example.evil.example", Mark.LIKE_OURS),
        ("x@switchboard-support.example", Mark.LIKE_OURS),
        ("x@mail.switchboard.example", None),
        ("Switchb\u043eard Support <x@evil.example>", Mark.NAME_LIKE_OURS),
        ("Sw1tchb0ard <x@evil.example>", Mark.NAME_LIKE_OURS),
        ('"support@bank.example" <x@evil.example>', Mark.NAME_IS_ADDRESS),
        ("x@p\u0430ypal.example", Mark.MIXED_LETTERS),
        ("Al\u202eice <x@evil.example>", Mark.INVISIBLE),
        ("x@例子.example", None),
        ("x@münchen.example", None),
        ("x@пример.example", None),
        ("Alice <x@example.net>", None),
    ],
)
def test_what_looks_like_somebody_else_is_marked(sender: str, mark: Mark | None) -> None:
    assert judged(sender=sender).marks == ({mark} if mark else set()) | (
        {Mark.MIXED_LETTERS} if mark is Mark.LIKE_OURS and ("\u0456" in sender or "xn--" in sender) else set()
    )


def test_an_address_that_looks_like_a_known_one_is_marked_and_the_known_one_is_not() -> None:
    known = ["alice@example.net"]
    assert judged(sender="al\u0456ce@example.net", known=known).marks == {Mark.LIKE_KNOWN}
    assert judged(sender="alice@exarnple.net", known=known).marks == {Mark.LIKE_KNOWN}
    assert judged(sender="ALICE@example.net", known=known).marks == set()


def test_answers_that_would_go_elsewhere_are_marked_and_domains_are_shown_in_their_letters() -> None:
    assert judged("Reply-To: x@evil.example").marks == {Mark.REPLY_ELSEWHERE}
    assert judged("Reply-To: x@mail.example.net").marks == set()
    assert judged(sender="x@xn--mnchen-3ya.example").shown_domain == "münchen.example"
