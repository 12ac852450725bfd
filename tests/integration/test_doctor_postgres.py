"""``switchboard doctor`` finds where others on this machine could get at the embedded PostgreSQL, and says the fix."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.findings import Level
from bot.store.embedded import embedded, socket_folder
from switchboard.doctor import postgres
from switchboard.doctor.postgres import privacy
from tests.support.strangers import as_nobody, only_root

LONG = "a folder with a long name, in which somebody keeps the desk of a company"


def told(var: Path) -> list[tuple[Level, str]]:
    return [(finding.level, finding.fix) for finding in privacy(var)]


def test_before_the_first_start_there_is_nothing_to_find(tmp_path: Path) -> None:
    assert privacy(tmp_path / "var") == []
    (tmp_path / "var").mkdir()
    assert privacy(tmp_path / "var") == []


def test_what_is_open_to_others_is_found_and_a_start_closes_it(tmp_path: Path) -> None:
    var = tmp_path / LONG / LONG / "var"
    data = var / "postgres"
    with embedded(data):
        (finding,) = privacy(var)
        assert (finding.level, "for the desk alone" in finding.words) == (Level.OK, True)
        place = socket_folder(data)
        assert place is not None
        rules = data / "pg_hba.conf"
        ours = rules.read_text()
        opened: list[tuple[Callable[[], object], Level, str]] = [
            (lambda: rules.write_text(f"{ours}host all all 0.0.0.0/0 trust\n"), Level.WRONG, "0.0.0.0/0 trust"),
            (lambda: rules.write_text("local all all trust\n"), Level.WRONG, "local all all trust"),
            (lambda: place.chmod(0o777), Level.WRONG, f"others may enter {place}"),
            (lambda: (place / ".s.PGSQL.5432").chmod(0o777), Level.WARNING, "itself is open"),
            (lambda: data.chmod(0o755), Level.WRONG, f"others may look into {data}"),
        ]
        for open_it, level, words in opened:
            open_it()
            found = privacy(var)
            assert [it.level for it in found if words in it.words] == [level], found
            assert all(it.fix for it in found)
            assert Level.OK not in {it.level for it in found}
            with embedded(data):
                assert [it.level for it in privacy(var)] == [Level.OK]
            before, place = place, socket_folder(data) or place
            assert before in (place, data) or not before.exists(), "nothing is left of one that was open"
    assert [it.level for it in privacy(var)] == [Level.OK], "and after it has stopped"


def test_a_folder_above_that_everybody_may_write_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    var = tmp_path / "shared" / "var"
    var.mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    assert told(var) == [(Level.WRONG, f"chmod o-w {tmp_path / 'shared'}")]
    (tmp_path / "shared").chmod(0o1777)  # as /tmp is: nobody replaces what is another's
    assert told(var) == []
    if os.geteuid() == 0:
        monkeypatch.setattr(postgres, "_home_of_root", lambda: str(tmp_path))
        tmp_path.chmod(0o755)
        assert told(var) == [(Level.WARNING, f"chmod 700 {tmp_path}")]


@only_root
def test_who_may_not_look_is_told_so(tmp_path: Path) -> None:
    data = tmp_path / "var" / "postgres"
    data.mkdir(parents=True, mode=0o700)
    (data / "pg_hba.conf").write_text("local all all trust\n")
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    assert "run this as the owner of that folder" in as_nobody(lambda: told(tmp_path / "var"))
