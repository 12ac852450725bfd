"""Where in Telegram a conversation is: the private chat, one of its topics, or a channel's direct messages.

A topic is a conversation of its own (``Incoming.thread``), and answers go there (``Outgoing.thread``):
``77``, or ``direct:<chat>:<topic>`` for a channel's direct messages.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.fields import Json, whole

_DIRECT = re.compile(r"direct:(-?\d{1,19}):(\d{1,19})")


def is_direct(message: Json) -> bool:
    """Whether it is in a channel's direct messages."""
    topic = whole(message.get("direct_messages_topic"))
    return type(topic.get("topic_id")) is int and whole(message.get("chat")).get("type") == "supergroup"


def place_of(message: Json) -> str:
    """The thread of a message; empty for the private chat itself."""
    chat = whole(message.get("chat"))
    if is_direct(message):
        return f"direct:{chat.get('id')}:{message['direct_messages_topic']['topic_id']}"
    topic = message.get("message_thread_id")
    return str(topic) if type(topic) is int else ""


def parameters(chat_id: int, thread: str) -> dict[str, Any]:
    """Of a call that puts something there."""
    if direct := _DIRECT.fullmatch(thread):
        return {"chat_id": int(direct[1]), "direct_messages_topic_id": int(direct[2])}
    return {"chat_id": chat_id, "message_thread_id": int(thread) if re.fullmatch(r"\d{1,19}", thread) else None}


def chat_of(chat_id: str, thread: str) -> str:
    """The chat that a thread is in."""
    direct = _DIRECT.fullmatch(thread)
    return direct[1] if direct else chat_id
