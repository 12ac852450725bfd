"""Which texts show nothing, and what a message's context keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot import guard
from bot.domain import context as contexts
from bot.domain.characters import shows
from bot.domain.context import MAX_RAW, Context, Forward, ForwardKind, Link
from bot.domain.message import Attachment, Command, Incoming, Sender
from bot.domain.parts import Content, carried, together
from bot.domain.said import fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "\u200b\u200c\u200d\ufeff\u2060",
        "\u3164",
        "\uffa0\u115f\u1160",
        "\u2800\u2800",
        "\ufe0f\U000e0100\U000e0041",
        "\u202e\u2066\u00ad\u034f\u061c",
        "\u180e\u17b4",
        "\ufffc",
    ],
)
def test_what_shows_nothing_is_nothing(text: str) -> None:
    assert not shows(text)
    assert shows(text + "." + text)


@pytest.mark.parametrize("text", [".", "字", "👩‍👩‍👧", "\u0301", "❤️", "한"])
def test_a_sign_is_something(text: str) -> None:
    assert shows(text)


def test_context_is_kept_as_it_was() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    full = Context(Forward("Support", ForwardKind.CHANNEL, at), "quoted", (Link("here", "https://x.example"),), "{}")
    assert contexts.from_json(full.as_json) == full
    assert Context().as_json is None
    assert contexts.from_json({"forward": {"name": "x", "kind": "robot", "at": None}, "later": 1}) == Context(
        Forward("x")
    )


def test_a_forward_is_no_command_and_no_button() -> None:
    passed_on = Incoming(
        "web",
        "web",
        "1",
        Sender("7"),
        "7",
        "/human",
        command=Command.HUMAN,
        argument="now",
        button="human",
        context=Context(Forward("A\x00nn" * 100), "q\x00", (Link("a\x00", "b" * 9_000),) * 200, "r" * 90_000),
    )
    cleared = guard.incoming(passed_on)
    assert (cleared.command, cleared.argument, cleared.button, cleared.text) == (None, "", None, "/human")
    context = cleared.context
    assert context.forward == Forward(("Ann" * 100)[:200])
    assert (context.quote, len(context.links), len(context.raw)) == ("q", contexts.MAX_LINKS, MAX_RAW)
    assert context.links[0] == Link("a", "b" * guard.MAX_URL)


def test_the_parts_of_an_album_are_one_message() -> None:
    one, two = Attachment("photo", "1"), Attachment("photo", "2")
    whole = together([Content("\u200b", (one,)), Content("look", (two,), Context(quote="q"))])
    assert whole == Content("look", (one, two), Context(quote="q"))
    fetched = Attachment("photo", "2", sha256="ab")
    assert carried(whole.attachments, (fetched, Attachment("photo", "3", sha256="cd"))) == (one, fetched)
    removed = Attachment("photo", "2", problem=fault("removed", "fault.attachment.secret"))
    assert carried((removed,), (fetched,)) == (removed,), "it was fetched while it was removed"
