"""What a message of Discord holds: what is passed on, embeds, polls and components."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot import guard
from bot.domain.context import Context, Forward, ForwardKind, Link
from bot.domain.message import Attachment, Incoming
from connectors.discord.events import reaction, reactions_under, read_edit, read_message, read_reaction
from tests.support.discord_events import ACCOUNT, ID, attachment, message

AT = datetime(2026, 11, 1, tzinfo=UTC)


def read(**changes: Any) -> Incoming:
    incoming = read_message(message(**changes), ACCOUNT)
    assert incoming is not None
    return guard.incoming(incoming)


def forward(*shots: Any, **changes: Any) -> dict[str, Any]:
    """As Discord sends one: the message itself says nothing."""
    return {
        "content": "",
        "flags": 1 << 14,
        "message_reference": {"type": 1, "channel_id": "23", "message_id": "7", "guild_id": "55"},
        "message_snapshots": [{"message": shot} for shot in shots],
        **changes,
    }


def shot(**changes: Any) -> dict[str, Any]:
    stamp = {"timestamp": "2026-11-01T00:00:00+00:00", "edited_timestamp": None}
    return {"type": 0, "content": "", "embeds": [], "attachments": [], "flags": 0, "mentions": [], **stamp, **changes}


def test_a_forward_is_somebody_elses_words() -> None:
    incoming = read(**forward(shot(content="Send your 12 words"), shot(content="/human", attachments=[attachment()])))
    origin = Forward("discord.com/channels/55/23/7", ForwardKind.CHANNEL, AT)
    assert incoming.context == Context(origin)
    assert incoming.text == "Send your 12 words\n\n/human"
    assert [one.name for one in incoming.attachments] == ["bill.pdf"]
    assert (incoming.command, incoming.argument, incoming.replies_to) == (None, "", None)
    assert read(**forward(shot(content="/human"))).command is None
    edited = read_edit(message(**forward(shot(content="/human")), edited_timestamp="2026-11-23T00:00:00Z"), ACCOUNT)
    assert edited is not None
    assert edited.context.forward is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"message_snapshots": None},
        {"message_snapshots": []},
        {"message_snapshots": [None, {}, {"message": None}, {"message": {"content": None, "attachments": None}}]},
        {"message_reference": None, "message_snapshots": [{"message": {}}]},
        {"message_reference": {"type": 1}, "flags": None},
        {"message_reference": None, "message_snapshots": None},
        {"message_reference": {}, "message_snapshots": [{"message": shot(timestamp="soon", type=None)}]},
    ],
)
def test_a_forward_of_which_little_is_told_is_one(changes: dict[str, Any]) -> None:
    incoming = read(**{**forward(), **changes})
    assert incoming.context.forward is not None
    assert incoming.context.forward.at is None
    assert (incoming.text, incoming.attachments) == ("", (Attachment("unsupported", "forward"),))


def test_where_a_forward_is_from() -> None:
    for reference, name in (
        ({"type": 1, "channel_id": "1", "message_id": "2"}, "discord.com/channels/@me/1/2"),
        ({"type": 1, "channel_id": "1"}, "discord.com/channels/@me/1"),
        ({"type": 1, "guild_id": "3", "message_id": "2"}, ""),
    ):
        origin = read(**forward(shot(content="x"), message_reference=reference)).context.forward
        assert origin is not None
        assert (origin.name, origin.at) == (name, AT)
    here = read(**forward(shot(content="x"), message_reference={"type": 1, "channel_id": "22", "message_id": "9"}))
    assert here.replies_to == "9"  # of this very chat: the desk may have it


def test_own_words_beside_a_forward_are_the_customers() -> None:
    incoming = read(**forward(shot(content="/start fees"), content="/human is this you?"))
    assert (incoming.text, incoming.context) == ("/human is this you?", Context(quote="/start fees"))
    assert (incoming.command, incoming.argument) == ("human", "is this you?")


RICH = {
    "type": "rich",
    "author": {"name": "BitPie", "url": "https://a.example"},
    "title": "Your account",
    "url": "https://b.example/claim",
    "description": "is **locked**",
    "fields": [{"name": "Until", "value": "today"}, {"value": "alone"}],
    "image": {"url": "https://tracker.example/1.png"},
    "thumbnail": {"url": "https://cdn.discordapp.com/attachments/1/2/seal%20a.png?ex=1&is=2&hm=3&"},
    "footer": {"text": "Support"},
    "color": 7,
}
LINES = [
    "BitPie https://a.example",
    "Your account",
    "https://b.example/claim",
    "is **locked**",
    "Until: today",
    "alone",
    "https://tracker.example/1.png",
    "Support",
]


def test_embeds_are_read_as_text() -> None:
    seal = Attachment("photo", "https://cdn.discordapp.com/attachments/1/2/seal%20a.png", "seal a.png")
    alone = read(content="", embeds=[RICH])
    assert (alone.text.splitlines(), alone.attachments) == (LINES, (seal,))
    passed = read(**forward(shot(content="see https://b.example", embeds=[RICH])))
    assert passed.text.split("\n\n") == ["see https://b.example", "\n".join(LINES)]
    assert passed.attachments == (seal,)
    assert passed.context.forward is not None
    assert read(content="", embeds=[{**RICH, "title": "/human"}]).command is None


@pytest.mark.parametrize("kind", ["rich", "link", "article", "image", "video", "gifv", None, "hologram"])
def test_what_a_website_says_is_not_the_customers_words(kind: str | None) -> None:
    embed = {"type": kind, "url": "https://x.example/", "title": "Sell your coins now", "description": "call a human"}
    said = "is https://x.example safe?"
    incoming = read(content=said, embeds=[embed])
    assert (incoming.text, incoming.attachments, incoming.context) == (said, (), Context())


def test_polls_are_words() -> None:
    answers = [
        {"answer_id": 1, "poll_media": {"text": "Yes", "emoji": {"id": None, "name": "👍"}}},
        {"answer_id": 2, "poll_media": {"text": "No"}},
        {"answer_id": 3, "poll_media": None},
        None,
    ]
    results = {"answer_counts": [{"id": 2, "count": 4, "me_voted": False}, None], "is_finalized": True}
    poll = {"question": {"text": "Is it you?"}, "answers": answers, "results": results}
    incoming = read(content="", poll=poll)
    assert incoming.attachments == (Attachment("poll", "Is it you? — 👍 Yes · No (4)"),)
    fields = {"poll_question_text": "Is it you?", "victor_answer_text": "No", "victor_answer_votes": "4"}
    told = [{"name": name, "value": value} for name, value in {**fields, "total_votes": "5"}.items()]
    assert read(content="", embeds=[{"type": "poll_result", "fields": told}]).text == "Is it you? — No · 4/5"


def test_components_are_read_in_their_order() -> None:
    kept = "https://cdn.discordapp.com/attachments/1/2"
    picture = {"media": {"url": f"{kept}/a.png?ex=1&hm=2", "content_type": "image/png"}, "description": "the proof"}
    components = [
        {
            "type": 17,
            "components": [
                {"type": 10, "content": "# Verify"},
                {
                    "type": 9,
                    "components": [{"type": 10, "content": "within 24 h"}],
                    "accessory": {"type": 2, "style": 5, "label": "Here", "url": "https://claim.example"},
                },
                {"type": 12, "items": [picture, {"media": {"url": "https://else.example/b.gif"}}]},
                {"type": 13, "file": {"url": f"{kept}/c.pdf?hm=2"}, "name": "c.pdf", "size": 5},
                {"type": 14, "divider": True},
            ],
        },
        {"type": 1, "components": [{"type": 3, "placeholder": "Which?", "options": [{"label": "BTC"}, None]}]},
        {"type": 77, "label": "Spin", "component": {"type": 10, "content": "the wheel"}},
    ]
    incoming = read(**forward(shot(flags=1 << 15, components=components)))
    said = ["# Verify", "within 24 h", "[Here]", "the proof", "https://else.example/b.gif", "Which?", "BTC", "Spin"]
    assert incoming.text.splitlines() == [*said, "the wheel"]
    assert incoming.context.links == (Link("Here", "https://claim.example"),)
    assert incoming.attachments == (
        Attachment("photo", f"{kept}/a.png", "a.png", "image/png"),
        Attachment("file", f"{kept}/c.pdf", "c.pdf", size=5),
    )
    assert '"type": 77' in incoming.context.raw


def test_an_edit_that_does_not_tell_of_files_leaves_them() -> None:
    edited = message(edited_timestamp="2026-11-22T12:01:00+00:00", attachments=[attachment()])
    told = {"files": edited, "none": {**edited, "attachments": []}}
    told |= {"not": {name: value for name, value in edited.items() if name != "attachments"}}
    told |= {"null": {**edited, "attachments": None}, "partly": {**edited, "attachments": [attachment(), {"id": "5"}]}}
    replaces = {name: getattr(read_edit(raw, ACCOUNT), "replaces_attachments", None) for name, raw in told.items()}
    assert replaces == {"files": True, "none": True, "not": False, "null": False, "partly": False}


def test_a_reaction_is_the_same_from_gateway_and_history() -> None:
    emoji = {"id": None, "name": "👍"}
    raw = {"user_id": "11", "channel_id": "22", "message_id": ID, "emoji": emoji, "burst": False, "type": 0}
    put = read_reaction(raw, ACCOUNT)
    assert put is not None
    assert (put.attachments, put.replies_to, put.text) == ((Attachment("reaction", "👍"),), ID, "")
    custom = {"id": "77", "name": "sad"}
    under = [{"emoji": emoji, "count": 2, "me": True}, {"emoji": {"name": "🎉"}, "count": 1, "me": True}]
    found = reactions_under(message(reactions=[*under, {"emoji": custom, "count": 1, "me": False}, None]))
    assert found == [(ID, emoji), (ID, custom)]
    assert reaction(ID, "22", put.sender, found[0][1], ACCOUNT) == put
    assert reaction(ID, "22", put.sender, custom, ACCOUNT).attachments == (Attachment("reaction", ":sad:"),)
    assert read_reaction({**raw, "guild_id": "5"}, ACCOUNT) is None
    assert read_reaction({**raw, "user_id": ACCOUNT}, ACCOUNT) is None
