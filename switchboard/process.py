"""One desk process: the wired parts, run together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from fastapi import APIRouter, FastAPI

from bot import guard
from bot.domain.channel import PermanentError
from bot.domain.message import Incoming, Receipt
from bot.domain.said import fault
from bot.pipeline.intake import Intake
from bot.ports import Closing, Connector, Routes
from bot.queue import Queue
from bot.runtime import http, lease, sweeps
from bot.runtime.channel_status import ChannelHealth, write_health
from bot.runtime.feed import Feed
from bot.runtime.metrics import Metrics
from bot.runtime.sweeps import Sweep
from bot.store import Store
from bot.store.errors import safe_message
from switchboard.supervise import background

log = structlog.get_logger(__name__)

DATABASE_WITHIN = 5.0
"""Seconds for the database to answer whether it takes writes."""


class Switchboard:
    """One desk process: parts wired by ``build``, run by ``running``."""

    def __init__(
        self,
        *,
        conninfo: str,
        store: Store,
        queue: Queue,
        feed: Feed,
        intake: Intake,
        connectors: Mapping[str, Connector],
        health: Mapping[str, ChannelHealth],
        leases: Mapping[str, str],
        metrics: Metrics,
        streams: http.Streams,
        sweeps: Iterable[Sweep],
        pages: Callable[[Callable[[], bool]], APIRouter],
    ) -> None:
        """``leases`` by channel: the name under which replicas agree who runs it. ``pages`` makes the agents' pages; it
        is given what says whether the desk is stopping."""
        self.store = store
        self.connectors = connectors
        self.intake = intake
        self._conninfo = conninfo
        self._queue = queue
        self._feed = feed
        self._health = health
        self._leases = leases
        self._metrics = metrics
        self._streams = streams
        self._sweeps = sweeps
        self._pages = pages

    def application(self, engine_ready: Callable[[], bool], stopping: Callable[[], bool]) -> FastAPI:
        """The HTTP side of the desk; its event streams end when ``stopping`` says so."""

        async def check_database() -> str | None:
            try:
                async with asyncio.timeout(DATABASE_WITHIN):
                    await self.store.ping()
            except Exception as error:
                return f"unreachable, or takes no writes: {safe_message(error)}"
            refusal = self.intake.refusal()
            return None if refusal is None else f"did not take a message: {refusal}"

        async def check_engine() -> str | None:
            return None if engine_ready() else "not ready; customers are handed to agents"

        routers = [self._pages(stopping)]
        routers += [part.routes(self.intake.receive) for part in self.connectors.values() if isinstance(part, Routes)]
        self._metrics.watch_engine(engine_ready)
        return http.application(routers, {"database": check_database, "engine": check_engine}, self._metrics)

    @asynccontextmanager
    async def running(
        self,
        listening: socket.socket,
        engine_ready: Callable[[], bool],
        first_engine_ready: Callable[[], Awaitable[None]],
    ) -> AsyncIterator[None]:
        """Runs the desk while entered. Entered when customers are answered; left when nothing is under way:
        connectors stop first, then the queue, so what was received is finished or waits in the database.

        Work starts with ``first_engine_ready``: after a restart customers wait some seconds for the engine
        rather than all be handed to agents.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            await self._queue.open()
            stack.push_async_callback(self._queue.close)
            for connector in self.connectors.values():
                if isinstance(connector, Closing):
                    stack.push_async_callback(connector.close)
            await stack.enter_async_context(background("feed", self._feed.run))
            await stack.enter_async_context(
                background("channel status", lambda: write_health(self.store.channels, self._health.values()))
            )
            stopping = asyncio.Event()
            app = self.application(engine_ready, stopping.is_set)
            await stack.enter_async_context(
                background("http", lambda: http.serve(app, listening, self._streams.limits))
            )
            stack.callback(stopping.set)
            await asyncio.to_thread(guard.warm)  # or the first customer would wait for it
            await first_engine_ready()
            await stack.enter_async_context(background("sweeps", lambda: sweeps.run(self._sweeps)))
            await stack.enter_async_context(background("queue", self._queue.run))
            for connector in self.connectors.values():
                await stack.enter_async_context(background(connector.name, partial(self._connect, connector)))
            yield

    async def _connect(self, connector: Connector) -> None:
        """Runs one connector. A refused account turns its channel off, and nothing else."""
        doing = self._health[connector.name]

        async def run(held: lease.Lease | None = None) -> None:
            async def receive(incoming: Incoming) -> Receipt:
                if held is not None:
                    held.check()  # who was frozen must not go on where another has begun
                return await self.intake.receive(incoming)

            doing.connecting()
            try:
                await connector.run(receive)
            except PermanentError as error:
                doing.off(error.fault)
                raise
            except Exception as error:
                doing.connecting()
                # Only the kind: other errors may quote what customers wrote.
                doing.trouble(fault("{kind}; the log says more", "fault.failed", kind=type(error).__name__))
                raise
            except asyncio.CancelledError:
                doing.not_here()
                raise

        try:
            if connector.capabilities.exclusive:
                await lease.hold(self._conninfo, self._leases[connector.name], run)
            else:
                await run()
        except PermanentError as error:
            log.error("channel is off", action="channel_off", channel=connector.name, error=str(error))
