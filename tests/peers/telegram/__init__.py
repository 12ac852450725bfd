"""A stand-in for Telegram: the Bot API over real HTTP on loopback, and the people on the other side of it.

As strict as the real server where a bot can go wrong: tokens, offsets, two pollers, webhooks, lengths, entities,
keyboards, replies, pictures, sizes of files, edits and deletions, blocked bots. Tests drive the people
(``user.writes``) and script faults (``fail_next``, ``drop_next``).
"""

from tests.peers.telegram.forms import Refusal
from tests.peers.telegram.peer import Call, TelegramPeer
from tests.peers.telegram.people import PeerUser
from tests.peers.telegram.world import Chat

__all__ = ["Call", "Chat", "PeerUser", "Refusal", "TelegramPeer"]
