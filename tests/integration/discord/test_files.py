"""Files in both directions; edits, deletions and typing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.message import Attachment, Button, File, Incoming
from connectors.discord import DiscordConnector, messages
from tests.peers.discord import DiscordPeer, PeerUser
from tests.support.discord_connector import Desk, outgoing, running, settings, shown
from tests.support.waiting import until
from tests.support.words import WORDS


async def test_files_go_out(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    await connector.send(outgoing(ann, "", file=File("账单.pdf", "application/pdf", b"%PDF-1\r\n\x00")))
    (file,) = ann.sees[0]["attachments"]
    assert file["size"] == 9
    assert file["content_type"] == "application/pdf"
    await connector.send(outgoing(ann, "", "2", file=File("", "", b"x")))
    peer.upload_limit = 10
    with pytest.raises(PermanentError, match="no file of this size"):
        await connector.send(outgoing(ann, "", "3", file=File("a", "text/plain", b"x" * 11)))
    peer.limit_next("POST /channels", 0.1)
    await connector.send(outgoing(ann, "", "4", file=File("again.txt", "text/plain", b"twice")))
    assert ann.sees[-1]["attachments"][0]["size"] == 5


async def test_sent_messages_are_edited_and_taken_back(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    number = await connector.send(outgoing(ann, "one", buttons=(Button("yes", "helped:yes"),)))
    await connector.edit(outgoing(ann, "two *2*"), number)
    assert shown(ann) == [r"two \*2\*"]
    assert ann.sees[0]["components"] == []
    await connector.delete(str(ann.channel_id), number)
    assert ann.sees == []
    await connector.delete(str(ann.channel_id), number)  # gone already is what was wanted
    with pytest.raises(PermanentError, match="gone"):
        await connector.edit(outgoing(ann, "three"), number)
    theirs = str(ann.writes("mine"))
    with pytest.raises(PermanentError):
        await connector.edit(outgoing(ann, "not yours"), theirs)
    with pytest.raises(PermanentError):
        await connector.delete(str(ann.channel_id), theirs)
    with pytest.raises(PermanentError, match="no such channel"):
        await connector.delete("404404", number)
    for status in (503, 429):
        peer.fail_next("DELETE /channels", status)
        peer.fail_next("PATCH /channels", status)
        with pytest.raises(TemporaryError):
            await connector.delete(str(ann.channel_id), number)
        with pytest.raises(TemporaryError):
            await connector.edit(outgoing(ann, "x"), number)


async def test_typing_is_shown_and_never_fails(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    await connector.typing(str(ann.channel_id))
    assert [channel for channel, _ in peer.typings] == [ann.channel_id]
    for chat_id in ("404404", "no chat", ""):
        await connector.typing(chat_id)


async def received_attachment(peer: DiscordPeer, desk: Desk, user: PeerUser, content: bytes) -> Incoming:
    user.writes("", [("a.bin", content, None)])
    await until(lambda: any(event.attachments for event in desk.received))
    return desk.received[-1]


async def test_attachments_are_fetched(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, ann: PeerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 1000
    async with running(peer, connector, desk):
        incoming = await received_attachment(peer, desk, ann, content)
    attachment, place = incoming.attachments[0], (incoming.chat_id, incoming.external_id)
    assert await connector.fetch(attachment, *place, len(content)) == content
    with pytest.raises(PermanentError, match="larger than"):
        await connector.fetch(attachment, *place, len(content) - 1)
    peer.expire_links()
    assert await connector.fetch(attachment, *place, len(content)) == content
    for hostile in ("file:///etc/passwd", "ftp://x", "", "javascript:alert(1)"):
        with pytest.raises(PermanentError, match="no address"):
            await connector.fetch(replace(attachment, reference=hostile), *place, 10)
    peer.fail_next("GET /channels", 503)
    peer.expire_links()
    with pytest.raises(TemporaryError):
        await connector.fetch(attachment, *place, len(content))
    ann.deletes(int(incoming.external_id))
    with pytest.raises(PermanentError, match="gone"):
        await connector.fetch(attachment, *place, len(content))
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.fetch(replace(attachment, reference="http://127.0.0.1:9/a"), *place, 10)


async def test_a_link_that_leads_inside_is_not_followed(peer: DiscordPeer, desk: Desk, ann: PeerUser) -> None:
    connector = DiscordConnector(settings(peer), peer.token, desk.records, words=WORDS)
    for link in ("http://127.0.0.1:9/a", "http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]/a"):
        with pytest.raises(PermanentError, match=r"egress\.allow"):
            await connector.fetch(Attachment("file", link), str(ann.channel_id), "2", 99)
    await connector.close()


async def test_a_forwarded_file_whose_link_expired(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    other = peer.user("Bea")
    original = peer.state.find(other.writes("", [("b.txt", b"abc", "text/plain")]))
    shown_then = peer.state.show_attachment(original.attachments[0], original)
    peer.expire_links()
    fresh = peer.state.show_attachment(original.attachments[0], original)
    number = ann.writes("", message_snapshots=[{"message": {"content": "", "attachments": [fresh]}}])
    attachment = Attachment("file", shown_then["url"])
    assert await connector.fetch(attachment, str(ann.channel_id), str(number), 10) == b"abc"


async def test_stickers_and_a_failing_file_server(connector: DiscordConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(request: web.Request) -> web.Response:
        if request.path == "/500":
            return web.Response(status=500)
        if request.path == "/endless":
            return web.Response(body=b"x" * 5000)
        return web.Response(body=b"png of " + request.path.encode())

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setattr(messages, "_STICKERS", base + "/stickers/{}.png")
    assert await connector.fetch(Attachment("sticker", "5"), "1", "2", 99) == b"png of /stickers/5.png"
    with pytest.raises(TemporaryError):
        await connector.fetch(Attachment("file", f"{base}/500"), "1", "2", 99)
    with pytest.raises(PermanentError, match="larger"):
        await connector.fetch(Attachment("file", f"{base}/endless"), "1", "2", 4999)
    await runner.cleanup()
