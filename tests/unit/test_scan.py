"""``switchboard scan``: lines in, lines out."""

from __future__ import annotations

import json
import random

from typer.testing import CliRunner

from benchmarks.secrets import plant
from switchboard.cli import cli, scan


def scanned(*lines: str | bytes) -> tuple[int, list[dict[str, object]]]:
    sent = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    result = CliRunner().invoke(cli, ["scan", "--json"], input=sent)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_a_string_an_array_and_an_object_are_answered_alike() -> None:
    key = f"{random.Random(5).getrandbits(256):064x}"
    words = plant.phrase(random.Random(5), "en", 12)
    status, answers = scanned(
        json.dumps(f"private key {key}"),
        json.dumps([" ".join(words[:6]), " ".join(words[6:])]),
        json.dumps({"text": key, "asked": ["hash"]}),
        json.dumps({"messages": ["密码是Abc12345"], "off": ["password"]}),
    )
    assert status == 0
    assert answers == [
        {"kinds": ["private_key"], "redacted": "private key [private key removed]"},
        {"kinds": ["seed_phrase"], "redacted": ["[seed phrase removed]"] * 2},
        {"kinds": [], "redacted": key},
        {"kinds": [], "redacted": ["密码是Abc12345"]},
    ]


def test_a_line_that_cannot_be_read_says_why_and_the_rest_is_done(monkeypatch) -> None:
    monkeypatch.setattr(scan, "MAX_LINE", 60)
    status, answers = scanned(
        "no", '"ok"', "[]", "[1]", '{"text": "a", "asked": ["x"]}', '"' + "a" * 200 + '"', b'"\xff"'
    )
    assert status == 1
    assert answers[1] == {"kinds": [], "redacted": "ok"}
    assert [answer.get("line") for answer in answers] == [1, None, 3, 4, 5, 6, 7]
    assert "hash" in str(answers[4]["error"])
    assert "60 bytes" in str(answers[5]["error"])
