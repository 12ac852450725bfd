"""Everything that a Discord remembers: people, channels, messages, files, commands, interactions."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

from tests.peers.discord.beside import show_beside
from tests.peers.discord.entities import (
    DIRECT_MESSAGES,
    GUILD_MESSAGES,
    Attachment,
    Channel,
    Interaction,
    Message,
    Person,
)
from tests.peers.discord.errors import Json

_EPOCH_MS = 1_420_070_400_000
_LINK_LIFETIME = 24 * 60 * 60


class World:
    """The state of one Discord with one bot. It outlives a restart of the servers in front of it."""

    def __init__(self, bot_name: str = "Desk") -> None:
        self._last_id = 0
        self.bot_id = self.new_id()
        padded = base64.urlsafe_b64encode(str(self.bot_id).encode()).decode()
        self.token = f"{padded.rstrip('=')}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
        self.bot: Json = {
            "id": str(self.bot_id),
            "username": bot_name,
            "discriminator": "0000",
            "global_name": None,
            "avatar": None,
            "banner": None,
            "accent_color": None,
            "avatar_decoration_data": None,
            "clan": None,
            "primary_guild": None,
            "public_flags": 0,
            "bot": True,
        }
        self.users: dict[int, Person] = {}
        self.guild_id = self.new_id()
        self.guild_channel_id = self.new_id()
        self.channels: dict[int, Channel] = {
            self.guild_channel_id: Channel(self.guild_channel_id, None, name="support"),
        }
        self.commands: dict[int | None, list[Json]] = {}
        """Registered application commands: global ones under None, others by guild."""
        self.interactions: dict[int, Interaction] = {}
        self.files: dict[int, Attachment] = {}
        self.typings: list[tuple[int, float]] = []
        """Typing shown, as (channel, time)."""
        self.nonces: dict[str, tuple[float, Message]] = {}
        self.base = ""
        """Of the CDN's links; set when the server starts."""
        self.dispatch: Callable[[str, Json, int | None, int | None], None] = lambda *_: None
        """Event, data, guild and intent that it needs; set by the gateway."""
        self._key = secrets.token_bytes(16)
        self._changed = asyncio.Event()

    # --- waiting

    def change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_until(self, holds: Callable[[], bool], timeout: float = 20.0) -> None:
        """Waits for what a call of the bot makes true; ``TimeoutError`` if none does."""
        async with asyncio.timeout(timeout):
            while not holds():
                changed = self._changed
                await changed.wait()

    # --- ids

    def new_id(self) -> int:
        """A snowflake: ordered by time, and always larger than the last."""
        now = (int(time.time() * 1000) - _EPOCH_MS) << 22
        self._last_id = max(now, self._last_id + 1)
        return self._last_id

    # --- channels

    def dm(self, user: Person) -> Channel:
        """The one direct message channel with this user. Bots get no CHANNEL_CREATE for it since API v8."""
        if user.channel_id is None:
            user.channel_id = self.new_id()
            self.channels[user.channel_id] = Channel(user.channel_id, user.id)
        return self.channels[user.channel_id]

    def guild_of(self, channel: Channel) -> int | None:
        return None if channel.is_dm else self.guild_id

    def show_channel(self, channel: Channel) -> Json:
        last = str(max(channel.messages)) if channel.messages else None
        if channel.recipient is not None:
            recipients = [self.users[channel.recipient].profile]
            return {"id": str(channel.id), "type": 1, "last_message_id": last, "flags": 0, "recipients": recipients}
        return {
            "id": str(channel.id),
            "type": 0,
            "last_message_id": last,
            "flags": 0,
            "guild_id": str(self.guild_id),
            "name": channel.name,
            "parent_id": None,
            "rate_limit_per_user": 0,
            "topic": None,
            "position": 0,
            "permission_overwrites": [],
            "nsfw": False,
        }

    def guild(self) -> Json:
        """As GUILD_CREATE brings it, to bots that ask for the intent."""
        everyone = {
            "id": str(self.guild_id),
            "name": "@everyone",
            "permissions": "2248473465835073",
            "position": 0,
            "color": 0,
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }
        return {
            "id": str(self.guild_id),
            "name": "A guild",
            "owner_id": str(self.bot_id),
            "unavailable": False,
            "large": False,
            "member_count": len(self.users) + 1,
            "preferred_locale": "en-US",
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "afk_timeout": 300,
            "premium_tier": 0,
            "premium_progress_bar_enabled": False,
            "system_channel_flags": 0,
            "icon": None,
            "features": [],
            "roles": [everyone],
            "emojis": [],
            "stickers": [],
            "members": [{"user": self.bot, **self.membership()}],
            "channels": [self.show_channel(self.channels[self.guild_channel_id])],
            "threads": [],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    def membership(self) -> Json:
        return {
            "roles": [],
            "joined_at": "2024-01-02T03:04:05.678000+00:00",
            "nick": None,
            "avatar": None,
            "premium_since": None,
            "communication_disabled_until": None,
            "pending": False,
            "deaf": False,
            "mute": False,
            "flags": 0,
        }

    # --- messages

    def find(self, message_id: int) -> Message:
        """A message of any channel, for tests: an unknown id is a mistake of the test."""
        for channel in self.channels.values():
            if message_id in channel.messages:
                return channel.messages[message_id]
        for interaction in self.interactions.values():
            if message_id in interaction.messages:
                return interaction.messages[message_id]
        raise AssertionError(f"there is no message {message_id}, or it was deleted")

    def post(self, message: Message) -> Message:
        """Stores a message and tells the bot: of its own messages too, and then with the nonce."""
        if not message.ephemeral:
            message.channel.messages[message.id] = message
            data = self.show(message, nonce=True)
            data["channel_type"] = 1 if message.channel.is_dm else 0
            self._tell("MESSAGE_CREATE", message, data)
        self.change()
        return message

    def update(self, message: Message, *, edited: bool = True) -> None:
        """Tells of a message that was changed. The event brings the whole message, not only what changed."""
        if edited:
            message.edited = datetime.now(UTC)
        if not message.ephemeral:
            data = self.show(message)
            data["channel_type"] = 1 if message.channel.is_dm else 0
            self._tell("MESSAGE_UPDATE", message, data)
        self.change()

    def delete(self, message: Message) -> None:
        for attachment in message.attachments:
            attachment.gone = True
        if not message.ephemeral:
            del message.channel.messages[message.id]
            data = {"id": str(message.id), "channel_id": str(message.channel.id)}
            self._tell("MESSAGE_DELETE", message, data)
        self.change()

    def _tell(self, event: str, message: Message, data: Json) -> None:
        guild = self.guild_of(message.channel)
        if guild is not None:
            data["guild_id"] = str(guild)  # direct messages have no such key at all
            if event != "MESSAGE_DELETE" and "webhook_id" not in data:
                data["member"] = self.membership()
        self.dispatch(event, data, guild, DIRECT_MESSAGES if guild is None else GUILD_MESSAGES)

    def show(self, message: Message, *, nonce: bool = False, quoted: bool = False) -> Json:
        """A message on the wire, its links fresh."""
        data: Json = {
            "id": str(message.id),
            "type": message.kind,
            "channel_id": str(message.channel.id),
            "author": copy.deepcopy(message.author),
            "content": message.content,
            "timestamp": message.created.isoformat(timespec="microseconds"),
            "edited_timestamp": message.edited and message.edited.isoformat(timespec="microseconds"),
            "tts": message.tts,
            "pinned": False,
            "mention_everyone": message.mentions_everyone,
            "mentions": [self.profile(user) for user in message.mentions],
            "mention_roles": [],
            "attachments": [self.show_attachment(attachment, message) for attachment in message.attachments],
            "embeds": copy.deepcopy(message.embeds),
            "components": copy.deepcopy(message.components),
            "flags": message.flags,
            **show_beside(self, message),
            **copy.deepcopy(message.extra),
        }
        # Discord does not keep nonces: only the answer to the post and the event of the post have it, history has not.
        if nonce and message.nonce is not None:
            data["nonce"] = message.nonce
        if message.reply_to is not None:
            reference = {"type": 0, "channel_id": str(message.channel.id), "message_id": str(message.reply_to)}
            if not message.channel.is_dm:
                reference["guild_id"] = str(self.guild_id)
            data["message_reference"] = reference
            if not quoted:
                original = message.channel.messages.get(message.reply_to)
                data["referenced_message"] = original and self.show(original, quoted=True)
        return data

    def profile(self, user_id: int) -> Json:
        return copy.deepcopy(self.bot if user_id == self.bot_id else self.users[user_id].profile)

    # --- files

    def attach(
        self, name: str, content: bytes, content_type: str | None = None, description: str | None = None
    ) -> Attachment:
        # File names become ASCII, blanks become underscores; what was lost stays readable in the title.
        safe = re.sub(r"[^A-Za-z0-9_.-]", "", name.replace(" ", "_"))
        stem, dot, kind = safe.rpartition(".")
        if not (stem if dot else kind).strip("._"):
            safe = f"unknown{dot}{kind}" if dot else "unknown"
        title = None if safe == name else (name.rpartition(".")[0] or name)
        attachment = Attachment(self.new_id(), safe, content, content_type, title, description)
        self.files[attachment.id] = attachment
        return attachment

    def show_attachment(self, attachment: Attachment, message: Message) -> Json:
        url = self.link(message.channel.id, attachment)
        data: Json = {
            "id": str(attachment.id),
            "filename": attachment.name,
            "size": len(attachment.content),
            "url": url,
            "proxy_url": url,
        }
        if attachment.content_type is not None:
            data["content_type"] = attachment.content_type
            # Discord measures images; here every image has one size.
            if attachment.content_type.startswith("image/"):
                data |= {"width": 640, "height": 480}
        if attachment.title is not None:
            data["title"] = attachment.title
        if attachment.description is not None:
            data["description"] = attachment.description
        if message.ephemeral:
            data["ephemeral"] = True
        return data

    def link(self, channel_id: int, attachment: Attachment) -> str:
        now = int(time.time())
        path = f"/attachments/{channel_id}/{attachment.id}/{quote(attachment.name)}"
        expires, issued = f"{now + _LINK_LIFETIME:x}", f"{now:x}"
        # The trailing & is Discord's own.
        return f"{self.base}{path}?ex={expires}&is={issued}&hm={self._sign(path, expires, issued)}&"

    def opened(self, url: str) -> Attachment | None:
        """The file behind a link, if the link is whole, of this server and not expired."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        expires, issued, signature = (query.get(name, "") for name in ("ex", "is", "hm"))
        if not hmac.compare_digest(signature, self._sign(parts.path, expires, issued)):
            return None
        if int(expires, 16) < time.time():
            return None
        attachment = self.attachment_at(parts.path)
        return None if attachment is None or attachment.gone else attachment

    def attachment_at(self, path: str) -> Attachment | None:
        found = re.fullmatch(r"/attachments/(\d+)/(\d+)/[^/]+", path)
        return self.files.get(int(found[2])) if found else None

    def expire_links(self) -> None:
        """No link handed out so far opens any more."""
        self._key = secrets.token_bytes(16)

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()

    # --- interactions

    def interact(
        self, kind: int, user: Person, channel: Channel, data: Json, name: str, message: Message | None = None
    ) -> Interaction:
        """Tells the bot of a press or a command. Interactions need no intent."""
        interaction = Interaction(self.new_id(), secrets.token_urlsafe(120), kind, user.id, channel, message, name)
        self.interactions[interaction.id] = interaction
        guild = self.guild_of(channel)
        shown = self.show_channel(channel)
        # The recipients of a direct message channel are left out of interactions.
        shown.pop("recipients", None)
        event: Json = {
            "id": str(interaction.id),
            "application_id": str(self.bot_id),
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": str(channel.id),
            "channel": {**shown, **({} if guild is None else {"permissions": "2248473465835073"})},
            "locale": user.locale,
            "app_permissions": "2248473465835073",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "attachment_size_limit": 10 * 1024 * 1024,
            # In the bot's own direct messages the owner is "0", not the user.
            "authorizing_integration_owners": {"0": "0" if guild is None else str(guild)},
            "context": 1 if guild is None else 0,
        }
        if message is not None:
            event["message"] = self.show(message)
        if guild is None:
            event["user"] = copy.deepcopy(user.profile)
        else:
            event["member"] = {"user": user.profile, "permissions": "2248473465835073", **self.membership()}
            event["guild_id"] = str(guild)
            event["guild"] = {"id": str(guild), "locale": "en-US", "features": []}
            event["guild_locale"] = "en-US"
        self.dispatch("INTERACTION_CREATE", event, guild, None)
        return interaction

    def interaction_by_token(self, token: str) -> Interaction | None:
        return next((known for known in self.interactions.values() if known.token == token), None)

    def command(self, name: str, guild_id: int | None) -> Json | None:
        for scope in (guild_id, None) if guild_id is not None else (None,):
            for command in self.commands.get(scope, []):
                if command["name"] == name and command["type"] == 1:
                    return command
        return None
