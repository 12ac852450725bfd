"""One connection to the gateway: what it brings is handed on, its session kept for a restart, its state told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import structlog

from bot.domain.message import Incoming
from bot.domain.said import fault
from bot.ports import Health
from connectors.discord.background import DiscordTasks
from connectors.discord.events import (
    MalformedEvent,
    partly_edited,
    read_deletion,
    read_edit,
    read_interaction,
    read_message,
    read_reaction,
)
from connectors.discord.gateway import Gateway, Session
from connectors.discord.intake import Event, Intake

log = structlog.get_logger(__name__)

CONNECTED_WITHIN = 15.0
"""Seconds without a session after which operators are told."""
KEEP_EVERY = 1.0
"""Seconds between two writings of where the session can be resumed."""
KEEP_WITHIN = 3.0
_NOT_YET = fault("Discord's gateway has not let the bot in yet; the desk keeps trying.", "discord.fault.not_yet")


class Connection:
    """What the gateway brings is handed on in the moment in which it comes."""

    def __init__(
        self,
        account: str,
        intake: Intake,
        tasks: DiscordTasks,
        health: Health,
        keep: Callable[[Session], Awaitable[None]],
        *,
        shards: int,
        session: Session | None,
    ) -> None:
        """``keep`` remembers where a restart goes on; ``session`` is what it remembered last."""
        self._account = account
        self._intake = intake
        self._tasks = tasks
        self._health = health
        self._keep = keep
        self._is_connected = False
        self._is_announced = False
        self._kept = session
        self._gateway = Gateway(
            {
                "MESSAGE_CREATE": partial(self._take, read_message),
                "MESSAGE_UPDATE": partial(self._take, read_edit),
                "MESSAGE_DELETE": partial(self._take, read_deletion),
                "MESSAGE_REACTION_ADD": partial(self._take, read_reaction),
                "INTERACTION_CREATE": self._take_interaction,
            },
            shards=shards,
            resume=session,
            begins=intake.begin_session,
            connected=self._connected,
            disconnected=self._disconnected,
        )

    async def run(self, token: str) -> None:
        """Until it ends for good, which raises what discord.py raises; or until cancelled, resumable then."""
        async with self._gateway:
            await self._gateway.http.static_login(token)
            beside = [asyncio.create_task(self._keep_session()), asyncio.create_task(self._watch())]
            # A task of its own: while it reconnects, discord.py swallows a cancellation, and would wait for ever.
            connecting = asyncio.create_task(self._gateway.connect())
            try:
                await asyncio.shield(connecting)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                await self._keep_now()
                connecting.cancel()
                await self._gateway.leave()
                await asyncio.gather(connecting, return_exceptions=True)

    # --- what it brings

    def _take(self, read: Callable[[object, str], Incoming | None], raw: object) -> None:
        if (chat_id := partly_edited(raw)) is not None:
            self._intake.revisit(chat_id)
            return
        try:
            incoming = read(raw, self._account)
        except MalformedEvent as error:
            log.warning("event malformed", action="discord_event_malformed", error=str(error))
            return
        if incoming is not None:
            self._intake.offer(incoming, self._gateway.sequence)

    def _take_interaction(self, raw: object) -> None:
        try:
            interaction = read_interaction(raw)
        except MalformedEvent as error:
            log.warning("interaction malformed", action="discord_event_malformed", error=str(error))
            return
        if interaction is None:
            return

        def offer(chat_id: str) -> Event:
            return self._intake.offer(interaction.incoming(self._account, chat_id), self._gateway.sequence)

        if interaction.chat_id is None:
            self._tasks.run(self._tasks.open_chat(interaction, offer))
        else:
            self._tasks.run(self._tasks.acknowledge(interaction, offer(interaction.chat_id)))

    # --- how it is doing

    async def _connected(self) -> None:
        log.info("discord connected", action="discord_connected", account=self._account)
        self._is_connected = True
        self._health.connected(self._account)
        if not self._is_announced:
            self._is_announced = True
            self._tasks.run(self._tasks.announce_commands(self._application_id))

    def _disconnected(self) -> None:
        log.info("discord disconnected; reconnecting", action="discord_disconnected", account=self._account)
        self._is_connected = False
        self._health.connecting()

    @property
    def _application_id(self) -> int:
        # A resumed session does not say it again.
        said = self._gateway.application_id or (self._kept.application_id if self._kept else 0)
        return said or int(self._account)

    async def _watch(self) -> NoReturn:
        """discord.py tries for ever to get a connection, and says so in the log alone."""
        while True:
            await asyncio.sleep(CONNECTED_WITHIN)
            if not self._is_connected:
                self._health.trouble(_NOT_YET)

    # --- where a restart goes on

    async def _keep_session(self) -> NoReturn:
        while True:
            await asyncio.sleep(KEEP_EVERY)
            await self._keep_now()

    async def _keep_now(self) -> None:
        committed = self._intake.committed(self._gateway.sequence)
        session = self._gateway.session(committed, self._application_id) if committed >= 0 else None
        if session is None or session == self._kept:
            return
        try:
            async with asyncio.timeout(KEEP_WITHIN):
                await self._keep(session)
            self._kept = session
        except Exception as error:
            log.warning("session not kept", action="discord_keep_failed", error=type(error).__name__)
