"""The desk's HTTP server: what it serves, to whom, and how much of it."""

from bot.http.application import Check, application
from bot.http.limits import Limits, connections_for
from bot.http.protocol import vouch
from bot.http.server import CLOSE_AFTER, AddressInUse, bind, serve
from bot.http.streams import Streams

__all__ = [
    "CLOSE_AFTER",
    "AddressInUse",
    "Check",
    "Limits",
    "Streams",
    "application",
    "bind",
    "connections_for",
    "serve",
    "vouch",
]
