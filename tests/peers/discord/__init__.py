"""A stand-in for Discord: REST API v10 and gateway over real sockets on loopback, and the people on the other side.

As strict as the real one where a bot can go wrong: tokens, intents, sequences, heartbeats, forms, nonces, buckets,
interactions that must be answered within three seconds. Tests drive the people (``user.writes``) and script faults
(``fail_next``, ``drop_next``, ``cut``). Ids are integers here and strings on the wire, as in discord.py.
"""

from tests.peers.discord.peer import Call, DiscordPeer
from tests.peers.discord.people import PeerUser
from tests.peers.discord.world import World

__all__ = ["Call", "DiscordPeer", "PeerUser", "World"]
