"""Rasa over HTTP. The only place that knows its routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

import aiohttp
from pydantic import ValidationError

from bot.domain.engine import EngineUnavailable, Prediction
from intents.parsing import Parsed, as_sent, to_prediction

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes. An answer that ranks a thousand intents has a fortieth of it."""


class Trouble(Enum):
    """Why a Rasa server gave no prediction, for advice on it."""

    TOKEN = "the token is refused"  # noqa: S105 - not a token
    NO_MODEL = "no model is loaded"
    NOT_RASA = "what answers there is no Rasa server, or one without its API"
    SLOW = "no answer in time"
    OTHER = "not reachable, or failed"


class RasaUnavailable(EngineUnavailable):
    """A request to Rasa that brought no answer: the message says why in words, ``trouble`` of which kind it is."""

    def __init__(self, words: str, trouble: Trouble = Trouble.OTHER) -> None:
        super().__init__(words)
        self.trouble = trouble


@dataclass(slots=True, eq=False)
class Endpoint:
    """Where a Rasa server answers, and whether it is answering: so that it can be ended without breaking off a word."""

    url: str
    token: str = field(repr=False)
    idle: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    """Set while no request is under way."""
    _requests: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.idle.set()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Around each request."""
        self._requests += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self.idle.set()


class RasaEngine:
    """An ``IntentEngine`` that asks the Rasa server which ``endpoint`` names at that moment.

    ``endpoint`` may raise ``EngineUnavailable`` while there is no server. ``timeout`` is for the whole
    request, in seconds. Use as an async context manager, or call ``aclose``.
    """

    def __init__(self, endpoint: Callable[[], Endpoint], timeout: float = 5.0) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        """Made when it is needed first, since it belongs to the loop that it is made in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Rasa drops a connection after five idle seconds: it is not offered one that it may be about to close.
                connector=aiohttp.TCPConnector(limit=20, keepalive_timeout=2.0),
                timeout=aiohttp.ClientTimeout(total=None),
                # A little that is compressed may become a lot.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                # The text is the customer's: no proxy of the environment's.
                trust_env=False,
            )
        return self._session

    async def predict(self, text: str) -> Prediction:
        answer = await self._request("POST", "/model/parse", {"text": as_sent(text)})
        try:
            parsed = Parsed.model_validate(answer)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "body" for e in error.errors()}))
            # Without the error itself: it quotes what it was given.
            raise RasaUnavailable(f"Rasa's answer is not a prediction: {fields}.", Trouble.NOT_RASA) from None
        return to_prediction(text, parsed)

    async def healthy(self) -> bool:
        try:
            await self._request("GET", "/status")
        except EngineUnavailable:
            return False
        return True

    async def _request(self, method: str, path: str, body: object = None) -> object:
        """The decoded answer to one request. Raises ``EngineUnavailable``, saying why in words."""
        endpoint = self._endpoint()
        url = endpoint.url.rstrip("/") + path
        try:
            with endpoint.asked():
                async with asyncio.timeout(self._timeout):
                    status, content = await self._answer(method, url, endpoint.token, body)
        except TimeoutError:
            raise RasaUnavailable(f"Rasa did not answer within {self._timeout:g} seconds.", Trouble.SLOW) from None
        except aiohttp.ClientConnectorError as error:
            raise RasaUnavailable(f"Rasa is not reachable: {error}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise RasaUnavailable(f"The request to Rasa failed: {error!r}") from None
        match status:
            case 200:
                pass
            case 401 | 403:
                raise RasaUnavailable("Rasa refused the token.", Trouble.TOKEN)
            case 409:
                raise RasaUnavailable("Rasa has no model loaded yet.", Trouble.NO_MODEL)
            case _:
                trouble = Trouble.NOT_RASA if status == 404 else Trouble.OTHER
                raise RasaUnavailable(f"Rasa answered with status {status}.", trouble)
        try:
            return json.loads(content)
        # The latter for brackets in brackets in brackets.
        except (ValueError, RecursionError):
            raise RasaUnavailable("Rasa's answer is not JSON.", Trouble.NOT_RASA) from None

    async def _answer(self, method: str, url: str, token: str, body: object) -> tuple[int, bytes]:
        """Status and content, read as far as it may be long: what answers there may not be Rasa at all."""
        content = bytearray()
        async with self._http.request(method, url, params={"token": token}, json=body) as response:
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MAX_ANSWER:
                    # Or the rest would be read, so that the connection can be used again.
                    response.close()
                    raise RasaUnavailable(f"Rasa's answer is longer than {MAX_ANSWER // 1024 // 1024} MB.")
            return response.status, bytes(content)
