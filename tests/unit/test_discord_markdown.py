"""Text as Discord shows it: what people type is escaped, what the content files hold is rewritten."""

from __future__ import annotations

import random
import re
import time

import pytest

from bot.content.answers import Answers
from bot.domain.message import MessageFormat
from bot.pipeline.rendering import split
from connectors.discord import MAX_LENGTH, DiscordConnector
from connectors.discord.markdown import escape, length, render, render_markdown

_URL = re.compile(r"<https?://[^\s<>]+>|https?://[^\s<]+[^<.,:;\"'\]\s]")
_AT_LINE_START = re.compile(r"[ \t]*(?:#{1,3}\s|-#\s|[-*+]\s|\d+\.\s|>(?:>>)?\s)")
_EMOJI_NAME = re.compile(r":[\w+-]+:")


def read(sent: str) -> str:
    """What a Discord client shows of text in which nothing is meant: fails where it would take something for Markdown.

    The client's rules in their order: a backslash before what is no letter, digit or blank; an address; all else."""
    shown, at, line_start = "", 0, True
    while at < len(sent):
        if line_start and (found := _AT_LINE_START.match(sent, at)):
            raise AssertionError(f"{found[0]!r} begins a heading, list or quote in {sent!r}")
        if re.match(r"\\[^0-9A-Za-z\s]", sent[at:]):
            shown += sent[at + 1]
            at += 2
        elif found := _URL.match(sent, at):
            shown += found[0]
            at = found.end()
        elif sent[at] in "*_~|`[<\\":
            raise AssertionError(f"{sent[at]!r} at {at} means something in {sent!r}")
        elif _EMOJI_NAME.match(sent, at) and not sent[at - 1 : at].isdigit():
            raise AssertionError(f"an emoji's name at {at} in {sent!r}")
        else:
            shown += sent[at]
            at += 1
        line_start = shown.endswith("\n")
    return shown


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("plain words, 你好 👋🏽", "plain words, 你好 👋🏽"),
        ("*a* **b** _c_ __d__ ***e***", r"\*a\* \*\*b\*\* \_c\_ \_\_d\_\_ \*\*\*e\*\*\*"),
        ("~~a~~ ||b||", r"\~\~a\~\~ \|\|b\|\|"),
        ("`a` ``b``", r"\`a\` \`\`b\`\`"),
        ("```py\nx\n```", "\\`\\`\\`py\nx\n\\`\\`\\`"),
        ("# a\n## b\n### c\n#### d", "\\# a\n\\## b\n\\### c\n#### d"),
        ("-# small", r"\-# small"),
        ("- a\n* b\n+ c\n  - d", "\\- a\n\\* b\n\\+ c\n  \\- d"),
        ("1. a\n 23. b\n3) c", "1\\. a\n 23\\. b\n3) c"),
        ("> a\n>>> b\n>c", "\\> a\n\\>>> b\n>c"),
        ("[a](https://b.example)", r"\[a](https://b.example)"),
        ("<@1> <@!1> <@&2> <#3> </x:4> <t:5:R>", r"\<@1> \<@!1> \<@&2> \<#3> \</x:4> \<t\:5:R>"),
        ("<:name:1> <a:name:2> <id:guide>", r"\<\:name:1> \<a\:name:2> \<id:guide>"),
        ("<https://a_b.example> <https://a b>", r"<https://a_b.example> \<https://a b>"),
        (":key: a:100:b", r"\:key: a\:100:b"),
        ("10:30:45", "10:30:45"),
        ("\\ \\* C:\\Temp", r"\\ \\\* C:\\Temp"),
        ("¯\\_(ツ)_/¯", r"¯\\\_(ツ)\_/¯"),
        ("3 - 2 + 1 # x > y 1.5", "3 - 2 + 1 # x > y 1.5"),
        ("snake_case 5*3", r"snake\_case 5\*3"),
        ("1000", "1000"),
        ("2024. That year", "2024\\. That year"),
        ("", ""),
    ],
)
def test_what_people_type_reads_the_same(typed: str, sent: str) -> None:
    assert escape(typed) == sent
    assert read(sent) == typed


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a_b*c~d|e`f[g",
        "http://x.example/?q=__a__&b=**c**#_d_",
        "https://en.wikipedia.org/wiki/A_(b)",
        "https://例え.example/你_好",
        "http://127.0.0.1:8080/_/",
    ],
)
def test_addresses_stay_as_they_are(address: str) -> None:
    assert escape(address) == address
    assert escape(f"(see {address}, *please*)") == f"(see {address}, \\*please\\*)"
    assert escape(f"{address}\n{address}.") == f"{address}\n{address}."


def test_whatever_is_typed_reads_the_same() -> None:
    random.seed(4)
    pieces = [
        *"*_~|`[]()<>#-+.\\:!@&\n\t  ",
        "**", "__", "```", "||", "~~", "> ", ">>> ", "- ", "-# ", "# ", "1. ", "\n- ", "\n12. ", "\n> ", "\n### ",
        "<@123>", "<@&4>", "<#5>", "@everyone", "@here", ":smile:", "[a](http://b.c)", "https://a.b/_c_*d*",
        "word", "7", "你好", "😀", "👨‍👩‍👧", "\u202e", "é", "ア",
    ]  # fmt: skip
    for _ in range(5000):
        typed = "".join(random.choices(pieces, k=random.randint(1, 14)))
        # A blank comes between an address and what is escaped right behind it.
        assert read(escape(typed)).replace(" <", "<") == typed.replace(" <", "<")


def test_what_follows_an_address_does_not_belong_to_it() -> None:
    assert escape("https://a.example).<@1>") == r"https://a.example). \<@1>"
    assert escape("https://a.example<https://b.example>") == "https://a.example <https://b.example>"


def test_whatever_grows_does_not_become_shorter() -> None:
    random.seed(5)
    alphabet = [*"*_~|`[]<>#-+.\\:)\n 1ax", "http://", "https://a.b/", ". ", "- ", ":a:"]
    for _ in range(500):
        typed = "".join(random.choices(alphabet, k=40))
        lengths = [length(typed[:end], MessageFormat.TEXT) for end in range(len(typed) + 1)]
        assert lengths == sorted(lengths), typed
        assert lengths[0] == 0


@pytest.mark.parametrize(
    ("markdown", "sent"),
    [
        ("plain", "plain"),
        ("**bold** and *italic* and ~~old~~", "**bold** and *italic* and ~~old~~"),
        ("__bold__ and _italic_", "**bold** and *italic*"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("one\ntwo  \nthree", "one two\nthree"),
        ("# Title\n\ntext", "# Title\ntext"),
        ("##### Deep\ntext", "### Deep\ntext"),
        ("- a\n- **b**\n\nafter", "- a\n- **b**\n\nafter"),
        ("* a\n+ b", "- a\n\n- b"),
        ("3. c\n4. d", "3. c\n4. d"),
        ("1. a\n   - b\n   - c\n2. d", "1. a\n  - b\n  - c\n2. d"),
        ("- a\n\n- b", "- a\n\n- b"),
        ("> quoted\n> on\n\nafter", "> quoted on\n\nafter"),
        ("> a\n>\n> b", "> a\n> \n> b"),
        ("> - a\n> - b", "> - a\n> - b"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("`a*b`", "`a*b`"),
        ("`` a`b ``", "``a`b``"),
        ("`` `a` ``", "`` `a` ``"),
        ("``` `` ` ```", "`'' '`"),
        ("```python\nx = 1\n```\nafter", "```python\nx = 1\n```\n\nafter"),
        ("    x_y_z\n", "```\nx_y_z\n```"),
        ("[site](https://example.com/a?b=c)", "[site](https://example.com/a?b=c)"),
        ("[a_b](https://example.com/(x))", r"[a\_b](https://example.com/(x%29)"),
        ("<https://example.com/a_b>", "https://example.com/a_b"),
        ("<https://example.com/你好>", "https://example.com/%E4%BD%A0%E5%A5%BD"),
        ("[https://good.example](https://other.example)", "https://other.example"),
        ("[help](/help)", "help"),
        ("[us](mailto:a_b@c.example)", r"us (a\_b@c.example)"),
        ("<a@b.example>", "a@b.example"),
        ("[+1 23](tel:+123)", "+1 23 (+123)"),
        ("![logo](https://example.com/x.png)", "[logo](https://example.com/x.png)"),
        ("[x](javascript:alert(1))", r"\[x](javascript:alert(1))"),
        ("<b>tag</b> & &amp;", r"\<b>tag\</b> & &"),
        ("5 * 3 * 2 and snake_case_name", r"5 \* 3 \* 2 and snake\_case\_name"),
        ("**unclosed", r"\*\*unclosed"),
        (r"\*literal\* 1\. x", r"\*literal\* 1. x"),
        ("1\\. no list", "1\\. no list"),
        ("hi <@123> ||x|| @everyone", r"hi \<@123> \|\|x\|\| @everyone"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", r"\| a \| b \| \|---\|---\| \| 1 \| 2 \|"),
        ("", ""),
        ("  \n", ""),
    ],
)
def test_rendering(markdown: str, sent: str) -> None:
    assert render_markdown(markdown) == sent


MEANT = re.compile(
    r"""^(?:[ ]{0,4}(?:-|\d+\.)[ ])?                  # at most one marker of a list
        (?: \*\*(?=\S)[^*]+(?<=\S)\*\* | \[[^\]]+\]\(https?://[^\s)]+\) | `[^`]+` | https?://\S+
          | \\[^0-9A-Za-z\s] | [^*_~|`\[<\\] )*$""",
    re.VERBOSE,
)
"""Lines of Markdown that Discord shows as they were meant: lists, bold, masked links, code."""


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_shipped_answers_are_shown_as_they_were_meant(answers: Answers, locale: str) -> None:
    texts = [(topic, answers.render(topic, locale)) for topic in answers.topics]
    customer = answers.words.section("customer", locale)
    texts += [(key, text) for key, text in customer.items() if isinstance(text, str)]
    assert len(texts) > 40
    for name, text in texts:
        assert text
        sent = render_markdown(text)
        for line in sent.split("\n"):
            assert MEANT.match(line), (name, line)
            assert not re.match(r"\s*(?:#|>|[*+] )", line), (name, line)
        assert "\n\n\n" not in sent
        assert length(text, MessageFormat.MARKDOWN) <= MAX_LENGTH
        # Nothing that is read has got lost.
        kept = re.sub(r"[\W_]|https?\S+", "", sent)
        assert kept == re.sub(r"[\W_]|https?\S+", "", text), name
        # Numbered lists count on, and a list is never torn from its introduction by more than a blank line.
        assert sent.count("**") % 2 == 0


@pytest.mark.parametrize("format", MessageFormat)
@pytest.mark.parametrize(
    "text",
    [
        "*" * 10_000,
        "_" * 10_000,
        "**a** " * 1700,
        "😀" * 5_000,
        "👨‍👩‍👧‍👦" * 1000,
        "您的转账正在处理中。" * 1000,
        "字" * 10_000,
        "https://example.com/a_b_c*d " * 350,
        "https://example.com/" + "a_" * 5000,
        "<@123456> @everyone " * 500,
        "- one\n" * 1700,
        "1. one\n" * 1400,
        "> quote\n" * 1200,
        "`" * 10_000,
        "\\" * 10_000,
        "[a](b" * 2000,
        "[a](https://b.example/c) " * 400,
        "# " * 5000,
        "para\n\n" * 1600,
        "x" * 10_000,
        " " * 10_000 + "x",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_every_piece_of_a_long_text_can_be_sent(text: str, format: MessageFormat) -> None:
    capabilities = DiscordConnector.capabilities
    started = time.process_time()
    pieces = list(split(text, capabilities.max_length, lambda piece: capabilities.length(piece, format)))
    assert time.process_time() - started < 5
    for piece in pieces:
        sent = render(piece, format)
        assert len(sent) <= length(piece, format) <= MAX_LENGTH
        assert length(piece, format) == len(sent.encode("utf-16-le")) // 2
    # A piece that holds only blanks may go; all else is there, in order.
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_mixed_long_texts_can_be_sent() -> None:
    random.seed(6)
    words = [
        "**bold** ",
        "*",
        "_x_ ",
        "[a](https://b.example/c_d) ",
        "`code` ",
        "您好。",
        "😀",
        "\n- item ",
        "\n\n",
        "1. ",
        "w ",
    ]
    for format in MessageFormat:
        for _ in range(3):
            text = "".join(random.choices(words, k=2000))
            pieces = list(split(text, MAX_LENGTH, lambda piece, f=format: length(piece, f)))
            assert max(length(piece, format) for piece in pieces) <= MAX_LENGTH


def test_half_a_character_is_counted_and_not_refused() -> None:
    assert length("\ud83d", MessageFormat.TEXT) == 1
    assert length("😀", MessageFormat.TEXT) == 2
