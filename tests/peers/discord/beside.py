"""What a message has beside its own words: what it passes on, and the reactions to it."""

from __future__ import annotations

import copy
from typing import Protocol

from tests.peers.discord.entities import Attachment, Message
from tests.peers.discord.errors import Json

HAS_SNAPSHOT = 1 << 14
_FORWARDABLE = (0, 19, 20, 23)


class Files(Protocol):
    guild_id: int
    bot_id: int

    def show_attachment(self, attachment: Attachment, message: Message) -> Json: ...


def passed_on(original: Message) -> Message:
    """A copy: what becomes of the original later does not reach it. Of a forward it is what that passed on."""
    assert original.kind in _FORWARDABLE, "Discord forwards what people and bots write, and no notices"
    assert "poll" not in original.extra, "Discord does not forward polls"
    if original.forwards is not None:
        return original.forwards
    taken = copy.copy(original)
    taken.attachments, taken.embeds = list(original.attachments), copy.deepcopy(original.embeds)
    return taken


def show_beside(files: Files, message: Message) -> Json:
    """Its fields on the wire; none where there is nothing."""
    return {**_forward(files, message), **_reactions(files, message)}


def _forward(files: Files, message: Message) -> Json:
    original = message.forwards
    if original is None:
        return {}
    reference: Json = {"type": 1, "channel_id": str(original.channel.id), "message_id": str(original.id)}
    if not original.channel.is_dm:
        reference["guild_id"] = str(files.guild_id)
    # No author, no id, no channel: whose words they are, Discord does not say.
    snapshot: Json = {
        "type": original.kind,
        "content": original.content,
        "timestamp": original.created.isoformat(timespec="microseconds"),
        "edited_timestamp": original.edited and original.edited.isoformat(timespec="microseconds"),
        "mentions": [],
        "attachments": [files.show_attachment(attachment, original) for attachment in original.attachments],
        "embeds": copy.deepcopy(original.embeds),
        "components": copy.deepcopy(original.components),
        "flags": original.flags,
    }
    if "sticker_items" in original.extra:
        snapshot["sticker_items"] = copy.deepcopy(original.extra["sticker_items"])
    return {
        "message_reference": reference,
        "message_snapshots": [{"message": snapshot}],
        "flags": message.flags | HAS_SNAPSHOT,
    }


def _reactions(files: Files, message: Message) -> Json:
    """Only how many there are, and whether the bot's is among them. Without any, there is no such field."""
    shown: list[Json] = []
    for emoji, user in message.reactions:
        known = next((one for one in shown if one["emoji"] == emoji), None)
        if known is None:
            known = {"emoji": emoji, "count": 0, "me": False, "me_burst": False, "burst_colors": []}
            known["count_details"] = {"normal": 0, "burst": 0}
            shown.append(known)
        known["count"] += 1
        known["count_details"]["normal"] += 1
        known["me"] = known["me"] or user == files.bot_id
    return {"reactions": shown} if shown else {}
