"""``parse_all`` against a Rasa environment that misbehaves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.domain.engine import OUT_OF_SCOPE, Ranked
from intents.offline import NO_INTENT, ParsingFailed, parse_all
from intents.paths import EngineNotInstalled, EnginePaths

LAST = """echo '{"step": "Parsed", "done": 1.0, "load_seconds": 2.5, "peak_memory": 7}'"""


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    return EnginePaths(tmp_path / "data", tmp_path / "var", tmp_path / "server", tmp_path / "server" / ".venv")


def install(paths: EnginePaths, parse: str) -> None:
    """A Rasa environment whose ``parse.py`` is the shell script ``parse``; $3 is the texts, $4 the parses."""
    python = paths.environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{parse}\n")
    python.chmod(0o755)


def answering(paths: EnginePaths, *rows: dict[str, Any]) -> None:
    lines = "\n".join(json.dumps({"milliseconds": 3.5, **row}) for row in rows)
    install(paths, f"cat > \"$4\" <<'EOF'\n{lines}\nEOF\n{LAST}")


def ranked(top: str | None, *intents: tuple[str | None, float]) -> dict[str, Any]:
    ranking = [{"name": name, "confidence": confidence} for name, confidence in intents]
    return {"intent": {"name": top, "confidence": 0.5}, "intent_ranking": ranking}


async def test_it_reads_a_ranking_as_the_desk_does(paths: EnginePaths) -> None:
    answering(
        paths,
        ranked("a", ("b", 0.2), ("a", 0.8)),
        ranked("nlu_fallback", ("nlu_fallback", 0.5), ("a", 0.4)),
        ranked(OUT_OF_SCOPE, (OUT_OF_SCOPE, 0.9)),
    )
    parses = await parse_all(paths, Path("model"), ["x", "y", "z"])
    first, second, third = (parse.prediction for parse in parses.rows)
    assert (first.text, first.intent, first.confidence, first.sure) == ("x", "a", 0.8, True)
    assert first.ranking == (Ranked("a", 0.8), Ranked("b", 0.2))
    assert (second.text, second.intent, second.sure) == ("y", "a", False)
    assert (third.intent, third.sure) == (OUT_OF_SCOPE, False)
    assert [parse.milliseconds for parse in parses.rows] == [3.5] * 3
    assert (parses.load_seconds, parses.peak_memory) == (2.5, 7)


@pytest.mark.parametrize(
    "row", [ranked(None), ranked("nlu_fallback", ("nlu_fallback", 0.5)), ranked(None, (None, 0.0))]
)
async def test_a_text_of_which_nothing_is_ranked(paths: EnginePaths, row: dict[str, Any]) -> None:
    answering(paths, row)
    (parse,) = (await parse_all(paths, Path("model"), ["x"])).rows
    assert (parse.prediction.intent, parse.prediction.confidence, parse.prediction.sure) == (NO_INTENT, 0.0, False)


async def test_what_rasa_gets(paths: EnginePaths) -> None:
    install(paths, f"""cat "$3" >> "$4.got"; cp "$4.got" {paths.server}/got; exit 1""")
    texts = ["/greet", "  /greet", "half \ud83d", "two\nlines", "x" * 5000]
    with pytest.raises(ParsingFailed):
        await parse_all(paths, Path("model"), texts)
    got = [json.loads(line) for line in (paths.server / "got").read_text().splitlines()]
    assert got == ["／greet", "／greet", "half ?", "two\nlines", "x" * 1000]


async def test_a_text_without_a_character(paths: EnginePaths) -> None:
    with pytest.raises(ValueError, match="no text"):
        await parse_all(paths, Path("model"), ["hello", " \n"])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("seq 100 >&2; echo 'No such component.' >&2; exit 3", r"(?s)status 3.*\n99\n100\nNo such component\.$"),
        (f"{LAST}", "left no parses"),
        (f"""echo '{{"intent": 1}}' > "$4"; {LAST}""", "1 parses of 2 texts"),
    ],
)
async def test_a_failure_says_why(paths: EnginePaths, script: str, why: str) -> None:
    install(paths, script)
    with pytest.raises(ParsingFailed, match=why):
        await parse_all(paths, Path("model"), ["x", "y"])


@pytest.mark.parametrize(
    "row", [ranked("a", ("a", 7.0)), ranked("b", ("a", 0.9)), ranked("a", ("", 0.9)), ranked("a", ("a", float("nan")))]
)
async def test_what_is_no_prediction(paths: EnginePaths, row: dict[str, Any]) -> None:
    answering(paths, row)
    with pytest.raises(ParsingFailed, match="not a prediction"):
        await parse_all(paths, Path("model"), ["x"])


async def test_no_rasa_environment(paths: EnginePaths) -> None:
    with pytest.raises(EngineNotInstalled, match="make setup"):
        await parse_all(paths, Path("model"), ["x"])


async def test_cancelling_ends_the_process(paths: EnginePaths) -> None:
    paths.server.mkdir()
    install(paths, f"echo $$ > {paths.server}/pid; exec sleep 60")
    task = asyncio.create_task(parse_all(paths, Path("model"), ["x"]))
    async with asyncio.timeout(10):
        while not (paths.server / "pid").exists() or not (paths.server / "pid").read_text():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(int((paths.server / "pid").read_text()))
