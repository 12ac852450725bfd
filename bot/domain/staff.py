"""Who works at the desk: what their role lets them do, and what they may be called. Plain data and pure functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.said import Refusal

# --- agents ---------------------------------------------------------------------------------------


class Role(StrEnum):
    """What somebody does at the desk; ``PERMISSIONS`` says what each may."""

    AGENT = "agent"
    """Answers customers."""
    LEAD = "lead"
    """Answers customers, moves everybody's work, and sees to channels and failed messages."""
    ADMIN = "admin"
    """A lead who manages agents as well."""
    AUDITOR = "auditor"
    """Reads everything and changes nothing."""


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
    locale: str | None = field(default=None, compare=False)
    """The language that they chose for the console; None: as their browser says."""
    seen_at: datetime | None = field(default=None, compare=False)
    """When they last did something at the desk; a page left open is nobody. They are the same agent all day long."""


# --- permissions ----------------------------------------------------------------------------------


class Permission(StrEnum):
    """What a role lets somebody do."""

    READ_CONVERSATIONS = "read_conversations"
    """Every conversation, whoever has it."""
    ANSWER_CUSTOMERS = "answer_customers"
    """Claim, reply, leave notes, resolve, link contacts; be given a conversation by a colleague."""
    MOVE_CONVERSATIONS = "move_conversations"
    """Pass on, or put back into the queue, what a colleague has."""
    DELETE_NOTES = "delete_notes"
    """Delete for good what a colleague noted."""
    VIEW_OPERATIONS = "view_operations"
    """How the channels are doing, and what the desk failed on."""
    OPERATE = "operate"
    """Have what failed tried again, or dismiss it."""
    VIEW_AGENTS = "view_agents"
    """Who works at the desk, and where they are signed in."""
    MANAGE_AGENTS = "manage_agents"
    """Add, name, promote, disable agents; make links to sign in."""


_AGENT = frozenset({Permission.READ_CONVERSATIONS, Permission.ANSWER_CUSTOMERS})
_LEAD = _AGENT | {
    Permission.MOVE_CONVERSATIONS,
    Permission.DELETE_NOTES,
    Permission.VIEW_OPERATIONS,
    Permission.OPERATE,
}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.AGENT: _AGENT,
    Role.LEAD: _LEAD,
    Role.ADMIN: _LEAD | {Permission.VIEW_AGENTS, Permission.MANAGE_AGENTS},
    Role.AUDITOR: frozenset({Permission.READ_CONVERSATIONS, Permission.VIEW_OPERATIONS, Permission.VIEW_AGENTS}),
}


@dataclass(frozen=True, slots=True)
class OwnPermission:
    """A permission that a page brings along, with the roles that have it."""

    value: str
    """Its name."""
    roles: frozenset[Role]


def roles_with(permission: Permission | OwnPermission) -> list[Role]:
    """The roles that have it, in their order."""
    if isinstance(permission, OwnPermission):
        return [role for role in Role if role in permission.roles]
    return [role for role in Role if permission in PERMISSIONS[role]]


def may(who: Agent, permission: Permission | OwnPermission) -> bool:
    """Whether the agent's role lets them, and they still work here."""
    return who.disabled_at is None and who.role in roles_with(permission)


class NotAllowed(Exception):
    """Whoever asked for it may not, or may not any more. ``permission`` is what ``agent_id`` lacks."""

    def __init__(self, permission: Permission | OwnPermission, agent_id: int) -> None:
        self.permission = permission
        self.agent_id = agent_id
        super().__init__(f"only {names_of(roles_with(permission))} may do this")


def names_of(roles: Iterable[Role]) -> str:
    """``leads and admins``."""
    *others, last = [f"{role.value}s" for role in roles]
    return f"{', '.join(others)} and {last}" if others else last


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
    return _name(text, "a name", "refusal.name.", MAX_NAME)


def public_name(text: str, brand: str = "") -> str:
    """The name by which customers are to know an agent. Raises ``ValueError`` for one that nobody can be called by, or
    that says only what they do here: ``admin``, ``Support 2``, the ``brand`` itself."""
    name = _name(text, "a public name", "refusal.public_name.", MAX_PUBLIC_NAME)
    if not any(character.isalpha() for character in name):
        raise Refusal("a public name has at least one letter", "refusal.name_no_letter")
    if _says_no_name(name, brand):
        raise Refusal(
            f"“{name}” says what somebody does here, and not who they are: give a name like Mei or Mr. Wang",
            "refusal.name_says_job",
            name=name,
        )
    return name


def as_public_name(name: str, brand: str = "") -> str | None:
    """The sign-in name, where customers may see it as well."""
    try:
        return public_name(name, brand)
    except ValueError:
        return None


def _name(text: str, what: str, key: str, most: int) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= most:
        raise Refusal(f"{what} has 1 to {most} characters", key + "length", most=most)
    unseen = next((character for character in name if unicodedata.category(character)[0] == "C"), None)
    if unseen is not None:
        mark = f"U+{ord(unseen):04X}"
        words = f"{what} has no invisible marks in it, such as {mark}: type it anew"
        raise Refusal(words, key + "unseen", mark=mark)
    if all(unicodedata.category(character)[0] in "MZ" or character in _BLANK for character in name):
        raise Refusal(f"{what} has something to see in it", key + "blank")
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
