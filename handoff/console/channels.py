"""How the channels are doing: a page for whoever operates the desk, and a sign on every other page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.channel import ChannelState, ChannelStatus
from handoff.console.context import Console, Here, SignedIn, by_htmx

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
    def trouble(self) -> str | None:
        """What is wrong with it, behind its name; None if nothing needs anybody."""
        match self.standing:
            case Standing.OFF:
                return "is off"
            case Standing.CONNECTING if self.status and self.now - self.status.since > PATIENCE:
                return "cannot connect"
            # One that was taken out of the configuration is missed by nobody.
            case Standing.NOWHERE if self.ours:
                return "is not running"
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


async def read_channels(here: Console) -> list[Channel]:
    """Every channel that the deployment runs, or ever ran."""
    known = {status.channel: status for status in await here.store.channels.all()}
    now = datetime.now(UTC)
    names = sorted(known.keys() | here.capabilities.keys())
    return [Channel(name, known.get(name), name in here.capabilities, now) for name in names]


@dataclass(frozen=True, slots=True)
class Signs:
    """What the header of every page says of the desk itself."""

    ailing: Sequence[Channel]
    """The channels that somebody should look at."""
    aside: int
    """How much work is set aside."""


async def read_signs(here: Console, channels: Sequence[Channel] | None = None) -> Signs:
    """``channels``: if they have been read already."""
    found = await read_channels(here) if channels is None else channels
    return Signs([channel for channel in found if channel.trouble], await here.store.dead_letters.count())


@router.get("/channels")
async def channels(request: Request, here: Here, agent: SignedIn) -> Response:
    found = await read_channels(here)
    template = "channels_part.html" if by_htmx(request) else "channels.html"
    return here.pages.response(request, template, agent=agent, channels=found, signs=await read_signs(here, found))


@router.get("/channels/sign")
async def sign(request: Request, here: Here, _: SignedIn) -> Response:
    """The signs in the header of every page."""
    return here.pages.response(request, "signs.html", signs=await read_signs(here))
