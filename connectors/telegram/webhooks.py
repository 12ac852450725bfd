"""What Telegram has set as this bot's webhook, while the desk runs: anybody with the token may change it."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from telegram.error import TelegramError

from bot import monotonic
from bot.domain.said import Fault, fault
from connectors.telegram.api import Api

log = structlog.get_logger(__name__)

_TELL = 60.0
"""Seconds between two lines of the log about refused calls."""


async def address_of(api: Api) -> str | None:
    """Where the webhook leads, empty for none; None where the server does not tell."""
    try:
        info = await api.call("getWebhookInfo")
    except TelegramError:
        return None
    return str(info.get("url") or "") if isinstance(info, dict) else None


async def take_away(api: Api) -> Fault | None:
    """Takes a webhook away that keeps the desk from fetching; what waits at Telegram stays. What was done, or None
    where there is none."""
    url = await address_of(api)
    if not url:
        return None
    try:
        await api.call("deleteWebhook", drop_pending_updates=False)
    except TelegramError:
        return None  # the fetch that follows is refused as well, and this comes again
    return fault(
        "another program had set a webhook for this bot, at {host}: the desk took it away, and fetches again."
        " If that comes again, stop the other program, or give this desk a bot of its own",
        "telegram.fault.webhook_taken_away",
        host=host_of(url),
    )


def changed(url: str) -> Fault:
    """Of a desk in mode ``webhook``: Telegram delivers elsewhere, or nowhere."""
    where = host_of(url) if url else "–"
    return fault(
        "another program had changed this bot's webhook (now: {host}): the desk set its own again."
        " If that comes again, stop the other program, or give this desk a bot of its own",
        "telegram.fault.webhook_changed",
        host=where,
    )


def host_of(url: str) -> str:
    """Only the host: paths of webhooks hold secrets."""
    return urlsplit(url).hostname or "an unreadable address"


class Refusals:
    """Calls of the webhook without the desk's secret. Anybody can make them, and so the log tells of one a minute: of a
    server, or a proxy in front, that leaves the header out nothing else would say why the desk hears nothing."""

    def __init__(self) -> None:
        self._told = -_TELL

    def tell(self, header: str, *, given: bool) -> None:
        if monotonic.seconds() - self._told < _TELL:
            return
        self._told = monotonic.seconds()
        why = "it is not this desk's" if given else "there is none: if Telegram sent it, have the proxy pass it on"
        log.warning("a call of the webhook refused", action="telegram_webhook_refused", header=header, why=why)
