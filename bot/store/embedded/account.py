"""As which system user PostgreSQL runs. It refuses root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.store.embedded.files import NO_LINK
from bot.store.errors import DatabaseError

OWN = "switchboard-postgres"
"""Made by root where nobody else comes into question."""
SHARED = "pgserver"
"""The library's, which other programs use as well: for servers that let in everybody, who could read the desk's files
through them. What belongs to it is given to ``OWN``."""
_MAKE_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    name: str | None
    """None where the system knows only the number: a data folder that came from another machine or container."""
    uid: int
    gid: int
    switched: bool
    """The desk itself is another user, and that is root."""

    @property
    def options(self) -> dict[str, Any]:
        """For ``subprocess``: runs a program as this user, without root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}

    def give(self, folder: Path) -> None:
        """Makes a folder this user's, and nobody else's to enter. A link is refused."""
        if sys.platform == "win32":
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | NO_LINK)
        try:
            if self.switched:
                os.fchown(descriptor, self.uid, self.gid)
            os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)


def account_for(folder: Path) -> Account:
    """For a data folder that may be there or not: root's server runs as whoever owns it, or else as the owner of the
    folder above, unless that is root; anybody else's as themselves."""
    if sys.platform == "win32":
        return Account(None, 0, 0, switched=False)
    owners = [path.stat() for path in (folder, folder.parent) if path.exists()]
    uid = os.geteuid()
    if uid:
        if folder.exists() and owners[0].st_uid != uid:
            raise DatabaseError(f"{folder} belongs to another user: start the desk as {_name(owners[0].st_uid)}")
        return Account(_name_of(uid), uid, os.getegid(), switched=False)
    cluster = (folder / "PG_VERSION").exists()
    for owner, there in zip(owners, ("data", "var") if folder.exists() else ("var",), strict=True):
        name = _name_of(owner.st_uid)
        # A new database needs a user with a name; the server of one that is there does not.
        if owner.st_uid and (name is not None or (cluster and there == "data")):
            return Account(name, owner.st_uid, owner.st_gid, switched=True)
    return _own()


def with_own(folder: Path, account: Account) -> Account:
    """For a data folder that no server uses: one of the version before is given to a user that nobody shares."""
    if not account.switched or account.name != SHARED:
        return account
    own = _own()
    for _, folders, names, here in os.fwalk(folder):
        for name in (*folders, *names):
            # A name that leads to another user's file stays as it is.
            if os.stat(name, dir_fd=here, follow_symlinks=False).st_uid == account.uid:
                os.chown(name, own.uid, own.gid, dir_fd=here, follow_symlinks=False)
    own.give(folder)
    return own


def root_name() -> str:
    return _name_of(0) or "root"


def _name_of(uid: int) -> str | None:
    if sys.platform == "win32":
        return None
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _name(uid: int) -> str:
    return _name_of(uid) or f"the user with the number {uid}"


def _own() -> Account:
    import pwd

    deadline = time.monotonic() + _MAKE_WITHIN
    while True:
        try:
            entry = pwd.getpwnam(OWN)
            return Account(OWN, entry.pw_uid, entry.pw_gid, switched=True)
        except KeyError:
            said = _make()
        # Another desk may have been first, or have the list of users locked.
        if said and time.monotonic() > deadline:
            raise DatabaseError(
                f"PostgreSQL does not run as root, and the system user {OWN} cannot be made ({said}): start the desk"
                " as another user than root, or set DATABASE_URL"
            )
        if said:
            time.sleep(0.3)


def _make() -> str:
    """What went wrong; empty where nothing did."""
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false", OWN]
    elif shutil.which("adduser"):
        command = ["adduser", "-S", "-D", "-H", "-h", "/", "-s", "/bin/false", OWN]
    else:
        return "there is no useradd here"
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return (done.stderr.strip() or f"{command[0]} ended with {done.returncode}") if done.returncode else ""
