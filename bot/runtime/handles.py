"""File handles: how many this process may have, and whether an error means that there are none left."""

from __future__ import annotations

import contextlib
import errno

try:
    import resource
except ImportError:  # Windows, which has no such limit for sockets
    resource = None  # type: ignore[assignment]

ENOUGH = 65_536
"""Nothing here makes use of more; some systems promise more than they give."""
LOW = 4096
"""A hard limit below it is worth a word: half of it is soon taken by open pages."""

_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def are_used_up(error: BaseException) -> bool:
    """Whether the error says that this process or the machine has no handle (or no memory for one) left. It then says
    nothing about the file or the peer that was asked for: neither is missing."""
    return isinstance(error, OSError) and error.errno in _USED_UP


def limit() -> int:
    """How many handles this process may have open."""
    if resource is None:
        return ENOUGH
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else min(soft, ENOUGH)


def raise_limit() -> int:
    """Raises the limit of this process, and so of the children that it starts, to what the system allows it; returns
    the limit as it then is."""
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            # macOS refuses more than the kernel's own bound; what there was stays.
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()
