"""A stand-in for Telegram: the Bot API over real HTTP on loopback, and the people on the other side of it.

As strict as the real server where a bot can go wrong: tokens, offsets, two pollers, webhooks, lengths, entities,
keyboards, replies, pictures, sizes of files, edits and deletions, blocked bots. Tests drive the people
(``user.writes``) and script faults (``fail_next``, ``drop_next``).
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from aiohttp.web_request import FileField

from tests.support.ports import HeldPort

Json = dict[str, Any]

_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_DEFAULT_UPDATES = frozenset(
    {"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member", "poll"}
)
_MAX_TEXT = 4096
_MAX_PHOTO = 10 * 1024 * 1024
_MAX_UPLOAD = 50 * 1024 * 1024
_MAX_DOWNLOAD = 20 * 1024 * 1024
_DELETABLE = 48 * 3600
"""Seconds for which a bot may take a message back."""


class Refusal(Exception):
    """What the Bot API answers instead of a result."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass(frozen=True)
class Call:
    """One call of the bot, with its parameters as they came."""

    method: str
    parameters: Json


@dataclass(frozen=True)
class _Fault:
    refusal: Refusal | None = None
    """None: the connection is cut instead."""
    after_effect: bool = False


@dataclass
class _Webhook:
    url: str
    secret: str | None
    last_error: str | None = None


@dataclass
class _Chat:
    """What both sides have said in one chat, by message id."""

    id: int
    kind: str
    title: str = ""
    messages: dict[int, Json] = field(default_factory=dict)
    last_id: int = 0

    def add(self, content: Json) -> Json:
        self.last_id += 1
        message = {"message_id": self.last_id, "date": int(time.time()), **content}
        self.messages[self.last_id] = message
        return message


class TelegramPeer:
    """One Telegram with one bot. Use as ``async with TelegramPeer() as peer``; its state outlives a restart."""

    def __init__(
        self, token: str = "700100200:AAF-stand_in-token-of-the-bot-0000000", username: str = "desk_bot"
    ) -> None:
        self.token = token
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Desk",
            "username": username,
        }
        self.latency = 0.0
        """Seconds before every answer."""
        self.next_update_id = 810_000_001
        self.pending: list[Json] = []
        """Updates that the bot has not confirmed, oldest first."""
        self.calls: list[Call] = []
        self.actions: list[tuple[int, str]] = []
        """Chat actions shown, as (chat, action)."""
        self.answered: list[str] = []
        """Ids of the callback queries that were answered."""
        self.commands: dict[str, list[Json]] = {}
        """The bot's menu by language; ``""`` for everybody else."""
        self.users: dict[int, PeerUser] = {}
        self.chats: dict[int, _Chat] = {}
        self.files: dict[str, bytes] = {}
        """Contents by file id."""
        self.sizes_hidden = False
        """Nobody is told how large a file is before it is all there."""
        self.as_sent: Callable[[bytes], bytes] = lambda answer: answer
        """What becomes of every answer on the wire."""
        self.webhook: _Webhook | None = None
        self._allowed = _DEFAULT_UPDATES
        self._queries: set[str] = set()
        self._sent: dict[int, list[Json]] = defaultdict(list)
        self._faults: dict[str, deque[_Fault]] = defaultdict(deque)
        self._last_query = 0
        self._port = HeldPort()
        self._poller: object | None = None
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._methods: dict[str, Callable[[_Parameters], Awaitable[Any]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "senddocument": self._send_document,
            "editmessagetext": self._edit_message_text,
            "deletemessage": self._delete_message,
            "sendchataction": self._send_chat_action,
            "answercallbackquery": self._answer_callback_query,
            "setmycommands": self._set_my_commands,
            "getfile": self._get_file,
        }

    # --- running

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
        self._delivering = asyncio.create_task(self._deliver())

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

    # --- what tests drive

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
        chat = self.chats.setdefault(chat_id, _Chat(chat_id, "supergroup", title))
        message = chat.add({"from": user.profile, "chat": self._chat_json(chat), "text": text})
        self.push("message", message)
        return int(message["message_id"])

    def push(self, kind: str, content: Json) -> int | None:
        """Queues an update of this kind; None if the bot has not asked for the kind."""
        if kind not in self._allowed:
            return None
        return self.push_raw({kind: content})

    def push_raw(self, update: Json) -> int:
        """Queues an update as it stands, well-formed or not; gives it an id unless it brings one."""
        update_id = self.next_update_id
        self.next_update_id += 1
        # A copy: what is queued shows the message as it was, whatever becomes of it.
        self.pending.append(copy.deepcopy({"update_id": update_id, **update}))
        self._change()
        return update_id

    def sent(self, chat_id: int) -> list[Json]:
        """The bot's messages in this chat, oldest first, as they now stand; deleted ones are gone."""
        return list(self._sent[chat_id])

    async def wait_sent(self, chat_id: int, count: int, timeout: float = 20.0) -> list[Json]:
        """Waits until the bot has at least so many messages in the chat."""
        await self.wait_until(lambda: len(self._sent[chat_id]) >= count, timeout)
        return self.sent(chat_id)

    async def wait_calls(self, method: str, count: int = 1, timeout: float = 20.0) -> list[Call]:
        """Waits until the bot has called the method at least so often."""
        await self.wait_until(lambda: len(self.called(method)) >= count, timeout)
        return self.called(method)

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method.lower() == method.lower()]

    async def wait_until(self, holds: Callable[[], bool], timeout: float = 20.0) -> None:
        """Waits for what a call of the bot, or a delivery to it, makes true; ``TimeoutError`` if none does."""
        async with asyncio.timeout(timeout):
            while not holds():
                changed = self._changed
                await changed.wait()

    def fail_next(
        self, method: str, status: int, description: str, retry_after: int | None = None, times: int = 1
    ) -> None:
        """The next calls of the method (or of ``download``) are refused, without effect."""
        parameters = {} if retry_after is None else {"retry_after": retry_after}
        fault = _Fault(Refusal(status, description, **parameters))
        self._faults[method.lower()].extend([fault] * times)

    def drop_next(self, method: str, *, after_effect: bool = False, times: int = 1) -> None:
        """The connection of the next calls is cut: before anything happened, or when all has happened."""
        self._faults[method.lower()].extend([_Fault(after_effect=after_effect)] * times)

    # --- the wire

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        try:
            self._authorize(request.match_info["token"])
            parameters = await _Parameters.of(request)
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
            self._change()

    def _authorize(self, token: str) -> None:
        if token == self.token:
            return
        raise Refusal(401, "Unauthorized") if re.fullmatch(r"\d+:[\w-]+", token) else Refusal(404, "Not Found")

    def _next_fault(self, method: str) -> _Fault | None:
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

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- updates

    async def _get_me(self, _: _Parameters) -> Json:
        return {**self.bot, "can_join_groups": True, "can_read_all_group_messages": False}

    async def _get_updates(self, parameters: _Parameters) -> list[Json]:
        if self.webhook is not None:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the"
                " webhook first",
            )
        offset = parameters.integer("offset", 0)
        limit = min(max(parameters.integer("limit", 100), 1), 100)
        wait = min(max(parameters.integer("timeout", 0), 0), 50)
        self._allow(parameters)
        if offset < 0:
            self.pending = self.pending[offset:]
        self._confirm(offset)
        this = self._poller = object()  # an older poll sees that it has been replaced
        self._change()
        deadline = time.monotonic() + wait
        while not self.pending and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                break
            if self._poller is not this:
                break
            self._confirm(offset)
        if self._poller is not this:
            raise Refusal(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        self._poller = None
        return self.pending[:limit]

    def _confirm(self, offset: int) -> None:
        """Forgets everything below the offset, what comes while a poll waits with it included."""
        self.pending = [update for update in self.pending if _id_of(update) >= offset]

    def _allow(self, parameters: _Parameters) -> None:
        """Remembers which kinds of update the bot wants; later calls that do not say keep them."""
        kinds = parameters.json("allowed_updates", "allowed_updates")
        if kinds is None:
            return
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise Refusal(400, "Bad Request: can't parse allowed_updates JSON object")
        self._allowed = frozenset(kinds) or _DEFAULT_UPDATES

    async def _set_webhook(self, parameters: _Parameters) -> bool:
        url = parameters.text("url")
        if not url:
            return await self._delete_webhook(parameters)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        secret = parameters.text("secret_token") or None
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        self._allow(parameters)
        self.webhook = _Webhook(url, secret)
        self._poller = object()
        if parameters.boolean("drop_pending_updates"):
            self.pending.clear()
        return True

    async def _delete_webhook(self, parameters: _Parameters) -> bool:
        self.webhook = None
        if parameters.boolean("drop_pending_updates"):
            self.pending.clear()
        return True

    async def _get_webhook_info(self, _: _Parameters) -> Json:
        info: Json = {
            "url": self.webhook.url if self.webhook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(self.pending),
            "allowed_updates": sorted(self._allowed),
        }
        if self.webhook and self.webhook.last_error:
            info["last_error_message"] = self.webhook.last_error
        return info

    async def _deliver(self) -> None:
        """Posts pending updates to the webhook, one at a time, each until it is taken."""
        pause = 0.05
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            while True:
                webhook = self.webhook
                if webhook is None or not self.pending:
                    await self._changed.wait()
                    continue
                update = self.pending[0]
                headers = {_SECRET_HEADER: webhook.secret} if webhook.secret else {}
                try:
                    async with session.post(webhook.url, json=update, headers=headers) as answer:
                        webhook.last_error = None if answer.ok else f"Wrong response from the webhook: {answer.status}"
                except (ClientError, TimeoutError) as error:
                    webhook.last_error = type(error).__name__
                if webhook.last_error is None:
                    self.pending = [waiting for waiting in self.pending if waiting is not update]
                    pause = 0.05
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
                self._change()

    # --- messages

    async def _send_message(self, parameters: _Parameters) -> Json:
        chat = self._reachable(parameters)
        return self._say(chat, parameters, self._text_content(parameters))

    async def _send_photo(self, parameters: _Parameters) -> Json:
        chat = self._reachable(parameters)
        content, _ = parameters.upload("photo")
        if len(content) > _MAX_PHOTO:
            raise Refusal(
                400,
                f"Bad Request: file of size {len(content)} bytes is too big for a photo; the maximum size is"
                f" {_MAX_PHOTO} bytes",
            )
        size = _dimensions(content)
        if size is None:
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        width, height = size
        if width + height > 10_000 or max(size) > 20 * min(size):
            raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        photo = {**self.store_file(content), "width": width, "height": height}
        return self._say(chat, parameters, {"photo": [photo], **self._caption(parameters)})

    async def _send_document(self, parameters: _Parameters) -> Json:
        chat = self._reachable(parameters)
        content, name = parameters.upload("document")
        if len(content) > _MAX_UPLOAD:
            raise Refusal(413, "Request Entity Too Large")
        document = {**self.store_file(content), "file_name": name}
        return self._say(chat, parameters, {"document": document, **self._caption(parameters)})

    def _say(self, chat: _Chat, parameters: _Parameters, content: Json) -> Json:
        if (answered := self._answered(chat, parameters)) is not None:
            content["reply_to_message"] = {
                name: value for name, value in answered.items() if name != "reply_to_message"
            }
        message = chat.add({"from": self.bot, "chat": self._chat_json(chat), **content})
        self._sent[chat.id].append(message)
        return message

    def _answered(self, chat: _Chat, parameters: _Parameters) -> Json | None:
        """The message that the parameters reply to."""
        given = parameters.json("reply_parameters", "reply parameters")
        if given is None:
            return None
        if not isinstance(given, dict) or type(given.get("message_id")) is not int:
            raise Refusal(400, "Bad Request: can't parse reply parameters: field message_id must be an Integer")
        if unknown := given.keys() - {"message_id", "chat_id", "allow_sending_without_reply", "quote"}:
            raise AssertionError(f"the stand-in does not know these reply parameters: {unknown}")
        answered = chat.messages.get(given["message_id"])
        if answered is None and given.get("allow_sending_without_reply") is not True:
            raise Refusal(400, "Bad Request: message to be replied not found")
        return answered

    async def _edit_message_text(self, parameters: _Parameters) -> Json:
        chat = self._reachable(parameters)
        message = self._own_message(chat, parameters, "edit")
        if "text" not in message:
            raise Refusal(400, "Bad Request: there is no text in the message to edit")
        content = self._text_content(parameters)
        before = {name: message.get(name) for name in ("text", "entities", "reply_markup")}
        if before == {name: content.get(name) for name in before}:
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly"
                " the same as a current content and reply markup of the message",
            )
        for name in before:
            message.pop(name, None)
        message.update(content, edit_date=int(time.time()))
        return message

    async def _delete_message(self, parameters: _Parameters) -> bool:
        chat = self._reachable(parameters)
        message = self._own_message(chat, parameters, "delete")
        if message["date"] < time.time() - _DELETABLE:
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        self.forget(chat.id, message["message_id"])
        return True

    def forget(self, chat_id: int, message_id: int) -> None:
        """The message is in the chat no longer."""
        message = self.chats[chat_id].messages.pop(message_id)
        self._sent[chat_id] = [kept for kept in self._sent[chat_id] if kept is not message]

    async def _send_chat_action(self, parameters: _Parameters) -> bool:
        chat = self._reachable(parameters)
        action = parameters.text("action")
        if action not in ("typing", "upload_photo", "upload_document", "record_voice", "find_location"):
            raise Refusal(400, "Bad Request: wrong parameter action in request")
        self.actions.append((chat.id, action))
        return True

    async def _answer_callback_query(self, parameters: _Parameters) -> bool:
        query = parameters.text("callback_query_id")
        if query not in self._queries:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._queries.remove(query)
        self.answered.append(query)
        return True

    async def _set_my_commands(self, parameters: _Parameters) -> bool:
        commands = parameters.json("commands", "commands")
        language = parameters.text("language_code")
        if language and not re.fullmatch(r"[a-z]{2}", language):
            raise Refusal(400, "Bad Request: invalid language code specified")
        if not isinstance(commands, list) or len(commands) > 100:
            raise Refusal(400, "Bad Request: can't parse commands JSON object")
        for command in commands:
            if not isinstance(command, dict) or not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
                raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[language] = commands
        return True

    async def _get_file(self, parameters: _Parameters) -> Json:
        file_id = parameters.text("file_id")
        if file_id not in self.files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id]) > _MAX_DOWNLOAD:
            raise Refusal(400, "Bad Request: file is too big")
        return {**self._file_json(file_id), "file_path": f"files/{file_id}"}

    def store_file(self, content: bytes) -> Json:
        """Keeps a file; returns it in the Bot API's words."""
        file_id = f"AgACAgIAAxk{len(self.files):06d}"
        self.files[file_id] = content
        return self._file_json(file_id)

    def _file_json(self, file_id: str) -> Json:
        size = {} if self.sizes_hidden else {"file_size": len(self.files[file_id])}
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", **size}

    def _caption(self, parameters: _Parameters) -> Json:
        caption = parameters.text("caption")
        if _units(caption) > 1024:
            raise Refusal(400, "Bad Request: message caption is too long")
        return _captioned(caption or None)

    def _reachable(self, parameters: _Parameters) -> _Chat:
        """The chat that the parameters name, if the bot may write there."""
        given = parameters.text("chat_id")
        if not given:
            raise Refusal(400, "Bad Request: chat_id is empty")
        chat = self.chats.get(int(given)) if re.fullmatch(r"-?\d+", given) else None
        user = self.users.get(int(given)) if re.fullmatch(r"\d+", given) else None
        if user is not None and user.deactivated:
            raise Refusal(403, "Forbidden: user is deactivated")
        if user is not None and user.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if chat is None and user is not None and user.met:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found")
        return chat

    def _own_message(self, chat: _Chat, parameters: _Parameters, doing: str) -> Json:
        number = parameters.integer("message_id", 0)
        if number <= 0:
            raise Refusal(400, "Bad Request: message identifier is not specified")
        message = chat.messages.get(number)
        if message is None:
            raise Refusal(400, f"Bad Request: message to {doing} not found")
        if message["from"] != self.bot:
            raise Refusal(400, f"Bad Request: message can't be {doing.removesuffix('e')}ed")
        return message

    def _text_content(self, parameters: _Parameters) -> Json:
        text = parameters.text("text").replace("\0", " ")
        if parameters.text("parse_mode"):
            raise Refusal(400, "Bad Request: unsupported parse_mode")
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        entities = _entities(parameters.json("entities", "entities"), text)
        # The real server trims too, and moves the entities along.
        trimmed = text.lstrip()
        shift = _units(text) - _units(trimmed)
        trimmed = trimmed.rstrip()
        if _units(trimmed) > _MAX_TEXT:
            raise Refusal(400, "Bad Request: message is too long")
        content: Json = {"text": trimmed}
        if entities:
            content["entities"] = [{**entity, "offset": entity["offset"] - shift} for entity in entities]
        if keyboard := _keyboard(parameters.json("reply_markup", "reply keyboard markup")):
            content["reply_markup"] = keyboard
        if options := parameters.json("link_preview_options", "link preview options"):
            content["link_preview_options"] = options
        return content

    def _chat_json(self, chat: _Chat) -> Json:
        if chat.kind != "private":
            return {"id": chat.id, "type": chat.kind, "title": chat.title}
        profile = self.users[chat.id].profile
        names: Json = {name: profile[name] for name in ("first_name", "last_name", "username") if name in profile}
        return {"id": chat.id, "type": "private", **names}

    def new_query(self) -> str:
        self._last_query += 1
        query = f"43{self._last_query:017d}"
        self._queries.add(query)
        return query


class PeerUser:
    """A person with Telegram, in their private chat with the bot. Every method that writes returns the message id."""

    def __init__(self, peer: TelegramPeer, profile: Json) -> None:
        self.profile = profile
        self.blocked = False
        self.deactivated = False
        self.met = False
        """The bot has seen them in a group, which does not yet let it write to them."""
        self._peer = peer

    @property
    def id(self) -> int:
        return int(self.profile["id"])

    @property
    def _chat(self) -> _Chat:
        return self._peer.chats.setdefault(self.id, _Chat(self.id, "private"))

    def sends(self, **content: Any) -> int:
        """A message of any content, in the Bot API's words: ``sends(dice={"emoji": "🎲", "value": 3})``."""
        self.blocked = False
        chat = self._chat
        message = chat.add({"from": self.profile, "chat": self._peer._chat_json(chat), **content})
        self._peer.push("message", message)
        return int(message["message_id"])

    def writes(self, text: str) -> int:
        if command := re.match(r"/\w+(@\w+)?", text):
            entity = {"type": "bot_command", "offset": 0, "length": _units(command[0])}
            return self.sends(text=text, entities=[entity])
        return self.sends(text=text)

    def replies(self, message_id: int, text: str) -> int:
        """Answers one of the chat's messages, the bot's or their own."""
        answered = self._chat.messages[message_id]
        known = {name: value for name, value in answered.items() if name != "reply_to_message"}
        return self.sends(text=text, reply_to_message=known)

    def deletes(self, message_id: int) -> None:
        """For both sides. No bot is told of it."""
        self._peer.forget(self.id, message_id)

    def edits(self, message_id: int, text: str) -> None:
        message = self._chat.messages[message_id]
        message.update({"text": text, "edit_date": int(time.time())})
        self._peer.push("edited_message", dict(message))

    def presses(self, message_id: int, label: str) -> str:
        """Presses a button under one of the bot's messages; returns the id of the callback query."""
        message = self._chat.messages[message_id]
        buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
        payload = next(button["callback_data"] for button in buttons if button["text"] == label)
        query = self._peer.new_query()
        self._peer.push(
            "callback_query",
            {"id": query, "from": self.profile, "chat_instance": "1", "data": payload, "message": dict(message)},
        )
        return query

    def sends_photo(self, caption: str | None = None, content: bytes = b"\xff\xd8photo") -> int:
        sizes = [
            {**self._peer.store_file(content[:2]), "width": 90, "height": 60},
            {**self._peer.store_file(content), "width": 1280, "height": 853},
        ]
        return self.sends(photo=sizes, **_captioned(caption))

    def sends_document(
        self,
        file_name: str = "bill.pdf",
        mime_type: str = "application/pdf",
        caption: str | None = None,
        content: bytes = b"%PDF",
    ) -> int:
        document = {**self._peer.store_file(content), "file_name": file_name, "mime_type": mime_type}
        return self.sends(document=document, **_captioned(caption))

    def sends_voice(self, content: bytes = b"OggS", duration: int = 3) -> int:
        return self.sends(voice={**self._peer.store_file(content), "duration": duration, "mime_type": "audio/ogg"})

    def sends_sticker(self, emoji: str = "👍", content: bytes = b"RIFF") -> int:
        form = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self.sends(sticker={**self._peer.store_file(content), **form, "emoji": emoji})

    def sends_location(self, latitude: float = 52.520008, longitude: float = 13.404954) -> int:
        return self.sends(location={"latitude": latitude, "longitude": longitude})

    def blocks(self) -> None:
        self.blocked = True
        self._membership("member", "kicked")

    def unblocks(self) -> None:
        self.blocked = False
        self._membership("kicked", "member")

    def deactivates(self) -> None:
        """The account is deleted."""
        self.deactivated = True

    def _membership(self, before: str, after: str) -> None:
        def member(status: str) -> Json:
            until = {"until_date": 0} if status == "kicked" else {}
            return {"user": self._peer.bot, "status": status, **until}

        self._peer.push(
            "my_chat_member",
            {
                "chat": self._peer._chat_json(self._chat),
                "from": self.profile,
                "date": int(time.time()),
                "old_chat_member": member(before),
                "new_chat_member": member(after),
            },
        )


@dataclass(frozen=True)
class _Parameters:
    """Parameters of a call, however they were brought: in the query, as a form, as multipart or as JSON."""

    values: Json

    @classmethod
    async def of(cls, request: web.Request) -> _Parameters:
        values: Json = dict(request.query)
        if request.content_type == "application/json":
            try:
                body = json.loads(await request.read() or b"{}")
            except ValueError:
                raise Refusal(400, "Bad Request: can't parse JSON object") from None
            if not isinstance(body, dict):
                raise Refusal(400, "Bad Request: JSON object expected")
            values.update(body)
        else:
            try:
                values.update(await request.post())
            except UnicodeDecodeError:
                raise Refusal(400, "Bad Request: strings must be encoded in UTF-8") from None
        return cls(values)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        text = "" if value is None else str(value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal(400, "Bad Request: strings must be encoded in UTF-8")
        return text

    def integer(self, name: str, default: int) -> int:
        text = self.text(name)
        return int(text) if re.fullmatch(r"-?\d{1,19}", text) else default

    def boolean(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "yes", "1")

    def upload(self, name: str) -> tuple[bytes, str]:
        """The content and the name of an uploaded file."""
        value = self.values.get(name)
        if not isinstance(value, FileField):
            raise Refusal(400, f"Bad Request: there is no {name} in the request")
        content = value.file.read()
        if not content:
            raise Refusal(400, "Bad Request: file must be non-empty")
        return content, value.filename

    def json(self, name: str, called: str) -> Any:
        """A parameter that is JSON by itself: text in a form, part of the object in a JSON body."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refusal(400, f"Bad Request: can't parse {called} JSON object") from None


def _entities(given: Any, text: str) -> list[Json]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(entity, dict) for entity in given):
        raise Refusal(400, "Bad Request: can't parse entities: expected an Array of Objects")
    encoded = text.encode("utf-16-le")
    for entity in given:
        kind, start, length = entity.get("type"), entity.get("offset"), entity.get("length")
        if not isinstance(kind, str) or type(start) is not int or type(length) is not int or start < 0 or length <= 0:
            raise Refusal(400, "Bad Request: can't parse entities: wrong MessageEntity")
        if kind == "text_link" and not isinstance(entity.get("url"), str):
            raise Refusal(400, "Bad Request: can't parse entities: text_link without url")
        end = start + length
        if end * 2 > len(encoded):
            raise Refusal(
                400,
                f"Bad Request: entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16"
                f" offset {end}",
            )
        if _splits_symbol(encoded, start) or _splits_symbol(encoded, end):
            raise Refusal(400, f"Bad Request: entity begins in a middle of a UTF-16 symbol at UTF-16 offset {start}")
    return given


def _splits_symbol(encoded: bytes, units: int) -> bool:
    at = encoded[units * 2 : units * 2 + 2]
    return len(at) == 2 and 0xDC00 <= int.from_bytes(at, "little") <= 0xDFFF


def _dimensions(picture: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG; None for anything else, and for broken ones."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n") and picture[12:16] == b"IHDR" and len(picture) >= 24:
        return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
    if not picture.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(picture) and picture[at] == 0xFF:
        if 0xC0 <= picture[at + 1] <= 0xC3:  # a start of frame
            return int.from_bytes(picture[at + 7 : at + 9]), int.from_bytes(picture[at + 5 : at + 7])
        at += 2 + int.from_bytes(picture[at + 2 : at + 4])
    return None


def _keyboard(given: Any) -> Json | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise Refusal(400, "Bad Request: object expected as reply markup")
    rows = given.get("inline_keyboard")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refusal(400, "Bad Request: field inline_keyboard must be an Array of Arrays")
    for button in (button for row in rows for button in row):
        if not isinstance(button, dict) or not isinstance(button.get("text"), str):
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: field text must be a String")
        if not button["text"].strip():
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: button text must be non-empty")
        data = button.get("callback_data")
        if data is None and "url" not in button:
            raise Refusal(400, "Bad Request: text buttons are unallowed in the inline keyboard")
        if data is not None and not (isinstance(data, str) and 1 <= len(data.encode()) <= 64):
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return given


def _units(text: str) -> int:
    """Telegram's measure of text: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _captioned(caption: str | None) -> Json:
    return {} if caption is None else {"caption": caption}


def _id_of(update: Json) -> int:
    """The update's id; one that a hostile test made senseless counts as never confirmed."""
    value = update["update_id"]
    return value if type(value) is int else 2**63


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
