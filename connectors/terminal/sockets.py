"""The socket of the desk: ``var/terminal.sock``, for the desk's own user only.

Where that path is longer than a Unix socket's may be, it is in a private folder under the system's temporary one, and
``var/terminal.path`` says where.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.domain.channel import PermanentError
from bot.domain.said import fault

NO_SOCKETS = fault("this system has no Unix sockets, which the terminal channel needs", "terminal.fault.no_sockets")
_LONGEST_PATH = 100
"""Bytes: Linux allows 107, macOS 103."""


def socket_path(var: Path) -> Path:
    """Where a desk that keeps its state in ``var`` listens."""
    try:
        return Path((var / "terminal.path").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return var / "terminal.sock"


@contextmanager
def listening_at(var: Path) -> Iterator[socket.socket]:
    """A listening socket that only this user can reach. One left by a desk that was killed is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise PermanentError(NO_SOCKETS)
    var.mkdir(parents=True, exist_ok=True)
    left = socket_path(var)
    if len(os.fsencode(left)) <= _LONGEST_PATH and _answers(left):
        raise PermanentError(
            fault(
                "another desk listens at {path}: stop it, or set SWITCHBOARD_VAR to another folder",
                "terminal.fault.taken",
                path=str(left),
            )
        )
    _remove(left, var)
    path = var / "terminal.sock"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        path = Path(tempfile.mkdtemp(prefix="switchboard-")) / path.name
        (var / "terminal.path").write_text(str(path), encoding="utf-8")
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            # Nobody can connect before ``listen``, and so nobody slips in before the mode is set.
            path.chmod(0o600)
            listening.listen()
            listening.setblocking(False)
            yield listening
    except OSError as error:
        raise PermanentError(
            fault("cannot listen at {path}: {why}", "terminal.fault.listen", path=str(path), why=str(error))
        ) from error
    finally:
        _remove(path, var)


def _answers(path: Path) -> bool:
    """False only where certainly nobody listens: any other error says nothing of that, and is raised."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # its queue is full: it is busy, and alive
            return True
    return True


def _remove(path: Path, var: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent != var:
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    (var / "terminal.path").unlink(missing_ok=True)


def peer_of(accepted: socket.socket) -> str | None:
    """The user at the other end, as the kernel vouches; None where it does not say."""
    if sys.platform != "linux":
        return None
    import pwd

    credentials = struct.Struct("3i")
    _, uid, _ = credentials.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without an entry
        return str(uid)
