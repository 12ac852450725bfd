"""Topics, a channel's direct messages, albums and edits of what is attached, against the stand-in."""

from __future__ import annotations

import pytest

from bot.domain.message import Attachment
from connectors.telegram import TelegramConnector
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk, outgoing, running

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


async def test_an_answer_stays_in_the_topic(peer: TelegramPeer, desk: Desk, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    ann.sends(text="hi", message_thread_id=77, is_topic_message=True)
    async with running(connector, desk):
        await desk.wait(1)
        (said,) = desk.committed
        sent = await connector.send(outgoing("hello", thread=said.thread, reply_to=said.external_id))
        await connector.typing("42", said.thread)
        await connector.edit(outgoing("hello!", thread=said.thread), sent)
        (message,) = peer.sent(42)
        assert (message["message_thread_id"], message["text"]) == (77, "hello!")
        assert message["reply_to_message"]["text"] == "hi"
        assert peer.actions == [(42, "typing")]
        peer.chats[42].topics.clear()
        await connector.send(outgoing("the topic is deleted", thread=said.thread))
        assert "message_thread_id" not in peer.sent(42)[1]


async def test_a_channels_direct_messages_are_answered_there(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    first = peer.direct_message(-500, ann, "hi", topic=9)
    async with running(connector, desk):
        await desk.wait(1)
        (said,) = desk.committed
        assert (said.chat_id, said.external_id) == ("42", f"-500:{first}")
        sent = await connector.send(outgoing("hello", thread=said.thread, reply_to=said.external_id))
        await connector.edit(outgoing("hello!", thread=said.thread), sent)
        (message,) = peer.sent(-500)
        assert (message["direct_messages_topic"], message["text"]) == ({"topic_id": 9}, "hello!")
        assert message["reply_to_message"]["text"] == "hi"
        await connector.delete(said.chat_id, sent)
        assert peer.sent(-500) == []


async def test_albums_and_edits_of_what_is_attached(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector
) -> None:
    ann = peer.user(42)
    async with running(connector, desk):
        first, _ = ann.sends_album("look", None)
        ann.changes(first, photo=[ann.picture(b"other")], caption="look")
        ann.changes(first, text="only words")
        await desk.wait(4)
        ann.reacts(first, "👍")
        await desk.wait(5)
    one, two, other, words, reaction = desk.committed
    assert (one.group, two.group, one.text) == ("135", "135", "look")
    assert (other.edits, other.group, other.replaces_attachments) == (one.external_id, "135", True)
    assert peer.files[other.attachments[0].reference] == b"other"
    assert (words.text, words.attachments, words.replaces_attachments) == ("only words", (), True)
    assert reaction.attachments == (Attachment("reaction", "👍"),)
