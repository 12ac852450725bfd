"""The people with a Discord client."""

from __future__ import annotations

import re
from typing import Any

from tests.peers.discord.beside import passed_on
from tests.peers.discord.entities import DIRECT_MESSAGE_REACTIONS, Channel, Interaction, Message
from tests.peers.discord.errors import Json
from tests.peers.discord.world import World

_BUTTON = 2


class PeerUser:
    """A person who shares a guild with the bot. Every method that writes returns the message's id."""

    def __init__(self, world: World, name: str, user_id: int, locale: str) -> None:
        self.id = user_id
        self.name = name
        self.locale = locale
        """Only interactions tell it to a bot; messages do not."""
        self.channel_id: int | None = None
        """Of the direct messages with the bot; None until either side opens them."""
        self.closed_dms = False
        self.refusal_code = 50007
        self.profile: Json = {
            "id": str(user_id),
            "username": name.lower().replace(" ", "_"),
            "global_name": name,
            "discriminator": "0",
            "avatar": None,
            "avatar_decoration_data": None,
            "clan": None,
            "primary_guild": None,
            "public_flags": 0,
        }
        self._world = world

    # --- writing

    def writes(
        self,
        text: str = "",
        attachments: list[tuple[str, bytes, str | None]] | None = None,
        reply_to: int | None = None,
        **extra_message_fields: Any,
    ) -> int:
        """A direct message. The first one opens the channel."""
        return self.writes_in(self._world.dm(self), text, attachments, reply_to, **extra_message_fields)

    def writes_in(
        self,
        channel: Channel | int,
        text: str,
        attachments: list[tuple[str, bytes, str | None]] | None = None,
        reply_to: int | None = None,
        **extra_message_fields: Any,
    ) -> int:
        """Writes there: ``user.writes_in(peer.guild_channel_id, "hello")``."""
        world = self._world
        place = channel if isinstance(channel, Channel) else world.channels[channel]
        assert len(text) <= 4000, "not even Nitro lets a user write more than 4000 characters"
        kind = extra_message_fields.pop("type", 0 if reply_to is None else 19)
        message = Message(world.new_id(), place, self.profile, text.strip(), kind, extra=extra_message_fields)
        message.attachments = [world.attach(name, content, kind) for name, content, kind in attachments or []]
        message.flags = extra_message_fields.pop("flags", 0)
        named = {int(found) for found in re.findall(r"<@!?(\d+)>", message.content)}
        if reply_to is not None:
            message.reply_to = int(reply_to)
            if quoted := place.messages.get(message.reply_to):
                named.add(int(quoted.author["id"]))
        message.mentions = sorted(named & {*world.users, world.bot_id})
        return world.post(message).id

    def sends_sticker(self, name: str = "wave", format_type: int = 1) -> int:
        return self.writes("", sticker_items=[{"id": "749054660769218631", "name": name, "format_type": format_type}])

    def sends_poll(self, question: str, *answers: str) -> int:
        poll: Json = {
            "question": {"text": question},
            "answers": [
                {"answer_id": number, "poll_media": {"text": text}} for number, text in enumerate(answers, start=1)
            ],
            "expiry": "2030-01-01T00:00:00.000000+00:00",
            "allow_multiselect": False,
            "layout_type": 1,
            "results": {"answer_counts": [], "is_finalized": False},
        }
        return self.writes("", poll=poll)

    def forwards(self, message_id: int) -> int:
        """Passes a message on to the bot, of whomever and wherever. Discord adds no words to it: what a client lets
        people write beside it is a message of its own."""
        world = self._world
        message = Message(world.new_id(), world.dm(self), self.profile)
        message.forwards = passed_on(world.find(int(message_id)))
        return world.post(message).id

    def reacts(self, message_id: int, name: str, custom_id: int | None = None) -> None:
        message = self._world.find(int(message_id))
        emoji: Json = {"id": None if custom_id is None else str(custom_id), "name": name}
        if (emoji, self.id) in message.reactions:
            return
        message.reactions.append((emoji, self.id))
        about = {"user_id": str(self.id), "channel_id": str(message.channel.id), "message_id": str(message.id)}
        author = {"message_author_id": message.author["id"], "burst": False, "type": 0}
        assert message.channel.is_dm, "nothing that a desk needs"
        self._world.dispatch(
            "MESSAGE_REACTION_ADD", {**about, **author, "emoji": emoji}, None, DIRECT_MESSAGE_REACTIONS
        )

    def starts_call(self) -> int:
        """A system message, whose author is the user."""
        return self.writes("", type=3, call={"participants": [str(self.id)], "ended_timestamp": None})

    def edits(self, message_id: int, text: str) -> None:
        message = self._own(message_id)
        message.content = text.strip()
        self._world.update(message)

    def removes_file(self, message_id: int, index: int) -> None:
        message = self._own(message_id)
        message.attachments.pop(index).gone = True
        self._world.update(message)

    def gets_preview(self, message_id: int, **embed: Any) -> None:
        """Discord has looked at a link in the message: nobody edited anything."""
        message = self._own(message_id)
        message.embeds.append(embed)
        self._world.update(message, edited=False)

    def deletes(self, message_id: int) -> None:
        self._world.delete(self._own(message_id))

    # --- pressing and running

    def presses(self, message_id: int, custom_id: str, values: list[str] | None = None) -> int:
        """Presses a button (or chooses in a select) under a message of the bot, wherever it stands."""
        message = self._world.find(int(message_id))
        components = [component for row in message.components for component in row["components"]]
        known = [component for component in components if component.get("custom_id") == custom_id]
        assert known, f"message {message_id} has no button {custom_id!r}, only {components}"
        assert not known[0].get("disabled"), f"button {custom_id!r} is disabled"
        data: Json = {"component_type": known[0]["type"], "custom_id": custom_id, "id": known[0]["id"]}
        if known[0]["type"] != _BUTTON:
            data["values"] = values or []
        return self._world.interact(3, self, message.channel, data, custom_id, message).id

    def runs(self, command_name: str, guild_id: int | None = None, options: list[Json] | Json | None = None) -> int:
        """Runs a slash command: in the guild's channel, or in the direct messages with the bot."""
        world = self._world
        command = world.command(command_name, guild_id)
        assert command is not None, f"/{command_name} was never registered: {sorted(self._commands())}"
        context = 1 if guild_id is None else 0
        contexts = command.get("contexts")
        assert contexts is None or context in contexts, f"/{command_name} is not offered here, only in {contexts}"
        channel = world.dm(self) if guild_id is None else world.channels[world.guild_channel_id]
        data: Json = {"id": command["id"], "name": command_name, "type": 1}
        if given := self._options(command, options):
            data["options"] = given
        return world.interact(2, self, channel, data, command_name).id

    def interaction_answers(self, interaction_id: int) -> list[Json]:
        """What the bot answered, in order: ``type`` is the callback's number, ``"followup"``, ``"edit"`` or
        ``"delete"``; ``data`` is what it sent, ``at`` the seconds after the interaction; messages bring ``message_id``
        and ``ephemeral``."""
        return list(self._world.interactions[int(interaction_id)].answers)

    def interaction_shows(self, interaction_id: int) -> list[Json]:
        """The messages, ephemeral ones included, that the answers have left for the user to see."""
        interaction: Interaction = self._world.interactions[int(interaction_id)]
        return [self._seen(message) for message in interaction.messages.values()]

    # --- being reachable

    def closes_dms(self) -> None:
        """The bot cannot send to them; what is already there stays, and interactions may still be answered."""
        self.closed_dms, self.refusal_code = True, 50007

    def opens_dms(self) -> None:
        self.closed_dms = False

    def leaves(self, code: int = 50007) -> None:
        """Leaves the last guild shared with the bot. Newer servers say 50278 instead of 50007."""
        self.closed_dms, self.refusal_code = True, code

    def returns(self) -> None:
        self.closed_dms = False

    # --- seeing

    @property
    def sees(self) -> list[Json]:
        """The bot's messages in the direct messages, as they now stand, each with ``mentions_pinged``."""
        if self.channel_id is None:
            return []
        messages = self._world.channels[self.channel_id].messages.values()
        return [self._seen(message) for message in messages if message.author["id"] == str(self._world.bot_id)]

    @property
    def history(self) -> list[Json]:
        """Both sides of the direct messages, oldest first."""
        if self.channel_id is None:
            return []
        return [self._seen(message) for message in self._world.channels[self.channel_id].messages.values()]

    async def wait_sees(self, count: int, timeout: float = 20.0) -> list[Json]:
        """Waits until the bot has at least so many messages in the direct messages."""
        await self._world.wait_until(lambda: len(self.sees) >= count, timeout)
        return self.sees

    async def wait_answers(self, interaction_id: int, count: int = 1, timeout: float = 20.0) -> list[Json]:
        """Waits until an interaction has at least so many answers."""
        await self._world.wait_until(lambda: len(self.interaction_answers(interaction_id)) >= count, timeout)
        return self.interaction_answers(interaction_id)

    def _seen(self, message: Message) -> Json:
        return {**self._world.show(message, nonce=True), "mentions_pinged": list(message.pinged)}

    def _own(self, message_id: int) -> Message:
        message = self._world.find(int(message_id))
        assert message.author["id"] == str(self.id), f"message {message_id} is not by {self.name}"
        return message

    def _commands(self) -> set[str]:
        return {command["name"] for commands in self._world.commands.values() for command in commands}

    def _options(self, command: Json, given: list[Json] | Json | None) -> list[Json]:
        known = {option["name"]: option for option in command.get("options", [])}
        chosen = given or []
        if isinstance(chosen, dict):
            chosen = [{"name": name, "type": known[name]["type"], "value": value} for name, value in chosen.items()]
        names = {option["name"] for option in chosen}
        assert names <= set(known), f"/{command['name']} has no option {names - set(known)}"
        missing = {name for name, option in known.items() if option.get("required")} - names
        assert not missing, f"/{command['name']} cannot be run without {missing}"
        return chosen
