"""``switchboard scan --database``: what was stored before there was a search for secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from bot.domain.secret import SecretKind
from bot.queue import Queue
from bot.store import migrate
from bot.store.database import conninfo, create_engine
from bot.store.stored_secrets import Found, Rules, StoredSecrets, stored_secrets
from switchboard.cli.shared import bars, database, load_settings, run_until_signal

NAMED = 50
"""Conversations that are named; the rest is counted."""


def scan_database(config: Path | None, *, clean: bool, doubtful: bool, as_json: bool) -> None:
    """Prints what was found, never the secrets themselves. Ends with 1 where something was found and left."""
    settings = load_settings(config, log_to="scan.log")
    rules = Rules(clean, doubtful, frozenset(map(SecretKind, settings.config.secrets.let_pass)))

    async def working(url: str) -> Found:
        await migrate(url)
        engine = create_engine(url)
        try:
            return await _look_through(stored_secrets(engine, Queue(conninfo(url)), rules), quiet=as_json)
        finally:
            await engine.dispose()

    with bars() as report, database(settings, report) as url:
        found = run_until_signal(working(url))
    if found is None:  # a signal ended it
        raise typer.Exit(130)
    typer.echo(json.dumps(_for_programs(found, rules)) if as_json else _in_words(found, rules))
    if found.kinds and not clean:
        raise typer.Exit(1)


async def _look_through(store: StoredSecrets, *, quiet: bool) -> Found:
    after, seen = 0, 0
    while page := await store.conversations(after):
        for number in page:
            await store.look_through(number)
        after, seen = page[-1], seen + len(page)
        if not quiet:
            typer.echo(f"{seen} conversations looked through, up to number {after}", err=True)
    await store.look_through_names()
    await store.look_through_files()
    if store.rules.clean and store.found.kinds:
        await store.vacuum()
    return store.found


def _for_programs(found: Found, rules: Rules) -> dict[str, Any]:
    return {
        "cleaned": rules.clean,
        "kinds": dict(found.kinds),
        "messages": found.messages,
        "files": found.files,
        "names": found.names,
        "conversations": sorted(found.conversations),
    }


def _in_words(found: Found, rules: Rules) -> str:
    if not found.kinds:
        return "No secrets found."
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(found.kinds.items()))
    numbers = [str(number) for number in sorted(found.conversations)]
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    counted = ((found.messages, "message"), (found.files, "file"), (found.names, "name"))
    where = ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counted)
    lines = [f"Secrets in {where}: {kinds}."]
    if numbers:
        lines.append(f"Conversations: {', '.join(numbers[:NAMED])}{more}.")
    if rules.clean:
        lines.append(
            "All of them were removed. Backups made before hold them yet, and so does the write-ahead log for a while."
        )
    else:
        lines.append("Nothing was changed: run it again with --clean to remove them.")
    return "\n".join(lines)
