"""Malformed and hostile updates, as many as you like: ``python -m benchmarks.fuzz --help``."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from collections import Counter

from tests.fuzz.campaign import FAST, WHOLE, Outcome, fuzz, whole_desk
from tests.fuzz.surface import explore

_WIDEST = 1_000
BLOCK = 10_000
"""Updates of one run of hypothesis; every block has a seed of its own, and fails by itself."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000, help="updates for each connector")
    parser.add_argument("--whole", type=int, default=0, help="updates for each way into the whole desk, beside those")
    parser.add_argument(
        "--surface", type=int, default=0, help="requests to each HTTP route, by the OpenAPI description"
    )
    parser.add_argument("--seed", type=int, help="of the first block; the next ones follow it (drawn unless given)")
    parser.add_argument("--only", action="append", choices=sorted({*FAST, *WHOLE}), help="one of them; may be repeated")
    given = parser.parse_args()
    first = given.seed if given.seed is not None else random.randrange(2**31)  # noqa: S311
    names = given.only or list(dict.fromkeys((*FAST, *WHOLE)))
    failed = False
    for kind, ways, updates in (("fast", FAST, given.examples), ("whole", WHOLE, given.whole)):
        for name in (one for one in names if one in ways and updates):
            failed |= not _campaign(kind, name, updates, first)
    if given.surface:
        failed |= not _surface(given.surface, first)
    return int(failed)


def _campaign(kind: str, name: str, updates: int, first: int) -> bool:
    ways = FAST if kind == "fast" else WHOLE
    outcomes: list[Outcome] = []
    began = time.monotonic()
    for block, at in enumerate(range(0, updates, BLOCK)):
        count, number = min(BLOCK, updates - at), first + block
        try:
            outcomes.append(fuzz(ways[name], count, number))
        except Exception:
            _say_why()
            option = f"--examples {count}" if kind == "fast" else f"--examples 0 --whole {count}"
            _say(f"{kind} {name}: failed. Again: python -m benchmarks.fuzz --only {name} {option} --seed {number}")
            return False
    total = sum((outcome.counts for outcome in outcomes), start=Counter[str]())
    brought, examples = sum(one.updates for one in outcomes), sum(one.examples for one in outcomes)
    seeds = f"seeds {first} to {first + len(outcomes) - 1}"
    _say(f"{kind} {name}: {brought:,} updates in {examples:,} sequences, {time.monotonic() - began:.0f} s, {seeds}")
    _say(f"  no defect; {json.dumps(dict(sorted(total.items())))}")
    return True


def _surface(examples: int, number: int) -> bool:
    began = time.monotonic()
    try:
        with whole_desk() as (runner, desk):
            counts = runner.run(explore(desk, examples, number))
    except Exception:
        _say_why()
        _say(f"surface: failed. Again: python -m benchmarks.fuzz --examples 0 --surface {examples} --seed {number}")
        return False
    _say(f"surface: {sum(counts.values()):,} requests, {time.monotonic() - began:.0f} s, seed {number}")
    _say(f"  no defect; {json.dumps(dict(sorted(counts.items())))}")
    return True


def _say_why() -> None:
    """Without the endless parts of an example: the seed brings all of it again."""
    for line in traceback.format_exc().splitlines():
        _say(line if len(line) <= _WIDEST else f"{line[:_WIDEST]} …")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
