"""The terminal as a channel: a Unix socket at the desk (``connector``), and ``chat``, the client behind ``switchboard
chat`` (``client``). ``wire`` has what they say to one another.
"""

from __future__ import annotations

from bot.ports import ConnectorContext, Plugin
from connectors.terminal.client import NotRunning, chat
from connectors.terminal.connector import TerminalConnector, TerminalSettings
from connectors.terminal.screen import language_of
from connectors.terminal.sockets import socket_path

__all__ = [
    "NotRunning",
    "TerminalConnector",
    "TerminalSettings",
    "chat",
    "language_of",
    "plugin",
    "socket_path",
]


def _build(settings: TerminalSettings, context: ConnectorContext) -> TerminalConnector:  # noqa: ARG001 - nothing to set
    return TerminalConnector(context.transcript, context.var, context.health, words=context.words)


plugin = Plugin(TerminalSettings, _build)
