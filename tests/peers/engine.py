"""A stand-in for a Rasa server: its HTTP API on loopback, well or as unwell as a test wants it.

As strict as the real server about its token, its routes and what it is asked; what it knows, it knows by heart
(``rasa.parse``). Tests make it slow (``latency``), give it something else to answer (``unwell``), or end it (``stop``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tests.peers.rasa import parse
from tests.support.ports import HeldPort

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""What a request gets in place of the truth."""


class RasaPeer:
    """One Rasa. Use as ``async with RasaPeer(...) as peer``; stopped and started again, it is at the same address."""

    def __init__(self, by_heart: Mapping[str, str], token: str = "stand-in-token-of-rasa") -> None:
        """``by_heart``: the intents of texts."""
        self.latency = 0.0
        """Seconds before every answer."""
        self.unwell: Answer | None = None
        """What all who have the token are answered with, while it is set."""
        self.asked: list[str] = []
        """The texts that it was to parse, whatever it answered."""
        self._model = {"by_heart": dict(by_heart)}
        self._token = token
        self._port = HeldPort()
        self._runner: web.AppRunner | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What names it to a desk."""
        return {"RASA_URL": f"http://127.0.0.1:{self._port.number}", "RASA_TOKEN": self._token}

    async def start(self) -> None:
        app = web.Application(middlewares=[self._manners])
        app.router.add_get("/status", self._status)
        app.router.add_post("/model/parse", self._parse)
        # An answer that nobody waits for any more is not waited for here either.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port.number).start()

    async def stop(self) -> None:
        """Gone: whoever connects is refused."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> RasaPeer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._port.close()

    @web.middleware
    async def _manners(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.query.get("token") != self._token:
            return _failure(401, "NotAuthenticated", "User is not authenticated.")
        if request.path == "/model/parse":
            self._note(await request.read())
        await asyncio.sleep(self.latency)
        return await (self.unwell or handler)(request)

    def _note(self, body: bytes) -> None:
        try:
            self.asked.append(str(json.loads(body)["text"]))
        except (ValueError, TypeError, KeyError):
            return

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response({"model_file": "stand-in.tar.gz", "model_id": "1", "num_active_training_jobs": 0})

    async def _parse(self, request: web.Request) -> web.Response:
        try:
            text = json.loads(await request.read())["text"]
        except (ValueError, TypeError, KeyError):
            text = None
        if not isinstance(text, str) or not text:
            return _failure(400, "BadRequest", "No text message defined in request_body.")
        return web.json_response({"text": text, **parse(self._model, text)})


def _failure(status: int, reason: str, message: str) -> web.Response:
    failure = {"version": "3.6.21", "status": "failure", "reason": reason, "message": message, "code": status}
    return web.json_response(failure, status=status)


# --- what it may be unwell with


def says(body: object, status: int = 200, content_type: str = "application/json") -> Answer:
    """Always the same: ``body`` as JSON, or as it is if it is a text."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type=content_type)

    return answer


async def goes_on(request: web.Request) -> web.StreamResponse:
    """An answer without an end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b"[" * 64 * 1024)


async def hangs_up(request: web.Request) -> web.Response:
    """No answer at all."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Half of one."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"intent": {"name": "greet"')
    assert request.transport is not None
    request.transport.abort()
    return response
