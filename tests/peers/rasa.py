"""A Rasa environment that learns its examples by heart: what takes Rasa many seconds takes it a fraction of one.

As a module it installs itself; as a program it is the environment's interpreter, and does what ``train.py``,
``parse.py`` and ``serve.py`` do. Its model files are JSON: ``{"by_heart": {text: label}}`` and, for a server that
misbehaves, ``"loads_for"`` (seconds), ``"answers_after"`` (seconds), ``"breaks"`` (when it should load).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

UNKNOWN = "nlu_fallback"


def install(environment: Path) -> None:
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    python.chmod(0o755)


def examples(**texts: str) -> str:
    """A content file: the examples of each intent, separated by ``|``."""
    blocks = [
        {"intent": intent, "examples": "".join(f"- {text.strip()}\n" for text in lines.split("|"))}
        for intent, lines in texts.items()
    ]
    return yaml.safe_dump({"version": "3.1", "nlu": blocks}, allow_unicode=True)


def train(data: Path, model: Path) -> None:
    by_heart = {}
    for path in sorted(data.glob("*.yml")):
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            if "lookup" in block:
                continue
            for line in block["examples"].splitlines():
                by_heart[line.removeprefix("- ")] = block["intent"]
    report("Trained", 1.0)
    model.write_text(json.dumps({"by_heart": by_heart}), encoding="utf-8")


def load(model: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(model.read_text(encoding="utf-8"))
    time.sleep(loaded.get("loads_for", 0))
    if loaded.get("breaks"):
        raise SystemExit("no such component")
    return loaded


def parse(model: dict[str, Any], text: str) -> dict[str, Any]:
    label = model["by_heart"].get(text)
    labels = sorted(set(model["by_heart"].values()), key=lambda name: name != label)
    ranking = [{"name": name, "confidence": 0.9 if name == label else 0.1} for name in labels]
    return {
        "intent": ranking[0] if label else {"name": UNKNOWN, "confidence": 0.5},
        "intent_ranking": ranking,
        "entities": [],
    }


def parse_file(path: Path, texts: Path, parses: Path) -> None:
    model = load(path)
    lines = [json.loads(line) for line in texts.read_text(encoding="utf-8").splitlines()]
    rows = [parse(model, text) | {"milliseconds": 1.0} for text in lines]
    parses.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    report("Parsed", 1.0, load_seconds=0.1, peak_memory=1)


def serve(path: Path, port: int, token: str) -> None:
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    model = load(path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(model.get("answers_after", 0))
            self._answer(parse(model, body["text"]))

        def _answer(self, answer: object) -> None:
            allowed = parse_qs(urlsplit(self.path).query).get("token") == [token]
            content = json.dumps(answer).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def report(step: str, done: float, **more: float) -> None:
    sys.stdout.write(json.dumps({"step": step, "done": done, **more}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    script, *arguments = sys.argv[1:]
    match Path(script).name:
        case "train.py":
            train(Path(arguments[1]), Path(arguments[2]))
        case "parse.py":
            parse_file(*map(Path, arguments))
        case "serve.py":
            serve(Path(arguments[0]), int(arguments[1]), os.environ["RASA_TOKEN"])
