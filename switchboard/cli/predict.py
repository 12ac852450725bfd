"""``switchboard predict``: what the desk would do, for people and for programs, without a database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, BinaryIO

import typer

from bot.content.procedures import LOOK_UPS
from bot.domain.conversation import Conversation
from bot.domain.forms import Detail
from bot.domain.message import Reply
from bot.pipeline.rehearsal import Rehearsal, Rehearsed
from switchboard import engine, wiring
from switchboard.cli.shared import ConfigOption, bars, cli, load_settings, run_until_signal

_IN_FLIGHT = 4
"""Texts classified at once: enough to keep the engine busy, few enough not to queue behind its timeout."""
MAX_MESSAGES = 200
"""Of one dialogue."""


@cli.command()
def predict(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say what the desk would do with each line of standard input as a customer's first message.

    With --json a line may also be a whole dialogue: {"id": …, "messages": [{"text": …}, {"button": "topic:<intent>"},
    {"attachment": "photo"}]}, answered at once by a line with what the desk does at each message. With "forward": true
    beside its text or attachment a message is somebody else's, passed on.

    With the model of the content as it is now: trained if need be, and not made live.
    """
    settings = load_settings(config)
    dialogue = wiring.build_dialogue(settings)
    with bars() as report:

        async def answer() -> None:
            async with engine.intent_engine(settings, report, trial=True) as running:
                await running.first_ready()
                report.close()
                rehearse = _Rehearse(dialogue, running)
                async for found in _answers(rehearse, sys.stdin.buffer, dialogues=as_json):
                    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _line(found))
                    sys.stdout.flush()

        run_until_signal(answer())


class _NoRecords:
    """A desk without a database has nothing to look up."""

    async def look_up(self, conversation: Conversation, known: Sequence[Detail]) -> None:  # noqa: ARG002
        return None


class _Rehearse:
    def __init__(self, dialogue: wiring.Dialogue, running: engine.Running) -> None:
        self._deciding = dialogue.deciding(
            dialogue.listening(running.engine.predict), dict.fromkeys(LOOK_UPS, _NoRecords())
        )
        self._speech = dialogue.speech
        self._language = dialogue.answers.default_locale

    def _begin(self) -> Rehearsal:
        return Rehearsal(self._deciding, self._speech)

    async def first(self, text: str) -> dict[str, Any]:
        """One text as a first message."""
        done = await self._begin().say(text)
        return {
            "text": text,
            "language": done.conversation.language or self._language,
            **_turn(done),
            "ranking": [
                {"name": ranked.name, "confidence": round(ranked.confidence, 4)}
                for ranked in (done.prediction.ranking if done.prediction else ())
            ],
        }

    async def dialogue(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A whole dialogue; what is wrong with it is said in ``error``, and nothing is done."""
        messages = given.get("messages")
        if not isinstance(messages, list) or len(messages) > MAX_MESSAGES:
            return {"id": given.get("id"), "error": f"messages must be a list of at most {MAX_MESSAGES}"}
        rehearsal, turns = self._begin(), []
        for number, message in enumerate(messages, 1):
            said = _message(message)
            if said is None:
                problem = (
                    'must be an object with one of "text", "button" and "attachment", each a text, and perhaps'
                    ' "forward": true'
                )
                return {"id": given.get("id"), "error": f"message {number} {problem}"}
            forward = message.get("forward") is True
            turns.append(_turn(await rehearsal.say(said.get("text", ""), **_others(said), forward=forward)))
        return {"id": given.get("id"), "turns": turns}


def _message(message: Any) -> dict[str, str] | None:
    if not isinstance(message, dict):
        return None
    said = {name: message[name] for name in ("text", "button", "attachment") if message.get(name) is not None}
    if not said or not all(isinstance(value, str) for value in said.values()):
        return None
    if not isinstance(message.get("forward", False), bool):
        return None
    return {name: value.replace("\x00", "") for name, value in said.items()}


def _others(said: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if name != "text"}


def _turn(done: Rehearsed) -> dict[str, Any]:
    decision, prediction = done.decision, done.prediction
    return {
        "decision": decision.action.value,
        "topic": decision.topic or decision.about or done.conversation.dialogue.topic,
        "intent": prediction and prediction.intent,
        "confidence": prediction and round(prediction.confidence, 4),
        "reply": "\n\n".join(reply.text for reply in done.replies),
        "buttons": [button for reply in done.replies for button in _buttons(reply)],
        "details": [
            {"kind": detail.kind.value, "value": detail.value, "valid": detail.valid, "chains": list(detail.chains)}
            for detail in done.conversation.details
        ],
        "reason": decision.reason and decision.reason.value,
        "priority": decision.priority.label if decision.escalates or decision.urges else None,
        "state": done.conversation.state.value,
    }


def _buttons(reply: Reply) -> list[dict[str, str]]:
    return [{"label": button.label, "payload": button.payload} for button in reply.buttons]


async def _answers(rehearse: _Rehearse, lines: BinaryIO, *, dialogues: bool) -> AsyncIterator[dict[str, Any]]:
    """One object a line, in their order; a dialogue is answered before the next line is read."""
    batch: list[str] = []
    while raw := await asyncio.to_thread(lines.readline):
        text = raw.decode("utf-8", errors="replace").rstrip("\r\n").replace("\x00", "")
        given = _dialogue(text) if dialogues else None
        if given is None:
            batch.append(text)
        if given is not None or len(batch) == _IN_FLIGHT:
            for found in await asyncio.gather(*map(rehearse.first, batch)):
                yield found
            batch = []
        if given is not None:
            yield await rehearse.dialogue(given)
    for found in await asyncio.gather(*map(rehearse.first, batch)):
        yield found


def _dialogue(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        given = json.loads(text)
    except ValueError:
        return None
    return given if isinstance(given, dict) and "messages" in given else None


def _line(found: Mapping[str, Any]) -> str:
    return f"{found['decision']!s:9} {found['intent']!s:24} {found['confidence']!s:7} {found['text']}"
