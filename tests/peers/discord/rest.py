"""The REST API: one entrance for all routes, with authorization, rate limits, scripted faults and strict forms."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import BodyPartReader, web

from tests.peers.discord.calls import Call, Limits, Request, Route, Routes
from tests.peers.discord.command_routes import CommandRoutes
from tests.peers.discord.errors import Json, Refusal, invalid
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.interaction_routes import InteractionRoutes
from tests.peers.discord.message_routes import MessageRoutes
from tests.peers.discord.messages import Upload, Uploads
from tests.peers.discord.places import Places
from tests.peers.discord.world import World


@dataclass
class Fault:
    """What happens to calls whose ``METHOD /path`` contains the text."""

    route: str
    times: int
    kind: str
    status: int = 500
    body: Json | str | None = None
    seconds: float = 0.0
    is_global: bool = False
    cloudflare: bool = False
    after_effect: bool = False


@dataclass
class _Window:
    started: float
    used: int = 0


@dataclass
class _Entry:
    method: str
    template: str
    pattern: re.Pattern[str]
    route: Route
    authorized: bool
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = hashlib.md5(f"{self.method} {self.template}".encode(), usedforsecurity=False).hexdigest()


class Rest:
    """The routes that a desk needs, and no other."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.world = world
        self.limits = Limits()
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.places = Places(world, gateway)
        self._windows: dict[tuple[str, str], _Window] = {}
        self._entries: list[_Entry] = []
        for routes in (self.places, MessageRoutes(world, self.limits), CommandRoutes(world)):
            self._add(routes.routes)
        self._add(InteractionRoutes(world, self.limits).routes, authorized=False)

    def _add(self, routes: Routes, *, authorized: bool = True) -> None:
        for method, template, route in routes:
            pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
            # Where the gateway is may be asked by anybody.
            self._entries.append(_Entry(method, template, pattern, route, authorized and template != "/gateway"))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        headers: dict[str, str] = {}
        fault: Fault | None = None
        path = request.match_info["path"]
        try:
            if request.match_info["version"] not in ("9", "10"):
                raise Refusal(400, 50041, "Invalid API version provided")
            entry, match = self._find(request.method, path)
            if entry.authorized:
                self._authorize(request)
            taken = await self._read(request, match)
            self.calls.append(Call(request.method, path, _payload(request, taken)))
            fault = self._fault(f"{request.method} {path}")
            if fault is not None and fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            elif fault is not None and (fault.kind != "drop" or not fault.after_effect):
                return self._answer_fault(fault, request, entry)
            headers = self._count(entry, match)
            if headers.get("Retry-After"):
                return _limited(float(headers.pop("X-Exact")), headers, is_global=False)
            status, result = await entry.route(taken)
        except Refusal as refusal:
            status, result = refusal.status, refusal.body
        finally:
            self.world.change()
        if fault is not None and fault.kind == "drop":
            return _cut(request)
        if status == 204:
            return web.Response(status=204, headers=headers)
        return _json(status, result, headers)

    async def download(self, request: web.Request) -> web.Response:
        """The CDN: needs no token, only a link that is signed and fresh."""
        attachment = self.world.opened(str(request.url))
        if attachment is None:
            return web.Response(status=404, text="This content is no longer available.")
        kind = attachment.content_type or "application/octet-stream"
        return web.Response(body=attachment.content, headers={"Content-Type": kind})

    def _find(self, method: str, path: str) -> tuple[_Entry, dict[str, str]]:
        allowed = False
        for entry in self._entries:
            if found := entry.pattern.fullmatch(path):
                if entry.method == method:
                    return entry, found.groupdict()
                allowed = True
        if allowed:
            raise Refusal(405, 0, "405: Method Not Allowed")
        raise Refusal(404, 0, "404: Not Found")

    def _authorize(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bot {self.world.token}":
            raise Refusal(401, 0, "401: Unauthorized")

    async def _read(self, request: web.Request, match: dict[str, str]) -> Request:
        query = dict(request.query)
        if not request.body_exists:
            return Request(match, query, None, {})
        if request.content_type == "multipart/form-data":
            body, files = await self._read_parts(request)
            return Request(match, query, body, files)
        raw = await request.read()
        if not raw:
            return Request(match, query, None, {})
        if request.content_type != "application/json":
            invalid(
                "_",
                "CONTENT_TYPE_INVALID",
                'Expected "Content-Type" header to be one of {"application/json","multipart/form-data"}.',
            )
        return Request(match, query, _loads(raw), {})

    async def _read_parts(self, request: web.Request) -> tuple[Any, Uploads]:
        body: Any = {}
        files: Uploads = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = bytes(await part.read(decode=True))
            if part.name == "payload_json":
                body = _loads(content)
            elif found := re.fullmatch(r"files?\[(\d+)\]", part.name or ""):
                files[int(found[1])] = Upload(part.filename or "unknown", content, part.headers.get("Content-Type"))
        return body, files

    def _fault(self, call: str) -> Fault | None:
        for fault in self.faults:
            if fault.route in call:
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _answer_fault(self, fault: Fault, request: web.Request, entry: _Entry) -> web.StreamResponse:
        if fault.kind == "drop":
            return _cut(request)
        if fault.kind == "limit":
            if fault.cloudflare:
                # A ban at the edge: no Via, no JSON.
                return web.Response(
                    status=429, text="error code: 1015", headers={"Retry-After": str(math.ceil(fault.seconds))}
                )
            headers = {"X-RateLimit-Scope": "global" if fault.is_global else "user"}
            if fault.is_global:
                headers["X-RateLimit-Global"] = "true"
            else:
                headers |= _bucket_headers(entry.bucket, self.limits.route_limit[0], 0, fault.seconds)
            return _limited(fault.seconds, headers, is_global=fault.is_global)
        phrase = HTTPStatus(fault.status).phrase
        body = fault.body
        if body is None and fault.status in (502, 503, 504):
            body = f"<html><body><h1>{fault.status} {phrase}</h1></body></html>"  # from the proxy in front of Discord
        if isinstance(body, str):
            return web.Response(status=fault.status, text=body, content_type="text/html")
        return _json(fault.status, {"message": f"{fault.status}: {phrase}", "code": 0} if body is None else body, {})

    def _count(self, entry: _Entry, match: dict[str, str]) -> dict[str, str]:
        """Counts a call against its bucket: one for each route and channel, guild or webhook."""
        limit, seconds = self.limits.route_limit
        major = match.get("channel_id") or match.get("guild_id") or match.get("token") or ""
        now = time.monotonic()
        window = self._windows.get((entry.bucket, major))
        if window is None or now >= window.started + seconds:
            window = self._windows[entry.bucket, major] = _Window(now)
        left = window.started + seconds - now
        window.used += 1
        headers = _bucket_headers(entry.bucket, limit, max(limit - window.used, 0), left)
        if window.used > limit:
            window.used = limit
            headers |= {"X-RateLimit-Scope": "user", "Retry-After": str(math.ceil(left)), "X-Exact": f"{left:.3f}"}
        return headers


def _loads(raw: bytes) -> Any:
    try:
        loaded = json.loads(raw)
        json.dumps(loaded, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except ValueError:
        raise Refusal(400, 50109, "The request body contains invalid JSON.") from None
    return loaded


def _payload(request: web.Request, taken: Request) -> Any:
    if taken.files:
        files = {f"files[{index}]": (file.name, file.content) for index, file in taken.files.items()}
        return {"payload_json": taken.body, "files": files}
    return dict(request.query) if taken.body is None and request.method in ("GET", "DELETE") else taken.body


def _bucket_headers(bucket: str, limit: int, remaining: int, left: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{time.time() + left:.3f}",
        "X-RateLimit-Reset-After": f"{left:.3f}",
        "X-RateLimit-Bucket": bucket,
    }


def _limited(seconds: float, headers: dict[str, str], *, is_global: bool) -> web.Response:
    # Without Via, discord.py takes a 429 for a ban by Cloudflare and gives up.
    headers = {"Via": "1.1 google", **headers, "Retry-After": str(math.ceil(seconds))}
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": is_global}
    return _json(429, body, headers)


def _json(status: int, content: Any, headers: dict[str, str]) -> web.Response:
    # Exactly this type: with a charset behind it, discord.py takes the body for text.
    return web.Response(
        status=status, body=json.dumps(content).encode(), headers={**headers, "Content-Type": "application/json"}
    )


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
