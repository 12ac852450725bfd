"""What was written is told from what is quoted and from signatures, and nothing is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.email import reading_replies
from benchmarks.email.clients import CLIENTS, LANGUAGES
from connectors.email.markup import to_text
from connectors.email.quoting import Kind, take_apart


def test_replies_of_twenty_programs_in_four_languages_are_exact() -> None:
    found = reading_replies.measure(20261128, 1, {"ours": reading_replies.ours})
    assert set(found.mails) == {(client, language) for client in CLIENTS for language in LANGUAGES}
    wrong = [(made.client, made.language, text) for made, text in found.examples]
    assert len(wrong) <= 0.02 * found.mails.total(), wrong
    assert (found.lost, found.misread) == (0, 0)


LINES = st.sampled_from(
    (
        *("", " ", "words", "> quoted", ">", "-- ", "--", "________________", "From: me", "wrote:", "<a@b.c>"),
        *("发件人: a <a@b.c>", "主题: x", "发送时间: 2026年1月1日", "Sent from my iPhone", "在 2026-01-01，a 写道："),
        *("On Mon, Nov 2, 2026 at 9:00 AM A <a@b.c> wrote:", "----- 原始邮件 -----", "Begin forwarded message:"),
        *("\u2028", "\x0c", "a" * 2000),
    )
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\n\n", ""])), max_size=30)
    | st.text().map(lambda t: [(t, "")])
)
def test_the_pieces_joined_are_the_text(lines: list[tuple[str, str]]) -> None:
    text = "".join(line + end for line, end in lines)
    taken = take_apart(text)
    assert taken.text == text
    assert sum(len(taken.of(kind)) for kind in Kind) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "On Monday you wrote: wait.\nI waited.",
        "From: my wallet\nto yours, what is the fee?",
        "你们上次写道：请等三天。\n我等了三天。",
        "Ich schrieb am 26.11.2026 um 9:15 Uhr.\nKeine Antwort.",
        "Time: 14:20\nNetwork: TRC20\nSubject: none of these",
        "----------\nA line I drew.\n----------",
        "-- no signature, a dash\nmore\n" + "words\n" * 50,
        "Sent from my iPhone it works, sent from the computer it does not.\nWhy?",
    ],
)
def test_what_only_looks_like_a_quotation_was_written(text: str) -> None:
    assert take_apart(text).written == text.strip()


HTML = {
    "Gmail": '<div dir="ltr">ok<div>two</div></div><br><div class="gmail_quote"><div class="gmail_attr">On Sat, '
    "Nov 28, 2026 at 10:13\u202fAM Desk &lt;s@d.example&gt; wrote:<br></div><blockquote>Please send</blockquote></div>",
    "163": '<div>ok</div><div>two</div><p>在 2026-11-28 10:13:00，"Desk" &lt;s@d.example&gt; 写道：</p>'
    "<blockquote>请提供</blockquote>",
    "163 on a telephone": "<p>ok</p><div>two</div><div>---- 回复的原邮件 ----</div>"
    "<table><tr><td>发件人</td><td>Desk</td></tr><tr><td>日期</td><td>2026年11月28日 10:13</td></tr>"
    "<tr><td>主题</td><td>x</td></tr></table><div>请提供</div>",
    "Foxmail": "<div>ok<br>two</div><hr><div>a@b.example</div><blockquote><div><b>发件人：</b>&nbsp;Desk</div>"
    "<div><b>发送时间：</b>&nbsp;2026-11-28&nbsp;10:13</div><div><b>主题：</b>&nbsp;x</div><div>请提供</div></blockquote>",
    "Outlook": '<p>ok<o:p></o:p></p><p>two</p><div style="border-top:solid #E1E1E1"><p><b>Von:</b> Desk '
    "&lt;s@d.example&gt;<br><b>Gesendet:</b> Samstag, 28. November 2026 10:13<br><b>An:</b> a@b.example<br>"
    "<b>Betreff:</b> x</p></div><p>Bitte</p>",
}


@pytest.mark.parametrize("program", HTML)
def test_html_alone_is_told_apart_as_text_is(program: str) -> None:
    written = take_apart(to_text(HTML[program])[0]).written
    assert written.split() == ["ok", "two"]


def test_answers_between_quoted_lines_are_all_kept() -> None:
    taken = take_apart(
        "Am 28.11.2026 um 10:13 schrieb Desk:\n> first question?\nYes.\n> second question?\nNo.\n> rest\n\n-- \nAnna\n"
    )
    assert taken.written.split() == ["Yes.", "No."]
    assert taken.of(Kind.SIGNATURE) == "-- \nAnna\n"


@pytest.mark.parametrize(
    "text",
    [
        "please look\n\n---------- Forwarded message ---------\nFrom: X <x@y.example>\nDate: 1\nSubject: "
        "s\n\nwords of X\n",
        "请看\n\n-------- 转发邮件信息 --------\n发件人：X <x@y.example>\n发送日期：2026-11-28 10:13:00\n主题"
        "：s\n\nX 的话\n",
        "bitte ansehen\n\nAnfang der weitergeleiteten Nachricht:\n\nVon: X <x@y.example>\nBetreff: s\nDatum: 1. "
        "Mai 2026\n\nWorte\n",
        "ご確認ください\n\n---------- 転送メッセージ ----------\nFrom: X <x@y.example>\nDate: 1\nSubject: "
        "s\n\nXの言葉\n",
    ],
)
def test_a_forward_is_known_as_one(text: str) -> None:
    taken = take_apart(text)
    assert taken.forwarded
    assert taken.written == text.split("\n")[0]


def test_long_and_hostile_texts_take_no_long_time() -> None:
    for line in (
        "1" * 400,
        "2026年1月1日 " * 25 + "写道：",
        "on 1:11 a@b.c " * 27 + ":",
        "From: x@y.example",
        "-" * 900,
    ):
        begin = time.process_time()
        take_apart(f"{line}\n" * (100_000 // len(line)))
        assert time.process_time() - begin < 1, line
