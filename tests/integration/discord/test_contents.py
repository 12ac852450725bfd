"""What messages hold beside words: the same from the gateway and from history, and marked where an edit changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.channel import Chat
from bot.domain.context import ForwardKind
from bot.domain.message import Attachment, Incoming
from bot.pipeline.attachments import Attachments
from bot.pipeline.intake import Intake
from bot.queue import JobLease
from bot.store import Store
from connectors.discord import DiscordConnector
from tests.peers.discord import DiscordPeer, PeerUser
from tests.peers.discord.entities import Message
from tests.support.discord_connector import Desk, acquainted, outgoing, restarted, running
from tests.support.waiting import until

ADDRESS = "https://x.example/claim"


def swindle(peer: DiscordPeer) -> int:
    """On a server, by a bot."""
    place = peer.state.channels[peer.guild_channel_id]
    posted = Message(peer.state.new_id(), place, {"id": "1", "username": "help", "bot": True}, "/human: 12 words!")
    posted.embeds = [{"type": "rich", "title": "Claim", "url": ADDRESS}]
    posted.attachments = [peer.state.attach("logo.png", b"\x89PNG", "image/png")]
    return peer.state.post(posted).id


async def do_everything(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> int:
    """How many events the desk must have of it."""
    ann.forwards(swindle(peer))
    linked = ann.writes(f"is {ADDRESS} yours?")
    ann.gets_preview(linked, type="link", url=ADDRESS, title="Sell now", description="call a human")
    for number in range(1, 5):
        ann.sends_sticker("wave", number)
    ann.sends_poll("Is it you?", "Yes", "No")
    ann.writes("", [("voice-message.ogg", b"OggS", "audio/ogg")], flags=1 << 13)
    ann.writes("with something new", hologram={"hue": 7})
    ann.writes("", type=60, hologram={"hue": 8})
    ann.writes("as I said", reply_to=linked)
    ann.writes("\u200b")
    answer = int(await connector.send(outgoing(ann, "Did that help?")))
    ann.writes("this?", reply_to=answer)
    ann.reacts(answer, "👍")
    ann.reacts(answer, "sad", custom_id=77)
    ann.reacts(linked, "👀")
    return 16


def seen(desk: Desk) -> dict[str, Incoming]:
    return {event.external_id: replace(event, mark=None) for event in desk.received}


async def test_live_and_read_from_history_it_is_the_same(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        count = 1 + await do_everything(peer, connector, ann)
        await until(lambda: len(desk.received) >= count)
    first = desk.received[0]
    later = Desk()
    later.records.extra[first.chat_id] = Chat(first.chat_id, first.mark, datetime.now(UTC))
    peer.expire_sessions()
    async with restarted(peer, later):
        await until(lambda: len(later.received) >= count - 1)
        ann.writes("end")
        await until(lambda: later.texts[-1] == "end")
    live, read = seen(desk), seen(later)
    del live[first.external_id], read[later.received[-1].external_id]
    assert {name: replace(event, sender=first.sender) for name, event in read.items()} == {
        name: replace(event, sender=first.sender) for name, event in live.items()
    }
    assert {event.sender.external_id for event in read.values()} == {str(ann.id)}

    passed, linked, *stickers, poll, voice, new, newer, reply, nothing, thanks, like, sad, eyes = live.values()
    assert passed.context.forward is not None
    assert passed.context.forward.kind is ForwardKind.CHANNEL
    assert str(peer.guild_id) in passed.context.forward.name
    assert (passed.text, passed.command) == (f"/human: 12 words!\n\nClaim\n{ADDRESS}", None)
    assert [one.name for one in passed.attachments] == ["logo.png"]
    assert (linked.text, linked.attachments) == (f"is {ADDRESS} yours?", ())
    assert [one.attachments[0].name for one in stickers] == ["wave.png", "wave.png", "wave.json", "wave.gif"]
    assert poll.attachments == (Attachment("poll", "Is it you? — Yes · No"),)
    assert voice.attachments[0].kind == "voice"
    assert (new.text, new.attachments, new.context.raw) == ("with something new", (), '{"hologram": {"hue": 7}}')
    assert (newer.attachments[0].reference, newer.context.raw) == ("hologram", '{"hologram": {"hue": 8}}')
    assert (reply.replies_to, reply.answered) == (linked.external_id, linked.text)
    assert (nothing.text, nothing.attachments) == ("\u200b", ())
    assert thanks.answered == "Did that help?"
    assert [one.attachments[0].reference for one in (like, sad, eyes)] == ["👍", ":sad:", "👀"]
    assert like.replies_to == thanks.replies_to


async def test_what_an_edit_takes_away_is_kept_with_the_version_before(
    peer: DiscordPeer, connector: DiscordConnector, store: Store, desk: Desk
) -> None:
    receive = Intake(store.incoming.record).receive

    async def record(incoming: Incoming) -> None:
        await receive(incoming)

    desk.before = record
    files = Attachments(store.files, {"discord": connector}, marks=store.incoming)
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        unknown = peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "of long ago"))
        number = ann.writes("look", [("a.txt", b"aa", "text/plain"), ("b.txt", b"bb", "text/plain")], unknown.id)
        await until(lambda: len(desk.received) == 1)
        message = (await store.messages.of(1))[0]
        assert (message.reply_to, message.context.quote) == (None, "of long ago")
        await files.fetch(message.id, JobLease())
        peer.expire_links()  # from now on the same files have other links

        ann.gets_preview(number, type="link", url=ADDRESS)
        ann.edits(number, "look here")
        ann.removes_file(number, 0)
        partly = peer.state.find(number)
        partly.content, partly.edited = "look there", datetime.now(UTC)
        told = {"id": str(number), "channel_id": str(ann.channel_id), "edited_timestamp": partly.edited.isoformat()}
        peer.sessions[0].add("MESSAGE_UPDATE", {**told, "author": ann.profile})
        await until(lambda: len(desk.received) == 4)
        ann.writes("answering you", reply_to=number)
        await until(lambda: len(desk.received) == 5)

        message, reply = await store.messages.of(1)
        assert (reply.reply_to, reply.context.quote) == (message.id, "")
        assert message.text == "look there"
        assert [(one.name, bool(one.sha256)) for one in message.attachments] == [("b.txt", True)]
        kept = [(version.text, [one.name for one in version.attachments or ()]) for version in message.versions]
        assert kept == [("look", ["a.txt", "b.txt"]), ("look here", ["a.txt", "b.txt"]), ("look here", ["b.txt"])]
        gone = (message.versions[0].attachments or ())[0]
        assert await store.files.get(gone.sha256) == b"aa"
