"""The life of the embedded PostgreSQL: many desks, power cuts, sockets that were swept away."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from bot.settings import ROOT
from bot.store.database import DatabaseError
from bot.store.embedded import embedded, server, sockets
from bot.store.embedded.postmaster import PID_FILE, State, look
from tests.support.embedded import LONG, pid_of, says, socket_of, until


@pytest.mark.parametrize("cluster", ["short"], indirect=True)
def test_out_of_file_handles_nothing_is_removed_and_it_lives_on(
    cluster: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = cluster
    before = pid_of(folder)
    monkeypatch.setattr(server, "LOOK", 0.02)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs, embedded(folder):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            time.sleep(0.5)
            with pytest.raises(OSError, match="Too many open files"):
                os.open("/dev/null", os.O_RDONLY)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert pid_of(folder) == before
        assert says(url) == "it lets me in"
        time.sleep(0.1)
    # Once by each of the two desks that watch it here.
    assert {entry["action"] for entry in logs} == {"postgres_unseen"}
    assert len(logs) <= 2
    assert "Too many open files" in logs[0]["event"]


@pytest.mark.parametrize("cluster", ["short"], indirect=True)
def test_a_start_waits_for_what_it_cannot_see(cluster: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = cluster
    monkeypatch.setattr(server, "START_TIMEOUT", 1.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    desk = server._Server(folder)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        with pytest.raises(DatabaseError, match="Too many open files"):
            desk.enter()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert look(folder).state is State.RUNS


DESK = """
import sys, time
from pathlib import Path
from bot.store.embedded import embedded
with embedded(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def another_desk(folder: Path) -> subprocess.Popen[str]:
    """In a process of its own; it ends when its input does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", DESK, str(folder)], stdin=pipe, stdout=pipe, text=True, env=environment
    )


def test_the_last_of_several_desks_stops_it(tmp_path: Path) -> None:
    folder = tmp_path / LONG / LONG / "postgres"
    # The first of all was killed while it made the database.
    half = folder.with_name("postgres.making")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded(folder) as url, embedded(folder) as again:
        assert url == again
        killed, stays = another_desk(folder), another_desk(folder)
        assert {killed.stdout.readline().strip(), stays.stdout.readline().strip()} == {url}
        first = pid_of(folder)
    killed.kill()
    killed.wait(10)
    assert (pid_of(folder), says(url)) == (first, "it lets me in"), "a desk uses it"
    stays.kill()
    stays.wait(10)
    with embedded(folder) as again:
        assert (again, pid_of(folder)) == (url, first), "one that outlived its desks is used"
    assert look(folder).state is State.GONE
    assert not socket_of(url).parent.exists()
    assert not half.exists()


@pytest.mark.parametrize("cluster", ["short", "closed"], indirect=True)
def test_whatever_a_power_cut_left_is_no_obstacle(cluster: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, url = cluster
    monkeypatch.setattr(server, "LOOK", 0.05)
    with embedded(folder):  # this one sees it die at once
        postmaster = psutil.Process(pid_of(folder))
        postmaster.send_signal(signal.SIGSTOP)
        stale = (folder / PID_FILE).read_text().splitlines()
        stranger = str(os.getpid())
        (folder / PID_FILE).write_text("\n".join([stranger, *stale[1:], ""]))
        lock = socket_of(url).with_name(f"{sockets.NAME}.lock")
        lock.write_text("\n".join([stranger, *lock.read_text().splitlines()[1:], ""]))
        for process in (*postmaster.children(), postmaster):
            process.kill()
        until(lambda: look(folder).ready)
        assert says(url) == "it lets me in"


@pytest.mark.parametrize("cluster", ["short", "closed"], indirect=True)
def test_a_socket_that_was_swept_away_is_made_again(cluster: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, url = cluster
    monkeypatch.setattr(server, "LOOK", 0.05)
    private = socket_of(url).parent
    with embedded(folder):
        if private == folder:
            socket_of(url).unlink()
        else:
            shutil.rmtree(private)
        until(lambda: socket_of(url).exists() and look(folder).ready, 4)  # at once, at the first try
        assert says(url) == "it lets me in"
