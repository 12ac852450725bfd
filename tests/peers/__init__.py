"""Stateful stand-ins for the platforms' APIs, over real sockets."""
