from __future__ import annotations

from pathlib import Path

import pytest

from intents.models import KEPT_MODELS
from intents.paths import EngineNotInstalled, EnginePaths
from intents.sidecar import Sidecar
from intents.training import TrainingFailed, content_hash, ensure_model

NLU = "nlu/greet.yml"
ANSWER = "answers/en/greet.md"


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    """A content folder, and a server folder whose environment is not Rasa's."""
    files = {
        f"data/{NLU}": 'version: "3.1"\n',
        f"data/{ANSWER}": "---\ntitle: Hello\n---\nHello.\n\n---\nBye.\n",
        "server/pipeline.yml": "recipe: default.v1\n",
        "server/requirements.txt": "rasa==3.6.21\n",
        "server/components/text.py": "x = 1\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return EnginePaths(
        data=tmp_path / "data",
        var=tmp_path / "var",
        server=tmp_path / "server",
        environment=tmp_path / "server" / ".venv",
    )


def install(paths: EnginePaths, train: str) -> None:
    """A Rasa environment whose ``train.py`` is the shell script ``train``; $4 is the model file."""
    python = paths.environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{train}\n")
    python.chmod(0o755)


def test_the_hash_is_twelve_digits_and_stable(paths: EnginePaths) -> None:
    digest = content_hash(paths)
    assert len(digest) == 12
    assert int(digest, 16) >= 0
    assert content_hash(paths) == digest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"data/{NLU}", 'version: "3.1"\n\n'),
        ("data/nlu/thanks.yml", 'version: "3.1"\n'),
        (f"data/{ANSWER}", "---\ntitle: Hi\n---\nHello.\n"),
        ("data/answers/zh/greet.md", "---\ntitle: 你好\n---\n"),
        ("server/pipeline.yml", "recipe: default.v2\n"),
        ("server/requirements.txt", "rasa==3.6.20\n"),
        ("server/components/text.py", "x = 2\n"),
        ("server/encoders/encoder.py", "x = 2\n"),
    ],
)
def test_what_a_model_is_made_from_changes_the_hash(paths: EnginePaths, name: str, content: str) -> None:
    before = content_hash(paths)
    path = paths.data.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert content_hash(paths) != before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"data/{ANSWER}", "---\ntitle: Hello\n---\nHello, and welcome!\n"),
        (f"data/{ANSWER}", "---\r\ntitle: Hello\r\n---\r\nHello.\r\n"),
        ("data/nlu/notes.txt", "to do"),
        ("data/answers/notes.txt", "to do"),
        ("server/train.py", "x = 2\n"),
    ],
)
def test_nothing_else_changes_it(paths: EnginePaths, name: str, content: str) -> None:
    before = content_hash(paths)
    (paths.data.parent / name).write_bytes(content.encode())
    assert content_hash(paths) == before


async def test_a_model_is_trained_once(paths: EnginePaths) -> None:
    install(paths, """echo x >> "$4.count"; echo '{"step": "Half", "done": 0.5}'; echo model > "$4" """)
    steps: list[tuple[str, float]] = []
    model = await ensure_model(paths, lambda step, done: steps.append((step, done)))
    assert model == paths.var / "models" / f"{content_hash(paths)}.tar.gz"
    assert model.read_text() == "model\n"
    assert steps == [("Half", 0.5)]
    assert await ensure_model(paths, lambda step, done: steps.append((step, done))) == model
    assert steps == [("Half", 0.5)]


async def test_only_the_latest_models_are_kept(paths: EnginePaths) -> None:
    install(paths, """echo model > "$4" """)
    models = []
    for version in range(KEPT_MODELS + 2):
        (paths.data / NLU).write_text(f"# {version}\n")
        models.append(await ensure_model(paths))
    assert set((paths.var / "models").glob("*.tar.gz")) == set(models[-KEPT_MODELS:])
    assert len(list((paths.var / "models").iterdir())) == 2 * KEPT_MODELS


async def test_a_failed_training_says_why_and_leaves_nothing(paths: EnginePaths) -> None:
    install(paths, """echo part > "$4"; seq 100 >&2; echo "No such intent." >&2; exit 3""")
    with pytest.raises(TrainingFailed, match=r"(?s)status 3.*\n99\n100\nNo such intent\.$") as caught:
        await ensure_model(paths)
    assert "\n50\n" not in str(caught.value)
    assert list((paths.var / "models").iterdir()) == []


async def test_a_training_without_a_model_has_failed(paths: EnginePaths) -> None:
    install(paths, "exit 0")
    with pytest.raises(TrainingFailed, match="no model"):
        await ensure_model(paths)


async def test_no_rasa_environment(paths: EnginePaths) -> None:
    with pytest.raises(EngineNotInstalled, match="make setup"):
        await ensure_model(paths)
    with pytest.raises(EngineNotInstalled, match="make setup"):
        await Sidecar(paths, paths.var / "model.tar.gz").run()


def test_rasa_learns_none_of_the_desks_secrets(paths: EnginePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "123:abc")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:pass@host/db")
    environment = paths.process_environment()
    assert "123:abc" not in environment.values()
    assert "DATABASE_URL" not in environment
