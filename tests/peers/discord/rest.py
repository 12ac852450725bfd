"""The REST API: one entrance for all routes, with authorization, rate limits, scripted faults and strict forms."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from aiohttp import BodyPartReader, web

from tests.peers.discord.commands import check_commands
from tests.peers.discord.errors import FormErrors, Json, Refusal, invalid, snowflake
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.messages import Upload, Uploads, change_message, check_object, check_size, new_message
from tests.peers.discord.people import PeerUser
from tests.peers.discord.world import (
    CHAT_INPUT_COMMAND,
    EPHEMERAL,
    LOADING,
    REPLY,
    Channel,
    Interaction,
    Message,
    World,
    unknown,
)

_INTERACTION_TOKEN_LIFE = 15 * 60


class Call(NamedTuple):
    """One call of the bot: the path without ``/api/v10``, and the body, or the query of a call without one."""

    method: str
    path: str
    payload: Any


@dataclass
class Request:
    """A call, taken apart."""

    match: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Uploads

    def id(self, name: str) -> int:
        return snowflake(self.match[name], name)

    @property
    def object(self) -> Json:
        return check_object(self.body)


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


Answer = tuple[int, Any]
Route = Callable[[Request], Awaitable[Answer]]


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
        self.gateway = gateway
        self.gateway_url = ""
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.route_limit: tuple[int, float] = (1000, 1.0)
        self.nonce_window = 300.0
        self.interaction_window = 3.0
        self.upload_limit = 10 * 1024 * 1024
        self._windows: dict[tuple[str, str], _Window] = {}
        self._entries: list[_Entry] = []
        add = self._add
        add("GET", "/gateway", self._get_gateway, authorized=False)
        add("GET", "/gateway/bot", self._get_gateway_bot)
        add("GET", "/users/@me", self._get_me)
        add("POST", "/users/@me/channels", self._open_dm)
        add("GET", "/users/{user_id}", self._get_user)
        add("GET", "/oauth2/applications/@me", self._get_application)
        add("GET", "/applications/@me", self._get_application)
        add("GET", "/channels/{channel_id}", self._get_channel)
        add("POST", "/channels/{channel_id}/typing", self._typing)
        add("GET", "/channels/{channel_id}/messages", self._list_messages)
        add("POST", "/channels/{channel_id}/messages", self._create_message)
        add("GET", "/channels/{channel_id}/messages/{message_id}", self._get_message)
        add("PATCH", "/channels/{channel_id}/messages/{message_id}", self._edit_message)
        add("DELETE", "/channels/{channel_id}/messages/{message_id}", self._delete_message)
        for scope in ("/applications/{application_id}", "/applications/{application_id}/guilds/{guild_id}"):
            add("GET", f"{scope}/commands", self._get_commands)
            add("PUT", f"{scope}/commands", self._put_commands)
            add("POST", f"{scope}/commands", self._post_command)
            add("DELETE", f"{scope}/commands/{{command_id}}", self._delete_command)
        add("POST", "/interactions/{interaction_id}/{token}/callback", self._callback, authorized=False)
        add("POST", "/webhooks/{webhook_id}/{token}", self._follow_up, authorized=False)
        one = "/webhooks/{webhook_id}/{token}/messages/{message_id}"
        add("GET", one, self._get_answer, authorized=False)
        add("PATCH", one, self._edit_answer, authorized=False)
        add("DELETE", one, self._delete_answer, authorized=False)
        add("POST", "/attachments/refresh-urls", self._refresh_urls)

    def _add(self, method: str, template: str, route: Route, *, authorized: bool = True) -> None:
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
        self._entries.append(_Entry(method, template, pattern, route, authorized))

    # --- the wire

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

    # --- faults and limits

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
                headers |= _bucket_headers(entry.bucket, self.route_limit[0], 0, fault.seconds)
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
        limit, seconds = self.route_limit
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

    # --- who and where

    async def _get_gateway(self, _: Request) -> Answer:
        return 200, {"url": self.gateway_url}

    async def _get_gateway_bot(self, _: Request) -> Answer:
        limit = {
            "total": 1000,
            "remaining": max(self.gateway.session_starts_left, 0),
            "reset_after": 14_400_000,
            "max_concurrency": 1,
        }
        return 200, {"url": self.gateway_url, "shards": self.gateway.shards, "session_start_limit": limit}

    async def _get_me(self, _: Request) -> Answer:
        me = {"verified": True, "mfa_enabled": False, "email": None, "flags": 0, "locale": "en-US", "premium_type": 0}
        return 200, {**self.world.bot, **me}

    async def _get_user(self, request: Request) -> Answer:
        user_id = request.id("user_id")
        if user_id != self.world.bot_id and user_id not in self.world.users:
            raise unknown("User")
        return 200, self.world.profile(user_id)

    async def _get_application(self, _: Request) -> Answer:
        owner = {"id": "1", "username": "owner", "discriminator": "0", "global_name": None, "avatar": None}
        return 200, {
            "id": str(self.world.bot_id),
            "name": self.world.bot["username"],
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": {**owner, "public_flags": 0},
            "team": None,
            "rpc_origins": [],
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "approximate_guild_count": 1,
            "approximate_user_install_count": 0,
            "bot": self.world.bot,
            "integration_types_config": {"0": {}},
        }

    async def _open_dm(self, request: Request) -> Answer:
        given = request.object.get("recipient_id")
        if given is None:
            invalid("recipient_id", "BASE_TYPE_REQUIRED", "This field is required")
        user = self.world.users.get(snowflake(given, "recipient_id"))
        if user is None:
            raise Refusal(400, 50033, "Invalid Recipient(s)")
        # Opening works with everybody, closed or gone: only what is then sent is refused.
        return 200, self.world.show_channel(self.world.dm(user))

    def _channel(self, request: Request) -> Channel:
        channel = self.world.channels.get(request.id("channel_id"))
        if channel is None:
            raise unknown("Channel")
        return channel

    async def _get_channel(self, request: Request) -> Answer:
        return 200, self.world.show_channel(self._channel(request))

    async def _typing(self, request: Request) -> Answer:
        self.world.typings.append((self._channel(request).id, time.monotonic()))
        return 204, None

    # --- messages

    async def _list_messages(self, request: Request) -> Answer:
        channel = self._channel(request)
        limit = _limit(request.query.get("limit", "50"))
        marks = {
            name: snowflake(request.query[name], name)
            for name in ("around", "before", "after")
            if name in request.query
        }
        messages = sorted(channel.messages.values(), key=lambda message: message.id)
        if "around" in marks:
            half = limit // 2
            older = [message for message in messages if message.id < marks["around"]]
            newer = [message for message in messages if message.id >= marks["around"]]
            chosen = older[max(len(older) - half, 0) :] + newer[: limit - half]
        elif "before" in marks:
            chosen = [message for message in messages if message.id < marks["before"]][-limit:]
        elif "after" in marks:
            # The ones nearest after the mark, and yet the newest of them first, as in every answer.
            chosen = [message for message in messages if message.id > marks["after"]][:limit]
        else:
            chosen = messages[-limit:]
        return 200, [self.world.show(message) for message in reversed(chosen)]

    async def _create_message(self, request: Request) -> Answer:
        channel = self._channel(request)
        check_size(request.files, self.upload_limit)
        message = new_message(self.world, channel, request.object, request.files)
        user = self.world.users.get(channel.recipient) if channel.recipient is not None else None
        if isinstance(user, PeerUser) and user.closed_dms:
            raise Refusal(403, user.refusal_code, _CLOSED.get(user.refusal_code, "Forbidden"))
        if message.nonce is not None:
            earlier = self._posted_with(str(message.nonce))
            if request.object.get("enforce_nonce") is True and earlier is not None:
                return 200, self.world.show(earlier, nonce=True)
            self.world.nonces[str(message.nonce)] = (time.monotonic(), message)
        self.world.post(message)
        return 200, self.world.show(message, nonce=True)

    def _posted_with(self, nonce: str) -> Message | None:
        """The bot's recent message with this nonce, in whichever channel: nonces belong to authors."""
        posted, message = self.world.nonces.get(nonce, (-math.inf, None))
        recent = time.monotonic() - posted < self.nonce_window
        return message if recent and message is not None and message.id in message.channel.messages else None

    def _message(self, request: Request) -> Message:
        message = self._channel(request).messages.get(request.id("message_id"))
        if message is None:
            raise unknown("Message")
        return message

    async def _get_message(self, request: Request) -> Answer:
        return 200, self.world.show(self._message(request))

    async def _edit_message(self, request: Request) -> Answer:
        message = self._message(request)
        if not self._is_own(message):
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        check_size(request.files, self.upload_limit)
        change_message(self.world, message, request.object, request.files)
        self.world.update(message)
        return 200, self.world.show(message)

    async def _delete_message(self, request: Request) -> Answer:
        message = self._message(request)
        if not self._is_own(message):
            if message.channel.is_dm:
                raise Refusal(403, 50003, "Cannot execute action on this channel type")
            raise Refusal(403, 50013, "Missing Permissions")
        self.world.delete(message)
        return 204, None

    def _is_own(self, message: Message) -> bool:
        return bool(message.author["id"] == str(self.world.bot_id))

    # --- commands

    def _scope(self, request: Request) -> int | None:
        if request.id("application_id") != self.world.bot_id:
            raise Refusal(403, 20012, "You are not authorized to perform this action on this application")
        if "guild_id" not in request.match:
            return None
        if request.id("guild_id") != self.world.guild_id:
            raise Refusal(403, 50001, "Missing Access")
        return self.world.guild_id

    async def _get_commands(self, request: Request) -> Answer:
        return 200, self.world.commands.get(self._scope(request), [])

    async def _put_commands(self, request: Request) -> Answer:
        scope = self._scope(request)
        if not isinstance(request.body, list):
            invalid("_", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        commands = check_commands(request.body)
        self.world.commands[scope] = [self._register(command, scope) for command in commands]
        return 200, self.world.commands[scope]

    async def _post_command(self, request: Request) -> Answer:
        scope = self._scope(request)
        registered = self._register(check_commands([request.object], single=True)[0], scope)
        others = [known for known in self.world.commands.get(scope, []) if known["id"] != registered["id"]]
        created = len(others) == len(self.world.commands.get(scope, []))
        self.world.commands[scope] = [*others, registered]
        return 201 if created else 200, registered

    async def _delete_command(self, request: Request) -> Answer:
        scope = self._scope(request)
        known = self.world.commands.get(scope, [])
        left = [command for command in known if command["id"] != str(request.id("command_id"))]
        if len(left) == len(known):
            raise unknown("application command")
        self.world.commands[scope] = left
        return 204, None

    def _register(self, command: Json, scope: int | None) -> Json:
        """A command keeps its id as long as its name and type stay."""
        same = [
            known
            for known in self.world.commands.get(scope, [])
            if (known["name"], known["type"]) == (command["name"], command["type"])
        ]
        registered = {
            "id": same[0]["id"] if same else str(self.world.new_id()),
            "application_id": str(self.world.bot_id),
            "version": str(self.world.new_id()),
            **command,
        }
        if scope is not None:
            registered["guild_id"] = str(scope)
        return registered

    # --- interactions

    async def _callback(self, request: Request) -> Answer:
        interaction = self.world.interactions.get(request.id("interaction_id"))
        age = math.inf if interaction is None else time.monotonic() - interaction.created
        if interaction is None or interaction.token != request.match["token"]:
            raise unknown("interaction")
        if interaction.callback is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if age > self.interaction_window:
            raise unknown("interaction")
        kind = request.object.get("type")
        # 6 and 7 change the message that a button is on: a command has none. 8 is for autocompletion only.
        allowed = (4, 5, 6, 7, 9) if interaction.message is not None else (4, 5, 9)
        if type(kind) is not int or kind not in allowed:
            invalid("type", "BASE_TYPE_CHOICES", f"Value must be one of {set(allowed)}.")
        data = request.object.get("data") or {}
        check_size(request.files, self.upload_limit)
        if kind == 4:
            message = self._answered(
                interaction, new_message(self.world, interaction.channel, data, request.files, interaction=True)
            )
            interaction.original = self.world.post(message)
        elif kind == 5:
            message = Message(self.world.new_id(), interaction.channel, self.world.bot)
            message.flags = LOADING | (int(data.get("flags") or 0) & EPHEMERAL)
            interaction.original = self.world.post(self._answered(interaction, message))
        elif kind == 7 and interaction.message is not None:
            change_message(self.world, interaction.message, data, request.files)
            self.world.update(interaction.message)
        if kind in (6, 7):
            interaction.original = interaction.message
        interaction.callback = kind
        shown = interaction.original if kind in (4, 5, 7) else None
        interaction.note(kind, data, **_noted(shown))
        self.world.change()
        if request.query.get("with_response", "").lower() not in ("1", "true"):
            return 204, None
        return 200, self._callback_result(interaction, kind, shown)

    def _callback_result(self, interaction: Interaction, kind: int, shown: Message | None) -> Json:
        about: Json = {"id": str(interaction.id), "type": interaction.kind}
        resource: Json = {"type": kind}
        if shown is not None:
            about |= {
                "response_message_id": str(shown.id),
                "response_message_loading": bool(shown.flags & LOADING),
                "response_message_ephemeral": shown.ephemeral,
            }
            resource["message"] = self.world.show(shown)
        return {"interaction": about, "resource": resource}

    def _answered(self, interaction: Interaction, message: Message) -> Message:
        """Marks a message as an answer: written by the application's webhook, which looks like the bot."""
        interaction.messages[message.id] = message
        about: Json = {
            "id": str(interaction.id),
            "type": interaction.kind,
            "user": self.world.profile(interaction.user),
            "authorizing_integration_owners": {"0": "0"},
        }
        if interaction.message is None:
            message.kind = CHAT_INPUT_COMMAND
            about["name"] = interaction.name
            user = self.world.profile(interaction.user)
            message.extra["interaction"] = {
                "id": str(interaction.id),
                "type": 2,
                "name": interaction.name,
                "user": user,
            }
        else:
            message.kind, message.reply_to = REPLY, interaction.message.id
            about["interacted_message_id"] = str(interaction.message.id)
        message.extra |= {
            "interaction_metadata": about,
            "webhook_id": str(self.world.bot_id),
            "application_id": str(self.world.bot_id),
        }
        return message

    def _interaction(self, request: Request) -> Interaction:
        """The interaction whose token is used. Until it is answered, its webhook does not exist."""
        interaction = self.world.interaction_by_token(request.match["token"])
        if interaction is None or time.monotonic() - interaction.created > _INTERACTION_TOKEN_LIFE:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        if request.id("webhook_id") != self.world.bot_id or interaction.callback is None:
            raise unknown("Webhook")
        return interaction

    async def _follow_up(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        check_size(request.files, self.upload_limit)
        original = interaction.original
        if interaction.callback == 5 and original is not None and original.flags & LOADING:
            # The first follow-up of a deferred answer is that answer: it takes its place, and is as private as it.
            self._fill(original, request)
            message = original
        else:
            message = new_message(self.world, interaction.channel, request.object, request.files, interaction=True)
            reply_to = interaction.original.id if interaction.original is not None else None
            message = self._answered(interaction, message)
            message.kind, message.reply_to = REPLY, reply_to
            self.world.post(message)
        interaction.note("followup", request.object, **_noted(message))
        return 200, self.world.show(message)

    def _answer(self, request: Request, interaction: Interaction) -> Message:
        named = request.match["message_id"]
        original = named == "@original"
        message = interaction.original if original else interaction.messages.get(request.id("message_id"))
        if message is None or (not message.ephemeral and message.id not in message.channel.messages):
            raise unknown("Message")
        return message

    async def _get_answer(self, request: Request) -> Answer:
        return 200, self.world.show(self._answer(request, self._interaction(request)))

    async def _edit_answer(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        message = self._answer(request, interaction)
        check_size(request.files, self.upload_limit)
        self._fill(message, request)
        interaction.note("edit", request.object, **_noted(message))
        return 200, self.world.show(message)

    def _fill(self, message: Message, request: Request) -> None:
        loading = bool(message.flags & LOADING)
        change_message(self.world, message, request.object, request.files)
        message.flags &= ~LOADING
        self.world.update(message, edited=not loading)

    async def _delete_answer(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        message = self._answer(request, interaction)
        self.world.delete(message)
        interaction.messages.pop(message.id, None)
        if interaction.original is message:
            interaction.original = None
        interaction.note("delete", None, **_noted(message))
        return 204, None

    # --- files

    async def _refresh_urls(self, request: Request) -> Answer:
        urls = request.object.get("attachment_urls")
        errors = FormErrors()
        if not isinstance(urls, list) or not 1 <= len(urls) <= 50:
            invalid("attachment_urls", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 50 in length.")
        refreshed: list[Json] = []
        for place, url in enumerate(urls):
            found = re.search(r"/attachments/(\d+)/(\d+)/[^/?]+", str(url))
            attachment = self.world.attachment_at(found[0]) if found else None
            if found is None:
                errors.add(f"attachment_urls.{place}", "ATTACHMENT_URL_INVALID", "Not a well formed attachment URL.")
            elif attachment is not None:
                refreshed.append({"original": url, "refreshed": self.world.link(int(found[1]), attachment)})
        errors.check()
        return 200, {"refreshed_urls": refreshed}


_CLOSED = {
    50007: "Cannot send messages to this user",
    50278: "Cannot send messages to this user due to having no mutual guilds",
}


def _noted(message: Message | None) -> Json:
    return {} if message is None else {"message_id": message.id, "ephemeral": message.ephemeral}


def _limit(given: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", given):
        invalid("limit", "NUMBER_TYPE_COERCE", f'Value "{given}" is not int.')
    if int(given) < 1:
        invalid("limit", "NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.")
    if int(given) > 100:
        invalid("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
    return int(given)


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
