"""What ``switchboard topic`` writes, before real Rasa: a draft is valid, is not trained, and a live topic is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bot.content import drafts
from bot.content.answers import Answers
from bot.content.check import MIN_EXAMPLES
from intents.paths import EnginePaths
from intents.training import train

LOCALES = ("en", "no")
"""``no`` is Norwegian, and a trap in YAML."""

PIPELINE = """
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
"""

_READ_AND_PREDICT = """
import asyncio, json, sys, warnings
from rasa.core.agent import Agent
from rasa.shared.nlu.training_data.loading import load_data
model, text, *folders = sys.argv[1:]
with warnings.catch_warnings():
    warnings.simplefilter("error", UserWarning)
    for folder in folders:
        examples = load_data(folder).intent_examples
        print(json.dumps(sorted({(e.get("intent"), e.get("metadata")["intent"]["language"]) for e in examples})))
parsed = asyncio.run(Agent.load(model).parse_message(text))
print(json.dumps({"intent": parsed["intent"]["name"], "known": sorted(i["name"] for i in parsed["intent_ranking"])}))
"""


def in_rasa(paths: EnginePaths, code: str, *arguments: Path | str) -> list[str]:
    done = subprocess.run(
        [paths.python(), "-c", code, *arguments],
        env=paths.process_environment(),
        cwd=paths.var,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def finish(data: Path, name: str, words: str) -> None:
    """Writes a draft's examples and answers, and puts it live."""
    path = data / "drafts" / "nlu" / f"{name}.yml"
    for language in LOCALES:
        examples = "\n    - ".join(f"{words} {language} number {n}" for n in range(MIN_EXAMPLES))
        path.write_text(path.read_text().replace("{write_an_example_here}", examples, 1))
        answer = data / "drafts" / "answers" / language / f"{name}.md"
        answer.write_text(answer.read_text().replace("{write_the_answer_here}", "words"))


@pytest.fixture
def paths(tmp_path: Path) -> EnginePaths:
    """Content with two live topics and a draft, all made by the command's own functions."""
    data, var = tmp_path / "data", tmp_path / "var"
    var.mkdir()
    (data / "phrases").mkdir(parents=True)
    for locale in LOCALES:
        (data / "phrases" / f"{locale}.yml").write_text(f"language: {locale}\n")
        answers = data / "answers" / locale
        answers.mkdir(parents=True)
        (answers / "greet.md").write_text("---\ntitle: Hello\nhandoff: never\n---\nHello.\n")
    for name, words in (("referral_reward", "reward for inviting"), ("card_lost", "my card is gone")):
        drafts.add(data, LOCALES, name, dict.fromkeys(LOCALES, name))
        finish(data, name, words)
        drafts.make_live(data, Answers(data, LOCALES, {}), name)
    drafts.add(data, LOCALES, "half_written", {})
    return EnginePaths(data=data, var=var)


async def test_rasa_reads_and_trains_what_the_command_made(paths: EnginePaths) -> None:
    pipeline = paths.var / "pipeline.yml"
    pipeline.write_text(PIPELINE)
    model = paths.var / "model.tar.gz"
    await train(paths, pipeline, paths.data / "nlu", model)
    question = "is there a reward for inviting my sister"
    folders = (paths.data / "nlu", paths.data / "drafts" / "nlu")
    live, draft, *_, predicted = in_rasa(paths, _READ_AND_PREDICT, model, question, *folders)
    assert json.loads(live) == [[name, locale] for name in ("card_lost", "referral_reward") for locale in LOCALES]
    assert json.loads(draft) == [["half_written", locale] for locale in LOCALES]
    assert json.loads(predicted) == {"intent": "referral_reward", "known": ["card_lost", "referral_reward"]}
