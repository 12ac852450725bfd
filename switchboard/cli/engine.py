"""The commands about the intent engine and the content it is made from."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from bot.content import check as content_check
from bot.content import drafts
from bot.domain.dialogue import DialogueState
from bot.domain.engine import EngineUnavailable, Prediction
from handoff.policy import Policy
from intents import language
from switchboard import engine, wiring
from switchboard.cli.shared import ConfigOption, bars, cli, err, load_settings, run_until_signal


@cli.command()
def check(config: ConfigOption = None) -> None:
    """Look for mistakes in the content: missing answers, dead buttons, doubled or too few examples.

    Drafts are listed with what they lack; being unfinished is no mistake.
    """
    settings = load_settings(config)
    answers = wiring.load_answers(settings)
    problems = list(content_check.problems(settings.data, answers))
    for problem in problems:
        typer.echo(problem)
    for name in drafts.drafts(settings.data):
        lacking = list(drafts.missing(settings.data, answers, name))
        for line in lacking or [f"{name} is finished; `switchboard topic ready {name}` puts it live"]:
            typer.echo(f"draft: {line}")
    if problems:
        err.print(f"[red]{len(problems)} problem(s) found.[/]")
        raise typer.Exit(1)
    err.print("[green]The content is in order.[/]")


@cli.command()
def predict(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say what the desk would do with each line of standard input as a customer's first message.

    With the model of the content as it is now: trained if need be, and not made live.
    """
    settings = load_settings(config)
    answers = wiring.load_answers(settings)
    policy = wiring.build_policy(answers)
    with bars() as report:

        async def classify() -> None:
            async with engine.intent_engine(settings, report, trial=True) as running:
                await running.first_ready()
                report.close()
                async for found in _predictions(running, sys.stdin.buffer, policy, answers.default_locale):
                    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _prediction_line(found))

        run_until_signal(classify())


# --- predictions --------------------------------------------------------------------------------

_IN_FLIGHT = 4
"""Texts classified at once: enough to keep the engine busy, few enough not to queue behind its timeout."""


async def _predictions(
    running: engine.Running, lines: Any, policy: Policy, default_language: str
) -> AsyncIterator[dict[str, object]]:
    """One object a line, in their order."""
    batch: list[str] = []
    for raw in lines:
        batch.append(raw.decode("utf-8", errors="replace").rstrip("\r\n").replace("\x00", ""))
        if len(batch) == _IN_FLIGHT:
            for found in await asyncio.gather(*(_predicted(running, text, policy, default_language) for text in batch)):
                yield found
            batch = []
    for found in await asyncio.gather(*(_predicted(running, text, policy, default_language) for text in batch)):
        yield found


async def _predicted(running: engine.Running, text: str, policy: Policy, default_language: str) -> dict[str, object]:
    prediction: Prediction | None = None
    if not text.strip():
        decision = policy.on_attachment()
    else:
        try:
            prediction = await running.engine.predict(text)
            decision = policy.on_text(DialogueState(), prediction)
        except EngineUnavailable as error:
            err.print(f"[yellow]{error}[/]")
            decision = policy.on_engine_unavailable()
    return {
        "text": text,
        "language": language.detect(text, default_language),
        "intent": prediction and prediction.intent,
        "confidence": prediction and round(prediction.confidence, 4),
        "ranking": [
            {"name": ranked.name, "confidence": round(ranked.confidence, 4)}
            for ranked in (prediction.ranking if prediction else ())
        ],
        "decision": decision.action.value,
    }


def _prediction_line(found: dict[str, object]) -> str:
    return f"{found['decision']!s:9} {found['intent']!s:24} {found['confidence']!s:7} {found['text']}"
