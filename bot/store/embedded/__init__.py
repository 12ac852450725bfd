"""The embedded PostgreSQL: a server of the desk's own, in its data folder, for nobody else on the machine.

It listens on a Unix socket in a folder that only its own system user may enter (``sockets``), and lets in that user and
root, by what the kernel says of who connects (``access``). Where there are no such sockets (Windows) it listens on
127.0.0.1 and asks for a password. ``server`` starts, watches and stops it; ``postmaster`` sees whether it lives.
"""

from bot.store.embedded.access import open_rules
from bot.store.embedded.account import SHARED
from bot.store.embedded.server import START_TIMEOUT, address, embedded, socket_folder

__all__ = ["SHARED", "START_TIMEOUT", "address", "embedded", "open_rules", "socket_folder"]
