"""In which folder PostgreSQL has its socket: one that nobody else may enter, with a name that is short enough."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bot.store.embedded import files
from bot.store.embedded.account import Account
from bot.store.embedded.reach import enters
from bot.store.errors import DatabaseError

PORT = 5432
NAME = f".s.PGSQL.{PORT}"
LONGEST = 107 if sys.platform == "linux" else 103
"""Bytes that the system takes for the name of a socket."""
_PLAIN = re.compile(r"/[\w/.+=@:~ -]*[\w/.+=@:~-]")
"""PostgreSQL and its clients take a comma for the end of a name, and quotes for something else."""


def fits(folder: Path) -> bool:
    try:
        return len(str(folder / NAME).encode()) <= LONGEST and _PLAIN.fullmatch(str(folder)) is not None
    except UnicodeEncodeError:
        return False


def known(data: Path, memory: Path) -> Path | None:
    """The socket folder of the server in ``data``, as far as one was chosen; ``memory`` is the file that says which,
    where it is not the data folder itself."""
    if fits(data):
        return data
    said = files.read(memory)
    return Path(said.strip()) if said and said.strip() else None


def choose(data: Path, memory: Path, account: Account) -> Path:
    """For a server that is about to start. The same as before where that can be: desks that run know its name."""
    before = known(data, memory)
    if before == data or (before is not None and (private(before, account) or _made_again(before, account))):
        return before
    made = _make(account)
    files.write(memory, f"{made}\n")
    if before is not None:
        _remove(before, account)
    return made


def private(folder: Path, account: Account) -> bool:
    """Whether ``folder`` is there, that user's, and nobody else's to enter or to replace. OSError where that cannot be
    seen."""
    try:
        found, above = folder.lstat(), folder.parent.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) & 0o077:
        return False
    shared = above.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not above.st_mode & stat.S_ISVTX
    return fits(folder) and not shared and above.st_uid in (0, account.uid)


def forget(data: Path, memory: Path) -> None:
    """After the last desk has gone, nothing of it is left outside its ``var``."""
    folder = known(data, memory)
    if folder is None or folder == data:
        return
    try:
        folder.rmdir()
    except OSError:
        return
    memory.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Removes what a killed server left. Its number, in the lock beside the socket, may be a stranger's by now, and
    PostgreSQL would refuse to start."""
    for name in (NAME, f"{NAME}.lock"):
        (folder / name).unlink(missing_ok=True)


def _made_again(folder: Path, account: Account) -> bool:
    """Whether a folder that was swept away could be made under its old name."""
    try:
        folder.mkdir(mode=0o700)
        account.give(folder)
    except OSError:
        return False
    return private(folder, account)


def _remove(folder: Path, account: Account) -> None:
    """One of ours that was opened to others; anybody else's stays."""
    with suppress(OSError):
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid:
            clear(folder)
            folder.rmdir()


def _make(account: Account) -> Path:
    places = dict.fromkeys(map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")))  # noqa: S108  (made as mkdtemp does)
    for place in places:
        if not place.is_dir() or not os.access(place, os.W_OK):
            continue
        folder = Path(tempfile.mkdtemp(prefix="switchboard-", dir=place.resolve()))
        account.give(folder)
        if private(folder, account) and enters(account, folder):
            return folder
        folder.rmdir()
    raise DatabaseError(
        f"no folder for PostgreSQL's socket can be made in any of {', '.join(map(str, places))}: let one of them be a"
        " usual /tmp (chmod 1777), or set SWITCHBOARD_VAR to a folder with a name of at most 84 characters"
    )
