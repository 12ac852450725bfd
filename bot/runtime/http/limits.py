"""How much one client may ask of the HTTP server, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass

KB = 1024
MB = 1024 * KB

MOST_CONNECTIONS = 10_000
"""However many handles there are: a connection costs some 10 KB of memory as well."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds, rates in bytes a second."""

    connections: int
    """Open at once."""

    # --- of one request

    line: int = 8 * KB
    """The address in the request line. Beyond it: 414."""
    head: int = 32 * KB
    """Request line and headers. Beyond it: 431."""
    headers: int = 100
    """Their number. Beyond it: 431."""
    head_within: float = 10.0
    """From connecting, or from the first byte of a later request, until the headers are complete. Beyond it: 408."""
    wait_for: int = 32 * KB
    """Of a body, until the request goes to the application before it is complete."""
    body: int = 66 * MB
    """A little more than the most that any route takes. Beyond it: 413."""
    chunking: int = 16 * KB
    """What a body in chunks may have around its content, besides as much again as it has content. Beyond it: 400."""
    pipelined: int = 8
    """Requests sent ahead of the answer to the one before. Beyond it the connection is closed."""

    # --- of one connection over time

    least_rate: float = 256.0
    """At which a body comes in and an answer goes out, on average over the window. Below it: 408, or closed."""
    window: float = 10.0
    """For bodies of whom nobody vouches."""
    rest_within: float = 40.0
    """Until an answered client has another request. Uvicorn closes earlier; this is for where it sets no timer."""
    long_window: float = 30.0
    """For bodies that somebody vouches for, and for answers: lines of trains and tunnels."""
    linger: float = 2.0
    """How long a refused client is listened to, so that it reads why instead of finding its line cut."""
    linger_bytes: int = 256 * KB

    starting: int = 48
    """Requests whose answer has not begun; while there are more, connections are taken slowly, lest a crowd of new ones
    hold up those that are served."""
    slowly: float = 0.05
    """Until the next connections are taken all the same."""
    young: float = 0.2
    """A connection is not closed for another before: its request may be here, and only not read."""
    sweep: float = 0.5
    """Between two looks at what takes too long."""

    # --- of all connections together that nobody vouches for

    held: int = 64 * MB
    """Parts of requests that are not yet answered. Beyond it, those that wait longest for their client are closed."""
    unread: int = 128 * MB
    """Answers that their clients do not read. Beyond it, the slowest are closed."""

    # --- event streams, as shares of all connections

    agents: float = 0.25
    customers: float = 0.5
    strangers: float = 0.1
    streams_of_agent: int = 24
    """Of one session."""
    streams_of_visitor: int = 8
    """Of one cookie."""


def connections_for(handles: int, most: int = MOST_CONNECTIONS) -> int:
    """How many connections a process with so many file handles may have: a quarter, at least 64 and at most 512, is
    kept for the desk's own (database, engine, platforms, files, and what is on its way in or out)."""
    own = min(max(handles // 4, 64), 512)
    return max(min(handles - own, most), 16)
