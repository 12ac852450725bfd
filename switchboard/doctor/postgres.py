"""What ``switchboard doctor`` finds of the embedded PostgreSQL: who else on this machine could get at it.

As it is found: a desk that starts puts most of it right.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from bot.domain.findings import Finding, Level
from bot.store.embedded import SHARED, open_rules, socket_folder

NAME = "postgres"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_START = "stop the desk and start it again: it closes this by itself"


def privacy(var: Path) -> list[Finding]:
    """Looks only at files: no server need run."""
    if sys.platform == "win32" or not var.exists():
        return []
    return [*_above(var.resolve()), *_of_the_database(var / "postgres")]


def _above(var: Path) -> list[Finding]:
    found = []
    for folder in var.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            words = f"everybody may write in {folder}, and so put another folder in the place of {var}"
            found.append(Finding(NAME, Level.WRONG, words, f"chmod o-w {folder}"))
    home = Path(_home_of_root())
    if os.geteuid() == 0 and home in var.parents and home.stat().st_mode & stat.S_IROTH:
        words = f"everybody may look into {home}; versions of the desk before this one opened it"
        found.append(Finding(NAME, Level.WARNING, words, f"chmod 700 {home}"))
    return found


def _of_the_database(data: Path) -> list[Finding]:
    if not data.exists():
        return []
    try:
        found = list(_open(data))
    except PermissionError:
        fix = "run this as the owner of that folder, or as root"
        return [Finding(NAME, Level.WARNING, f"this user may not look into {data}", fix)]
    if found:
        return found
    return [Finding(NAME, Level.OK, f"{data} and its socket are for the desk alone")]


def _open(data: Path) -> Iterator[Finding]:
    if data.stat().st_mode & _OTHERS:
        yield Finding(NAME, Level.WRONG, f"others may look into {data}", f"chmod 700 {data}")
    if rules := open_rules(data):
        words = f"{data / 'pg_hba.conf'} lets in more than the desk: {rules[0]}"
        yield Finding(NAME, Level.WRONG, words, _START)
    if (place := socket_folder(data)) is not None:
        yield from _open_socket(place)
    if _owner(data) == SHARED:
        words = f"its user is {SHARED}, as whom other programs may run servers that are open to everybody"
        yield Finding(NAME, Level.WARNING, words, _START)


def _open_socket(folder: Path) -> Iterator[Finding]:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return  # none runs
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & _OTHERS:
        yield Finding(NAME, Level.WRONG, f"others may enter {folder}, where PostgreSQL has its socket", _START)
    for path in folder.glob(".s.PGSQL.*"):
        mode = path.lstat().st_mode
        if stat.S_ISSOCK(mode) and mode & _OTHERS:
            yield Finding(NAME, Level.WARNING, f"the socket {path} itself is open to others", _START)


def _owner(path: Path) -> str | None:
    try:
        return path.owner()
    except KeyError:
        return None


def _home_of_root() -> str:
    import pwd

    return pwd.getpwuid(0).pw_dir
