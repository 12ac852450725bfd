"""Speaks the line protocol over the classes of 0.1: run in its checkout, by that checkout's imports (see README.md).

What its turns do is done here in memory: 0.1 has no dialogues without a database. It knows no details, and while a
person is awaited it answers nothing but the button that asks for one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from bot.content.answers import HUMAN, Answers
from bot.domain.decision import Action, Decision, transition
from bot.domain.dialogue import DialogueState
from bot.domain.engine import EngineUnavailable, Prediction
from bot.pipeline.turns import Turns
from handoff.policy import Policy
from intents import language
from switchboard import engine, wiring
from switchboard.cli.shared import bars, load_settings, run_until_signal


class Desk:
    """Answers dialogues as the turns of 0.1 would."""

    def __init__(self, running: engine.Running, answers: Answers) -> None:
        self._engine, self._answers = running.engine, answers
        self._policy: Policy = wiring.build_policy(answers)
        # Only its words and its reading of buttons are used; nothing is stored.
        self._turns: Any = Turns(None, answers, self._policy, self._engine.predict, language.detect)  # type: ignore[arg-type]
        self._parsed: dict[str, Prediction] = {}

    async def answer(self, messages: list[dict[str, str]]) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = []
        state, spoken, queued = DialogueState(), None, False
        for message in messages:
            if queued:
                turns.append(self._while_queued(message, spoken))
                continue
            text = message.get("text", "")
            spoken = language.detect(text, spoken) if text.strip() else spoken
            decision, prediction = await self._decide(message, state)
            state, queued = transition(state, decision), decision.escalates
            [reply] = self._turns.replies(decision, spoken)
            turns.append(
                {
                    "decision": decision.action.value,
                    "topic": decision.topic or (prediction and prediction.intent),
                    "intent": prediction and prediction.intent,
                    "reply": str(reply.text),
                    "buttons": [{"label": b.label, "payload": b.payload} for b in reply.buttons],
                    "details": [],
                    "reason": decision.reason and decision.reason.value,
                }
            )
        return turns

    async def _decide(self, message: dict[str, str], state: DialogueState) -> tuple[Decision, Prediction | None]:
        if "button" in message:
            return self._turns._on_button(state, message["button"]), None
        text = message.get("text", "")
        if not text.strip():
            return self._policy.on_attachment(), None
        try:
            prediction = self._parsed.get(text) or await self._engine.predict(text)
        except EngineUnavailable:
            return self._policy.on_engine_unavailable(), None
        self._parsed[text] = prediction
        return self._policy.on_text(state, prediction), prediction

    def _while_queued(self, message: dict[str, str], spoken: str | None) -> dict[str, Any]:
        if message.get("button") != HUMAN:
            return {"decision": "silent"}
        placed = self._answers.words.say("customer.already_queued", spoken)
        return {"decision": Action.ANSWER.value, "reply": str(placed)}


async def serve() -> None:
    settings = load_settings(None)
    answers = wiring.load_answers(settings)
    with bars() as report:
        async with engine.intent_engine(settings, report, trial=True) as running:
            await running.first_ready()
            report.close()
            desk = Desk(running, answers)
            while line := await asyncio.to_thread(sys.stdin.readline):
                asked = json.loads(line)
                turns = await desk.answer(asked["messages"])
                print(json.dumps({"id": asked["id"], "turns": turns}, ensure_ascii=False), flush=True)  # noqa: T201


if __name__ == "__main__":
    run_until_signal(serve())
