"""Logs: JSON off a terminal, and no secret in any line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot import logs


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    path = tmp_path / "log" / "desk.log"
    logs.configure("info", ["hush-hush", ""], to=path)
    yield path
    root.handlers, root.level = before
    for name in logs._OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_every_line_is_json(lines: Path) -> None:
    structlog.get_logger("a").info("turn", action="answer", conversation=3)
    logging.getLogger("library").warning("plain %s", "words")
    first, second = (json.loads(line) for line in lines.read_text().splitlines())
    assert (first["event"], first["action"], first["conversation"], first["level"]) == ("turn", "answer", 3, "info")
    assert (second["event"], second["logger"]) == ("plain words", "library")


def test_secrets_are_blotted_out_of_words_fields_and_tracebacks(lines: Path) -> None:
    log = structlog.get_logger("a")
    log.info("calling hush-hush", url="https://api/bothush-hush/getMe")
    try:
        raise ValueError("no hush-hush here")
    except ValueError:
        log.exception("failed")
    text = lines.read_text()
    assert "hush-hush" not in text
    assert text.count("•••") >= 3
    assert "ValueError" in text


def test_debug_lines_and_chatty_libraries_stay_out(lines: Path) -> None:
    structlog.get_logger("a").debug("what the customer wrote")
    logging.getLogger("httpx").info("GET https://api/bot123:abc/getUpdates")
    logging.getLogger("procrastinate.worker").info("Starting job turn")
    assert lines.read_text() == ""


def test_what_libraries_receive_is_in_no_log_at_any_level(lines: Path) -> None:
    logs.configure("debug", to=lines)
    logging.getLogger("discord.gateway").debug("WebSocket Event: %s", "what the customer wrote")
    structlog.get_logger("connectors.telegram").debug("update ignored")
    assert [json.loads(line)["event"] for line in lines.read_text().splitlines()] == ["update ignored"]


def test_nobody_else_on_the_machine_looks_into_the_folder_of_the_logs(lines: Path) -> None:
    assert lines.parent.stat().st_mode & 0o077 == 0
