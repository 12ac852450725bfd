"""The people on the other side, in their private chats with the bot."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from tests.peers.telegram.forms import Json, captioned, units

if TYPE_CHECKING:
    from tests.peers.telegram.world import Chat, World


class PeerUser:
    """A person with Telegram, in their private chat with the bot. Every method that writes returns the message id."""

    def __init__(self, peer: World, profile: Json) -> None:
        self.profile = profile
        self.blocked = False
        self.deactivated = False
        self.met = False
        """The bot has seen them in a group, which does not yet let it write to them."""
        self._peer = peer

    @property
    def id(self) -> int:
        return int(self.profile["id"])

    @property
    def _chat(self) -> Chat:
        return self._peer.private_chat(self.id)

    def sends(self, **content: Any) -> int:
        """A message of any content, in the Bot API's words: ``sends(dice={"emoji": "🎲", "value": 3})``."""
        self.blocked = False
        chat = self._chat
        if topic := content.get("message_thread_id"):
            chat.topics.add(topic)
        message = chat.add({"from": self.profile, "chat": self._peer.chat_json(chat), **content})
        self._peer.push("message", message)
        return int(message["message_id"])

    def writes(self, text: str) -> int:
        if command := re.match(r"/\w+(@\w+)?", text):
            entity = {"type": "bot_command", "offset": 0, "length": units(command[0])}
            return self.sends(text=text, entities=[entity])
        return self.sends(text=text)

    def replies(self, message_id: int, text: str) -> int:
        """Answers one of the chat's messages, the bot's or their own."""
        answered = self._chat.messages[message_id]
        known = {name: value for name, value in answered.items() if name != "reply_to_message"}
        return self.sends(text=text, reply_to_message=known)

    def deletes(self, message_id: int) -> None:
        """For both sides. No bot is told of it."""
        self._peer.forget(self.id, message_id)

    def edits(self, message_id: int, text: str) -> None:
        message = self._chat.messages[message_id]
        message.update({"text": text, "edit_date": int(time.time())})
        self._peer.push("edited_message", dict(message))

    def changes(self, message_id: int, **content: Any) -> None:
        """Edits a message into any content, in the Bot API's words; what is not named is gone from it."""
        message = self._chat.messages[message_id]
        kept = ("message_id", "date", "from", "chat", "media_group_id", "message_thread_id", "is_topic_message")
        for name in message.keys() - {*kept}:
            del message[name]
        message.update(content, edit_date=int(time.time()))
        self._peer.push("edited_message", dict(message))

    def sends_album(self, *captions: str | None, group: str = "135") -> list[int]:
        """Several pictures at once, which come as one update each."""
        return [self.sends(media_group_id=group, photo=[self.picture()], **captioned(one)) for one in captions]

    def picture(self, content: bytes = b"\xff\xd8photo") -> Json:
        return {**self._peer.store_file(content), "width": 1280, "height": 853}

    def reacts(self, message_id: int, *emoji: str) -> None:
        """In place of what they put under that message before; nothing takes it away."""
        self._peer.push(
            "message_reaction",
            {
                "chat": self._peer.chat_json(self._chat),
                "message_id": message_id,
                "user": self.profile,
                "date": int(time.time()),
                "old_reaction": [],
                "new_reaction": [{"type": "emoji", "emoji": one} for one in emoji],
            },
        )

    def presses(self, message_id: int, label: str) -> str:
        """Presses a button under one of the bot's messages; returns the id of the callback query."""
        message = self._chat.messages[message_id]
        buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
        payload = next(button["callback_data"] for button in buttons if button["text"] == label)
        query = self._peer.new_query()
        self._peer.push(
            "callback_query",
            {"id": query, "from": self.profile, "chat_instance": "1", "data": payload, "message": dict(message)},
        )
        return query

    def sends_photo(self, caption: str | None = None, content: bytes = b"\xff\xd8photo") -> int:
        sizes = [
            {**self._peer.store_file(content[:2]), "width": 90, "height": 60},
            {**self._peer.store_file(content), "width": 1280, "height": 853},
        ]
        return self.sends(photo=sizes, **captioned(caption))

    def sends_document(
        self,
        file_name: str = "bill.pdf",
        mime_type: str = "application/pdf",
        caption: str | None = None,
        content: bytes = b"%PDF",
    ) -> int:
        document = {**self._peer.store_file(content), "file_name": file_name, "mime_type": mime_type}
        return self.sends(document=document, **captioned(caption))

    def sends_voice(self, content: bytes = b"OggS", duration: int = 3) -> int:
        return self.sends(voice={**self._peer.store_file(content), "duration": duration, "mime_type": "audio/ogg"})

    def sends_sticker(self, emoji: str = "👍", content: bytes = b"RIFF") -> int:
        form = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self.sends(sticker={**self._peer.store_file(content), **form, "emoji": emoji})

    def sends_location(self, latitude: float = 52.520008, longitude: float = 13.404954) -> int:
        return self.sends(location={"latitude": latitude, "longitude": longitude})

    def blocks(self) -> None:
        self.blocked = True
        self._membership("member", "kicked")

    def unblocks(self) -> None:
        self.blocked = False
        self._membership("kicked", "member")

    def deactivates(self) -> None:
        """The account is deleted."""
        self.deactivated = True

    def _membership(self, before: str, after: str) -> None:
        def member(status: str) -> Json:
            until = {"until_date": 0} if status == "kicked" else {}
            return {"user": self._peer.bot, "status": status, **until}

        self._peer.push(
            "my_chat_member",
            {
                "chat": self._peer.chat_json(self._chat),
                "from": self.profile,
                "date": int(time.time()),
                "old_chat_member": member(before),
                "new_chat_member": member(after),
            },
        )
