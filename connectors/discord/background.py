"""Background tasks: announcing the slash commands, answering interactions, opening chats for those who ask on a
server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from bot.background import BackgroundTasks
from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.said import fault
from bot.ports import Health, Words
from connectors.discord import interactions
from connectors.discord.api import UNREADABLE, Api, explained
from connectors.discord.events import Interaction, message_id
from connectors.discord.intake import Event

log = structlog.get_logger(__name__)

ANSWER_WITHIN = 2.0
"""Seconds in which an event is committed, as a rule. Discord gives three; then the customer sees a failure."""
WRITTEN_WITHIN = 10.0
"""Seconds in which the first words reach a customer who opened the chat, as a rule."""

Offer = Callable[[str], Event]
"""Takes what a customer did, as an event of the chat with that id, to be committed there."""


class DiscordTasks(BackgroundTasks):
    def __init__(self, api: Api, health: Health, words: Words) -> None:
        super().__init__()
        self._api = api
        self._words = words
        self._health = health
        self._opened: dict[str, asyncio.Future[str | None]] = {}
        """Chats that a customer has just opened: what becomes of the first words there, None or the error."""

    @contextmanager
    def sending(self, chat_id: str) -> Iterator[None]:
        """Around a message on its way to the chat: who has just opened the chat is told what becomes of it."""
        opened = self._opened.pop(chat_id, None)
        try:
            yield
        except Exception as error:
            if opened is not None and not opened.done():
                opened.set_result(str(error) if isinstance(error, PermanentError) else None)
            raise
        if opened is not None and not opened.done():
            opened.set_result(None)

    # --- each may be given to ``run``, and raises nothing

    async def announce_commands(self, application_id: int) -> None:
        try:
            await self._api.call(
                "PUT",
                "/applications/{application_id}/commands",
                json=interactions.commands(self._words),
                application_id=str(application_id),
            )
        except Exception as error:
            told = explained(error).fault
            log.warning("commands not announced", action="discord_announce_commands_failed", error=told.words)
            self._health.trouble(
                fault("The slash commands could not be announced: {why}", "discord.fault.commands", why=told)
            )

    async def acknowledge(self, interaction: Interaction, event: Event) -> None:
        """Answers what was done in the chat itself: when it is committed, or before the customer is shown a failure."""
        answers = interactions.Answers(self._api, interaction)
        try:
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await event.committed.wait()
            except TimeoutError:
                pass  # it stays in line, and nobody else will bring it again
            if interaction.command is None:
                await answers.taken()
            else:
                await answers.said(self._say("discord.here", interaction))
        except Exception as error:  # most often: done too long ago
            log.debug("interaction not answered", action="discord_answer_failed", error=type(error).__name__)

    async def open_chat(self, interaction: Interaction, offer: Offer) -> None:
        """Opens the direct messages for somebody who asked on a server, and tells them there where it goes on."""
        answers = interactions.Answers(self._api, interaction)
        try:
            await answers.later()
        except Exception as error:
            log.info("interaction not answered", action="discord_answer_failed", error=type(error).__name__)
        try:
            said = await self._open(interaction, offer)
        except Exception as error:
            log.warning("chat not opened", action="discord_open_failed", error=str(explained(error)))
            said = self._say("discord.failed", interaction)
        try:
            await answers.finally_said(said)
        except Exception as error:
            log.info("interaction not answered", action="discord_answer_failed", error=type(error).__name__)

    async def _open(self, interaction: Interaction, offer: Offer) -> str:
        channel = await self._api.call(
            "POST", "/users/@me/channels", json={"recipient_id": int(interaction.sender.external_id)}
        )
        chat_id = str(message_id(channel))
        if chat_id == "0":
            raise TemporaryError(UNREADABLE)
        opened = self._opened.setdefault(chat_id, asyncio.get_running_loop().create_future())
        event = offer(chat_id)
        problem, written = None, False
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                await event.committed.wait()
                problem, written = await asyncio.shield(opened), True
        except TimeoutError:
            if not event.committed.is_set():
                return self._say("discord.failed", interaction)
        finally:
            if self._opened.get(chat_id) is opened:
                del self._opened[chat_id]
        if problem is not None:
            return self._say("discord.closed", interaction)
        link = f"https://discord.com/channels/@me/{chat_id}"
        # A person may have the conversation, and then nothing new is written there.
        return self._say("discord.there" if written else "discord.continue", interaction, link=link)

    def _say(self, key: str, interaction: Interaction, **values: str) -> str:
        """What the customer reads beside the chat; the desk's own words come in the chat itself."""
        return self._words.say(key, self._words.match(interaction.locale), **values)
