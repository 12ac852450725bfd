"""What a bot says: messages, pictures, files, edits and deletions, and its menu."""

from __future__ import annotations

import re
import time

from tests.peers.telegram.forms import Json, Parameters, Refusal, captioned, dimensions, entities_of, keyboard_of, units
from tests.peers.telegram.world import Chat, Method, World

_MAX_TEXT = 4096
_MAX_PHOTO = 10 * 1024 * 1024
_MAX_UPLOAD = 50 * 1024 * 1024
_MAX_DOWNLOAD = 20 * 1024 * 1024
_DELETABLE = 48 * 3600
"""Seconds for which a bot may take a message back."""


class Messages:
    """As strict as the real server with what a bot sends."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.methods: dict[str, Method] = {
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

    async def _send_message(self, parameters: Parameters) -> Json:
        chat = self._reachable(parameters)
        return self._say(chat, parameters, self._text_content(parameters))

    async def _send_photo(self, parameters: Parameters) -> Json:
        chat = self._reachable(parameters)
        content, _ = parameters.upload("photo")
        if len(content) > _MAX_PHOTO:
            raise Refusal(
                400,
                f"Bad Request: file of size {len(content)} bytes is too big for a photo; the maximum size is"
                f" {_MAX_PHOTO} bytes",
            )
        size = dimensions(content)
        if size is None:
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        width, height = size
        if width + height > 10_000 or max(size) > 20 * min(size):
            raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        photo = {**self.world.store_file(content), "width": width, "height": height}
        return self._say(chat, parameters, {"photo": [photo], **self._caption(parameters)})

    async def _send_document(self, parameters: Parameters) -> Json:
        chat = self._reachable(parameters)
        content, name = parameters.upload("document")
        if len(content) > _MAX_UPLOAD:
            raise Refusal(413, "Request Entity Too Large")
        document = {**self.world.store_file(content), "file_name": name}
        return self._say(chat, parameters, {"document": document, **self._caption(parameters)})

    def _say(self, chat: Chat, parameters: Parameters, content: Json) -> Json:
        content |= self._topic(chat, parameters)
        if (answered := self._answered(chat, parameters)) is not None:
            content["reply_to_message"] = {
                name: value for name, value in answered.items() if name != "reply_to_message"
            }
        return self.world.say(chat, content)

    def _topic(self, chat: Chat, parameters: Parameters) -> Json:
        """Where in the chat it goes."""
        topic = parameters.integer("direct_messages_topic_id" if chat.kind == "direct" else "message_thread_id", 0)
        if chat.kind == "direct" and topic not in chat.topics:
            raise Refusal(400, "Bad Request: direct messages topic not found")
        if chat.kind == "direct":
            return {"direct_messages_topic": {"topic_id": topic}}
        if not topic:
            return {}
        if topic not in chat.topics:
            raise Refusal(400, "Bad Request: message thread not found")
        return {"message_thread_id": topic, "is_topic_message": True}

    def _answered(self, chat: Chat, parameters: Parameters) -> Json | None:
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

    async def _edit_message_text(self, parameters: Parameters) -> Json:
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

    async def _delete_message(self, parameters: Parameters) -> bool:
        chat = self._reachable(parameters)
        message = self._message(chat, parameters, "delete")
        # In a private chat a bot may delete what its customer wrote, too.
        if message["from"] != self.world.bot and chat.kind != "private":
            raise Refusal(400, "Bad Request: message can't be deleted")
        if message["date"] < time.time() - _DELETABLE:
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        self.world.forget(chat.id, message["message_id"])
        return True

    async def _send_chat_action(self, parameters: Parameters) -> bool:
        chat = self._reachable(parameters)
        self._topic(chat, parameters)
        action = parameters.text("action")
        if action not in ("typing", "upload_photo", "upload_document", "record_voice", "find_location"):
            raise Refusal(400, "Bad Request: wrong parameter action in request")
        self.world.actions.append((chat.id, action))
        return True

    async def _answer_callback_query(self, parameters: Parameters) -> bool:
        query = parameters.text("callback_query_id")
        if query not in self.world.queries:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.world.queries.remove(query)
        self.world.answered.append(query)
        return True

    async def _set_my_commands(self, parameters: Parameters) -> bool:
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
        self.world.commands[language] = commands
        return True

    async def _get_file(self, parameters: Parameters) -> Json:
        file_id = parameters.text("file_id")
        if file_id not in self.world.files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.world.files[file_id]) > _MAX_DOWNLOAD:
            raise Refusal(400, "Bad Request: file is too big")
        return {**self.world.file_json(file_id), "file_path": f"files/{file_id}"}

    def _caption(self, parameters: Parameters) -> Json:
        caption = parameters.text("caption")
        if units(caption) > 1024:
            raise Refusal(400, "Bad Request: message caption is too long")
        return captioned(caption or None)

    def _reachable(self, parameters: Parameters) -> Chat:
        """The chat that the parameters name, if the bot may write there."""
        given = parameters.text("chat_id")
        if not given:
            raise Refusal(400, "Bad Request: chat_id is empty")
        chat = self.world.chats.get(int(given)) if re.fullmatch(r"-?\d+", given) else None
        user = self.world.users.get(int(given)) if re.fullmatch(r"\d+", given) else None
        if user is not None and user.deactivated:
            raise Refusal(403, "Forbidden: user is deactivated")
        if user is not None and user.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if chat is None and user is not None and user.met:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found")
        return chat

    def _own_message(self, chat: Chat, parameters: Parameters, doing: str) -> Json:
        message = self._message(chat, parameters, doing)
        if message["from"] != self.world.bot:
            raise Refusal(400, f"Bad Request: message can't be {doing.removesuffix('e')}ed")
        return message

    def _message(self, chat: Chat, parameters: Parameters, doing: str) -> Json:
        number = parameters.integer("message_id", 0)
        if number <= 0:
            raise Refusal(400, "Bad Request: message identifier is not specified")
        message = chat.messages.get(number)
        if message is None:
            raise Refusal(400, f"Bad Request: message to {doing} not found")
        return message

    def _text_content(self, parameters: Parameters) -> Json:
        text = parameters.text("text").replace("\0", " ")
        if parameters.text("parse_mode"):
            raise Refusal(400, "Bad Request: unsupported parse_mode")
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        entities = entities_of(parameters.json("entities", "entities"), text)
        # The real server trims too, and moves the entities along.
        trimmed = text.lstrip()
        shift = units(text) - units(trimmed)
        trimmed = trimmed.rstrip()
        if units(trimmed) > _MAX_TEXT:
            raise Refusal(400, "Bad Request: message is too long")
        content: Json = {"text": trimmed}
        if entities:
            content["entities"] = [{**entity, "offset": entity["offset"] - shift} for entity in entities]
        if keyboard := keyboard_of(parameters.json("reply_markup", "reply keyboard markup")):
            content["reply_markup"] = keyboard
        if options := parameters.json("link_preview_options", "link preview options"):
            content["link_preview_options"] = options
        return content
