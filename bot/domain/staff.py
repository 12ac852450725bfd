"""Who works at the desk: what their role lets them do, and what they may be called. Plain data and pure functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# --- agents ---------------------------------------------------------------------------------------


class Role(StrEnum):
    AGENT = "agent"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Agent:
    id: int
    name: str
    """By which they sign in, and colleagues know them. Customers never see it."""
    role: Role
    has_password: bool
    public_name: str | None = None
    """By which customers know them; without one they are told of "a person"."""
    disabled_at: datetime | None = None
    """Since when they may not sign in."""
    seen_at: datetime | None = field(default=None, compare=False)
    """When they last did something at the desk; a page left open is nobody. They are the same agent all day long."""


# --- rights ---------------------------------------------------------------------------------------


class Right(StrEnum):
    """What not everybody may do who answers customers."""

    MANAGE_AGENTS = "manage_agents"


_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.AGENT: frozenset(),
    Role.ADMIN: frozenset({Right.MANAGE_AGENTS}),
}


def may(who: Agent, right: Right) -> bool:
    """Whether the agent's role lets them, and they still work here."""
    return who.disabled_at is None and right in _RIGHTS[who.role]


class NotAllowed(Exception):
    """Whoever asked for it may not, or may not any more."""

    def __init__(self, message: str, agent_id: int, right: Right) -> None:
        super().__init__(message)
        self.agent_id = agent_id
        self.right = right


# --- who there is ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """One browser in which an agent is signed in."""

    created_at: datetime
    expires_at: datetime
    by_link: bool
    """Signed in by a one-time link: may set a password without the old one."""
    address: str | None
    browser: str | None
    """In a few words: ``Firefox on Windows``."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """An agent, and what they have in hand."""

    agent: Agent
    conversations: int
    sessions: int


# --- names ----------------------------------------------------------------------------------------

MAX_NAME = 80
MAX_PUBLIC_NAME = 40

NO_PUBLIC_NAMES = frozenset(
    {"admin", "administrator", "operator", "root", "superuser", "test"}
    | {"agent", "bot", "customerservice", "helpdesk", "moderator", "official", "staff", "support", "system", "team"}
    | {"客服", "官方", "官方客服", "人工客服", "管理员", "系统", "系统管理员"}
)
"""Names that say what somebody does or may do, and not who they are. Without blanks, marks and digits."""


def sign_in_name(text: str) -> str:
    """The name as it is kept. Raises ``ValueError`` for one that is empty, too long, or has marks that nobody sees."""
    return _name(text, "a name", MAX_NAME)


def public_name(text: str, brand: str = "") -> str:
    """The name by which customers are to know an agent. Raises ``ValueError`` for one that nobody can be called by, or
    that says only what they do here: ``admin``, ``Support 2``, the ``brand`` itself."""
    name = _name(text, "a public name", MAX_PUBLIC_NAME)
    if not any(character.isalpha() for character in name):
        raise ValueError("a public name has at least one letter")
    if _says_no_name(name, brand):
        raise ValueError(
            f"“{name}” says what somebody does here, and not who they are: give a name like Mei or Mr. Wang"
        )
    return name


def as_public_name(name: str, brand: str = "") -> str | None:
    """The sign-in name, where customers may see it as well."""
    try:
        return public_name(name, brand)
    except ValueError:
        return None


def _name(text: str, what: str, most: int) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= most:
        raise ValueError(f"{what} has 1 to {most} characters")
    unseen = next((character for character in name if unicodedata.category(character)[0] == "C"), None)
    if unseen is not None:
        raise ValueError(f"{what} has no invisible marks in it, such as U+{ord(unseen):04X}: type it anew")
    if all(unicodedata.category(character)[0] in "MZ" or character in _BLANK for character in name):
        raise ValueError(f"{what} has something to see in it")
    return name


_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters by their kind, and nothing to the eye."""


def _says_no_name(name: str, brand: str) -> bool:
    no_names = NO_PUBLIC_NAMES | set(_words(brand)) | {_letters(brand)}
    return _letters(name) in no_names or all(word in no_names for word in _words(name))


def _letters(text: str) -> str:
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    """The words as they sound: ``Ａdmin-2`` is ``admin``."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character if character.isalpha() else " " for character in folded).split()


def words_of(names: Iterable[str]) -> set[str]:
    """Every word of the names, and each name in one: what a password must not be made of."""
    found = {word for name in names for word in [*_words(name), _letters(name)]}
    return {word for word in found if len(word) >= (3 if word.isascii() else 2)}
