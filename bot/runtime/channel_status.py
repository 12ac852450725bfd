"""How the channels are doing: told by the connectors of this process, written where every replica reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.message import Incoming
from bot.domain.said import Fault, as_fault
from bot.store.channels import Channels

log = structlog.get_logger(__name__)

LOOK = 1.0
"""Seconds between looks for news to write."""
HEARTBEAT = 10.0
"""Seconds after which a running channel is written without news; one not written for long runs nowhere."""
MAX_ERROR = 500


class ChannelHealth:
    """One channel of this process, as ``bot.ports.Health`` and as the desk around it sees it."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.account = ""
        self.state: ChannelState | None = None
        """None as long as this process does not run it: another replica may."""
        self.since = datetime.now(UTC)
        self.news = False
        self.last_received_at: datetime | None = None
        self.lag: float | None = None
        self.last_sent_at: datetime | None = None
        self.error: Fault | None = None
        self.error_at: datetime | None = None

    def connecting(self) -> None:
        self._become(ChannelState.CONNECTING)

    def connected(self, account: str) -> None:
        self.account = account
        self._become(ChannelState.CONNECTED)

    def not_here(self) -> None:
        """This process runs it no longer; another replica may."""
        self.state = None

    def off(self, error: Fault | str) -> None:
        """It cannot work as it is set up."""
        self._become(ChannelState.OFF)
        self.trouble(error)

    def _become(self, state: ChannelState) -> None:
        if self.state is not state:
            self.state = state
            self.since = datetime.now(UTC)
            self.news = True

    def trouble(self, error: Fault | str) -> None:
        self.error, self.error_at, self.news = as_fault(error).cut(MAX_ERROR), datetime.now(UTC), True

    def received(self, incoming: Incoming) -> None:
        """The event is committed."""
        self.last_received_at, self.news = datetime.now(UTC), True
        if incoming.sent_at is not None:
            # Two clocks are never quite the same.
            self.lag = max(0.0, (self.last_received_at - incoming.sent_at).total_seconds())

    def sent(self) -> None:
        self.last_sent_at, self.news = datetime.now(UTC), True

    def status(self) -> ChannelStatus | None:
        """What there is to write; None where this process does not run the channel."""
        if self.state is None:
            return None
        return ChannelStatus(
            channel=self.channel,
            account=self.account,
            state=self.state,
            since=self.since,
            updated_at=datetime.now(UTC),
            last_received_at=self.last_received_at,
            lag=self.lag,
            last_sent_at=self.last_sent_at,
            error=self.error,
            error_at=self.error_at,
        )


async def write_health(stored: Channels, channels: Iterable[ChannelHealth]) -> None:
    """Writes the news of the channels until cancelled."""
    written = dict.fromkeys(channels, 0.0)
    while True:
        for channel, at in written.items():
            status = channel.status()
            if status is not None and (channel.news or time.monotonic() - at > HEARTBEAT):
                channel.news = False
                written[channel] = time.monotonic()
                try:
                    await stored.record(status)
                except Exception as error:
                    channel.news = True
                    log.warning(
                        "channel status not written", action="channel_status_failed", error=type(error).__name__
                    )
        await asyncio.sleep(LOOK)
