"""A worse model is refused and a live one swapped, with real Rasa and a pipeline that trains in seconds."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import yaml

from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable
from bot.settings import ROOT
from intents.models import ModelStore
from intents.paths import SERVER, EnginePaths
from intents.rasa import RasaEngine
from intents.release import choose, release
from intents.sidecar import Sidecar
from tests.support import waiting

INTENTS = ("password_reset", "transfer_delay", "fee_explained", "talk_to_human", "greet", OUT_OF_SCOPE)
EXAMPLES = 25
SWAPPED = {"password_reset": "transfer_delay", "transfer_delay": "password_reset"}
PIPELINE = """
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 3
- name: LogisticRegressionClassifier
- name: FallbackClassifier
  threshold: 0.3
"""
START = 90
"""Seconds that a start may take on a busy machine."""


@contextmanager
def step(what: str, expected: float) -> Iterator[Callable[[float], None]]:
    yield lambda share: None


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    """Some examples of some intents; the next ones are the regression file."""
    server, data = tmp_path / "server", tmp_path / "data"
    (data / "nlu").mkdir(parents=True)
    server.mkdir()
    for path in (*SERVER.glob("*.py"), SERVER / "requirements.txt"):
        shutil.copy(path, server)
    (server / "pipeline.yml").write_text(PIPELINE)
    rows = ["text\tlabel\tlanguage"]
    for intent in INTENTS:
        content = yaml.safe_load((ROOT / "data" / "nlu" / f"{intent}.yml").read_text(encoding="utf-8"))
        for block in content["nlu"]:
            lines = block["examples"].splitlines()
            language = block["metadata"]["language"]
            rows += [f"{line.removeprefix('- ')}\t{intent}\t{language}" for line in lines[EXAMPLES : EXAMPLES + 8]]
            block["examples"] = "\n".join(lines[:EXAMPLES])
        (data / "nlu" / f"{intent}.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    paths = EnginePaths(data=data, var=tmp_path / "var", server=server)
    paths.regression.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return paths


def swap_labels(paths: EnginePaths) -> None:
    for path in (paths.data / "nlu").glob("*.yml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for block in content["nlu"]:
            block["intent"] = SWAPPED.get(block["intent"], block["intent"])
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


async def test_a_worse_model_is_refused_and_an_accepted_one_swapped_in(paths: EnginePaths) -> None:
    store = ModelStore(paths.models)
    good = (await release(paths, step)).live.model

    swap_labels(paths)
    refused = await release(paths, step)
    assert refused.refused
    assert refused.live.model == good
    assert refused.comparison is not None
    changed = {change.row.label for change in refused.comparison.changes if change.worse}
    assert changed >= set(SWAPPED)
    assert sum(loss.what == "wrong answers" for loss in refused.comparison.losses) == 1
    bad = refused.comparison.new

    sidecar = Sidecar(paths, store.path(good), follow=store)
    intents: list[str] = []
    failures: list[EngineUnavailable] = []

    async def ask(engine: RasaEngine) -> None:
        while True:
            try:
                intents.append((await engine.predict("忘记密码了怎么办")).intent)
            except EngineUnavailable as error:
                failures.append(error)

    until = partial(waiting.until, seconds=START, every=0.05)

    async with RasaEngine(sidecar.endpoint, timeout=20) as engine:
        tasks = [asyncio.create_task(sidecar.run())]
        try:
            await until(lambda: sidecar.ready)
            tasks += [asyncio.create_task(ask(engine)) for _ in range(2)]
            await until(lambda: len(intents) > 10)
            assert set(intents) == {"password_reset"}
            first = sidecar.pid
            assert first is not None

            assert (await release(paths, step, accept=True)).live.model == bad
            await until(lambda: not psutil.pid_exists(first))
            await until(lambda: intents[-10:] == ["transfer_delay"] * 10)

            assert (await choose(paths, step, store.find("previous"), "rolled back")).model == good
            await until(lambda: intents[-10:] == ["password_reset"] * 10)
            # It stays so, although the content is that of the other one.
            assert (await release(paths, step)).live.model == good
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert failures == []
    assert len(intents) > 100
