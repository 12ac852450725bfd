"""The server in front of a Telegram: calls, faults and the wire."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from tests.peers.telegram.forms import Json, Parameters, Refusal
from tests.peers.telegram.messages import Messages
from tests.peers.telegram.people import PeerUser
from tests.peers.telegram.updates import Updates
from tests.peers.telegram.world import Chat, World
from tests.support.ports import HeldPort


@dataclass(frozen=True)
class Call:
    """One call of the bot, with its parameters as they came."""

    method: str
    parameters: Json


@dataclass(frozen=True)
class Fault:
    refusal: Refusal | None = None
    """None: the connection is cut instead."""
    after_effect: bool = False


class TelegramPeer(World):
    """One Telegram with one bot. Use as ``async with TelegramPeer() as peer``; its state outlives a restart."""

    def __init__(
        self, token: str = "700100200:AAF-stand_in-token-of-the-bot-0000000", username: str = "desk_bot"
    ) -> None:
        super().__init__(token, username)
        self.latency = 0.0
        """Seconds before every answer."""
        self.calls: list[Call] = []
        self.as_sent: Callable[[bytes], bytes] = lambda answer: answer
        """What becomes of every answer on the wire."""
        self._updates = Updates(self)
        self._methods = {**self._updates.methods, **Messages(self).methods}
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._port = HeldPort()
        self._runner: web.AppRunner | None = None
        self._delivering: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """As given to a bot's settings: ``http://127.0.0.1:40001``."""
        return f"http://127.0.0.1:{self._port.number}"

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        # A long poll ends with its connection, as the real one's does.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port.number)
        await site.start()
        self._delivering = asyncio.create_task(self._updates.deliver())

    async def stop(self) -> None:
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.gather(self._delivering, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> TelegramPeer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._port.close()

    def user(
        self,
        user_id: int,
        *,
        first_name: str = "Ann",
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = None,
    ) -> PeerUser:
        """A person. The bot cannot write to them before they wrote to it."""
        profile: Json = {"id": user_id, "is_bot": False, "first_name": first_name}
        optional = {"last_name": last_name, "username": username, "language_code": language_code}
        profile.update({name: value for name, value in optional.items() if value is not None})
        user = self.users[user_id] = PeerUser(self, profile)
        return user

    def group_message(self, chat_id: int, user: PeerUser, text: str, title: str = "A group") -> int:
        """The user writes in a group (a negative id) that the bot is in."""
        user.met = True
        chat = self.chats.setdefault(chat_id, Chat(chat_id, "supergroup", title))
        message = chat.add({"from": user.profile, "chat": self.chat_json(chat), "text": text})
        self.push("message", message)
        return int(message["message_id"])

    def direct_message(self, chat_id: int, user: PeerUser, text: str, topic: int, title: str = "A channel") -> int:
        """The user writes to a channel whose direct messages the bot reads."""
        user.met = True
        chat = self.chats.setdefault(chat_id, Chat(chat_id, "direct", title))
        chat.topics.add(topic)
        where = {"topic_id": topic, "user": user.profile}
        content = {"from": user.profile, "chat": self.chat_json(chat), "direct_messages_topic": where, "text": text}
        message = chat.add(content)
        self.push("message", message)
        return int(message["message_id"])

    async def wait_calls(self, method: str, count: int = 1, timeout: float = 20.0) -> list[Call]:
        """Waits until the bot has called the method at least so often."""
        await self.wait_until(lambda: len(self.called(method)) >= count, timeout)
        return self.called(method)

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method.lower() == method.lower()]

    def fail_next(
        self, method: str, status: int, description: str, retry_after: int | None = None, times: int = 1
    ) -> None:
        """The next calls of the method (or of ``download``) are refused, without effect."""
        parameters = {} if retry_after is None else {"retry_after": retry_after}
        fault = Fault(Refusal(status, description, **parameters))
        self._faults[method.lower()].extend([fault] * times)

    def drop_next(self, method: str, *, after_effect: bool = False, times: int = 1) -> None:
        """The connection of the next calls is cut: before anything happened, or when all has happened."""
        self._faults[method.lower()].extend([Fault(after_effect=after_effect)] * times)

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        try:
            self._authorize(request.match_info["token"])
            parameters = await Parameters.of(request)
            self.calls.append(Call(name, parameters.values))
            method = self._methods.get(name.lower())
            if method is None:
                raise Refusal(404, "Not Found: method not found")
            if self.latency:
                await asyncio.sleep(self.latency)
            fault = self._next_fault(name)
            if fault is not None and fault.refusal is not None:
                raise fault.refusal
            if fault is not None and not fault.after_effect:
                return _cut(request)
            result = await method(parameters)
            answer = self.as_sent(json.dumps({"ok": True, "result": result}).encode())
            return _cut(request) if fault else web.Response(body=answer, content_type="application/json")
        except Refusal as refusal:
            refused: Json = {"ok": False, "error_code": refusal.status, "description": refusal.description}
            if refusal.parameters:
                refused["parameters"] = refusal.parameters
            return web.json_response(refused, status=refusal.status)
        finally:
            self.change()

    def _authorize(self, token: str) -> None:
        if token == self.token:
            return
        raise Refusal(401, "Unauthorized") if re.fullmatch(r"\d+:[\w-]+", token) else Refusal(404, "Not Found")

    def _next_fault(self, method: str) -> Fault | None:
        faults = self._faults[method.lower()]
        return faults.popleft() if faults else None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        content = self.files.get(request.match_info["path"].removeprefix("files/"))
        fault = self._next_fault("download")
        if fault is not None and fault.refusal is not None:
            return web.Response(status=fault.refusal.status, text=fault.refusal.description)
        if request.match_info["token"] != self.token or content is None:
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        if not self.sizes_hidden and fault is None:
            return web.Response(body=content)
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for start in range(0, len(content), 64 * 1024):
            if fault is not None:
                return _cut(request)
            await answer.write(content[start : start + 64 * 1024])
        return answer


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
