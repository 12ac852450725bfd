"""How the channels are doing: a page for whoever operates the desk, and a sign on every other page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.said import Said
from handoff.console.context import Console, CurrentConsole, SignedIn, by_htmx
from handoff.console.registry import HeaderStatus
from handoff.console.shell import show

SILENT = timedelta(seconds=30)
"""A channel that runs is written of every ten seconds."""
PATIENCE = timedelta(seconds=30)
"""What connects for longer has a problem."""

router = APIRouter()


class Standing(StrEnum):
    CONNECTED = "connected"
    CONNECTING = "connecting"
    OFF = "off"
    NOWHERE = "nowhere"
    """No process says that it runs it."""
    EXPECTED = "expected"
    """This desk is to run it, and it was never heard of."""


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    status: ChannelStatus | None
    ours: bool
    """Whether this desk is set up to run it."""
    now: datetime

    @property
    def standing(self) -> Standing:
        if self.status is None:
            return Standing.EXPECTED
        if self.now - self.status.updated_at > SILENT:
            return Standing.NOWHERE
        return Standing(self.status.state.value)

    @property
    def trouble(self) -> Said | None:
        """What is wrong with it; None if nothing needs anybody."""
        match self.standing:
            case Standing.OFF:
                return Said("console.channels.trouble.off", {"channel": self.name})
            case Standing.CONNECTING if self.status and self.now - self.status.since > PATIENCE:
                return Said("console.channels.trouble.connecting", {"channel": self.name})
            # One that was taken out of the configuration is missed by nobody.
            case Standing.NOWHERE if self.ours:
                return Said("console.channels.trouble.nowhere", {"channel": self.name})
        return None

    @property
    def error_is_over(self) -> bool:
        """Whether the last error came before the connection there is now."""
        status = self.status
        return (
            status is not None
            and status.error_at is not None
            and status.state is ChannelState.CONNECTED
            and status.error_at < status.since
        )


async def read_channels(console: Console) -> list[Channel]:
    """Every channel that the deployment runs, or ever ran."""
    known = {status.channel: status for status in await console.store.channels.all()}
    now = datetime.now(UTC)
    names = sorted(known.keys() | console.capabilities.keys())
    return [Channel(name, known.get(name), name in console.capabilities, now) for name in names]


@router.get("/channels")
async def channels(request: Request, console: CurrentConsole, agent: SignedIn) -> Response:
    found = await read_channels(console)
    if by_htmx(request):
        return console.pages.response(request, "channels/channels_part.html", agent=agent, channels=found)
    return await show(request, console, agent, "channels/channels.html", channels=found)


async def status(console: Console) -> HeaderStatus:
    """The channels that somebody should look at, and what is wrong with them."""
    return HeaderStatus(words=[one.trouble for one in await read_channels(console) if one.trouble])
