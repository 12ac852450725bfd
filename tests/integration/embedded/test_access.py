"""The embedded PostgreSQL lets nobody else in, and no other user of the machine is in its way."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from bot.store.database import DatabaseError
from bot.store.embedded import access, account, address, embedded, launch, reach, server, sockets
from bot.store.embedded.account import OWN, account_for
from bot.store.embedded.postmaster import look
from tests.support.embedded import LONG, pid_of, says, socket_of, until
from tests.support.strangers import NOBODY, as_nobody, only_root, opened_by_nobody


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
