"""Mails as customers' programs would send them, with what must come out of them."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from benchmarks.email import wordings
from benchmarks.email.clients import ANSWERS_BELOW, CLIENTS, LANGUAGES, Original, Quoted, as_html

_CHARSETS = {
    "zh": ("utf-8", "gb18030", "gb2312"),
    "ja": ("utf-8", "iso-2022-jp", "shift_jis"),
    "de": ("utf-8", "iso-8859-1"),
}
DESK = "support@desk.example"


@dataclass(frozen=True, slots=True)
class Reply:
    client: str
    language: str
    style: str
    """above, below, or between the quotation."""
    text: str
    """The whole text of the mail."""
    accepted: tuple[str, ...]
    """What counts as exactly what was written: with and without the closing words."""
    signature: str
    html_only: bool


def replies(seed: int, each: int) -> Iterator[Reply]:
    """``each`` for every program and language."""
    draw = random.Random(seed)  # noqa: S311 - which mails are made, nothing secret
    for client in CLIENTS:
        for language in LANGUAGES:
            for _ in range(each):
                yield reply(draw, client, language)


def reply(draw: random.Random, client: str, language: str, original: Original | None = None) -> Reply:
    name = draw.choice(wordings.NAMES[language])
    at = datetime(
        2026, draw.randint(1, 12), draw.randint(1, 28), draw.randint(0, 23), draw.randint(0, 59), 7, tzinfo=UTC
    )
    sender = draw.choice(("Support", "Desk Support", "客服", "Example Desk (Support)"))
    original = original or Original(
        sender,
        DESK,
        "customer@example.net",
        name,
        f"Re: {draw.choice(wordings.SUBJECTS[language])}",
        wordings.OURS[language],
        at,
    )
    if draw.random() < 0.3:
        # An exchange that goes on: what is quoted has a quotation itself.
        older = CLIENTS[client](replace(original, text="", at=at - timedelta(days=1)), language)
        below = "\n".join(f"> {line}".rstrip() for line in wordings.OURS[language].split("\n"))
        original = replace(original, text=f"{original.text}\n\n{older.head}\n{below}")
    quoted = _worn(draw, CLIENTS[client](original, language))
    said = draw.choice(wordings.REPLIES[language])
    closing = draw.choice(wordings.CLOSINGS[language]).format(name=name) if draw.random() < 0.4 else ""
    signed = wordings.SIGNATURES[language].format(name=name) if draw.random() < 0.2 and not quoted.added else ""
    style = "above"
    if client in ANSWERS_BELOW and quoted.marked:
        style = draw.choice(("above", "above", "above", "below", "between"))
    text = _laid_out(style, said, closing, signed, quoted, original)
    accepted = tuple(dict.fromkeys((f"{said}\n\n{closing}".strip(), said)))
    if style == "between":
        first, _, rest = said.partition("\n\n")
        accepted = (
            tuple(f"{first}\n\n{one}".strip() for one in (f"{rest}\n\n{closing}".strip(), rest)) if rest else accepted
        )
    html_only = quoted.html_only
    return Reply(client, language, style, text, accepted, signed or quoted.added, html_only)


def _worn(draw: random.Random, quoted: Quoted) -> Quoted:
    """What servers and programs on the way do to the lines above a quotation."""
    head = quoted.head
    match draw.randrange(8):
        case 0 if quoted.marked and "\n" not in head.strip():
            head = "\n".join(textwrap.wrap(head, draw.choice((60, 72, 76)), break_long_words=False))
        case 1:
            head = head.replace(" ", "\u00a0", draw.randint(1, 4))
        case 2:
            head = "\n".join(f"{line}  " for line in head.split("\n"))
        case 3:
            return replace(quoted, gap="\n\n\n\n")
        case 4:
            return replace(quoted, gap="\n")
    return replace(quoted, head=head)


def _laid_out(style: str, said: str, closing: str, signed: str, quoted: Quoted, original: Original) -> str:
    lines = original.text.split("\n")
    marked = "\n".join(f"> {line}".rstrip() for line in lines) if quoted.marked else original.text
    head = f"> {quoted.head}\n>" if quoted.head_marked else quoted.head
    end = f"\n\n{closing}" if closing else ""
    end += f"\n\n-- \n{signed}" if signed else ""
    end += f"\n\n{quoted.added}" if quoted.added else ""
    if style == "below":
        return f"{head}\n{marked}\n\n{said}{end}\n"
    if style == "between":
        first, _, rest = said.partition("\n\n")
        half = len(lines) // 2
        above, under = ("\n".join(f"> {line}".rstrip() for line in part) for part in (lines[:half], lines[half:]))
        rest = rest or ""
        return f"{head}\n{above}\n\n{first}\n\n{under}\n\n{rest}{end}\n"
    return f"{said}{end}{quoted.gap}{head}\n{marked}\n"


def raw(draw: random.Random, made: Reply, *, sender: str, subject: str, headers: dict[str, str]) -> bytes:
    """The mail as it arrives, in a charset of its language."""
    charset = draw.choice(_CHARSETS.get(made.language, ("utf-8",)))
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = headers.pop("To", DESK)
    message["Subject"] = subject
    message["Date"] = format_datetime(
        datetime(2026, 11, 28, 10, 0, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 10**6))
    )
    for name, value in headers.items():
        message[name] = value
    try:
        made.text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    if made.html_only:
        message.set_content(as_html(made.text), subtype="html", charset=charset)
    else:
        message.set_content(made.text, charset=charset)
        if draw.random() < 0.5:
            message.add_alternative(as_html(made.text), subtype="html", charset="utf-8")
    return message.as_bytes()
