"""Whether a PostgreSQL lives in a folder.

Only "no such file" and "no such process" mean that it does not; what cannot be seen may live.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

PID_FILE = "postmaster.pid"
MARK = "switchboard.folder="
"""A setting without effect, by which the command line of a server shows whose it is."""
FRESH = 10.0
"""Seconds for which an empty or half-written pid file may be one that PostgreSQL is writing."""


class State(Enum):
    RUNS = "runs"
    """Ready or not."""
    GONE = "gone"
    UNSEEN = "unseen"
    """It may live: leave it alone and look again."""


@dataclass(frozen=True, slots=True)
class Sight:
    state: State
    process: psutil.Process | None = None
    """Where it runs."""
    ready: bool = False
    port: int = 0
    why: str = ""
    """Why it could not be seen."""
    left: bool = False
    """A pid file was left behind by one that is gone."""


def look(folder: Path) -> Sight:
    """Never raises."""
    try:
        with (folder / PID_FILE).open(encoding="utf-8", errors="replace") as file:
            lines = file.read(4096).splitlines(keepends=True)
            age = abs(time.time() - os.fstat(file.fileno()).st_mtime)
    except FileNotFoundError:
        return Sight(State.GONE)
    except OSError as error:
        return Sight(State.UNSEEN, why=f"its pid file cannot be read: {error.strerror}")
    pid = _number(lines, 0)
    if pid is None:
        if age < FRESH:
            return Sight(State.UNSEEN, why="its pid file is only half written")
        return Sight(State.GONE, left=True)
    # A server that is run by hand for one user writes its number with a minus.
    try:
        process = psutil.Process(abs(pid))
        serves = _serves(process, folder)
    except psutil.NoSuchProcess:
        return Sight(State.GONE, left=True)
    except psutil.AccessDenied:
        return Sight(State.UNSEEN, why=f"the system does not show process {pid}")
    except OSError as error:
        return Sight(State.UNSEEN, why=f"process {pid} cannot be looked at: {error.strerror}")
    if not serves:
        # After a power cut its number may have been given anew.
        return Sight(State.GONE, left=True)
    ready = len(lines) > 7 and lines[7].strip() == "ready"
    return Sight(State.RUNS, process, ready, port=_number(lines, 3) or 0)


def _number(lines: list[str], index: int) -> int | None:
    """None where that line is not there whole, or is no number of a process or a port."""
    try:
        line = lines[index]
        return int(line) if line.endswith("\n") and 0 < abs(int(line)) < 2**31 else None
    except (IndexError, ValueError):
        return None


def _serves(process: psutil.Process, folder: Path) -> bool:
    """Whether this is the server of ``folder``, and no other program and no server of another folder."""
    if not process.name().startswith("postgres") or process.status() == psutil.STATUS_ZOMBIE:
        return False
    line = process.cmdline()
    if line and line[0].startswith("postgres:"):
        return False  # one that serves a client, of whatever server
    if f"{MARK}{folder}" in line:
        return True
    named = Path(line[line.index("-D") + 1]) if "-D" in line[:-1] else None
    if named == folder:
        return True
    try:
        return Path(process.cwd()) == folder
    except psutil.AccessDenied:
        # Root itself may not see this in some containers.
        if named is not None and named.is_absolute() and named.exists() and not named.samefile(folder):
            return False
        raise


def processes_of(folder: Path) -> list[psutil.Process]:
    """Servers whose command line names ``folder``, whatever its pid file says."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        line = process.info["cmdline"] or []
        named = f"{MARK}{folder}" in line or ("-D" in line and str(folder) in line)
        if named and (process.info["name"] or "").startswith("postgres"):
            found.append(process)
    return found
