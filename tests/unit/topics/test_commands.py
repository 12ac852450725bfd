"""`switchboard topic`: adding a topic, listing, and who names the drafts left out."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.content import drafts
from bot.content.check import MIN_EXAMPLES
from bot.runtime.http import AddressInUse
from intents.paths import EngineNotInstalled, EnginePaths
from switchboard.cli import cli
from tests.support.topics import FILES, LOCALES, NAME, TITLES, finish


@pytest.fixture
def config(data: Path) -> Path:
    path = data.parent / "config.yml"
    path.write_text("locales:\n  default: en\n  available: [en, zh]\n")
    return path


def switchboard(config: Path, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--config", str(config)], input=typed)


def test_from_adding_a_topic_to_the_list_of_topics(data: Path, config: Path) -> None:
    added = switchboard(config, "topic", "add", NAME, "--title", "en=Invite a friend", "--title", "zh=邀请好友奖励")
    assert added.exit_code == 0, added.output
    assert [line.removeprefix(f"{data}/drafts/") for line in added.stdout.splitlines()] == list(FILES)
    assert f"{MIN_EXAMPLES} examples at least" in added.stderr
    assert f"switchboard topic ready {NAME}" in added.stderr

    unfinished = switchboard(config, "topic", "ready", NAME)
    assert unfinished.exit_code == 1
    assert len(unfinished.stdout.splitlines()) == 4
    checked = switchboard(config, "check")
    assert checked.exit_code == 0
    assert f"draft: {data}/drafts/answers/zh/{NAME}.md: not written yet: answer" in checked.stdout.splitlines()
    assert re.search(rf"{NAME} +0 +0 +none +draft", switchboard(config, "topic", "list").stdout)

    finish(data)
    assert f"draft: {NAME} is finished" in switchboard(config, "check").stdout
    assert re.search(rf"{NAME} +25 +25 +en zh +draft", switchboard(config, "topic", "list").stdout)
    ready = switchboard(config, "topic", "ready", NAME)
    assert ready.exit_code == 0, ready.output
    assert [line.removeprefix(f"{data}/") for line in ready.stdout.splitlines()] == list(FILES)
    checked = switchboard(config, "check")
    assert (checked.exit_code, checked.stdout) == (0, "")
    listed = switchboard(config, "topic", "list").stdout
    assert re.search(rf"{NAME} +25 +25 +en zh *$", listed, re.MULTILINE)
    assert re.search(r"out_of_scope +\d+ +\d+ +by code", listed)


def test_without_a_terminal_nobody_is_asked(data: Path, config: Path) -> None:
    added = switchboard(config, "topic", "add", NAME, typed="Refunds\n")
    assert added.exit_code == 0
    assert "Write the titles and the answers" in added.stderr
    assert "{write_the_title_here}" in (data / "drafts" / FILES[1]).read_text()


def test_on_a_terminal_the_missing_titles_are_asked_for(
    data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.cli.topic.on_terminal", lambda: True)
    # Too long, and asked for again.
    added = switchboard(config, "topic", "add", NAME, "--title", "en=Refunds", typed="好" * 41 + "\n退款\n")
    assert added.exit_code == 0, added.output
    assert "Title in en" not in added.output
    assert "1 to 40 characters, not 41" in added.output
    assert "title: 退款\n" in (data / "drafts" / FILES[2]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["affirm"], "affirm is reserved"),
        (["password_reset"], "there is a topic password_reset already"),
        ([NAME, "--title", "Refunds"], "write LOCALE=TITLE"),
        ([NAME, "--title", "fr=Bonjour"], "fr is not a locale of this desk; it has en, zh"),
        ([NAME, "--title", "en=a", "--title", "en=b"], "a second title in en"),
        ([NAME, "--title", "en="], "1 to 40 characters"),
    ],
)
def test_what_cannot_be_added_is_explained(data: Path, config: Path, arguments: list[str], message: str) -> None:
    refused = switchboard(config, "topic", "add", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert drafts.drafts(data) == []


def test_training_names_the_drafts_it_leaves_out(
    data: Path, config: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(paths: EnginePaths) -> Path:
        raise EngineNotInstalled

    monkeypatch.setenv("SWITCHBOARD_VAR", str(var))
    monkeypatch.setattr(EnginePaths, "python", not_installed)
    assert "draft" not in switchboard(config, "train").stderr
    drafts.add(data, LOCALES, NAME, TITLES)
    trained = switchboard(config, "train")
    assert isinstance(trained.exception, EngineNotInstalled)
    assert f"Left out, for they are drafts: {NAME}." in trained.stderr


def test_a_desk_that_starts_names_the_drafts_it_leaves_out(
    data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        started = switchboard(config, "run")
    assert isinstance(started.exception, AddressInUse)
    assert f"Left out, for they are drafts: {NAME}." in started.stderr
