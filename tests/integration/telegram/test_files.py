"""Files in both directions."""

from __future__ import annotations

import pytest

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment, File
from connectors.telegram import TelegramConnector
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk, outgoing, png, running

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x02\x00\x03rest"


def a_file(content: bytes, name: str = "a.bin", media_type: str = "application/octet-stream") -> Outgoing:
    return outgoing("", file=File(name, media_type, content))


@pytest.mark.usefixtures("ann_wrote")
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(), "photo"),
        (JPEG, "photo"),
        (png(10_000, 100), "document"),  # more than Telegram takes as a picture
        (png(9_000, 100), "document"),  # too long a strip
        (b"\x89PNG\r\n\x1a\n and nothing that a PNG needs", "document"),
        (png(size=10_000_001), "document"),
        (b"GIF89a and the rest", "document"),
        (b"<html>", "document"),
    ],
)
async def test_pictures_are_shown_and_everything_else_arrives_as_a_file(
    peer: TelegramPeer, connector: TelegramConnector, content: bytes, kind: str
) -> None:
    sent = await connector.send(a_file(content, '账单 "1".png', "image/png"))
    (message,) = peer.sent(42)
    assert str(message["message_id"]) == sent
    file = message["photo"][0] if kind == "photo" else message["document"]
    assert peer.files[file["file_id"]] == content
    if kind == "document":
        assert file["file_name"].startswith("账单")
    await connector.delete("42", sent)
    assert peer.sent(42) == []


@pytest.mark.usefixtures("ann_wrote")
async def test_a_picture_that_shall_arrive_as_it_is_does(peer: TelegramPeer, connector: TelegramConnector) -> None:
    await connector.send(outgoing("", file=File("receipt.png", "image/png", png(), as_file=True)))
    (message,) = peer.sent(42)
    assert message["document"]["file_name"] == "receipt.png"
    assert "photo" not in message


@pytest.mark.usefixtures("ann_wrote")
async def test_files_that_cannot_be_sent(peer: TelegramPeer, connector: TelegramConnector) -> None:
    with pytest.raises(PermanentError, match="empty"):
        await connector.send(a_file(b""))
    with pytest.raises(PermanentError, match="25 MB"):
        await connector.send(a_file(b"x" * (connector.capabilities.max_file + 1)))
    assert peer.calls == []
    peer.fail_next("sendDocument", 413, "Request Entity Too Large")
    with pytest.raises(PermanentError, match="too large"):
        await connector.send(a_file(b"x"))
    peer.users[42].blocks()
    with pytest.raises(PermanentError, match="blocked"):
        await connector.send(a_file(png()))
    peer.users[42].unblocks()
    peer.drop_next("sendPhoto")
    with pytest.raises(TemporaryError):
        await connector.send(a_file(png()))
    assert len(peer.called("sendDocument")) == 1, "only a refused picture is sent as a file"


async def test_what_customers_attach_is_fetched(peer: TelegramPeer, desk: Desk, connector: TelegramConnector) -> None:
    ann = peer.user(42)
    content = bytes(range(256)) * 1000
    async with running(connector, desk):
        ann.sends_photo(content=content)
        ann.sends_document(content=content)
        ann.sends_voice(content=content)
        ann.sends_sticker(content=content)
        ann.sends_location()
        await desk.wait(5)
    *files, location = [said.attachments[0] for said in desk.committed]
    for hidden in (False, True):
        peer.sizes_hidden = hidden
        for file in files:
            assert await connector.fetch(file, "42", "42:1", len(content)) == content
    with pytest.raises(PermanentError, match="location"):
        await connector.fetch(location, "42", "42:1", 100)


async def test_no_more_is_fetched_than_the_desk_keeps(peer: TelegramPeer, connector: TelegramConnector) -> None:
    kept = peer.store_file(b"x" * 3_000_000)["file_id"]
    with pytest.raises(PermanentError, match=r"larger than 1\.91 MB"):
        await connector.fetch(Attachment("file", kept, size=3_000_000), "42", "42:1", 2_000_000)
    assert peer.calls == [], "its size was known"
    for hidden in (False, True):
        peer.sizes_hidden = hidden
        with pytest.raises(PermanentError, match="larger than"):
            await connector.fetch(Attachment("file", kept), "42", "42:1", 2_000_000)
    large = peer.store_file(b"x" * (20 * 1024 * 1024 + 1))["file_id"]
    with pytest.raises(PermanentError, match="20 MB"):
        await connector.fetch(Attachment("video", large), "42", "42:1", 10**9)


async def test_files_that_do_not_come(peer: TelegramPeer, connector: TelegramConnector) -> None:
    attachment = Attachment("file", peer.store_file(b"x" * 100_000)["file_id"])
    peer.fail_next("getFile", 400, "Bad Request: invalid file_id")
    with pytest.raises(PermanentError, match="Invalid file_id"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    with pytest.raises(TemporaryError, match="or no longer"):
        await connector.fetch(Attachment("file", "unknown"), "42", "42:1", 10**9)
    peer.fail_next("download", 404, "Not Found")
    peer.drop_next("download")
    with pytest.raises(TemporaryError, match="base_file_url"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.fetch(attachment, "42", "42:1", 10**9)
    assert len(await connector.fetch(attachment, "42", "42:1", 10**9)) == 100_000
