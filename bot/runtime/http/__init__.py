"""The desk's HTTP server: what it serves, to whom, and how much of it."""

from bot.runtime.http.application import Check, application
from bot.runtime.http.limits import Limits, connections_for
from bot.runtime.http.protocol import vouch
from bot.runtime.http.server import CLOSE_AFTER, AddressInUse, bind, serve
from bot.runtime.http.streams import Streams

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
