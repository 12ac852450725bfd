"""How exactly the reply is found in a mail, by us and by others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.email import generating
from benchmarks.email.generating import Reply
from connectors.email.quoting import take_apart
from connectors.email.reading import read

Finder = Callable[[str, Reply], tuple[str, ...]]
"""What it takes for the reply; of several answers one right one counts."""


@dataclass(slots=True)
class Exactness:
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    right: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    lost: int = 0
    """Texts that the pieces, joined, do not give back."""
    misread: int = 0
    """Mails whose text did not come out of the raw bytes as it went in."""
    examples: list[tuple[Reply, str]] = field(default_factory=list)


def ours(text: str, _: Reply) -> tuple[str, ...]:
    return (take_apart(text).written,)


def others() -> dict[str, Finder]:
    """Those of the libraries that are installed. What they leave of signatures is taken off for them: not all of them
    look for these."""
    found: dict[str, Finder] = {}
    try:
        import quotequail

        found["quotequail"] = lambda text, made: _unsigned(quotequail.quote(text, quote_intro_line=True)[0][1], made)
    except ImportError:
        pass
    try:
        from mailparser_reply import EmailReplyParser

        def parser(text: str, made: Reply) -> tuple[str, ...]:
            reply = EmailReplyParser(languages=[made.language, "en"]).read(text).replies[0]
            return (reply.body, *_unsigned(reply.content, made))

        found["mail-parser-reply"] = parser
    except ImportError:
        pass
    return found


def _unsigned(text: str, made: Reply) -> tuple[str, ...]:
    text = even(text)
    for signature in (f"--\n{made.signature}", made.signature):
        if made.signature and text.endswith(even(signature)):
            return (text, text[: -len(even(signature))])
    return (text,)


def even(text: str) -> str:
    """Without differences that nobody sees: blanks at the ends of lines, and how many blank lines there are."""
    lines = (" ".join(line.split()) for line in text.replace("\u00a0", " ").strip().split("\n"))
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()


def measure(seed: int, each: int, finders: dict[str, Finder]) -> Exactness:
    found = Exactness(right={name: Counter() for name in finders})
    draw = generating.random.Random(seed)
    for made in generating.replies(seed, each):
        raw = generating.raw(draw, made, sender="a@example.net", subject="Re: x", headers={})
        text = read(raw).text
        found.misread += even(text.replace("_", "")) != even(made.text.replace("_", ""))
        found.lost += take_apart(text).text != text
        cell = (made.client, made.language)
        found.mails[cell] += 1
        accepted = {even(one) for one in made.accepted}
        for name, finder in finders.items():
            right = any(even(one) in accepted for one in finder(text, made))
            found.right[name][cell] += right
            if not right and finder is ours:
                found.examples.append((made, text))
    return found
