"""Interactions: answered in time and once, then followed up, edited and deleted."""

from __future__ import annotations

import math
import time

from tests.peers.discord.calls import Answer, Limits, Request, Routes
from tests.peers.discord.entities import CHAT_INPUT_COMMAND, EPHEMERAL, LOADING, REPLY, Interaction, Message
from tests.peers.discord.errors import Json, Refusal, invalid, unknown
from tests.peers.discord.messages import change_message, check_size, new_message
from tests.peers.discord.world import World

_INTERACTION_TOKEN_LIFE = 15 * 60


class InteractionRoutes:
    """The routes of callbacks and of the webhook behind them. The token in the path is all the authorization."""

    def __init__(self, world: World, limits: Limits) -> None:
        self.world = world
        self.limits = limits
        one = "/webhooks/{webhook_id}/{token}/messages/{message_id}"
        self.routes: Routes = [
            ("POST", "/interactions/{interaction_id}/{token}/callback", self._callback),
            ("POST", "/webhooks/{webhook_id}/{token}", self._follow_up),
            ("GET", one, self._get_answer),
            ("PATCH", one, self._edit_answer),
            ("DELETE", one, self._delete_answer),
        ]

    async def _callback(self, request: Request) -> Answer:
        interaction = self.world.interactions.get(request.id("interaction_id"))
        age = math.inf if interaction is None else time.monotonic() - interaction.created
        if interaction is None or interaction.token != request.match["token"]:
            raise unknown("interaction")
        if interaction.callback is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if age > self.limits.interaction_window:
            raise unknown("interaction")
        kind = request.object.get("type")
        # 6 and 7 change the message that a button is on: a command has none. 8 is for autocompletion only.
        allowed = (4, 5, 6, 7, 9) if interaction.message is not None else (4, 5, 9)
        if type(kind) is not int or kind not in allowed:
            invalid("type", "BASE_TYPE_CHOICES", f"Value must be one of {set(allowed)}.")
        data = request.object.get("data") or {}
        check_size(request.files, self.limits.upload_limit)
        if kind == 4:
            message = self._answered(
                interaction, new_message(self.world, interaction.channel, data, request.files, interaction=True)
            )
            interaction.original = self.world.post(message)
        elif kind == 5:
            message = Message(self.world.new_id(), interaction.channel, self.world.bot)
            message.flags = LOADING | (int(data.get("flags") or 0) & EPHEMERAL)
            interaction.original = self.world.post(self._answered(interaction, message))
        elif kind == 7 and interaction.message is not None:
            change_message(self.world, interaction.message, data, request.files)
            self.world.update(interaction.message)
        if kind in (6, 7):
            interaction.original = interaction.message
        interaction.callback = kind
        shown = interaction.original if kind in (4, 5, 7) else None
        interaction.note(kind, data, **_noted(shown))
        self.world.change()
        if request.query.get("with_response", "").lower() not in ("1", "true"):
            return 204, None
        return 200, self._callback_result(interaction, kind, shown)

    def _callback_result(self, interaction: Interaction, kind: int, shown: Message | None) -> Json:
        about: Json = {"id": str(interaction.id), "type": interaction.kind}
        resource: Json = {"type": kind}
        if shown is not None:
            about |= {
                "response_message_id": str(shown.id),
                "response_message_loading": bool(shown.flags & LOADING),
                "response_message_ephemeral": shown.ephemeral,
            }
            resource["message"] = self.world.show(shown)
        return {"interaction": about, "resource": resource}

    def _answered(self, interaction: Interaction, message: Message) -> Message:
        """Marks a message as an answer: written by the application's webhook, which looks like the bot."""
        interaction.messages[message.id] = message
        about: Json = {
            "id": str(interaction.id),
            "type": interaction.kind,
            "user": self.world.profile(interaction.user),
            "authorizing_integration_owners": {"0": "0"},
        }
        if interaction.message is None:
            message.kind = CHAT_INPUT_COMMAND
            about["name"] = interaction.name
            user = self.world.profile(interaction.user)
            message.extra["interaction"] = {
                "id": str(interaction.id),
                "type": 2,
                "name": interaction.name,
                "user": user,
            }
        else:
            message.kind, message.reply_to = REPLY, interaction.message.id
            about["interacted_message_id"] = str(interaction.message.id)
        message.extra |= {
            "interaction_metadata": about,
            "webhook_id": str(self.world.bot_id),
            "application_id": str(self.world.bot_id),
        }
        return message

    def _interaction(self, request: Request) -> Interaction:
        """The interaction whose token is used. Until it is answered, its webhook does not exist."""
        interaction = self.world.interaction_by_token(request.match["token"])
        if interaction is None or time.monotonic() - interaction.created > _INTERACTION_TOKEN_LIFE:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        if request.id("webhook_id") != self.world.bot_id or interaction.callback is None:
            raise unknown("Webhook")
        return interaction

    async def _follow_up(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        check_size(request.files, self.limits.upload_limit)
        original = interaction.original
        if interaction.callback == 5 and original is not None and original.flags & LOADING:
            # The first follow-up of a deferred answer is that answer: it takes its place, and is as private as it.
            self._fill(original, request)
            message = original
        else:
            message = new_message(self.world, interaction.channel, request.object, request.files, interaction=True)
            reply_to = interaction.original.id if interaction.original is not None else None
            message = self._answered(interaction, message)
            message.kind, message.reply_to = REPLY, reply_to
            self.world.post(message)
        interaction.note("followup", request.object, **_noted(message))
        return 200, self.world.show(message)

    def _answer(self, request: Request, interaction: Interaction) -> Message:
        named = request.match["message_id"]
        original = named == "@original"
        message = interaction.original if original else interaction.messages.get(request.id("message_id"))
        if message is None or (not message.ephemeral and message.id not in message.channel.messages):
            raise unknown("Message")
        return message

    async def _get_answer(self, request: Request) -> Answer:
        return 200, self.world.show(self._answer(request, self._interaction(request)))

    async def _edit_answer(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        message = self._answer(request, interaction)
        check_size(request.files, self.limits.upload_limit)
        self._fill(message, request)
        interaction.note("edit", request.object, **_noted(message))
        return 200, self.world.show(message)

    def _fill(self, message: Message, request: Request) -> None:
        loading = bool(message.flags & LOADING)
        change_message(self.world, message, request.object, request.files)
        message.flags &= ~LOADING
        self.world.update(message, edited=not loading)

    async def _delete_answer(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        message = self._answer(request, interaction)
        self.world.delete(message)
        interaction.messages.pop(message.id, None)
        if interaction.original is message:
            interaction.original = None
        interaction.note("delete", None, **_noted(message))
        return 204, None


def _noted(message: Message | None) -> Json:
    return {} if message is None else {"message_id": message.id, "ephemeral": message.ephemeral}
