"""What is said over the wire: the bodies that apps send, and those that they get. docs/channel-api tells of it in
words, ``switchboard api openapi`` as OpenAPI."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

MOST_TEXT = 20_000
MOST_FILES = 10

Id = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_UNSEEN = r"^[^\x00-\x1f\x7f]*$"
"""Without control characters, which no database keeps and nobody reads."""
Thread = Annotated[str, StringConstraints(max_length=128, pattern=_UNSEEN)]
Language = Annotated[str, StringConstraints(max_length=35, pattern=_UNSEEN)]
Text = Annotated[str, StringConstraints(max_length=MOST_TEXT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AppContact(_Body):
    """One customer of the app."""

    id: Name
    """The app's id of the customer, always the same."""
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    """What agents call them. Empty: what was said before stays."""
    language: Language | None = None
    """A language tag (``zh-CN``): a hint for words too few to tell."""


class AppFile(_Body):
    """A file of a message, uploaded before."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """What ``POST …/files`` answered as ``file``."""
    name: Annotated[str, StringConstraints(max_length=200)] = "file"
    media_type: Annotated[str, StringConstraints(max_length=100, pattern=r"^([\w.+-]+/[\w.+-]+)?$")] = ""


class _Event(_Body):
    contact: AppContact
    sent_at: AwareDatetime | None = None
    """When it happened, with its time zone. Left out: when it arrives."""


class Forwarded(_Body):
    """Whose words a message passes on. They are never the customer's own: no command in them is one."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    """As your platform gives it; empty where it gives none."""
    kind: Literal["user", "channel", "unknown"] = "unknown"
    at: AwareDatetime | None = None
    """When they were written."""


class MessageEvent(_Event):
    """The customer wrote. The ``webhook-id`` is the id of the message from then on."""

    type: Literal["message"]
    text: Text = ""
    """Plain text; may be empty beside files."""
    files: Annotated[list[AppFile], Field(max_length=MOST_FILES)] = []
    reply_to: Id | None = None
    """The id of the message that it answers: one of the desk's or of the customer's own."""
    quote: Annotated[str, StringConstraints(max_length=4_000)] = ""
    """The part of that message that it quotes, where your platform tells."""
    forwarded: Forwarded | None = None
    """The text and the files are somebody else's words, which the customer passes on."""
    other: dict[str, JsonValue] | None = None
    """What your platform tells and this contract has no field for: agents see it, at most 20 000 characters."""
    thread: Thread = ""
    """Which of several conversations with the customer it belongs to; empty where the app has one for each."""
    subject: Annotated[str, StringConstraints(max_length=200)] | None = None
    """What a conversation that begins with it is called."""


class EditEvent(_Event):
    """The customer gave a message other words."""

    type: Literal["edit"]
    message: Id
    """The message's id."""
    text: Text
    files: Annotated[list[AppFile], Field(max_length=MOST_FILES)] | None = None
    """All files that it has now, and may be none; left out, they stay as they are."""


class DeleteEvent(_Event):
    """The customer took a message back."""

    type: Literal["delete"]
    message: Id
    """The message's id."""


class PressEvent(_Event):
    """The customer pressed a button under a message of the desk's. The ``webhook-id`` is the id of the press."""

    type: Literal["press"]
    payload: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """The button's, as the desk sent it."""
    label: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """What the button says: agents read it as the customer's words."""
    thread: Thread = ""


class ReceiptEvent(_Event):
    """What became of a message of the desk's after the app took it. Agents see it."""

    type: Literal["receipt"]
    message: Id
    """The id of the desk's message, or of one part of a long one."""
    status: Literal["delivered", "read", "failed"]
    """``delivered``: it is on the customer's device; ``read``: the customer has seen it; ``failed``: it did not reach
    them after all, and an agent may send it again."""
    error: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_UNSEEN)] | None = None
    """Why it failed, for agents: needed with ``failed``, and refused without."""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if (self.status == "failed") != (self.error is not None):
            raise ValueError("error says why a message failed: it is needed with status failed, and with no other")
        return self


Event = Annotated[
    MessageEvent | EditEvent | DeleteEvent | PressEvent | ReceiptEvent,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[MessageEvent | EditEvent | DeleteEvent | PressEvent | ReceiptEvent] = TypeAdapter(Event)


class Upload(_Body):
    """A file that a message will name."""

    content: str
    """The bytes in base64; at most 10 MB before that."""


class To(_Body):
    """A customer, on any channel that the app may write to."""

    contact: Name
    """Their id there: of an app the app's own, on Telegram and Discord the user's number."""
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "api"
    account: Annotated[str, StringConstraints(max_length=200, pattern=_UNSEEN)] | None = None
    """Which account of the channel, where the contact is known on several. Of ``api`` it is an app: this one, unless
    given."""


class NoticeBody(_Body):
    """What the desk is to say to a customer. The ``webhook-id`` is the notice's id."""

    to: To
    text: Text | Annotated[dict[Language, Text], Field(min_length=1, max_length=50)]
    """Plain text; or by language (``{"en": "…", "zh": "…"}``), of which the customer's is said."""
    locale: Language | None = None
    """In which language to speak; left out: as the desk speaks with this customer."""
    topic: Annotated[str, StringConstraints(max_length=64, pattern=_UNSEEN)] | None = None
    """What it is about, one of the desk's topics (``suspicious_login``): the customer's answer is read with it, and
    where the topic has a question for that, it stands under the text."""
    priority: Literal["normal", "high", "urgent"] = "normal"
    """With which it reaches a person at least, should it."""
    thread: Thread = ""


NOTICE = TypeAdapter(NoticeBody)
UPLOAD = TypeAdapter(Upload)


# --- what the desk answers


class _Said(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Taken(_Said):
    """It is committed, now or when it came first."""

    duplicate: bool
    """It was there already."""
    message_id: int | None
    """The desk's number of the message; null for what concerns a message that the desk does not know."""


class Uploaded(_Said):
    file: str
    """Names the file for 24 hours."""
    size: int


class NoticeTaken(_Said):
    """It is committed. The same notice given again answers how its delivery stands then."""

    duplicate: bool
    message_id: int
    conversation_id: int
    delivery: Literal["pending", "sent", "failed"]
    error: str | None = None
    """Why it failed."""
    delivered_at: AwareDatetime | None = None
    """When it was on the customer's device, where the channel tells."""
    read_at: AwareDatetime | None = None
    """When the customer had seen it, where the channel tells."""


class Refusal(_Said):
    error: str
    """For programs."""
    message: str
    """For people: what is wrong, and the fix."""


# --- what apps get


class OutContact(_Said):
    id: str


class OutButton(_Said):
    label: str
    payload: str
    """Comes back in a ``press``."""


class OutFile(_Said):
    name: str
    media_type: str
    size: int
    content: str
    """In base64."""
    as_file: bool
    """Show it as a file, though it be a picture: the agent wants it to arrive as it is."""


class _Out(_Said):
    contact: OutContact
    at: str
    """When this try was made, to the microsecond: of two for the same message the later one holds."""


class OutMessage(_Out):
    """Show this to the customer, and answer its id."""

    type: Literal["message"] = "message"
    text: str
    """Plain text. Empty where a file comes."""
    markdown: str | None = None
    """The same with emphasis and links, in CommonMark; null where the text is all."""
    buttons: list[OutButton] = []
    file: OutFile | None = None
    reply_to: str | None = None
    """The id of the customer's message that it answers."""
    thread: str = ""
    repeated: bool = False
    """An earlier try may have reached you."""


class OutEdit(_Out):
    """Give a message other words and other buttons."""

    type: Literal["edit"] = "edit"
    message: str
    text: str
    markdown: str | None = None
    buttons: list[OutButton] = []


class OutDelete(_Out):
    """Take a message away."""

    type: Literal["delete"] = "delete"
    message: str


class OutTyping(_Out):
    """An answer is being made. A courtesy: never repeated, and may be lost."""

    type: Literal["typing"] = "typing"
    thread: str = ""


class OutPing(_Said):
    """``switchboard api ping`` and ``switchboard doctor`` ask whether you are there. Answer 2xx, and show nobody
    anything."""

    type: Literal["ping"] = "ping"
    at: str


class Shown(_Said):
    """What an app may answer to a message."""

    id: str | None = None
    """By which the message is known from then on; left out, it is the ``webhook-id``."""
