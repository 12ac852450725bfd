"""HTTP as python-telegram-bot asks for it, by aiohttp: a call costs the desk less than half of what it costs by the
library's own client, and a desk on Telegram does little else."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

import aiohttp
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.domain.said import fault
from connectors.fields import number

UNREADABLE = fault("What answered in Telegram's place could not be understood.", "telegram.fault.unreadable")

_DEEPEST = 64
"""Levels of an update that are read."""
_MOST_DIGITS = 64
_MOST_REFUSAL = 4096
"""Bytes of an answer that may be a refusal."""
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


class Request(BaseRequest):
    """At most ``connections`` at once; ``read`` seconds without a byte, and ``connect`` until the line stands, end a
    call with ``TimedOut``; ``wait`` seconds for a connection to be free."""

    def __init__(self, *, connections: int, read: float, connect: float = 10.0, wait: float = 30.0) -> None:
        self._connections = connections
        self._read = read
        self._connect = connect
        self._wait = wait
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._read

    async def initialize(self) -> None:
        """Nothing to do: the session belongs to the loop that it is made in, and is made when it is needed."""

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
                trust_env=True,  # many a desk reaches Telegram by a proxy alone
            )
        return self._session

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,  # noqa: ARG002 - aiohttp has none
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        connect = _or(connect_timeout, self._connect)
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=connect + _or(pool_timeout, self._wait),
            sock_connect=connect,
            sock_read=_or(read_timeout, self._read),
        )
        try:
            async with self._http.request(
                method, url, data=_form(request_data), timeout=timeout, allow_redirects=False
            ) as answer:
                payload = await answer.read()
                return _judged(answer.status, payload), payload
        except TimeoutError as error:
            raise TimedOut from error
        except (aiohttp.ClientError, ValueError) as error:
            raise NetworkError(f"{type(error).__name__}: {error}") from error

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As in the library, which however logs all of an answer that it cannot parse: customers' words."""
        try:
            answer = parsed(payload)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise TelegramError(UNREADABLE.words)
        return answer


def _judged(status: int, payload: bytes) -> int:
    """The status of the answer, or the code of the refusal that it holds: some servers refuse with 200."""
    if status != HTTPStatus.OK or len(payload) > _MOST_REFUSAL or b"false" not in payload:
        return status
    try:
        answer = parsed(payload)
    except ValueError:
        return status
    if not isinstance(answer, dict) or answer.get("ok") is not False:
        return status
    code = number(answer.get("error_code"))
    return code if code is not None and HTTPStatus.BAD_REQUEST <= code < 600 else HTTPStatus.BAD_REQUEST


def _or(given: object, usual: float) -> float:
    """What a call asks for, or, where it leaves that to us, the usual."""
    return float(given) if isinstance(given, int | float) else usual


def _form(data: RequestData | None) -> aiohttp.FormData | dict[str, str] | None:
    if data is None:
        return None
    if not data.contains_files:
        return data.json_parameters
    form = aiohttp.FormData(data.json_parameters, quote_fields=False)  # names as they are: customers read them
    for field, (name, content, media_type) in data.multipart_data.items():
        form.add_field(field, content, filename=name, content_type=media_type)
    return form


def parsed(payload: bytes) -> Any:
    """JSON, of which what cannot be read spoils nothing beside it: an update that breaks its batch would be fetched
    again for ever, and the whole batch with it. Raises ``ValueError`` for what is no JSON."""
    text = payload.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        return json.loads(_shallow(text), parse_int=_integer)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def _shallow(text: str) -> str:
    """Without what is deeper than ``_DEEPEST``."""
    kept, depth, begin = [], 0, 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST + 1:
                kept.append(text[begin : token.start()])
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                kept.append("null")
                begin = token.end()
    return "".join(kept) + text[begin:] if depth <= _DEEPEST else ""
