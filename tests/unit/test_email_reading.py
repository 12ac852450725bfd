"""A mail is read whatever it is made of, within bounds, and nothing of it is lost."""

from __future__ import annotations

import random
import time
from base64 import b64encode
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.email import mutating
from connectors.email import charsets, headers, markup, reading
from connectors.email.mail import Ask, Mail, Problem
from connectors.email.reading import DEEPEST_MAIL, read, unflowed

CHINESE = "您好，我的提现三天了还没有到账，请帮我查一下，谢谢。"
TRADITIONAL = "您好，我的提款三天了還沒有到帳，請幫我查一下，謝謝。"
JAPANESE = "お世話になっております。三日前の出金がまだ届いていません。ご確認ください。"


def plain(body: bytes, kind: str = "text/plain", *lines: str) -> bytes:
    head = ["From: a@example.net", "Date: Sat, 28 Nov 2026 10:00:00 +0800", f"Content-Type: {kind}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("text", "written", "claimed"),
    [
        (CHINESE, "gb18030", "gb2312"),
        (CHINESE + "𠮷镕", "gb18030", "gb2312"),  # characters that GB 2312 does not have
        (CHINESE, "gb18030", ""),
        (CHINESE, "gb18030", "us-ascii"),
        (CHINESE, "gb18030", "utf-8"),
        (CHINESE, "utf-8", "gb2312"),
        (CHINESE, "utf-8", "x-unheard-of"),
        (TRADITIONAL, "big5", "big5"),
        (TRADITIONAL, "big5", ""),
        (JAPANESE, "cp932", "shift_jis"),
        (JAPANESE, "cp932", ""),
        (JAPANESE, "iso-2022-jp", "iso-2022-jp"),
        (JAPANESE, "iso-2022-jp", "us-ascii"),
        (JAPANESE, "euc-jp", ""),
        ("Grüße aus Köln – schöne", "cp1252", "iso-8859-1"),
        ("Grüße aus Köln, schöne", "cp1252", ""),
        ("Деньги не пришли, проверьте", "cp1251", ""),
        ("돈이 아직 도착하지 않았습니다", "cp949", "ks_c_5601-1987"),
    ],
)
def test_every_charset_is_read_also_under_a_wrong_name(text: str, written: str, claimed: str) -> None:
    kind = f"text/plain; charset={claimed}" if claimed else "text/plain"
    mail = read(plain(text.encode(written), kind))
    assert mail.text == text
    right = claimed in (written, "gb2312", "shift_jis", "iso-8859-1", "ks_c_5601-1987") and written != "utf-8"
    assert (Problem.CHARSET in mail.problems) is not right


def test_a_broken_byte_costs_that_character_only() -> None:
    mail = read(
        plain(CHINESE.encode("gb18030")[:20] + b"\xff" + CHINESE.encode("gb18030")[20:], "text/plain; charset=gbk")
    )
    assert mail.text.startswith(CHINESE[:9])
    assert mail.text.endswith(CHINESE[-8:])
    assert Problem.CHARSET in mail.problems


def test_words_of_a_header_that_were_cut_in_the_middle_of_a_character() -> None:
    data = "提现没有到账".encode("gb18030")
    cut = "".join(f"=?gb2312?B?{b64encode(part).decode()}?=\r\n " for part in (data[:5], data[5:])).strip()
    assert headers.words(cut.replace("\r\n", "")) == ("提现没有到账", True)
    assert headers.words("Re: =?utf-8?q?Gr=C3=BC=C3=9Fe_an?= alle") == ("Re: Grüße an alle", True)


@pytest.mark.parametrize(
    ("raw", "address", "name"),
    [
        ("Alice <alice@example.net>", "alice@example.net", "Alice"),
        ('"support@bank.example, Ltd" <x@evil.example>', "x@evil.example", "support@bank.example, Ltd"),
        ("=?utf-8?q?boss=40bank.example=2C?= <x@evil.example>", "x@evil.example", "boss@bank.example,"),
        ("=?utf-8?q?boss=40bank.example=3E=2C?= <x@evil.example>", "x@evil.example", "boss@bank.example>,"),
        ("alice@example.net (Alice (at home))", "alice@example.net", "Alice (at home)"),
        ("<@relay.example:alice@example.net>", "alice@example.net", ""),
        ('"a b"@example.net', '"a b"@example.net', ""),
        ("用户 <用户@例子.中国>", "用户@例子.中国", "用户"),
    ],
)
def test_the_address_of_a_sender_is_never_one_of_its_name(raw: str, address: str, name: str) -> None:
    mail = read(b"From: " + raw.encode() + b"\r\n\r\nx")
    assert [(one.address, one.name) for one in mail.senders] == [(address, name)]


def test_two_senders_and_none_are_said() -> None:
    assert Problem.SEVERAL_SENDERS in read(b"From: a@example.net, b@example.net\r\n\r\nx").problems
    assert Problem.SEVERAL_SENDERS in read(b"From: a@example.net\r\nFrom: b@example.net\r\n\r\nx").problems
    assert Problem.NO_SENDER in read(b"From: nobody\r\n\r\nx").problems


def test_a_mail_with_everything() -> None:
    mail = read(mutating.whole())
    assert mail.problems == frozenset()
    assert (mail.sender and mail.sender.name, mail.subject) == ("Müller, Jörg", "Rechnung für Straße / 请款单")
    assert [one.address for one in (*mail.to, *mail.cc)] == [
        "support@desk.example", "help@desk.example", "a@example.net", "b@example.net",
    ]  # fmt: skip
    assert mail.references == ("<a@example.de>", "<b@example.de>")
    assert mail.text == "Guten Tag,\n\nanbei.\n\n-- \nJörg\n"
    # The files of winmail.dat stand among the others, and it is gone.
    assert [(one.name, len(one.content)) for one in mail.files if one.media_type != "text/calendar"] == [
        ("截图.png", 204), ("报告.pdf", 10),
    ]  # fmt: skip
    (invitation,) = mail.invitations
    assert invitation.ask is Ask.INVITES
    assert invitation.text == "对账会议\n2026-12-01 10:00 – 11:00 (Asia/Shanghai)\nRoom 3\nli@example.cn"
    assert [(one.subject, one.text) for one in mail.nested] == [("forwarded", "inner words\n")]


def test_winmail_that_was_cut_gives_what_it_has_and_stays_a_file() -> None:
    raw = mutating.winmail([("a.txt", b"first"), ("b.txt", b"second" * 100)], text="words in it")
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "a@example.net"
    message.add_attachment(raw[:-400], maintype="application", subtype="ms-tnef", filename="winmail.dat")
    mail = read(message.as_bytes())
    assert mail.text == "words in it"
    assert [one.name for one in mail.files] == ["a.txt", "SHORT~1.BIN", "winmail.dat"]
    assert Problem.WINMAIL in mail.problems


def test_mails_in_mails_are_followed_so_far_and_no_further() -> None:
    inner = EmailMessage(policy=policy.SMTP)
    inner["Subject"] = "0"
    inner.set_content("deepest")
    for level in range(1, DEEPEST_MAIL + 3):
        outer = EmailMessage(policy=policy.SMTP)
        outer["Subject"] = str(level)
        outer.set_content(f"level {level}")
        outer.add_attachment(inner)
        inner = outer
    mail = read(inner.as_bytes())
    for _ in range(DEEPEST_MAIL):
        (mail,) = mail.nested
    assert Problem.TOO_NESTED in mail.problems
    assert b"deepest" in mail.files[0].content


def test_html_fetches_nothing_runs_nothing_and_hides_nothing() -> None:
    page = (
        '<p onclick="x()">Hello <b>you</b></p><script>alert(1)</script><style>p{background:url(http://t/)}</style>'
        '<img src="http://track.example/1.png" alt="logo"><img src=" HTTPS://track.example/2"><img '
        'src="//t/3"><img src="cid:a">'
        '<a href="javascript:x()">no</a> <a href="https://evil.example/">bank.example</a>'
        '<div style="display:none">hidden words</div><div style="background:url(http://t/4)">seen</div>'
    )
    shown = markup.clean(page)
    assert shown.remote_pictures == 3
    assert not any(bad in shown.html.lower() for bad in ("track.example", "script", "onclick", "style", "//t/", "url("))
    assert 'src="cid:a"' in shown.html
    text, links = markup.to_text(page)
    assert "hidden" not in text
    assert text.startswith("Hello you\n")
    assert [(link.text, link.url) for link in links] == [("bank.example", "https://evil.example/")]


def test_text_of_html_has_its_lines_lists_and_quotations() -> None:
    text, _ = markup.to_text(
        "<div>one<br>two&nbsp;words</div><ul><li>a</li><li>b</li></ul><blockquote><p>said</p><blockquote>before</blockquote>"
        "</blockquote><table><tr><td>k</td><td>v</td></tr></table>"
    )
    assert text == "one\ntwo words\n- a\n- b\n> said\n>\n> > before\nk\tv\n"


def test_flowing_lines_are_put_together() -> None:
    assert unflowed("one \ntwo\n> a \n> b\n-- \nname") == "one two\n> a b\n-- \nname"


def test_a_report_names_who_failed_and_which_mail_of_ours() -> None:
    raw = (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\n\n--x\n\nsorry\n--x\n'
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        "Final-Recipient: rfc822; alice@example.net\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 user unknown\n\n--x\nContent-Type: message/rfc822\n\n"
        "Message-ID: <t.abc@desk.example>\n\nhello\n--x--\n"
    ).replace("\n", "\r\n")
    bounce = read(raw.encode()).bounce
    assert bounce is not None
    assert (bounce.failed, bounce.delayed, bounce.returned) == (("alice@example.net",), (), "<t.abc@desk.example>")
    assert bounce.reason == "550 5.1.1 user unknown"
    later = read(raw.replace("failed", "delayed").replace("5.1.1", "4.1.1").encode()).bounce
    assert later is not None
    assert (later.failed, later.delayed) == ((), ("alice@example.net",))


HOSTILE = {
    "lines": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n" + b"\n" * 800_000,
    "levels": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2000)),
    "parts": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\ny\n" * 50_000,
    "headers": b"X: y\n" * 30_000 + b"\nx",
    "parameters": b"Content-Type: text/plain; " + b"a=b;" * 300_000 + b"\n\nx",
    "addresses": b"From: a@b.example\nTo: " + b"(" * 500_000 + b"a@b.c," * 100_000 + b"\n\nx",
    "tags": plain(b"<blockquote><b><a href='http://x'>" * 20_000, "text/html"),
    "open tags": plain(b"<option><dd><li>" * 40_000, "text/html"),
    "report": b"From: mailer-daemon@x.example\nContent-Type: multipart/report; report-type=delivery-status; "
    b"boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n" + b"\n\na: b\n" * 60_000,
    "calendar": plain(b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\n" * 15_000, "text/calendar"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_take_no_long_time(name: str) -> None:
    begin = time.process_time()
    mail = read(HOSTILE[name])
    markup.clean(mail.html)
    assert time.process_time() - begin < 5  # each takes under a second, or many minutes where its bound is missing
    assert mail.size == len(HOSTILE[name])


def test_of_a_mail_beyond_the_bound_the_first_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    mail = read(plain(b"first words\n" + b"x" * 10_000))
    assert mail.text.startswith("first words")
    assert len(mail.text) < 10_000
    assert {Problem.TOO_LARGE} <= mail.problems
    assert mail.size > 10_000


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000))
def test_no_bytes_raise(raw: bytes) -> None:
    mail = read(raw)
    assert mail.size == len(raw)
    assert "\x00" not in mail.text + mail.subject
    (mail.text + mail.subject + repr(mail)).encode()  # no half of a character that no database takes


def test_mails_with_mistakes_are_read_and_none_is_empty() -> None:
    for raw in mutating.mutated(random.randrange(10**6), 100):
        mail = read(raw)
        assert isinstance(mail, Mail)
        assert mail.headers or mail.text or mail.html or mail.files or mail.nested or not raw.strip(), raw
        markup.clean(mail.html)


def test_a_charset_of_a_mail_is_no_codec_of_ours() -> None:
    for name in ("base64", "rot13", "zlib", "idna", "unicode_escape", "undefined", "\x00", "a" * 500):
        assert charsets.decode("提现 abc".encode(), name)[0] == "提现 abc"
