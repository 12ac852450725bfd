"""Which passwords are refused because somebody would guess them. Judged when a password is set, never at a sign-in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.domain.said import Refusal
from bot.domain.staff import words_of

JUDGED = 64
"""Characters that are judged. What follows makes a password no weaker, and the judge is slow on more (0.2 s)."""
ENOUGH = 8.0
"""Guesses that the whole password must stand, as a power of ten: offline, against Argon2, those are years."""
ENOUGH_BARE = 6.0
"""The same for what is left of it without case, blanks, marks, and the names that everybody here knows."""
ENOUGH_WORD = 4.5
"""The same without a number before or behind it as well: what stands there is the first thing that is tried."""
FIGURES = 16
"""A number that is shorter is refused, however little it looks like a date."""
HOW = "Take three or four words that do not belong together, or let a password manager make one."

_KNOWN_WORDS = (
    *("switchboard", "welcome", "winter", "spring", "summer", "autumn", "herbst", "sommer"),
    *("january", "february", "march", "april", "june", "july", "august", "september", "october", "november"),
    *("december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    # Chinese lists begin with these: "I love you", in letters and by the sound of figures.
    *("woaini", "woaiwojia", "5201314", "1314520", "woaini1314", "caonima", "mima", "zhongguo", "beijing", "shanghai"),
)
"""What the library's lists lack, or rank as if nobody used it."""

_NOT_A_LETTER = re.compile(r"[\W_]+")
_NUMBER_BEFORE = re.compile(r"^\d{1,6}")
_NUMBER_BEHIND = re.compile(r"\d{1,6}$")
_UNSHIFTED = str.maketrans("!@#$%^&*()", "1234567890")
# One at a time, off the event loop: the library keeps a word list of each call in a global.
_thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")


async def refuse_guessable(password: str, names: Iterable[str]) -> None:
    """Raises ``ValueError``, with a word why and how, for a password that is on the well-known lists, follows a
    pattern, or is little more than one of ``names``: the agent's, the brand's."""
    reason = await asyncio.get_running_loop().run_in_executor(_thread, _reason, password, sorted(words_of(names)))
    if reason is not None:
        words, key = reason
        raise Refusal(f"this password is easy to guess: {words}. {HOW}", key)


def _reason(password: str, names: list[str]) -> tuple[str, str] | None:
    """Why in words, and the key of the phrase that says so; None for a good one."""
    password = password[:JUDGED]
    bare = _bare(password)
    if bare.isdigit() and len(bare) < FIGURES:
        return "it is a number, as dates and telephone numbers are", "refusal.guessable.number"
    without = bare
    # The longest first: "bitpiedesk" before "bitpie".
    for name in sorted(names, key=len, reverse=True):
        without = without.replace(name, "")
    owned = bare != without and _weak(_judged(without, ()), ENOUGH_BARE)
    if owned and 2 * len(without) <= len(bare):
        return _OWNED
    # Shift held down over a row of keys: !QAZ2wsx is 1qaz2wsx.
    enough = {bare: ENOUGH_BARE, _bare(password.translate(_UNSHIFTED)): ENOUGH_BARE, password: ENOUGH}
    for text in enough:
        if _weak(judged := _judged(text, names), enough[text]):
            return _explained(judged), "refusal.guessable.pattern"
    behind = _NUMBER_BEHIND.sub("", bare)
    if any(_weak(_judged(word, names), ENOUGH_WORD) for word in {behind, _NUMBER_BEFORE.sub("", behind)} - {bare}):
        return "it is a common word with a number", "refusal.guessable.word"
    return _OWNED if owned else None


_OWNED = ("it is little more than your name or the name of the desk", "refusal.guessable.owned")


def _bare(text: str) -> str:
    return _NOT_A_LETTER.sub("", text.casefold())


def _judged(password: str, names: Iterable[str]) -> Any:
    if not password:
        return None
    # Where it is used: importing it takes 0.2 s, which no start of the desk should wait for.
    from zxcvbn import zxcvbn

    return zxcvbn(password, user_inputs=[*names, *_KNOWN_WORDS])


def _weak(judged: Any, enough: float) -> bool:
    return judged is None or judged["guesses_log10"] < enough


def _explained(judged: Any) -> str:
    warning = str(judged["feedback"]["warning"]).rstrip(".") if judged else ""
    if not warning:
        return "it is made of words and figures that are tried early"
    return f"{warning[0].lower()}{warning[1:]}"
