"""What Telegram has set as this bot's webhook, while the desk runs: anybody with the token may change it."""

from __future__ import annotations

from urllib.parse import urlsplit

from telegram.error import TelegramError

from bot.domain.said import Fault, fault
from connectors.telegram.api import Api


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
