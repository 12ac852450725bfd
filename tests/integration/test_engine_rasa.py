"""The whole engine: real Rasa, trained on a part of the shipped examples."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable
from bot.settings import ROOT
from intents.paths import EnginePaths
from intents.rasa import Endpoint, RasaEngine
from intents.sidecar import Sidecar
from intents.training import TrainingFailed, ensure_model
from tests.support.waiting import until

INTENTS = ("password_reset", "transfer_delay", "fee_explained", "talk_to_human", "greet", OUT_OF_SCOPE)
EXAMPLES = 25
"""Of each intent in each language: trains in seconds and still tells these few apart."""

START = 90
"""Seconds that a start may take on a busy machine."""


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> EnginePaths:
    data = tmp_path_factory.mktemp("content")
    (data / "nlu").mkdir()
    for intent in INTENTS:
        content = yaml.safe_load((ROOT / "data" / "nlu" / f"{intent}.yml").read_text(encoding="utf-8"))
        for block in content["nlu"]:
            block["examples"] = "\n".join(block["examples"].splitlines()[:EXAMPLES])
        (data / "nlu" / f"{intent}.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return EnginePaths(data=data, var=tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
async def progress() -> list[tuple[str, float]]:
    """What the one training reported."""
    return []


@pytest.fixture(scope="session")
async def model(paths: EnginePaths, progress: list[tuple[str, float]]) -> Path:
    return await ensure_model(paths, lambda step, done: progress.append((step, done)))


@asynccontextmanager
async def running(sidecar: Sidecar) -> AsyncIterator[None]:
    task = asyncio.create_task(sidecar.run())
    ready = asyncio.create_task(sidecar.first_ready.wait())
    try:
        async with asyncio.timeout(START):
            await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield
    finally:
        ready.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(scope="session")
async def sidecar(paths: EnginePaths, model: Path) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar(paths, model)
    async with running(sidecar):
        yield sidecar


@pytest.fixture
async def engine(sidecar: Sidecar) -> AsyncIterator[RasaEngine]:
    async with RasaEngine(sidecar.endpoint, timeout=20) as engine:
        yield engine


def ended(pid: int) -> bool:
    """Gone, or a zombie that nobody has collected."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_training_reports_its_progress(model: Path, progress: list[tuple[str, float]], paths: EnginePaths) -> None:
    shares = [done for _, done in progress]
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares == sorted(shares)
    assert [step for step, _ in progress].count("Embedding the examples") > 1
    assert {path.name for path in paths.models.iterdir()} == {model.name, model.name.replace(".tar.gz", ".json")}


async def test_a_training_that_fails_hands_on_what_rasa_said(paths: EnginePaths, tmp_path: Path) -> None:
    (tmp_path / "nlu").mkdir()
    (tmp_path / "nlu" / "greet.yml").write_text('version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n')
    with pytest.raises(TrainingFailed, match="at least two intents"):
        await ensure_model(EnginePaths(data=tmp_path, var=tmp_path / "var"))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("忘记密码了怎么办", "password_reset"),
        ("forgot my password, what now", "password_reset"),
        ("转账两个小时了还没到账", "transfer_delay"),
        ("olvidé mi contraseña", "password_reset"),
        ("转人工客服", "talk_to_human"),
        ("hello there", "greet"),
    ],
)
async def test_it_predicts(engine: RasaEngine, text: str, intent: str) -> None:
    prediction = await engine.predict(text)
    assert prediction.intent == intent
    assert prediction.ranking[0].name == intent
    assert sorted(ranked.name for ranked in prediction.ranking) == sorted(INTENTS)
    assert sum(ranked.confidence for ranked in prediction.ranking) == pytest.approx(1, abs=1e-6)


async def test_a_customer_cannot_name_the_intent(engine: RasaEngine) -> None:
    prediction = await engine.predict("/transfer_everything")
    assert len(prediction.ranking) == len(INTENTS)


@pytest.mark.parametrize("text", ["。", "😂", "a" * 5000, '{"text": 1}', "\x00a", "忘" * 3000])
async def test_no_text_upsets_it(engine: RasaEngine, text: str) -> None:
    prediction = await engine.predict(text)
    assert len(prediction.ranking) == len(INTENTS)


async def test_messages_are_not_logged(engine: RasaEngine, paths: EnginePaths) -> None:
    await engine.predict("a-word-nobody-logs")
    log = paths.log.read_text(encoding="utf-8")
    assert "Starting worker" in log
    assert "a-word-nobody-logs" not in log


async def test_a_wrong_token_is_refused(sidecar: Sidecar) -> None:
    url = sidecar.endpoint().url
    async with RasaEngine(lambda: Endpoint(url, "wrong")) as stranger:
        with pytest.raises(EngineUnavailable, match="refused the token"):
            await stranger.predict("hello")
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(f"{url}/model/parse", json={"text": "hello"})).status_code == 401


async def test_the_token_is_in_no_command_line_and_the_port_on_loopback_only(sidecar: Sidecar) -> None:
    assert sidecar.pid is not None
    process = psutil.Process(sidecar.pid)
    assert sidecar.endpoint().token not in " ".join(process.cmdline())
    listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


async def test_a_killed_rasa_comes_back(sidecar: Sidecar, engine: RasaEngine) -> None:
    first = sidecar.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: not sidecar.ready, 5)
    with pytest.raises(EngineUnavailable, match="starting"):
        await engine.predict("hello")
    await until(lambda: sidecar.ready, START)
    assert sidecar.pid != first
    assert (await engine.predict("忘记密码了怎么办")).intent == "password_reset"


async def test_a_rasa_that_hangs_is_replaced(paths: EnginePaths, model: Path) -> None:
    sidecar = Sidecar(paths, model, check_interval=1.0)
    async with running(sidecar):
        first = sidecar.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await until(lambda: not sidecar.ready, 20)
        await until(lambda: ended(first), 10)
        await until(lambda: sidecar.ready, START)
        assert sidecar.pid != first


async def test_cancelling_leaves_no_child(paths: EnginePaths, model: Path) -> None:
    waits: list[float] = []
    sidecar = Sidecar(paths, model, lambda passed, _expected: waits.append(passed))
    async with running(sidecar):
        pid = sidecar.pid
        assert pid is not None
    assert ended(pid)
    assert not sidecar.ready
    assert waits == sorted(waits)
    assert waits


_PARENT = """
import asyncio, sys
from pathlib import Path
from intents.paths import EnginePaths
from intents.sidecar import Sidecar

async def main():
    sidecar = Sidecar(EnginePaths(data=Path(sys.argv[1]), var=Path(sys.argv[2])), Path(sys.argv[3]))
    task = asyncio.create_task(sidecar.run())
    while sidecar.pid is None:
        await asyncio.sleep(0.01)
    if sys.argv[4] == "ready":
        await sidecar.first_ready.wait()
    print("pid", sidecar.pid, flush=True)
    await task

asyncio.run(main())
"""


# That a ready one does not either: e2e/test_crashes.py kills a whole desk.
@pytest.mark.parametrize("when", ["starting", pytest.param("ready", marks=pytest.mark.long)])
async def test_rasa_does_not_outlive_a_killed_desk(paths: EnginePaths, model: Path, tmp_path: Path, when: str) -> None:
    desk = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PARENT, str(paths.data), str(tmp_path), str(model), when),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert desk.stdout is not None
    try:
        async with asyncio.timeout(START):
            while not (line := await desk.stdout.readline()).startswith(b"pid "):
                assert line, "the desk ended by itself"
        pid = int(line.split()[1])
        assert not ended(pid)
    finally:
        desk.kill()
        await desk.wait()
    await until(lambda: ended(pid), 10)
