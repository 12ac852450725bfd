"""Messages: listed, posted, edited, deleted, with the rules of nonces and of closed direct messages."""

from __future__ import annotations

import math
import re
import time

from tests.peers.discord.calls import Answer, Limits, Request, Routes, channel_of
from tests.peers.discord.entities import Message
from tests.peers.discord.errors import Refusal, invalid, snowflake, unknown
from tests.peers.discord.messages import change_message, check_size, new_message
from tests.peers.discord.people import PeerUser
from tests.peers.discord.world import World

_CLOSED = {
    50007: "Cannot send messages to this user",
    50278: "Cannot send messages to this user due to having no mutual guilds",
}


class MessageRoutes:
    """The routes below ``/channels/{channel_id}/messages``."""

    def __init__(self, world: World, limits: Limits) -> None:
        self.world = world
        self.limits = limits
        self.routes: Routes = [
            ("GET", "/channels/{channel_id}/messages", self._list_messages),
            ("POST", "/channels/{channel_id}/messages", self._create_message),
            ("GET", "/channels/{channel_id}/messages/{message_id}", self._get_message),
            ("PATCH", "/channels/{channel_id}/messages/{message_id}", self._edit_message),
            ("DELETE", "/channels/{channel_id}/messages/{message_id}", self._delete_message),
        ]

    async def _list_messages(self, request: Request) -> Answer:
        channel = channel_of(self.world, request)
        limit = _limit(request.query.get("limit", "50"))
        marks = {
            name: snowflake(request.query[name], name)
            for name in ("around", "before", "after")
            if name in request.query
        }
        messages = sorted(channel.messages.values(), key=lambda message: message.id)
        if "around" in marks:
            half = limit // 2
            older = [message for message in messages if message.id < marks["around"]]
            newer = [message for message in messages if message.id >= marks["around"]]
            chosen = older[max(len(older) - half, 0) :] + newer[: limit - half]
        elif "before" in marks:
            chosen = [message for message in messages if message.id < marks["before"]][-limit:]
        elif "after" in marks:
            # The ones nearest after the mark, and yet the newest of them first, as in every answer.
            chosen = [message for message in messages if message.id > marks["after"]][:limit]
        else:
            chosen = messages[-limit:]
        return 200, [self.world.show(message) for message in reversed(chosen)]

    async def _create_message(self, request: Request) -> Answer:
        channel = channel_of(self.world, request)
        check_size(request.files, self.limits.upload_limit)
        message = new_message(self.world, channel, request.object, request.files)
        user = self.world.users.get(channel.recipient) if channel.recipient is not None else None
        if isinstance(user, PeerUser) and user.closed_dms:
            raise Refusal(403, user.refusal_code, _CLOSED.get(user.refusal_code, "Forbidden"))
        if message.nonce is not None:
            earlier = self._posted_with(str(message.nonce))
            if request.object.get("enforce_nonce") is True and earlier is not None:
                return 200, self.world.show(earlier, nonce=True)
            self.world.nonces[str(message.nonce)] = (time.monotonic(), message)
        self.world.post(message)
        return 200, self.world.show(message, nonce=True)

    def _posted_with(self, nonce: str) -> Message | None:
        """The bot's recent message with this nonce, in whichever channel: nonces belong to authors."""
        posted, message = self.world.nonces.get(nonce, (-math.inf, None))
        recent = time.monotonic() - posted < self.limits.nonce_window
        return message if recent and message is not None and message.id in message.channel.messages else None

    def _message(self, request: Request) -> Message:
        message = channel_of(self.world, request).messages.get(request.id("message_id"))
        if message is None:
            raise unknown("Message")
        return message

    async def _get_message(self, request: Request) -> Answer:
        return 200, self.world.show(self._message(request))

    async def _edit_message(self, request: Request) -> Answer:
        message = self._message(request)
        if not self._is_own(message):
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        check_size(request.files, self.limits.upload_limit)
        change_message(self.world, message, request.object, request.files)
        self.world.update(message)
        return 200, self.world.show(message)

    async def _delete_message(self, request: Request) -> Answer:
        message = self._message(request)
        if not self._is_own(message):
            if message.channel.is_dm:
                raise Refusal(403, 50003, "Cannot execute action on this channel type")
            raise Refusal(403, 50013, "Missing Permissions")
        self.world.delete(message)
        return 204, None

    def _is_own(self, message: Message) -> bool:
        return bool(message.author["id"] == str(self.world.bot_id))


def _limit(given: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", given):
        invalid("limit", "NUMBER_TYPE_COERCE", f'Value "{given}" is not int.')
    if int(given) < 1:
        invalid("limit", "NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.")
    if int(given) > 100:
        invalid("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
    return int(given)
