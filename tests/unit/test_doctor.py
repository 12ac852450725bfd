"""What ``switchboard doctor`` makes of what it looks at: levels, words and fixes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.domain.findings import Finding, Level
from bot.settings import load
from bot.store.status import DatabaseStatus, SearchIndex, Work
from connectors.clocks import ahead
from intents.models import ModelStore
from intents.paths import EnginePaths
from intents.training import content_hash
from switchboard import doctor
from switchboard.doctor import Check, content, database, engine, machine
from switchboard.doctor.machine import MB
from tests.peers import rasa

OK, WARNING, WRONG = Level.OK, Level.WARNING, Level.WRONG
BUILT = SearchIndex("message", built=True, building=False, owner="boss", owned=True)
WELL = DatabaseStatus(
    version=180001,
    clock_ahead=0.0,
    read_only=False,
    revision="0003",
    newest="0003",
    known=True,
    sizes={"message": 3 * MB, "contact": 2048},
    work=Work(due=0, oldest_due=0.0, workers=1, dead_workers=0),
)


def only(found: Sequence[Finding], name: str = "") -> Finding:
    (one,) = [finding for finding in found if not name or finding.name == name]
    return one


# --- running the checks


async def collected(checks: Sequence[Check], secrets: Sequence[str] = ()) -> list[Finding]:
    return [finding async for found in doctor.examine(checks, secrets) for finding in found]


def says(finding: Finding, after: float = 0.0) -> Callable[[], Awaitable[list[Finding]]]:
    async def run() -> list[Finding]:
        await asyncio.sleep(after)
        return [finding]

    return run


async def test_one_that_hangs_and_one_that_breaks_leave_the_others_alone() -> None:
    async def broken() -> list[Finding]:
        raise RuntimeError("with a secret in it")

    found = await collected(
        [
            Check("slow", says(Finding("slow", OK, "never said"), 60), 0.05, "wake it"),
            Check("broken", broken, 1),
            Check("good", says(Finding("good", OK, "fine")), 1),
        ]
    )
    assert found[0] == Finding("slow", WRONG, "no answer within 0.05 s", "wake it")
    assert (found[1].level, "RuntimeError" in found[1].words, "secret" in found[1].words) == (WRONG, True, False)
    assert found[2] == Finding("good", OK, "fine")


async def test_they_run_at_once_and_tell_in_order() -> None:
    ended: list[str] = []

    def check(number: int) -> Check:
        async def run() -> list[Finding]:
            # The first waits for the last: one after the other, they would never end.
            async with asyncio.timeout(5):
                while len(ended) < 4 - number:
                    await asyncio.sleep(0.01)
            ended.append(str(number))
            return [Finding(str(number), OK, "")]

        return Check(str(number), run, 10)

    found = await collected([check(number) for number in range(5)])
    assert [(finding.name, finding.level) for finding in found] == [(number, OK) for number in "01234"]
    assert ended == list("43210")


async def test_no_secret_is_told() -> None:
    said = Finding("a", WRONG, "at /bot7:abc/getMe", "not 7:abc but 7:abcdef")
    (found,) = await collected([Check("a", says(said), 1)], ["", "7:abc", "7:abcdef"])
    assert (found.words, found.fix) == ("at /bot•••/getMe", "not ••• but •••")


# --- database


def test_a_good_database() -> None:
    found = database.database(WELL)
    assert {finding.level for finding in found} == {OK}
    assert only(found, "database").words == "PostgreSQL 18.1 answers"
    assert "3 MB in all; largest: message 3 MB, contact 2 KB" in only(found, "tables").words
    assert only(found, "queue").words == "0 job(s) due; 1 desk(s) at work"


@pytest.mark.parametrize(
    ("status", "name", "level", "words", "fix"),
    [
        (replace(WELL, version=140011), "database", WRONG, "PostgreSQL 14.11, and the desk needs 15", "upgrade"),
        (replace(WELL, read_only=True), "database", WRONG, "takes no writes", "primary"),
        (replace(WELL, revision=None, work=None), "tables", WARNING, "none yet", "switchboard run"),
        (
            replace(WELL, revision="0002"),
            "tables",
            WARNING,
            "version 0002, and this desk's are 0003",
            "switchboard run",
        ),
        (replace(WELL, revision="0009", known=False), "tables", WRONG, "newer desk", "update this desk"),
        (replace(WELL, work=Work(3, 300.0, 1, 0)), "queue", WARNING, "3 job(s) due, the oldest for 5 min", "log"),
        (replace(WELL, work=Work(3, 300.0, 0, 0)), "queue", WARNING, "0 desk(s)", "start the desk"),
        (replace(WELL, work=Work(0, 0.0, 1, 2)), "queue", WARNING, "2 died", "start one"),
        (
            replace(WELL, work=Work(0, 0.0, 1, 0, dead_letters=2)),
            "failed messages",
            WARNING,
            "2 message(s)",
            "Failed messages",
        ),
        (replace(WELL, work=Work(50_000, 59.0, 1, 0)), "queue", OK, "50000 job(s) due", ""),
        (replace(WELL, search=(BUILT,)), "search", OK, "1 tables", ""),
        (replace(WELL, search=(BUILT, replace(BUILT, built=False))), "search", WARNING, "slow", "start one"),
        (replace(WELL, search=(replace(BUILT, built=False, building=True),)), "search", WARNING, "slow", "being built"),
        (replace(WELL, search=(replace(BUILT, built=False, owned=False),)), "search", WARNING, "boss's", "as boss"),
        (replace(WELL, search=(replace(BUILT, owned=False),)), "search", WARNING, "waits", "GRANT boss"),
    ],
)
def test_a_database_that_is_not(status: DatabaseStatus, name: str, level: Level, words: str, fix: str) -> None:
    found = only(database.database(status), name)
    assert found.level is level
    assert words in found.words
    assert fix in found.fix
    assert bool(found.fix) is (level is not OK)


# --- clock


@pytest.mark.parametrize(
    ("by", "level", "words"),
    [
        ({"the database": 0.2, "telegram": -0.9}, OK, "agrees with the database, telegram within 1 s"),
        ({"the database": 0.0, "telegram": 5.5}, WARNING, "6 s behind telegram"),
        ({"the database": -70.0}, WRONG, "70 s ahead of the database"),
        ({"telegram": 3600.0}, WRONG, "60 min behind telegram"),
        ({}, WARNING, "nothing to compare"),
    ],
)
def test_the_clock(by: dict[str, float], level: Level, words: str) -> None:
    found = only(machine.clock(by))
    assert found.level is level
    assert words in found.words


def test_a_date_header_is_compared_as_far_as_it_can_be() -> None:
    asked = datetime(2026, 5, 1, 12, 0, 10, 900_000, tzinfo=UTC)
    answered = asked + timedelta(seconds=0.3)
    assert ahead("Fri, 01 May 2026 12:00:10 GMT", asked, answered) == 0.0
    assert ahead("Fri, 01 May 2026 12:00:11 GMT", asked, answered) == 0.0
    assert ahead("Fri, 01 May 2026 13:00:11 GMT", asked, answered) == pytest.approx(3599.8)
    assert ahead("Fri, 01 May 2026 11:59:00 GMT", asked, answered) == pytest.approx(-69.9)
    assert ahead("", asked, answered) is None
    assert ahead("soon", asked, answered) is None


# --- disk and files


@pytest.mark.parametrize(
    ("free", "level"),
    [(1024 * MB, OK), (1024 * MB - 1, WARNING), (200 * MB, WARNING), (200 * MB - 1, WRONG), (0, WRONG)],
)
def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=2**40, used=0, free=free))
    found = only(machine.disk({"var": tmp_path / "var", "the database": tmp_path / "var" / "postgres"}))
    assert found.level is level
    assert ("full disk" in found.fix) is (level is not OK)


def test_two_disks_are_two_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=10 * MB if path == other else 5000 * MB)
    )
    real = Path.stat

    def stat(path: Path, **options: bool) -> object:
        found = real(path, **options)
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:])) if path == other else found

    monkeypatch.setattr(Path, "stat", stat)
    assert [finding.level for finding in machine.disk({"var": tmp_path, "the database": other})] == [OK, WRONG]


def test_files_are_private(var: Path) -> None:
    assert "first start" in only(machine.rights(var)).words
    var.mkdir(mode=0o755)
    (var / "models").mkdir(mode=0o755)
    (var / "postgres").mkdir(mode=0o700)
    log = var / "log"
    log.mkdir(mode=0o700)
    assert only(machine.rights(var)).level is OK
    log.chmod(0o755)
    found = only(machine.rights(var))
    assert (found.level, found.fix) == (WARNING, f"chmod o-rwx {log}")
    var.chmod(0o700)  # nobody gets that far
    assert only(machine.rights(var)).level is OK


@pytest.mark.parametrize(
    ("folder", "mode", "fix"),
    [("", 0o757, "chmod o-w {}"), ("models", 0o777, "chmod o-w {}"), ("postgres", 0o755, "chmod go-rwx {}")],
)
def test_what_others_may_change_is_wrong(var: Path, folder: str, mode: int, fix: str) -> None:
    for path in (var, var / "models", var / "postgres"):
        path.mkdir()
        path.chmod(0o700)
    (var / folder).chmod(mode)
    found = only(machine.rights(var))
    assert (found.level, found.fix) == (WRONG, fix.format(var / folder))


def test_a_folder_that_is_none(var: Path) -> None:
    var.write_text("")
    found = only(machine.rights(var))
    assert (found.level, "SWITCHBOARD_VAR" in found.fix) == (WRONG, True)


# --- Rasa of our own


def test_the_embedded_rasa(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "nlu").mkdir(parents=True)
    (data / "nlu" / "a.yml").write_text(rasa.examples(greet="hi|hello"))
    paths = EnginePaths(data, tmp_path / "var", environment=tmp_path / "rasa")
    found = only(engine.embedded_rasa(paths))
    assert (found.level, found.fix) == (WRONG, "Run `make setup`.")
    rasa.install(paths.environment)
    found = only(engine.embedded_rasa(paths))
    assert (found.level, "no model is live yet" in found.words) == (WARNING, True)
    store, content = ModelStore(paths.models), content_hash(paths)
    store.make_live(content, content, "a test")
    assert (only(engine.embedded_rasa(paths)).level, "is gone" in only(engine.embedded_rasa(paths)).words) == (
        WRONG,
        True,
    )
    store.path(content).write_text("{}")
    assert only(engine.embedded_rasa(paths)).level is OK
    (data / "nlu" / "a.yml").write_text(rasa.examples(greet="hi|hello|good day"))
    found = only(engine.embedded_rasa(paths))
    assert (found.level, "changed since" in found.words) == (WARNING, True)
    (paths.models / "live.json").write_text("{")
    assert only(engine.embedded_rasa(paths)).level is WRONG


# --- where the desk listens


@pytest.mark.parametrize(
    ("host", "level"),
    [
        ("127.0.0.1", OK),
        ("127.0.0.9", OK),
        ("::1", OK),
        ("localhost", OK),
        ("0.0.0.0", WARNING),
        ("::", WARNING),
        ("192.168.1.2", WARNING),
        ("desk.example.com", WARNING),
        ("", WARNING),
    ],
)
def test_a_desk_open_to_all(host: str, level: Level) -> None:
    found = only(machine.exposure(host))
    assert (found.level, "https" in found.fix) == (level, level is WARNING)


# --- content


@pytest.mark.parametrize(
    ("brand", "topics", "found"),
    [
        ("{}", ["fee_explained", "person_in_danger"], ["set brand.crisis"]),
        ("{}", ["fee_explained"], []),
        ("{crisis: {en: '988', zh: '12356'}}", ["person_in_danger"], []),
    ],
)
def test_who_is_in_danger_is_told_of_help(tmp_path: Path, brand: str, topics: list[str], found: list[str]) -> None:
    path = tmp_path / "config.yml"
    path.write_text(f"brand: {brand}\n", encoding="utf-8")
    fixes = [finding.fix[:16] for finding in content.crisis(load({}, {}, path), topics)]
    assert fixes == found
