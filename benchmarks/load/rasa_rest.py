"""Rasa as its own documentation runs it: ``python rasa_rest.py train|serve …`` in the Rasa environment.

The shipped pipeline, and for every intent that the desk answers one rule and one response with the desk's own words.
``serve`` has Rasa's HTTP API (``/model/parse``) and Rasa's REST channel (``/webhooks/rest/webhook``) on one port, set
up as ``intents/server/serve.py`` sets up the desk's engine: the same threads, no debug lines, trackers in memory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lifeline import end_with_parent
from startup import be_quiet, parse_with_one_thread, progress_on_stdout


def write_assistant(pipeline: Path, answers: dict[str, str], folder: Path) -> None:
    """A configuration with ``RulePolicy``, a domain and the rules."""
    import yaml

    config = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    config["policies"] = [{"name": "RulePolicy"}]
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    intents = [*answers, "nlu_fallback"]
    domain = {
        "version": "3.1",
        "intents": intents,
        "responses": {f"utter_{name}": [{"text": answers.get(name, "?")}] for name in intents},
    }
    (folder / "domain.yml").write_text(yaml.safe_dump(domain, allow_unicode=True), encoding="utf-8")
    rules = {
        "version": "3.1",
        "rules": [{"rule": name, "steps": [{"intent": name}, {"action": f"utter_{name}"}]} for name in intents],
    }
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")


def train(pipeline: Path, data: Path, answers: Path, model: Path) -> None:
    from rasa.model_training import train as train_all

    folder = model.parent
    write_assistant(pipeline, json.loads(answers.read_text(encoding="utf-8")), folder)
    result = train_all(
        domain=str(folder / "domain.yml"),
        config=str(folder / "config.yml"),
        training_files=[str(data), str(folder / "rules.yml")],
        output=str(folder),
        fixed_model_name=model.name,
    )
    if result.model is None:
        raise SystemExit("Rasa trained nothing.")


def serve(model: str, port: int, token: str) -> None:
    from rasa.core.agent import Agent
    from rasa.core.channels.channel import register
    from rasa.core.channels.rest import RestInput
    from rasa.server import create_app

    app = create_app(agent=Agent.load(model), cors_origins=None, auth_token=token)
    register([RestInput()], app, route="/webhooks/")
    app.run(host="127.0.0.1", port=port, access_log=False, debug=False)


if __name__ == "__main__":
    end_with_parent()
    be_quiet()
    if Path(sys.argv[1]).name == "train":
        progress_on_stdout()
        os.environ["OMP_WAIT_POLICY"] = "passive"
        train(*map(Path, sys.argv[2:6]))
    else:
        parse_with_one_thread()
        serve(sys.argv[2], int(sys.argv[3]), os.environ.pop("RASA_TOKEN"))
