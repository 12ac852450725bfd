"""How many customers' cases a desk solves: simulated customers over `switchboard predict --json`: see README.md."""

from __future__ import annotations

import json
import shlex
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cases.desk import line_desk
from benchmarks.cases.judging import Outcome, play
from benchmarks.cases.loading import World, load
from benchmarks.cases.model import Case
from benchmarks.cases.report import language_group, reasons, shown, summary, table
from benchmarks.places import VAR
from bot.settings import ROOT

OUT = VAR / "benchmarks" / "cases"
_THIS = shlex.join([str(Path(sys.executable).with_name("switchboard")), "predict", "--json"])
_BEFORE = Path(__file__).with_name("desk_of_0_1.py")


def main(
    desk: Annotated[str, typer.Option(help="The command of a desk that speaks the line protocol.")] = _THIS,
    beside: Annotated[Path | None, typer.Option(help="A checkout of 0.1 to measure in the same run.")] = None,
    cases: Annotated[str, typer.Option(help="Only these ids, by shell patterns with commas between.")] = "*",
    language: Annotated[str, typer.Option(help="Only this language, or `others`.")] = "",
    show: Annotated[str, typer.Option(help="Print the dialogues of these ids and no table.")] = "",
    seed: Annotated[int, typer.Option(help="Of the choice of words.")] = 1,
) -> None:
    """Plays every case, prints the table, writes all dialogues to var/benchmarks/cases."""
    world = load()
    chosen = [case for case in world.cases if _wanted(case, show or cases, language)]
    if not chosen:
        raise typer.BadParameter("no case has such an id and language")
    runs = {"now": _run(shlex.split(desk), ROOT, chosen, world, seed)}
    if beside:
        runs["0.1"] = _run([sys.executable, "-P", str(_BEFORE)], beside.resolve(), chosen, world, seed)
    if show:
        typer.echo("\n\n".join(shown(outcome) for outcomes in runs.values() for outcome in outcomes))
        return
    typer.echo(table(runs))
    for name, outcomes in runs.items():
        typer.echo(f"\nWhy not, {name}:\n{reasons(outcomes)}")
    OUT.mkdir(parents=True, exist_ok=True)
    found = {name: {"summary": _by_language(o), "cases": [one.as_json() for one in o]} for name, o in runs.items()}
    (OUT / "cases.json").write_text(json.dumps({"seed": seed, "desks": found}, ensure_ascii=False, indent=1))
    typer.echo(f"\nAll dialogues: {OUT / 'cases.json'}")


def _run(command: list[str], folder: Path, chosen: list[Case], world: World, seed: int) -> list[Outcome]:
    began = time.perf_counter()
    with line_desk(command, folder) as desk:
        outcomes = [play(case, desk, world, seed) for case in chosen]
    typer.echo(f"{len(chosen)} cases in {time.perf_counter() - began:.0f} s", err=True)
    return outcomes


def _wanted(case: Case, patterns: str, language: str) -> bool:
    grouped = case.language if case.language in ("zh", "en") else "others"
    by_id = any(fnmatch(case.id, pattern.strip()) for pattern in patterns.split(","))
    return by_id and language in ("", case.language, grouped)


def _by_language(outcomes: list[Outcome]) -> dict[str, dict[str, float]]:
    groups = sorted({language_group(outcome) for outcome in outcomes})
    rows = {name: [outcome for outcome in outcomes if language_group(outcome) == name] for name in groups}
    return {"all": summary(outcomes), **{name: summary(rows[name]) for name in groups}}


if __name__ == "__main__":
    typer.run(main)
