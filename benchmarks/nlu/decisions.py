"""What the policy makes of a dump of predictions: how often it acts, and how often rightly.

    .venv/bin/python -m benchmarks.nlu.dump OUT         # the engine's rankings, a JSON object a line
    .venv/bin/python -m benchmarks.nlu.decisions OUT/real.jsonl OUT/regression.jsonl

Acted: answered, a procedure begun, or given to a person for a topic that always goes to one. Right: the topic is one of
those that the labeller holds defensible, or begins the same procedure. Queued unasked: given to a person although none
of the defensible topics always is.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.domain.conversation import EscalationReason
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.heard import Heard
from bot.domain.situation import Situation
from handoff.rules import NO_TOPIC
from switchboard.plugins import load_settings
from switchboard.wiring import Dialogue, build_dialogue

NOW = datetime.now(UTC)
URGENT = frozenset({"funds_stolen", "person_in_danger"})
FOR_ITS_TOPIC = frozenset({EscalationReason.TOPIC, EscalationReason.DANGER, EscalationReason.ASKED})


def main() -> None:
    dialogue = build_dialogue(load_settings(None))
    for name in sys.argv[1:]:
        rows = [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]
        for language, counts in sorted(judged(dialogue, rows).items()):
            sys.stdout.write(f"{Path(name).stem:12} {language:6} {_told(counts)}\n")


def judged(dialogue: Dialogue, rows: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Counts by language; rows are what ``benchmarks.nlu.dump`` writes."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["label"] in NO_TOPIC - {OUT_OF_SCOPE} - URGENT - {"talk_to_human"}:
            continue
        language = row["language"] if row["language"] in ("zh", "en") else "others"
        ranking = tuple(Ranked(*one) for one in row["ranking"])
        prediction = Prediction(row["text"], ranking[0].name, ranking[0].confidence, ranking, sure=row["sure"])
        decision = dialogue.policy.on_text(DialogueState(), Heard(row["text"], prediction), Situation(NOW))
        _count(found[language], decision, row, dialogue)
    return found


def _count(counts: Counter[str], decision: Decision, row: Mapping[str, Any], dialogue: Dialogue) -> None:
    answered = decision.action in (Action.ANSWER, Action.COLLECT)
    if row["label"] == OUT_OF_SCOPE:
        counts["outside"] += 1
        counts["outside_answered"] += answered
        return
    topics = {row["label"], *(row.get("also") or ())}
    topic = decision.topic or decision.about
    families = dialogue.policy.families
    for_people = {name for name in topics if _always(dialogue, name)}
    acted = answered or (decision.escalates and decision.reason in FOR_ITS_TOPIC)
    same = {families.get(name, name) for name in topics}
    counts["topics"] += 1
    counts["acted"] += acted
    counts["right"] += acted and (topic in topics or families.get(topic or "", topic) in same or bool(for_people))
    counts["for_people"] += bool(for_people)
    counts["unasked"] += decision.escalates and not for_people
    if row["label"] in URGENT:
        counts["urgent"] += 1
        counts["urgent_reached"] += decision.escalates


def _always(dialogue: Dialogue, name: str) -> bool:
    answers = list(dialogue.answers.variants(name).values())
    return bool(answers) and answers[0].handoff is Handoff.ALWAYS


def _told(counts: Counter[str]) -> str:
    others = counts["topics"] - counts["for_people"]
    return (
        f"acted {counts['acted']}/{counts['topics']}, right {counts['right']}/{counts['acted']}, "
        f"urgent {counts['urgent_reached']}/{counts['urgent']}, queued unasked {counts['unasked']}/{others}, "
        f"out of scope answered {counts['outside_answered']}/{counts['outside']}"
    )


if __name__ == "__main__":
    main()
