"""The embedded PostgreSQL is for nobody but the desk, wherever its folder is; and nothing but its own end ends it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

from bot.settings import ROOT
from bot.store.database import DatabaseError, conninfo
from bot.store.embedded import access, account, address, embedded, launch, reach, server, sockets
from bot.store.embedded.account import OWN, account_for
from bot.store.embedded.postmaster import PID_FILE, State, look
from tests.support.strangers import NOBODY, as_nobody, only_root, opened_by_nobody

LONG = "a folder with a long name, in which somebody keeps the desk of a company"
PLACES = {"short": "var", "long": f"{LONG}/{LONG}/var", "closed": "$HOME `id` \"a\" 'b' & 100%, c\\d/var"}


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """Everybody may pass through it."""
    with TemporaryDirectory(prefix="switchboard-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module", params=list(PLACES))
def cluster(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[tuple[Path, str]]:
    """A data folder in use, and its URL. ``closed`` is below one that is root's alone,
    and has a name that no shell and no list of hosts would take."""
    closed = request.param == "closed"
    above = open_folder / ("closed" if closed else "open") / PLACES[request.param]
    above.mkdir(parents=True)
    (open_folder / "closed").mkdir(exist_ok=True)
    (open_folder / "closed").chmod(0o700)
    before = modes(above)
    with embedded(above / "postgres") as url:
        assert modes(above) == before, "a folder above was opened"
        yield above / "postgres", url
    assert modes(above) == before
    assert not socket_of(url).exists()


def modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.parents)}


def says(url: str, statement: str = "SELECT 'it lets me in'") -> str:
    """The first value of the answer. Errors are the caller's."""
    with psycopg.connect(conninfo(url), connect_timeout=5) as connection:
        return connection.execute(statement).fetchone()[0]


def socket_of(url: str) -> Path:
    return Path(psycopg.conninfo.conninfo_to_dict(url)["host"]) / sockets.NAME


def pid_of(folder: Path) -> int:
    return int((folder / PID_FILE).read_text().splitlines()[0])


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- others


@only_root
def test_another_user_gets_nowhere(cluster: tuple[Path, str]) -> None:
    folder, url = cluster
    assert says(url) == "it lets me in"
    assert "Error" in as_nobody(lambda: says(url))
    private = socket_of(url).parent
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket_of(url).stat().st_mode) == 0o700
    assert "PermissionError" in as_nobody(lambda: list(os.scandir(private)))
    assert opened_by_nobody(folder) == []
    assert not [path for path in folder.parent.iterdir() if path != folder and path.stat().st_mode & 0o077]


@only_root
def test_neither_does_one_who_finds_every_folder_open(cluster: tuple[Path, str]) -> None:
    url = cluster[1]
    private = socket_of(url).parent
    closed = [path for path in (private, *private.parents) if not path.stat().st_mode & stat.S_IXOTH]
    before = {path: path.stat().st_mode for path in closed}
    try:
        for path in closed:
            path.chmod(0o755)
        socket_of(url).chmod(0o777)
        said = as_nobody(lambda: says(url))
        assert "Peer authentication failed" in said or "no entry" in said
    finally:
        for path, mode in before.items():
            path.chmod(mode)
        socket_of(url).chmod(0o700)


def test_it_is_not_on_the_network(cluster: tuple[Path, str]) -> None:
    folder, url = cluster
    assert says(url, "SELECT current_setting('listen_addresses')") == ""
    assert psutil.Process(pid_of(folder)).net_connections("inet") == []
    assert says(url, "SELECT string_agg(DISTINCT auth_method, ' ') FROM pg_hba_file_rules") == "peer"


def test_its_address_can_be_asked(cluster: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = cluster
    assert address(folder) == url
    with pytest.raises(DatabaseError, match="no PostgreSQL runs"):
        address(tmp_path / "postgres")


@only_root
def test_no_desk_speaks_to_a_server_of_somebody_else(cluster: tuple[Path, str]) -> None:
    # As if another user had taken the place of the socket: the name that is expected there is not its owner's.
    url = cluster[1]
    assert f"requirepeer={OWN}" in url
    with pytest.raises(psycopg.OperationalError, match="requirepeer"):
        says(url.replace(f"requirepeer={OWN}", "requirepeer=nobody"))


# --- unseen is not dead


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


# --- many desks, and how they end

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


# --- what the version before left


@only_root
def test_one_that_was_open_to_everybody_is_closed_and_keeps_its_data(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder / "old" / LONG / LONG / "postgres"
    folder.mkdir(parents=True)
    # Its user is one that other programs may use, too.
    monkeypatch.setattr(account, "SHARED", "nobody")
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    before = account_for(folder)
    assert before.name == "nobody"
    launch.make(folder, before, None)
    anywhere = open_folder / "anywhere"
    anywhere.mkdir()
    anywhere.chmod(0o777)
    open_url = f"postgresql://postgres@/postgres?host={anywhere}"
    for still_runs in (True, False):
        (folder / access.RULES).write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
        launch.start(folder, account_for(folder), {"listen_addresses": "", "unix_socket_permissions": "0777"}, anywhere)
        until(lambda: look(folder).ready)
        with psycopg.connect(open_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS message AS SELECT 'my order is late' AS text")
        assert as_nobody(lambda: says(open_url, "SELECT text FROM message")) == "my order is late"
        if not still_runs:
            launch.stop(folder, look(folder).process)
        with embedded(folder) as url:
            assert says(url, "SELECT text FROM message") == "my order is late"
            assert "Error" in as_nobody(lambda: says(open_url))
            assert "Error" in as_nobody(lambda: says(url))
            assert "trust" not in (folder / access.RULES).read_text()
            assert {path.owner() for path in (folder, *folder.rglob("*"), socket_of(url).parent)} == {OWN}
            assert stat.S_IMODE(socket_of(url).parent.stat().st_mode) == 0o700


@only_root
def test_a_socket_folder_that_somebody_else_made_is_not_used(open_folder: Path) -> None:
    folder = open_folder / "robbed" / LONG / LONG / "postgres"
    trap, target = open_folder / "trap", open_folder / "target"
    folder.parent.mkdir(parents=True)
    for bad in ("link", "other", "open"):
        if bad == "link":
            target.mkdir(mode=0o700)
            trap.symlink_to(target)
        else:
            trap.mkdir(mode=0o700 if bad == "other" else 0o755)
        if bad == "other":
            os.chown(trap, NOBODY.pw_uid, NOBODY.pw_gid)
        else:
            account_for(folder).give(target if bad == "link" else trap)
            trap.chmod(0o755 if bad == "open" else 0o700)
        folder.with_name("postgres.sockets").write_text(f"{trap}\n")
        assert sockets.choose(folder, folder.with_name("postgres.sockets"), account_for(folder)) != trap
        sockets.forget(folder, folder.with_name("postgres.sockets"))
        # What is nobody else's is removed; the rest stays as it is.
        assert trap.exists() is (bad != "open")
        if bad != "open":
            trap.unlink() if bad == "link" else trap.rmdir()


# --- users of the machine


@pytest.fixture(scope="module")
def anybodys_programs(open_folder: Path) -> Path:
    """PostgreSQL where every user can run it, wherever this checkout is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "COPIES", open_folder)
        reach._copy(open_folder / "postgresql")
    return open_folder / "postgresql" / reach.INSTALLED.parent.name / reach.INSTALLED.name


@only_root
def test_a_plain_user_has_a_server_of_their_own_and_no_lock_with_others(
    open_folder: Path, anybodys_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "INSTALLED", anybodys_programs)
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    home.chmod(0o700)

    def run() -> str:
        with embedded(home / "postgres") as url:
            return says(url) + f" by peer {socket_of(url).parent == home / 'postgres'}"

    root_desk = server._Server(tmp_path / "postgres")
    with root_desk._lock.held(1):  # root starts one meanwhile
        assert as_nobody(run) == "it lets me in by peer True"
    root_desk._close()
    assert {path.stat().st_uid for path in home.rglob("*")} == {NOBODY.pw_uid}
    # Root's desk on that user's folder runs it as that user, and leaves nothing that the user cannot use.
    with embedded(home / "postgres") as url:
        assert says(url) == "it lets me in"
        assert psutil.Process(pid_of(home / "postgres")).uids().real == NOBODY.pw_uid
    assert as_nobody(run) == "it lets me in by peer True"


@only_root
def test_without_unix_sockets_it_asks_for_a_password(
    open_folder: Path, anybodys_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, for a new database and for one that was made without."""
    monkeypatch.setattr(reach, "INSTALLED", anybodys_programs)
    monkeypatch.setattr(server, "TCP", True)
    home = open_folder / "windows"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)

    def refused(url: str) -> bool:
        address = psycopg.conninfo.conninfo_to_dict(url)
        for wrong in ({"password": "x"}, {"password": ""}):
            try:
                psycopg.connect(**{**address, **wrong, "connect_timeout": 5}).close()
            except psycopg.OperationalError:
                continue
            return False
        return True

    def run() -> str:
        with embedded(home / "postgres") as url:
            return f"{says(url)} {refused(url)} {address(home / 'postgres') == url}"

    assert as_nobody(run) == "it lets me in True True"
    password = home / "postgres.password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert as_nobody(run) == "it lets me in True True"
    (home / "postgres" / access.RULES).write_text("host all all 127.0.0.1/32 trust\n")
    password.unlink()
    assert as_nobody(run) == "it lets me in True True"
    assert "trust" not in (home / "postgres" / access.RULES).read_text()


@only_root
def test_programs_that_its_user_may_not_read_are_copied_and_nothing_is_opened(
    open_folder: Path, anybodys_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_folder / "checkout"
    closed.mkdir(mode=0o700)
    shutil.copytree(open_folder / "postgresql", closed / "packages")
    for path in (closed / "packages").rglob("*"):
        path.chmod(0o700)  # as root's umask may have it
    copies = open_folder / "copies"
    monkeypatch.setattr(
        reach, "INSTALLED", closed / "packages" / anybodys_programs.relative_to(open_folder / "postgresql")
    )
    monkeypatch.setattr(reach, "COPIES", copies)
    before = os.umask(0o077)
    try:
        with embedded(closed / "var" / "postgres") as url:
            assert says(url) == "it lets me in"
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o077 for path in (closed / "packages").rglob("*")} == {0}
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    (copy,) = copies.iterdir()
    copy.chmod(0o777)
    with pytest.raises(DatabaseError, match="not root's alone"), embedded(closed / "var" / "postgres"):
        pass
