"""The wire to Telegram: raw results, downloads, and what each fault means to the desk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.error import NetworkError as NetworkFault
from telegram.request import BaseRequest

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.said import Fault, fault
from bot.web.egress import Egress, EgressError, OtherStatus, TooLarge
from connectors.telegram.request import UNREADABLE, Request
from connectors.telegram.settings import TelegramSettings

# httpx logs every URL, and Telegram's URLs hold the token; python-telegram-bot logs parameters and results,
# which hold what customers wrote. Neither may reach a log, however the root logger is set.
for _name in ("httpx", "telegram"):
    logging.getLogger(_name).setLevel(logging.WARNING)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
TOKEN_PAUSE = 60.0
"""Seconds after which what waits for a mended token is tried again."""
_UPLOAD_TIMEOUT = 50.0
"""Seconds without a word from Telegram after an upload: it looks into pictures before it answers."""

REFUSED = fault(
    "Telegram refused the bot token. Set TELEGRAM_BOT_TOKEN to the token that @BotFather shows for this bot"
    " (digits, a colon, letters); if channels.telegram.base_url is set, check that address too.",
    "telegram.fault.token",
)
_NO_API = ". Parsing the server response"
"""With it the library goes on where an answer is none of the Bot API's."""
_CONFLICT = fault(
    "another program fetches this bot's messages: stop it, or give this desk a bot of its own"
    " (a new token from @BotFather in TELEGRAM_BOT_TOKEN)",
    "telegram.fault.fix.conflict",
)
_CHECK_NETWORK = fault(
    "check this machine's connection, its proxy, and channels.telegram.base_url if it is set",
    "telegram.fault.fix.network",
)
_WAIT = fault("nothing to do: the desk waits as long as Telegram asks", "telegram.fault.fix.wait")
_OLD_SERVER = fault(
    "check that channels.telegram.base_url leads to a Bot API server that is up to date", "telegram.fault.fix.server"
)
_NO_METHOD = fault(
    "The Bot API server does not know how to do that: check that channels.telegram.base_url leads to one that is up to"
    " date.",
    "telegram.fault.no_method",
)
_TOO_FAST = fault("Telegram asks to send more slowly.", "telegram.fault.too_fast")
_BLOCKED = fault("The customer has blocked this bot on Telegram.", "telegram.fault.blocked")
_DEACTIVATED = fault("The customer's Telegram account no longer exists.", "telegram.fault.deactivated")
_NO_CHAT = fault("Telegram knows no such chat: this customer never wrote to this bot.", "telegram.fault.no_chat")
_FILE_REFUSED = fault("Telegram refused the file: it is too large.", "telegram.fault.file_refused")


class Api:
    """The Bot API for one bot. Makes no call by itself, and holds connections until ``close``."""

    def __init__(self, settings: TelegramSettings, token: str, allowed: Sequence[str] = ()) -> None:
        """``allowed``: where a redirect of a file may lead besides public addresses."""
        self._token = token or "none"  # the library refuses to exist without one
        # Fetches wait for long and have connections of their own, so that no send waits behind them.
        self._requests = (
            Request(connections=2, read=settings.poll_timeout + 15),
            Request(connections=32, read=20),
        )
        self._bot = _Bot(
            self._token,
            base_url=settings.base_url,
            base_file_url=settings.file_url,
            get_updates_request=self._requests[0],
            request=self._requests[1],
        )
        # The library downloads a whole file whatever its size.
        self._files = Egress(allowed, configured=[settings.file_url])

    async def call(self, method: str, **parameters: object) -> Any:
        """The raw result. Raises ``TelegramError``, and nothing else."""
        return await self._bot.call(method, parameters)

    async def upload(self, method: str, **parameters: object) -> Any:
        """As ``call``, with a file among the parameters."""
        return await self._bot.call(method, parameters, read_timeout=_UPLOAD_TIMEOUT)

    async def download(self, path: str, limit: int) -> bytes:
        """The content of a file, by its ``file_path``. Raises ``TemporaryError``, and ``PermanentError`` as soon
        as it shows to be larger than ``limit``."""
        try:
            return await self._files.get(f"{self._bot.base_file_url}/{quote(path)}", limit)
        except TooLarge:
            raise too_large(limit) from None
        except OtherStatus as error:
            raise TemporaryError(
                fault(
                    "Telegram did not give the file (HTTP {status});"
                    " if channels.telegram.base_file_url is set, check it.",
                    "telegram.fault.download",
                    status=str(error.status),
                )
            ) from None
        except EgressError as error:
            raise TemporaryError(_unreachable(error.fault)) from None

    async def close(self) -> None:
        for request in self._requests:
            await request.shutdown()
        await self._files.close()

    # --- faults

    def words(self, error: TelegramError) -> str:
        """What the error says, without the token that an address in it may hold, and without a page of HTML."""
        said = str(error).partition(_NO_API)[0]
        return said.replace(self._token, "<token>")[:300]

    def answer(self, error: TelegramError) -> Fault | str:
        """What the error says, for people: Telegram's and the library's words are in English alone."""
        said = self.words(error)
        return UNREADABLE if said == UNREADABLE.words else said

    def advice(self, error: TelegramError) -> Fault:
        """What an operator should do about a call that keeps failing."""
        match error:
            case Conflict():
                return _CONFLICT
            case RetryAfter():
                return _WAIT
            case BadRequest() | Forbidden() | ChatMigrated():
                return _OLD_SERVER
            case _:
                return _CHECK_NETWORK

    def failure(self, error: TelegramError) -> TemporaryError | PermanentError:
        """Says to the outbox whether to try again, and to the agent why not."""
        said = self.words(error)
        # BadRequest is a NetworkError in this library, so the order matters.
        match error:
            case RetryAfter():
                return TemporaryError(_TOO_FAST, seconds(error))
            case InvalidToken() if not refuses_token(error):
                return PermanentError(_NO_METHOD) if lacks_method(error) else TemporaryError(UNREADABLE, TOKEN_PAUSE)
            case InvalidToken():
                # The token is the desk's fault and no message's: they wait until it is mended.
                return TemporaryError(REFUSED, TOKEN_PAUSE)
            case Forbidden() if "blocked" in said:
                return PermanentError(_BLOCKED)
            case Forbidden() if "deactivated" in said:
                return PermanentError(_DEACTIVATED)
            case BadRequest() if "chat not found" in said.lower():
                return PermanentError(_NO_CHAT)
            case Forbidden() | BadRequest() | ChatMigrated():
                return PermanentError(fault("Telegram refused the message: {why}", "telegram.fault.refused", why=said))
            case NetworkFault() if "entity too large" in said.lower():
                return PermanentError(_FILE_REFUSED)
            case NetworkFault() | Conflict():
                return TemporaryError(_unreachable(said))
            case _:
                return TemporaryError(UNREADABLE)


def refuses_token(error: TelegramError) -> bool:
    """Whether it is about the token. To the library every 404 is, also of a server that lacks the method, and of
    whatever else answers in Telegram's place."""
    return isinstance(error, InvalidToken) and not lacks_method(error) and _NO_API not in str(error)


def lacks_method(error: TelegramError) -> bool:
    return isinstance(error, InvalidToken) and "method not found" in str(error).lower()


def too_large(limit: int) -> PermanentError:
    return PermanentError(
        fault(
            "The file is larger than {mb:.3g} MB, the most that the desk keeps.",
            "telegram.fault.file_too_large",
            mb=limit / 2**20,
        )
    )


def _unreachable(why: Fault | str) -> Fault:
    return fault("Telegram could not be reached: {why}", "telegram.fault.unreachable", why=why)


def seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


class _Bot(Bot):
    """The Bot API with its results as they came.

    The typed methods parse a whole answer or fail: one malformed update would hide its batch, and a sent
    message that the library cannot parse would look unsent and go out twice.
    """

    async def call(self, method: str, parameters: dict[str, Any], read_timeout: Any = BaseRequest.DEFAULT_NONE) -> Any:
        """The raw result. Raises ``TelegramError``, and nothing else."""
        try:
            return await self._post(method, parameters, read_timeout=read_timeout)
        except KeyError:  # an answer 200 that holds no result
            raise TelegramError(UNREADABLE.words) from None
