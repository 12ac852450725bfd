"""Whether PostgreSQL lives: what cannot be seen is not dead."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import psutil
import pytest

from bot.store.embedded import postmaster
from bot.store.embedded.postmaster import FRESH, MARK, State, look


def pid_file(folder: Path, text: str, age: float = 0.0) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "postmaster.pid"
    file.write_text(text)
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def whole(pid: int, status: str = "ready   ") -> str:
    return f"{pid}\n/var/postgres\n1795805001\n5432\n/var/postgres\n\n  2154626        24\n{status}\n"


class Process:
    """One that psutil shows as it is told to."""

    def __init__(self, line: list[str], name: str = "postgres", cwd: str | Exception = "/", status: str = "sleeping"):
        self.pid, self._name, self._line, self._cwd, self._status = 4711, name, line, cwd, status

    def name(self) -> str:
        return self._name

    def status(self) -> str:
        return self._status

    def cmdline(self) -> list[str]:
        return self._line

    def cwd(self) -> str:
        if isinstance(self._cwd, Exception):
            raise self._cwd
        return self._cwd


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "postgres"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, folder: Path):
    """Makes the process of the pid file one of the test's, or an error."""

    def show(process: object) -> postmaster.Sight:
        def find(_: int) -> object:
            if isinstance(process, Exception):
                raise process
            return process

        monkeypatch.setattr(psutil, "Process", find)
        return look(folder)

    pid_file(folder, whole(4711))
    return show


def test_no_file_means_that_none_runs(folder: Path) -> None:
    assert look(folder).state is State.GONE
    folder.mkdir()
    assert (look(folder).state, look(folder).left) == (State.GONE, False)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOMEM])
def test_a_pid_file_that_cannot_be_read_says_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pid_file(folder, whole(4711))

    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    sight = look(folder)
    assert sight.state is State.UNSEEN
    assert os.strerror(number) in sight.why


@pytest.mark.parametrize("text", ["", "\n", "4711", "47", "-", "0\n", "99999999999999\n", "nonsense\n/x\n"])
def test_a_half_written_pid_file_is_believed_to_be_in_the_making_for_some_seconds(folder: Path, text: str) -> None:
    file = pid_file(folder, text)
    assert look(folder).state is State.UNSEEN
    # Also where a clock was set meanwhile.
    for age in (FRESH + 1, -FRESH - 60):
        pid_file(folder, text, age)
        assert (look(folder).state, look(folder).left) == (State.GONE, True)
    assert file.exists(), "a look removes nothing"


def test_a_process_that_is_gone_is_gone(folder: Path, shown) -> None:
    assert (shown(psutil.NoSuchProcess(4711)).state, look(folder).left) == (State.GONE, True)
    assert shown(psutil.ZombieProcess(4711)).state is State.GONE
    assert shown(Process(["postgres", "-D", str(folder)], status=psutil.STATUS_ZOMBIE)).state is State.GONE


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "x"), PermissionError(1, "x"), psutil.AccessDenied(4711)])
def test_a_process_that_is_not_shown_may_live(shown, error: Exception) -> None:
    assert shown(error).state is State.UNSEEN


def test_a_number_that_is_anothers_by_now_is_no_server_of_ours(folder: Path, tmp_path: Path, shown) -> None:
    pid_file(folder, whole(os.getpid()))
    assert (look(folder).state, look(folder).left) == (State.GONE, True)
    other = tmp_path / "other"
    other.mkdir()
    assert shown(Process(["postgres", "-D", str(other)], cwd=str(other))).state is State.GONE
    assert shown(Process(["postgres: desk desk [local] idle"], cwd=str(folder))).state is State.GONE
    # Where the system does not show in which folder it works.
    assert shown(Process(["postgres", "-D", str(other)], cwd=psutil.AccessDenied(1))).state is State.GONE


def test_a_server_of_ours(folder: Path, shown) -> None:
    for line in (["postgres", "-D", str(folder)], ["postgres", "-D", "/proc/self/fd/3", "-c", f"{MARK}{folder}"]):
        sight = shown(Process(line, cwd=psutil.AccessDenied(1)))
        assert (sight.state, sight.ready, sight.port) == (State.RUNS, True, 5432)
    # Started by hand, or in a folder that was moved since.
    assert shown(Process(["postgres", "-D", "."], cwd=str(folder))).state is State.RUNS
    assert shown(Process(["postgres", "-D", "/nowhere"], cwd=psutil.AccessDenied(1))).state is State.UNSEEN
    shown(Process(["postgres", "-D", str(folder)]))
    pid_file(folder, whole(4711, "starting"))
    assert (look(folder).state, look(folder).ready) == (State.RUNS, False)
    pid_file(folder, "4711\n/var/postgres\n")
    assert (look(folder).state, look(folder).ready) == (State.RUNS, False)
    pid_file(folder, "-4711\n/var/postgres\n")
    assert look(folder).state is State.RUNS
