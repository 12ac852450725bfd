"""Parse texts, as ``python parse.py <model.tar.gz> <texts.jsonl> <parses.jsonl>`` in the Rasa environment.

Each line of the texts is a JSON string; the line of the same number in the parses is ``{"intent", "intent_ranking",
"milliseconds"}``. The model is loaded as ``serve.py`` loads it and asked as Rasa's own HTTP API asks it, one text at
a time, so that what is measured here is what customers get, without the way to the server and back.

Standard output carries progress only, as in ``train.py``; the last line has ``load_seconds`` and ``peak_memory``
(bytes) besides. Exit status 0 means that every text was parsed. Ends with its parent (``lifeline``).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from lifeline import end_with_parent
from startup import Report, be_quiet, parse_with_one_thread, progress_on_stdout, use_vector_instructions

_LOADED = 0.1
"""The share of the run after which the model is loaded; a guess."""

_BETWEEN_REPORTS = 0.2


async def parse(model: Path, texts: Path, parses: Path, report: Report) -> None:
    report("Loading the model", 0.0)
    began = time.perf_counter()
    from rasa.core.agent import Agent

    agent = Agent.load(str(model))
    load_seconds = time.perf_counter() - began

    asked = read(texts)
    reported = 0.0
    with parses.open("w", encoding="utf-8") as out:
        for number, text in enumerate(asked):
            began = time.perf_counter()
            parsed = await agent.parse_message(text)
            milliseconds = (time.perf_counter() - began) * 1000
            row = {
                "intent": parsed["intent"],
                "intent_ranking": parsed.get("intent_ranking", []),
                "milliseconds": milliseconds,
            }
            # Some components leave numpy's numbers in their confidences.
            out.write(json.dumps(row, default=float) + "\n")
            if time.perf_counter() - reported > _BETWEEN_REPORTS:
                reported = time.perf_counter()
                report("Parsing", _LOADED + (1 - _LOADED) * number / len(asked))
    report("Parsed", 1.0, load_seconds=load_seconds, peak_memory=peak_memory())


def read(texts: Path) -> list[str]:
    return [json.loads(line) for line in texts.read_text(encoding="utf-8").split("\n") if line]


def peak_memory() -> int:
    """The most memory that this process ever had resident, in bytes."""
    try:
        # Not getrusage: on Linux it begins with what the parent had when it forked.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    end_with_parent()
    report = progress_on_stdout()
    be_quiet()
    use_vector_instructions()
    parse_with_one_thread()
    asyncio.run(parse(*(Path(argument) for argument in sys.argv[1:4]), report))
