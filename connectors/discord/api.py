"""Discord's REST API for one bot. Rate limits, retries and connections are discord.py's; raw results are ours: a sent
message that the library could not parse would look unsent, and go out twice."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import aiohttp
import discord

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.message import File
from bot.domain.said import fault
from bot.web.egress import Egress, EgressError, NotAllowed, OtherStatus, TooLarge
from connectors.discord.library import HTTPClient, Route, answer_of, http_client

# What customers write is in their messages at DEBUG; an interaction's token is in addresses at WARNING; that an
# intent or a voice library is missing is as we want it.
for _name, _level in {
    "": logging.WARNING,
    ".http": logging.ERROR,
    ".state": logging.ERROR,
    ".client": logging.ERROR,
    ".shard": logging.CRITICAL,  # every lost connection, with a traceback: ``Health`` tells of them
}.items():
    logging.getLogger(f"discord{_name}").setLevel(_level)

REFUSED = fault(
    "Discord refused the bot token. Set DISCORD_BOT_TOKEN to the token of this bot (Discord Developer Portal, your"
    " application, Bot, Reset Token); if channels.discord.api_base is set, check that address too.",
    "discord.fault.token",
)
UNREADABLE = fault("What answered in Discord's place could not be understood.", "discord.fault.unreadable")
_TOO_FAST = fault("Discord asks to send more slowly.", "discord.fault.too_fast")
_BUSY = fault("Discord cannot do it at the moment.", "discord.fault.busy")
_FILE_REFUSED = fault("Discord takes no file of this size.", "discord.fault.file_refused")
UNREACHABLE_BY = (OSError, aiohttp.ClientError, TimeoutError, discord.GatewayNotFound)
"""What discord.py raises when nobody answers, or not as Discord does."""

LONGEST_LIMIT = 30.0
"""Seconds that a call waits for its turn under a rate limit. Who must wait longer is told."""

UNKNOWN_MESSAGE, _WRONG_FORM = 10008, 50035
_CODES = {
    10003: fault(
        "Discord knows no such channel: the customer never wrote to this bot, or their account is gone.",
        "discord.fault.no_channel",
    ),
    UNKNOWN_MESSAGE: fault("The message is gone at the customer's.", "discord.fault.message_gone"),
    10013: fault("The customer's Discord account no longer exists.", "discord.fault.deactivated"),
    50001: fault(
        "The bot may not see this channel. Invite it to the server and let it view the channel.",
        "discord.fault.may_not_see",
    ),
    50007: fault(
        "The customer cannot be written to on Discord: they left the last server that they share with the bot,"
        " switched off direct messages from its members, or blocked the bot.",
        "discord.fault.closed_to_us",
    ),
    50013: fault(
        "The bot may not send messages in this channel. Give its role the permission to.", "discord.fault.may_not_send"
    ),
    50278: fault(
        "The customer cannot be written to on Discord: they share no server with the bot any more.",
        "discord.fault.no_shared_server",
    ),
}
"""Discord's JSON error codes that no second try changes, in an agent's words."""
_LATER = {
    20026: (
        fault(
            "Discord has restricted the bot for spam. Appeal in the Developer Portal; messages wait meanwhile.",
            "discord.fault.spam",
        ),
        600.0,
    ),
    40002: (
        fault(
            "Discord wants the bot's owner to verify their account. Messages wait meanwhile.", "discord.fault.verify"
        ),
        600.0,
    ),
    40003: (fault("Discord lets the bot open no more direct messages for now.", "discord.fault.no_more_chats"), 60.0),
    # Limits on what is written, beside those that come as 429: slow mode, a channel's or a server's writes, a resource.
    **dict.fromkeys((20016, 20022, 20028, 20029, 40062), (_TOO_FAST, 60.0)),
    30046: (_TOO_FAST, 600.0),  # edits of what is older than an hour
    # Switched off for a while, not there yet, overloaded, kept away by the proxy in front.
    **dict.fromkeys((40004, 40006, 40333, 110000, 110001, 130000), (_BUSY, 60.0)),
    40001: (REFUSED, 60.0),
    50014: (REFUSED, 60.0),
}
"""Codes after which a try makes sense once somebody acted, or time passed, whatever the status: words, and seconds
until then where Discord does not say."""
_NOT_THERE = fault(
    "What answered in Discord's place knows no such address (404): check channels.discord.api_base if it is set.",
    "discord.fault.not_there",
)
_SAYS_LATER = re.compile(r"try again|retry after|temporar|rate.?limit|overloaded|too fast|slow ?mode", re.IGNORECASE)
"""What Discord's messages say that mean "not now"; for codes that are newer than the table."""
_LONGEST_WAIT = 3600.0


class Api:
    """Calls raise what discord.py and aiohttp raise; ``explained`` turns that into the connector's two errors."""

    def __init__(self, api_base: str, token: str, allowed: Sequence[str] = ()) -> None:
        """Makes no call. ``allowed``: where links of files may lead besides public addresses."""
        self._api_base = api_base
        self._token = token
        self._http: HTTPClient | None = None
        self._files = Egress(allowed, configured=[api_base])
        self._login = asyncio.Lock()
        self._calls: set[asyncio.Task[Any]] = set()
        self.bot_id = ""
        """Known once any call succeeded."""

    async def me(self) -> str:
        """The bot's id, asked from Discord. Raises ``discord.LoginFailure`` for a refused token."""
        await self._logged_in()
        return self.bot_id

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        query: dict[str, str | int] | None = None,
        file: File | None = None,
        **parameters: str | int,
    ) -> Any:
        """One call, as its answer came. ``parameters`` fill the path; Discord limits rates by ``channel_id`` and
        ``webhook_id``, ``webhook_token``. Repeated by discord.py after 429, 500, 502 and 504."""
        http = await self._logged_in()
        more: dict[str, Any] = {} if query is None else {"params": query}
        if file is not None:
            more["form"] = _multipart(json, file)
        elif json is not None:
            more["json"] = json
        # A call that is given up while discord.py waits out a global rate limit would block every later one.
        task = asyncio.ensure_future(http.request(Route(method, path, metadata=None, **parameters), **more))
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return _parsed(await asyncio.shield(task))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has seen it, or has given up

    async def download(self, url: str, limit: int) -> bytes:
        """A file that somebody attached. Raises ``PermanentError`` above ``limit`` bytes or where the link leads to no
        place for the desk, ``FileNotFoundError`` if it leads nowhere (any more), and ``TemporaryError``."""
        try:
            return await self._files.get(url, limit)
        except TooLarge:
            raise PermanentError(
                fault(
                    "The file is larger than the {mb} MB that the desk keeps.",
                    "discord.fault.file_too_large",
                    mb=limit // 2**20,
                )
            ) from None
        except NotAllowed as error:
            raise PermanentError(error.fault) from None
        except OtherStatus as error:
            if error.status in (401, 403, 404, 410):
                raise FileNotFoundError from None
            raise TemporaryError(
                fault("Discord answered {status}.", "discord.fault.answered", status=str(error.status))
            ) from None
        except EgressError as error:
            raise TemporaryError(
                fault("Discord could not be reached: {kind}", "discord.fault.unreachable", kind=error.fault)
            ) from None

    async def close(self) -> None:
        for task in list(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        await self._files.close()

    async def _logged_in(self) -> HTTPClient:
        async with self._login:
            if self._http is None:
                if not self._token.isascii() or not self._token.isprintable() or " " in self._token:
                    raise discord.LoginFailure  # no header could hold it
                http = http_client(self._api_base, LONGEST_LIMIT)
                try:
                    me = _parsed(await http.static_login(self._token))
                    self.bot_id = str(int(me["id"]))
                except (KeyError, TypeError, ValueError):
                    await http.close()
                    raise TemporaryError(UNREADABLE) from None
                except BaseException:
                    await http.close()
                    raise
                self._http = http
            return self._http


def _parsed(answer: Any) -> Any:
    """discord.py takes ``application/json`` to the letter; other servers add a charset."""
    if isinstance(answer, str) and answer[:1] in ("{", "["):
        return json.loads(answer)
    return answer


def _multipart(payload: object, file: File) -> list[dict[str, Any]]:
    return [
        {"name": "payload_json", "value": json.dumps(payload), "content_type": "application/json"},
        {
            "name": "files[0]",
            "value": file.content,
            "filename": file.name or "file",
            "content_type": file.media_type or "application/octet-stream",
        },
    ]


def explain(error: Exception) -> NoReturn:
    """Raises it as what the outbox understands: whether to try again, and for people why not."""
    raise explained(error) from None


def explained(error: Exception) -> TemporaryError | PermanentError:
    match error:
        case TemporaryError() | PermanentError():
            return error
        case discord.RateLimited():
            return TemporaryError(_TOO_FAST, error.retry_after)
        case discord.LoginFailure():
            # The words wait until somebody has mended the token.
            return TemporaryError(REFUSED, 60.0)
        case discord.HTTPException():
            return _explained_answer(error)
        case _ if isinstance(error, UNREACHABLE_BY):
            return TemporaryError(
                fault("Discord could not be reached: {kind}", "discord.fault.unreachable", kind=_kind(error))
            )
        case _:
            return TemporaryError(UNREADABLE)


def _explained_answer(error: discord.HTTPException) -> TemporaryError | PermanentError:
    if error.code in _CODES:
        return PermanentError(_CODES[error.code])
    if error.code in _LATER:
        told, usual = _LATER[error.code]
        return TemporaryError(told, _wait(error) or usual)
    if error.status == 401:
        return TemporaryError(REFUSED, 60.0)
    if error.status == 429:
        return TemporaryError(_TOO_FAST, _wait(error) or 60.0)
    if error.status == 413 or error.code == 40005:
        return PermanentError(_FILE_REFUSED)
    # Not Discord's own answer, but of what is in front of it: without a code, or without JSON.
    if error.status == 404 and not error.code:
        return TemporaryError(_NOT_THERE)
    if error.status >= 500 or not answer_of(error):
        return TemporaryError(fault("Discord answered {status}.", "discord.fault.answered", status=str(error.status)))
    # A form that is wrong stays so.
    if error.code != _WRONG_FORM and ((wait := _wait(error)) or _SAYS_LATER.search(error.text)):
        return TemporaryError(_BUSY, wait or 60.0)
    return PermanentError(
        fault(
            "Discord refused it: {why} (code {code}).",
            "discord.fault.refused",
            why=error.text[:300] or str(error.status),
            code=str(error.code),
        )
    )


def _wait(error: discord.HTTPException) -> float | None:
    """The seconds that the answer asks for."""
    for asked in (answer_of(error).get("retry_after"), error.response.headers.get("Retry-After")):
        try:
            wait = float(asked)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if wait > 0:  # which NaN is not
            return min(wait, _LONGEST_WAIT)
    return None


def _kind(error: Exception) -> str:
    """Only the kind: an address in the text may hold a secret."""
    return type(error).__name__
