"""The campaign of secrets in short; ``python -m benchmarks.secrets campaign`` runs it in full, with any seed."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.secrets import campaign, traces
from benchmarks.secrets.traces import Traces, parts
from bot.domain.secret import SecretKind

PHRASE = "疆恩序略壮慰俄旧轰绪究刮"
KEY = "5JR9rkjwh2J9whJ9jcvEuy3LnseVeBvYSAF4mZYqxWsT4z9aiuH"


@pytest.mark.long  # half a minute: desks are started and killed
async def test_of_sixty_secrets_no_byte_is_left_and_all_are_answered(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "PATIENCE", 4.0)
    outcome = await campaign.Campaign(folders / "secrets", seed=20261128, secrets=60, kills=1).run()
    assert not outcome.violations, campaign.report(outcome)
    assert outcome.kills == 1
    assert len(outcome.recognised) > 50
    assert len(outcome.recognised | outcome.spread) == 60


@pytest.mark.parametrize(
    ("form", "secret"),
    [
        (lambda text: text.encode(), PHRASE[3:9]),
        (lambda text: text.encode("utf-16"), KEY[20:36]),
        (lambda text: text.encode("utf-16-be"), PHRASE),
        (lambda text: json.dumps({"a": json.dumps([text])}).encode(), PHRASE[:5]),
        (lambda text: b64encode(f"u:{text}".encode()), KEY),
        (lambda text: b64encode(text.encode()), PHRASE[2:8]),
        (lambda text: text.encode().hex().encode(), KEY[10:26]),
        (lambda text: quote(f"my {text}.txt").encode(), PHRASE),
    ],
)
def test_what_is_left_is_found_in_every_form(
    form: traces.Written, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "_CHUNK", 4_000)
    looks = Traces(
        (number, parts(f"it is {one} here", 6, 6 + len(one), kind))
        for number, (one, kind) in enumerate([(PHRASE, SecretKind.SEED_PHRASE), (KEY, SecretKind.PRIVATE_KEY)])
    )
    file = tmp_path / "file"
    for before in (0, 3, 3_990):
        file.write_bytes(bytes(before) + form(secret) + b"it is here" * 900)
        assert {one.secret for one in looks.in_file(file, "file")} == {int(secret not in PHRASE)}
    file.write_bytes(form("[seed phrase removed]") * 900)
    assert not list(looks.in_file(file, "file"))
