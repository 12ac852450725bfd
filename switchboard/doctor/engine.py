"""Checks of the intent engine, somebody else's and our own."""

from __future__ import annotations

from bot.domain.findings import Finding, Level
from intents.models import ModelError, ModelStore
from intents.paths import EngineNotInstalled, EnginePaths
from intents.rasa import Endpoint, RasaEngine, RasaUnavailable, Trouble
from intents.training import content_hash


async def remote_rasa(url: str, token: str, timeout: float) -> list[Finding]:
    """Asked as the desk would: for a parse, with its token and its patience."""
    endpoint = Endpoint(url, token)
    async with RasaEngine(lambda: endpoint, timeout) as engine:
        try:
            found = await engine.predict("hello")
        except RasaUnavailable as error:
            return [Finding("rasa", Level.WRONG, str(error), _FIXES[error.trouble])]
    return [Finding("rasa", Level.OK, f"RASA_URL answers; a model is loaded ({len(found.ranking)} intents ranked)")]


_FIXES = {
    Trouble.TOKEN: "set RASA_TOKEN to the server's own (rasa run --auth-token …)",
    Trouble.NO_MODEL: "load a model into that server (rasa run --model …)",
    Trouble.NOT_RASA: "check that RASA_URL leads to a Rasa server with --enable-api, and to nothing in front of it",
    Trouble.SLOW: "look at that server's load and log, or raise engine.timeout in config.yml",
    Trouble.OTHER: "check RASA_URL, and that the server runs and lets this machine in",
}


def embedded_rasa(paths: EnginePaths) -> list[Finding]:
    """Whether the desk can start its own."""
    try:
        paths.python()
    except EngineNotInstalled as error:
        words, _, fix = str(error).partition(". ")
        return [Finding("rasa", Level.WRONG, words, fix)]
    store = ModelStore(paths.models)
    try:
        live = store.live()
    except ModelError as error:
        words, _, fix = str(error).partition(". ")
        return [Finding("rasa", Level.WRONG, words, fix)]
    if live is None:
        return [
            Finding("rasa", Level.WARNING, "no model is live yet", "`switchboard train`, or the first start does it")
        ]
    if not store.has(live.model):
        return [
            Finding(
                "rasa",
                Level.WRONG,
                f"the live model {live.model} is gone from {paths.models}",
                "`switchboard train`, or `switchboard models use` another one",
            )
        ]
    if live.content != content_hash(paths):
        return [
            Finding(
                "rasa",
                Level.WARNING,
                f"model {live.model} is live, and the content has changed since",
                "`switchboard train`, or the next start does it",
            )
        ]
    return [Finding("rasa", Level.OK, f"installed; model {live.model} is live")]
