"""What a simulated customer is made of: plain data, as the files in data/ hold it, checked when it is read."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Language = Literal["zh", "en", "ru", "es", "pt", "tr", "ko", "ja", "vi", "id", "th", "fa"]
Kind = Literal[
    "newcomer", "angry", "despair", "storyteller", "fragments", "topic_changer", "self_corrector", "photo", "impostor",
    "wants_person",
]  # fmt: skip
Mood = Literal["calm", "angry", "low"]
Person = Literal["at_once", "needed", "either", "facts"]
PHOTO = "[photo]"

Message = dict[str, str]
"""One message of the line protocol: `{"text": …}`, `{"button": …}` or `{"attachment": "photo"}`."""


def _pattern(value: Any) -> Any:
    return re.compile(value, re.IGNORECASE | re.DOTALL) if isinstance(value, str) else value


Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]


class Strict(BaseModel):
    """A misspelt key is an error and not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Falsehood(Strict):
    """A sentence that has `says` and not `unless` is false for whoever it is said to."""

    says: Pattern
    unless: Pattern | None = None

    def told(self, sentence: str) -> bool:
        return bool(self.says.search(sentence)) and not (self.unless and self.unless.search(sentence))


class Cause(Strict):
    """What really happened to a customer, and how they know a good answer from a bad one."""

    topics: list[str]
    """Topics under which a desk may see it; the first is the one that reports name."""
    person: Person
    """`at_once`: nobody but a person, with the next turn; `needed`: a person, `within` so many turns; `either`: facts
    or a person; `facts`: facts alone, so that a handover nobody asked for is needless."""
    within: int = 4
    right: dict[str, list[Pattern]] = {}
    """By language of the reply: all of these, over what was said since the customer told their case.
    With `at_once`: what has to be said besides that a person comes."""
    wrong: dict[str, list[Falsehood]] = {}
    """False for this customer, once they have told their case."""
    buttons: dict[str, Pattern] = {}
    """Labels of buttons that fit what happened."""
    no_menu: bool = False
    """A reply with buttons fails this customer."""
    asking_back_counts: bool = False
    """The question what is meant is a good answer here."""
    good: dict[str, str] = {}
    bad: dict[str, str] = {}
    """A sentence that passes, and one that is false: the files are refused where they do not."""


class Switch(Strict):
    """With the second message the customer goes on in another language."""

    language: Language
    says: list[str]


class Next(Strict):
    """A second matter, told after the first reply: the first is let go, or (`now`) stays open behind it."""

    cause: str
    says: list[str]
    then: list[str] = []
    holds: dict[str, str] = {}
    when: Literal["dropped", "now"] = "dropped"


class Case(Strict):
    """One customer with their hidden state."""

    id: str
    language: Language
    kind: Kind
    mood: Mood
    patience: Annotated[int, Field(ge=1, le=8)]
    cause: str
    holds: dict[str, str] = {}
    """What they can give if they are asked, by kind: hash, ticket, device, version, status …"""
    says: Annotated[list[str], Field(min_length=1)]
    """The opening: several are several messages in a row."""
    corrects: list[str] = []
    """The opening was not the case; this, after the first reply, is."""
    then: list[str] = []
    """The same in other words."""
    after: list[str] = []
    """What they write while they wait for a person."""
    next: Next | None = None
    switch: Switch | None = None
    within: int | None = None
    """Overrides the cause's."""


class Asks(Strict):
    """How a reply that asks for something is known, in one language."""

    cue: Pattern
    forbids: Pattern
    about: dict[str, Pattern]


class Wordings(Strict):
    """How customers of one language say the usual things."""

    give: dict[str, list[str]]
    join: list[str]
    not_have: dict[str, list[str]]
    already: list[str]
    tried: list[str]
    push: dict[Mood, list[str]]
    person: dict[Mood, list[str]]
    thanks: list[str]
    foreign: list[str]


class Button(BaseModel):
    label: str = ""
    payload: str = ""


class Detail(BaseModel):
    kind: str = ""
    value: str = ""


class Turn(BaseModel):
    """What the desk did with one message. Only the decision is sure to be there."""

    decision: Literal["answer", "ask_back", "collect", "escalate", "silent"]
    topic: str | None = None
    intent: str | None = None
    reply: str | None = None
    buttons: list[Button] | None = None
    details: list[Detail] | None = None
    reason: str | None = None

    @property
    def said(self) -> str:
        return self.reply or ""
