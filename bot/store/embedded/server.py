"""The embedded PostgreSQL while desks use it: started by the first, watched by all, stopped by the last."""

from __future__ import annotations

import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError
from threading import Event, Thread

import psutil
import psycopg
import structlog

from bot.store.embedded import access, files, launch, sockets
from bot.store.embedded.account import Account, account_for, with_own
from bot.store.embedded.locks import FileLock
from bot.store.embedded.postmaster import PID_FILE, Sight, State, look
from bot.store.embedded.reach import VERSION
from bot.store.errors import DatabaseError
from bot.store.server_log import QUIET

log = structlog.get_logger(__name__)

START_TIMEOUT = 60.0
"""Seconds: after a crash PostgreSQL replays its log before it answers."""
LOOK = 1.0
"""Seconds between looks whether it is alive."""
RESTART_PAUSE = 5.0
"""Seconds after a start of it that failed."""
_LEAVE_WITHIN = 60.0
_POLL = 0.02
_AGAIN = 0.5
TCP = sys.platform == "win32"
"""Whether it listens on 127.0.0.1 and asks for a password: where there are no Unix sockets."""


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """Runs PostgreSQL in ``folder`` (made if missing) and yields its URL. One that still runs there, after
    a desk that was killed or beside one that is alive, is used; the last of its users stops it. DatabaseError where it
    does not come to run within a minute."""
    server = _Server(folder)
    server.enter()
    watching = Thread(target=server.watch, name="postgres", daemon=True)
    watching.start()
    try:
        yield server.url
    finally:
        server.left.set()
        watching.join()
        server.leave()


def address(folder: Path) -> str:
    """The URL of the embedded PostgreSQL that runs in ``folder``, for looking at it from beside the desk. DatabaseError
    where none runs."""
    place = _Place(folder)
    sight = look(place.folder)
    if sight.state is not State.RUNS:
        raise DatabaseError(f"no PostgreSQL runs in {folder}" + (f": {sight.why}" if sight.why else ""))
    return place.url(account_for(place.folder), sight.port)


def socket_folder(folder: Path) -> Path | None:
    """Where the PostgreSQL of ``folder`` has its socket, or had it last; None where that is not known."""
    lines = (files.read(folder / PID_FILE) or "").splitlines()
    said = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    if said is not None and said.is_absolute() and not said.is_relative_to("/proc"):
        return said
    place = _Place(folder).socket
    return None if place is None else place.parent


class _Place:
    """The data folder, and the files beside it."""

    def __init__(self, folder: Path) -> None:
        beside = folder.parent.resolve() / folder.name
        self.folder = folder.resolve()
        self.lock = beside.with_name(f"{beside.name}.lock")
        self.users = beside.with_name(f"{beside.name}.users")
        self.sockets = beside.with_name(f"{beside.name}.sockets")
        """Says where the socket folder is, unless that is the data folder."""
        self.password = beside.with_name(f"{beside.name}.password")

    @property
    def socket(self) -> Path | None:
        """None where none was chosen yet."""
        chosen = sockets.known(self.folder, self.sockets)
        return None if chosen is None else chosen / sockets.NAME

    def url(self, account: Account, port: int) -> str:
        if TCP:
            return access.network_url(port, (files.read(self.password) or "").strip())
        if self.socket is None:
            raise DatabaseError(f"the PostgreSQL in {self.folder} was not started by this version: start the desk anew")
        return access.socket_url(self.socket.parent, sockets.PORT, account)


class _Server:
    def __init__(self, folder: Path) -> None:
        self.left = Event()
        """No desk of this process uses it any more."""
        self.url = ""
        self._port = 0
        self._socket: Path | None = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._place = _Place(folder)
            self._folder = self._place.folder
            self._lock, self._users = FileLock(self._place.lock), FileLock(self._place.users)
        except OSError as error:
            raise DatabaseError(f"the embedded PostgreSQL cannot be started in {folder}: {error}") from error

    def enter(self) -> None:
        try:
            with self._lock.held(START_TIMEOUT):
                self._start(START_TIMEOUT)
                self._users.share()
        except BaseException:
            self._close()
            raise

    def leave(self) -> None:
        """Stops it unless others use it. One that cannot be stopped goes on running, and the next desk uses it."""
        try:
            with self._lock.held(_LEAVE_WITHIN):
                if self._users.alone():
                    self._stop()
        except (DatabaseError, OSError, psutil.Error) as error:
            log.warning(f"PostgreSQL goes on running: {error}", action="postgres_left_running")
        finally:
            self._close()

    def watch(self) -> None:
        """Starts PostgreSQL again when it has died, until the server is ``left``. A full disk kills it, too: then this
        succeeds as soon as there is space. The address stays the same."""
        pause, unseen = LOOK, False
        while not self.left.wait(pause):
            sight = look(self._folder)
            if sight.state is State.UNSEEN and not unseen:
                log.warning(
                    f"it cannot be seen whether PostgreSQL lives: {sight.why}. It is left alone",
                    action="postgres_unseen",
                )
            unseen = sight.state is State.UNSEEN
            if unseen or (sight.state is State.RUNS and not (sight.ready and self._lost_socket())):
                pause = LOOK
                continue
            if pause == LOOK:
                what = "has died" if sight.state is State.GONE else "has lost its socket"
                log.error(f"PostgreSQL {what}; starting it again", action="postgres_died", log=self._log)
            pause = LOOK if self._started_again() else RESTART_PAUSE

    def _started_again(self) -> bool:
        before = self.url
        try:
            with self._lock.held(START_TIMEOUT, self.left.is_set):
                self._start(0)
        except Exception as error:
            log.error(
                f"PostgreSQL does not start.{launch.space_words(self._folder)}",
                action="postgres_not_started",
                error=str(error) if isinstance(error, DatabaseError) else type(error).__name__,
                log=self._log,
            )
            return False
        log.info("PostgreSQL runs again", action="postgres_restarted")
        if self.url != before:
            log.error("PostgreSQL has another address now: restart this desk", action="postgres_moved")
        return True

    # --- with the lock held

    def _start(self, within: float) -> None:
        """Returns when it runs as this desk would start it, and is ready."""
        deadline = time.monotonic() + within
        while True:
            try:
                why, pause = self._try()
            except (OSError, SubprocessError, psutil.Error, psycopg.Error) as error:
                why, pause = str(error), _AGAIN
            if not why:
                return
            if self.left.wait(pause) or time.monotonic() > deadline:
                raise DatabaseError(
                    f"the embedded PostgreSQL in {self._folder} does not start: {why}."
                    f"{launch.space_words(self._folder)} Its log is {self._log}"
                )

    def _try(self) -> tuple[str, float]:
        """What is in the way, and the seconds after which to look again; no words where nothing is."""
        sight = look(self._folder)
        if sight.state is State.UNSEEN:
            return sight.why, _AGAIN
        account = account_for(self._folder)
        if sight.process is not None and sight.ready and not self._private(account):
            log.warning(
                "PostgreSQL has not the socket that this desk gives it, as when another version of the desk started it:"
                " it is started again",
                action="postgres_opened",
            )
            launch.stop(self._folder, sight.process)
            sight = look(self._folder)
        if sight.state is State.GONE:
            why = self._launch(sight, account)
            if why:
                return why, _AGAIN
            sight, account = look(self._folder), account_for(self._folder)
        if sight.process is None or not sight.ready or not self._private(account):
            return "it does not become ready", _POLL
        self._let_in(sight, account)
        self._port = sight.port
        self._socket = None if TCP else self._place.socket
        self.url = self._place.url(account, sight.port)
        return "", 0.0

    def _launch(self, sight: Sight, account: Account) -> str:
        """Empty when it is ready."""
        folder = self._folder
        if sight.left:
            log.info("removing the pid file of a killed PostgreSQL", action="stale_pid_file", folder=str(folder))
            (folder / PID_FILE).unlink(missing_ok=True)
        if not (folder / "PG_VERSION").exists():
            if TCP:
                access.new_password(self._place.password)
            launch.make(folder, account, self._place.password if TCP else None)
            access.apply(folder, self._rules(account))
        account = with_own(folder, account)
        _fits(folder, account)
        account.give(folder)
        settings = {"listen_addresses": "", "port": str(sockets.PORT), "unix_socket_permissions": "0700"}
        chosen = None
        if TCP:
            self._port = _free_port(self._port)
            settings = {"listen_addresses": access.HOST, "port": str(self._port), "unix_socket_directories": ""}
            if not self._place.password.exists() or not access.holds(folder, self._rules(account)):
                access.apply(folder, access.anybody_here())
        else:
            chosen = sockets.choose(folder, self._place.sockets, account)
            sockets.clear(chosen)
            access.apply(folder, self._rules(account))
        settings |= QUIET
        launch.turn_over_log(folder / launch.LOG)
        said = launch.log_size(folder)
        return self._ready(launch.start(folder, account, settings, chosen), said)

    def _ready(self, pid: int, said: int) -> str:
        """Waits for the one that was started, as long as it lives. ``pid`` is 0 where that is not known; ``said`` is
        how long its log was before."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and not self.left.is_set():
            sight = look(self._folder)
            if sight.ready:
                return ""
            try:
                if pid and sight.state is State.GONE and not launch.alive(psutil.Process(pid)):
                    return launch.last_words(self._folder, said)
            except psutil.NoSuchProcess:
                return launch.last_words(self._folder, said)
            time.sleep(_POLL)
        return "it does not become ready"

    def _private(self, account: Account) -> bool:
        """Whether it runs with the socket that this desk would give it."""
        if TCP:
            return True
        account.give(self._folder)
        place = self._place.socket
        if place is None or not (place.parent == self._folder or sockets.private(place.parent, account)):
            return False
        try:
            found = place.lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISSOCK(found.st_mode) and not found.st_mode & 0o077

    def _let_in(self, sight: Sight, account: Account) -> None:
        """Who may use it; a server that let in more is told."""
        assert sight.process is not None
        rules = self._rules(account)
        if access.holds(self._folder, rules):
            return
        if TCP:
            access.set_password(sight.port, access.new_password(self._place.password))
        access.apply(self._folder, rules)
        launch.reload(sight.process, self._folder, account)

    def _rules(self, account: Account) -> dict[str, str]:
        return access.password_only() if TCP else access.peers(account)

    def _stop(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while (sight := look(self._folder)).state is State.UNSEEN:
            if time.monotonic() > deadline:
                raise DatabaseError(f"it cannot be seen whether it lives: {sight.why}")
            time.sleep(_AGAIN)
        if sight.process is not None:
            launch.stop(self._folder, sight.process)
        sockets.forget(self._folder, self._place.sockets)

    # --- without

    def _lost_socket(self) -> bool:
        """Somebody swept it away: it runs, and nobody can reach it."""
        try:
            if self._socket is not None:
                self._socket.lstat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def _close(self) -> None:
        self._users.close()
        self._lock.close()

    @property
    def _log(self) -> str:
        return str(self._folder / launch.LOG)


def _fits(folder: Path, account: Account) -> None:
    version_file = folder / "PG_VERSION"
    version = (files.read(version_file) or "").strip()
    if version != str(VERSION):
        raise DatabaseError(
            f"{folder} was made by PostgreSQL {version or '?'}, and this desk has {VERSION}: start the"
            " version of the desk that made it, or copy the data over with pg_dump"
        )
    if version_file.stat().st_uid != account.uid and not TCP:
        raise DatabaseError(f"what is in {folder} belongs to another user: chown -R {account.name}: {folder}")


def _free_port(before: int) -> int:
    """``before`` if that can still be had: who is connected knows no other."""
    for port in (before, 0):
        with socket.socket() as probe:
            try:
                probe.bind((access.HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DatabaseError(f"no port of {access.HOST} is free")
