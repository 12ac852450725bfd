"""Makes a database, starts its server and stops it: PostgreSQL's own programs, run as its own user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import structlog

from bot.store.embedded import postmaster
from bot.store.embedded.account import Account, account_for
from bot.store.embedded.files import NO_LINK
from bot.store.embedded.reach import handed, programs
from bot.store.errors import DatabaseError

log = structlog.get_logger(__name__)

LOG = "log"
MAX_LOG = 10 * 1024 * 1024
DISK_FULL = 100 * 1024 * 1024
"""Bytes below which a lack of space is named as what may be wrong: PostgreSQL's own log needs some, too."""
_STOPS_WITHIN = 25.0
_DROPS_WITHIN = 10.0
_PAUSE = 0.02
# The shell opens the log, since it is PostgreSQL's user by then: root opens no file in that user's folder.
_IN_BACKGROUND = f'umask 077; "$@" >>{LOG} 2>&1 </dev/null & echo $!'


def make(folder: Path, account: Account, password_file: Path | None) -> None:
    """A new, empty database in ``folder``, whole or not at all: a killed desk leaves no half of one."""
    for process in postmaster.processes_of(folder):
        log.warning("ending a PostgreSQL whose folder was removed", action="postgres_orphan", pid=process.pid)
        stop(folder, process)
    making = folder if folder.exists() else folder.with_name(f"{folder.name}.making")
    if making != folder and making.exists():
        shutil.rmtree(making)
    making.mkdir(mode=0o700, exist_ok=True)
    account.give(making)
    login = (
        ["--auth-local=peer", "--auth-host=reject"]
        if password_file is None
        else ["--auth=scram-sha-256", f"--pwfile={password_file}"]
    )
    with handed(making, account) as (name, handles):
        command = [_program(account, "initdb"), "-D", name, "-U", "postgres", "--encoding=UTF8", "--no-instructions"]
        done = _run([*command, *login], account, cwd=making, pass_fds=handles)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"initdb ended with {done.returncode}"]
        raise DatabaseError(f"the embedded PostgreSQL cannot be made in {folder}: {said[0]}.{space_words(folder)}")
    if making != folder:
        making.rename(folder)


def start(folder: Path, account: Account, settings: dict[str, str], socket_folder: Path | None) -> int:
    """Returns its process at once: whether it becomes ready is to be seen."""
    with handed(folder, account) as (name, handles):
        if handles:
            log.info(
                f"PostgreSQL's user {account.name} may not pass through the folders above {folder}: it is handed"
                " the open folder",
                action="postgres_handed",
            )
        if socket_folder is not None:
            settings |= {"unix_socket_directories": name if socket_folder == folder else str(socket_folder)}
        arguments = ["-D", name]
        for setting, value in {**settings, postmaster.MARK.rstrip("="): str(folder)}.items():
            arguments += ["-c", f"{setting}={value}"]
        if sys.platform == "win32":
            return _start_on_windows(folder, account, arguments[2:])
        command = ["/bin/sh", "-c", _IN_BACKGROUND, "sh", _program(account, "postgres"), *arguments]
        done = _run(command, account, cwd=folder, pass_fds=handles, start_new_session=True)
        return int(done.stdout)


def _start_on_windows(folder: Path, account: Account, settings: Sequence[str]) -> int:
    # There it is pg_ctl that gives up an administrator's rights.
    how = ["-W", "-o", subprocess.list2cmdline(settings), "-l", str(folder / LOG), "-D", str(folder), "start"]
    _pg_ctl(account, *how, creationflags=0x00000200 | 0x08000000)  # a process group of its own, and no window
    return 0


def stop(folder: Path, process: psutil.Process) -> None:
    """In order, and if it does not come to that, at once: then it recovers when it is started again."""
    if sys.platform == "win32":
        _pg_ctl(account_for(folder), "-w", "-m", "fast", "-D", str(folder), "stop")
        return
    with suppress(psutil.NoSuchProcess):
        for how, within in ((signal.SIGINT, _STOPS_WITHIN), (signal.SIGQUIT, _DROPS_WITHIN)):
            process.send_signal(how)
            if _ends(process, within):
                return
        log.warning("PostgreSQL does not stop; it is killed", action="postgres_killed", pid=process.pid)
        process.kill()
        _ends(process, _DROPS_WITHIN)


def reload(process: psutil.Process, folder: Path, account: Account) -> None:
    """It reads the files again that say who may use it."""
    if sys.platform == "win32":
        _pg_ctl(account, "-D", str(folder), "reload")
    else:
        process.send_signal(signal.SIGHUP)


def alive(process: psutil.Process) -> bool:
    """A zombie is dead: in some containers nobody takes it away."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _ends(process: psutil.Process, within: float) -> bool:
    deadline = time.monotonic() + within
    while alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _pg_ctl(account: Account, *arguments: str, **options: Any) -> None:
    # Without pipes: the server would inherit them, and whoever reads them would wait for its end.
    none = subprocess.DEVNULL
    command = [_program(account, "pg_ctl"), *arguments]
    subprocess.run(command, check=True, stdin=none, stdout=none, stderr=none, env=_environment(), **options)  # noqa: S603


def _program(account: Account, name: str) -> str:
    return str(programs(account) / (f"{name}.exe" if sys.platform == "win32" else name))


def _run(command: Sequence[str], account: Account, **options: Any) -> subprocess.CompletedProcess[str]:
    """As PostgreSQL's user; nothing that is set for clients (``PGPORT``) is taken for the server's."""
    options |= account.options
    return subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, errors="replace", check=False, env=_environment(), **options
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


# --- words


def turn_over_log(file: Path) -> None:
    """Keeps one old log: PostgreSQL only ever adds to it, and whoever starts it reads it."""
    with suppress(OSError):
        if file.stat().st_size > MAX_LOG:
            file.replace(file.with_name(f"{LOG}.old"))


def space_words(folder: Path) -> str:
    """Empty unless the disk is as good as full."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        free = shutil.disk_usage(there).free // 1024**2
    except OSError:
        return ""
    return f" Only {free} MB are free on its disk: free some space." if free < DISK_FULL // 1024**2 else ""


def log_size(folder: Path) -> int:
    with suppress(OSError):
        return (folder / LOG).stat().st_size
    return 0


def last_words(folder: Path, since: int) -> str:
    """Why PostgreSQL ended, by its own log; or that it did. ``since``: the size of the log before it was started."""
    try:
        with os.fdopen(os.open(folder / LOG, os.O_RDONLY | NO_LINK), "rb") as file:
            file.seek(max(since, os.fstat(file.fileno()).st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    fatal = next((line for line in reversed(lines) if "FATAL: " in line or "PANIC: " in line), "")
    return fatal.partition("FATAL: ")[2].strip() or fatal.partition("PANIC: ")[2].strip() or "it ends at its start"
