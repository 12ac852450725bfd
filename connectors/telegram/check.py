"""What ``switchboard doctor`` asks Telegram: is the token good, and do messages come the way they should?"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from urllib.parse import urlsplit

import httpx
from telegram.error import InvalidToken, TelegramError

from bot.domain.findings import Finding, Level
from connectors.clocks import clock_ahead
from connectors.telegram.api import REFUSED, Api, refuses_token
from connectors.telegram.request import UNREADABLE
from connectors.telegram.settings import TelegramSettings
from connectors.telegram.updates import CHANNEL
from connectors.telegram.webhooks import host_of

TELEGRAM = "api.telegram.org"
PORTS = (443, 80, 88, 8443)
"""Where Telegram delivers to."""
MANY_PENDING = 100
RECENT = 3600.0
"""Seconds for which a failed delivery is worth a warning when nothing waits any more."""
REACH_WITHIN = 8.0

_WEBHOOK = f"{CHANNEL} webhook"
_ANOTHER = "if it comes back, another program uses this bot's token: stop it, or give this desk a bot of its own"


async def examine(settings: TelegramSettings, secret: str) -> list[Finding]:
    token = secret.strip()
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", token):
        return [_refused()]
    api = Api(settings, token)
    try:
        found = [await _account(api, settings)]
        if found[0].level is Level.OK:
            found.append(await _delivery(api, settings))
    finally:
        await api.close()
    if settings.mode == "webhook" and settings.webhook_url:
        found.append(await _address(settings, settings.webhook_url))
    return found


async def _account(api: Api, settings: TelegramSettings) -> Finding:
    try:
        me = await api.call("getMe")
    except TelegramError as error:
        if refuses_token(error):
            return _refused()
        return _failed(CHANNEL, api, "getMe", error)
    if not isinstance(me, dict):
        return Finding(CHANNEL, Level.WRONG, UNREADABLE.words, "check channels.telegram.base_url")
    parts = urlsplit(settings.base_url)
    return Finding(
        CHANNEL,
        Level.OK,
        f"the token is good: bot @{me.get('username')}, mode {settings.mode}",
        clock_ahead=await clock_ahead(f"{parts.scheme}://{parts.netloc}/"),
    )


async def _delivery(api: Api, settings: TelegramSettings) -> Finding:
    """What Telegram has set for this bot, beside what the desk is set up for."""
    try:
        info = await api.call("getWebhookInfo")
    except InvalidToken:
        # The token has just been accepted: this server knows no webhooks.
        return Finding(_WEBHOOK, Level.OK, "this server knows no webhooks")
    except TelegramError as error:
        return _failed(_WEBHOOK, api, "getWebhookInfo", error)
    if not isinstance(info, dict):
        return Finding(_WEBHOOK, Level.WRONG, UNREADABLE.words, "check channels.telegram.base_url")
    url = str(info.get("url") or "")
    if settings.mode == "polling" and url:
        return Finding(
            _WEBHOOK,
            Level.WRONG,
            f"a webhook at {host_of(url)} is set while the desk polls: as long as it is, the desk gets no messages",
            f"start the desk, which takes the webhook away (one that runs does so by itself); {_ANOTHER};"
            " or use mode: webhook",
        )
    if settings.mode == "webhook" and url != settings.webhook_url:
        is_set = f"the webhook is set to {host_of(url)}, not to this desk's webhook_url" if url else "no webhook is set"
        return Finding(
            _WEBHOOK,
            Level.WRONG,
            f"{is_set}: the desk gets no messages",
            f"start the desk, which sets it, and sets it again within a minute; {_ANOTHER}",
        )
    return _waiting(info, settings)


def _waiting(info: dict[str, object], settings: TelegramSettings) -> Finding:
    pending = _number(info.get("pending_update_count"))
    wait = f"{pending:g} update(s) wait for the desk"
    error, failed_at = info.get("last_error_message"), info.get("last_error_date")
    if settings.mode == "webhook" and error:
        ago = time.time() - _number(failed_at) if failed_at else None
        if pending or ago is None or ago < RECENT:
            return Finding(
                _WEBHOOK,
                Level.WRONG if pending else Level.WARNING,
                f"Telegram could not deliver{'' if ago is None else f' {ago / 60:.0f} min ago'}:"
                f" {str(error)[:200]}; {wait}",
                "see that the desk runs, and that the proxy in front of it passes channels.telegram.webhook_url on"
                " to it; Telegram then delivers by itself",
            )
    if pending >= MANY_PENDING:
        return Finding(_WEBHOOK, Level.WARNING, wait, "see that the desk runs; it takes them in order")
    way = "set as it should be" if settings.mode == "webhook" else "none is set, as polling needs it"
    return Finding(_WEBHOOK, Level.OK, f"{way}; {wait}")


# --- the address that Telegram delivers to


async def _address(settings: TelegramSettings, url: str) -> Finding:
    name = f"{_WEBHOOK} address"
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # A Bot API server of one's own delivers anywhere.
    public = urlsplit(settings.base_url).hostname == TELEGRAM
    fix = "correct channels.telegram.webhook_url"
    if public and parts.scheme != "https":
        return Finding(
            name, Level.WRONG, f"it begins with {parts.scheme}://", f"{fix}: Telegram delivers to https only"
        )
    if public and port not in PORTS:
        allowed = ", ".join(map(str, PORTS))
        return Finding(name, Level.WRONG, f"port {port}: Telegram does not deliver there", f"{fix}: port {allowed}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return Finding(name, Level.WRONG, f"the name {host} leads nowhere", f"{fix}, or add {host} to your DNS")
    addresses = {str(entry[4][0]) for entry in found}
    if public and not any(_global(address) for address in addresses):
        return Finding(
            name,
            Level.WRONG,
            f"{host} is {', '.join(sorted(addresses))}, which nobody on the internet can reach",
            f"{fix}: a public address; or use mode: polling, which needs none",
        )
    return await _reached(name, url, host)


async def _reached(name: str, url: str, host: str) -> Finding:
    """Calls it as anybody could: a desk that is there refuses who does not know the secret."""
    look = "see that the desk runs and that the proxy passes this address on to it"
    try:
        async with httpx.AsyncClient(timeout=REACH_WITHIN) as client:
            answer = await client.post(url, json={})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Best effort: many networks do not reach themselves from inside.
        return Finding(name, Level.WARNING, f"{host} does not answer from here ({type(error).__name__})", look)
    if answer.status_code != 403:
        return Finding(
            name, Level.WARNING, f"{host} answers {answer.status_code}, and a desk in mode webhook would say 403", look
        )
    return Finding(name, Level.OK, f"{host} leads to a desk")


# --- words


def _refused() -> Finding:
    words, _, fix = REFUSED.words.partition(". ")
    return Finding(CHANNEL, Level.WRONG, words, fix)


def _failed(name: str, api: Api, method: str, error: TelegramError) -> Finding:
    return Finding(name, Level.WRONG, f"{method}: {api.words(error)}", api.advice(error).words)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False
