"""Rasa over HTTP. The only place that knows its API."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Annotated, Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.model import OUT_OF_SCOPE, EngineUnavailable, Prediction, Ranked

MAX_CHARACTERS = 1000
"""What is read of a message: whoever writes more has said what it is about by then."""

_FALLBACK = "nlu_fallback"

# Rasa takes a message that begins with a slash for a command and believes it ("/greet" is a greeting
# with confidence 1). The full-width slash means the same to a reader, and nothing to Rasa.
_COMMAND = re.compile(r"^\s*/")


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    token: str = field(repr=False)


class _Intent(BaseModel):
    model_config = ConfigDict(strict=True)
    name: Annotated[str, Field(min_length=1)]
    confidence: Annotated[float, Field(ge=0, le=1.000001, allow_inf_nan=False)]


class _Parsed(BaseModel):
    model_config = ConfigDict(strict=True)
    intent: _Intent
    intent_ranking: list[_Intent]
    entities: list[dict[str, Any]] = []


class RasaEngine:
    """An ``IntentEngine`` that asks the Rasa server which ``endpoint`` names at that moment.

    ``endpoint`` may raise ``EngineUnavailable`` while there is no server. ``timeout`` is for the whole
    request, in seconds. Use as an async context manager, or call ``aclose``.
    """

    def __init__(self, endpoint: Callable[[], Endpoint], timeout: float = 5.0) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        # No proxy from the environment: the text is the customer's. Rasa drops a connection after five
        # idle seconds, so it is not offered one that it may be about to close.
        self._http = httpx.AsyncClient(
            timeout=timeout, trust_env=False, limits=httpx.Limits(max_connections=20, keepalive_expiry=2.0)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def predict(self, text: str) -> Prediction:
        if not text.strip():
            raise ValueError("there is no text to classify")
        # Half an emoji is a Python string, but not UTF-8.
        sent = _COMMAND.sub("\uff0f", text)[:MAX_CHARACTERS].encode(errors="replace").decode()
        answer = await self._request("POST", "/model/parse", {"text": sent})
        try:
            parsed = _Parsed.model_validate(answer)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "body" for e in error.errors()}))
            # Without the error itself: it quotes what it was given.
            raise EngineUnavailable(f"Rasa's answer is not a prediction: {fields}.") from None
        return _prediction(text, parsed)

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
            async with asyncio.timeout(self._timeout):
                response = await self._http.request(method, url, params={"token": endpoint.token}, json=body)
        except (TimeoutError, httpx.TimeoutException):
            raise EngineUnavailable(f"Rasa did not answer within {self._timeout:g} seconds.") from None
        except httpx.ConnectError as error:
            raise EngineUnavailable(f"Rasa is not reachable: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EngineUnavailable(f"The request to Rasa failed: {error!r}") from None
        match response.status_code:
            case 200:
                pass
            case 401 | 403:
                raise EngineUnavailable("Rasa refused the token.")
            case 409:
                raise EngineUnavailable("Rasa has no model loaded yet.")
            case status:
                raise EngineUnavailable(f"Rasa answered with status {status}.")
        try:
            return json.loads(response.content)
        except ValueError:
            raise EngineUnavailable("Rasa's answer is not JSON.") from None


def _prediction(text: str, parsed: _Parsed) -> Prediction:
    """Rasa's fallback is a verdict on the ranking, not an intent in it."""
    ranking = sorted(
        (
            Ranked(intent.name, min(intent.confidence, 1.0))
            for intent in parsed.intent_ranking
            if intent.name != _FALLBACK
        ),
        key=lambda ranked: -ranked.confidence,
    )
    if not ranking:
        raise EngineUnavailable("Rasa's answer ranks no intent.")
    best = ranking[0]
    if parsed.intent.name not in (best.name, _FALLBACK):
        raise EngineUnavailable("Rasa's answer contradicts its own ranking.")
    return Prediction(
        text=text,
        intent=best.name,
        confidence=best.confidence,
        ranking=tuple(ranking),
        sure=parsed.intent.name != _FALLBACK and best.name != OUT_OF_SCOPE,
        entities=tuple(parsed.entities),
    )
