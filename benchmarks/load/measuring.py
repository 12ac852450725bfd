"""Loads, and what they show: times of replies, and what the processes behind them used meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

Ask = Callable[[str], Awaitable[None]]
"""Says one text and returns when its reply is there."""

REPLY_WITHIN = 60.0


@dataclass
class Usage:
    """What groups of processes used between two moments."""

    cpu: dict[str, float] = field(default_factory=dict)
    """Processor seconds, by group."""
    memory: dict[str, int] = field(default_factory=dict)
    """Bytes at the end; what processes of a group share is counted once for each."""


@dataclass(frozen=True)
class Times:
    """One load. Times in seconds, from when the message was due to be said."""

    seconds: float
    replies: Sequence[float]
    failures: int
    usage: Usage

    @property
    def rate(self) -> float:
        """Replies a second."""
        return len(self.replies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.replies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    def cpu_each(self, group: str) -> float:
        """Processor seconds a reply."""
        return self.usage.cpu.get(group, 0.0) / max(1, len(self.replies))


@contextmanager
def using(groups: Mapping[str, Sequence[psutil.Process]]) -> Iterator[Usage]:
    """Filled in at the end."""
    usage = Usage()
    before = {name: _cpu(processes) for name, processes in groups.items()}
    yield usage
    for name, processes in groups.items():
        usage.cpu[name] = _cpu(processes) - before[name]
        usage.memory[name] = sum(process.memory_info().rss for process in _alive(processes))


def _cpu(processes: Sequence[psutil.Process]) -> float:
    spent = 0.0
    for process in _alive(processes):
        times = process.cpu_times()
        spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _alive(processes: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.NoSuchProcess:
            pass


async def at_rate(
    ask: Ask, texts: Iterator[str], rate: float, seconds: float, groups: Mapping[str, Sequence[psutil.Process]]
) -> Times:
    """So many messages a second at even distances, whatever becomes of those before: who waits for an answer before
    asking on would measure a slow desk kindly."""
    replies: list[float] = []
    failures = 0
    asked: list[asyncio.Task[None]] = []

    async def one(due: float, text: str) -> None:
        nonlocal failures
        try:
            async with asyncio.timeout(REPLY_WITHIN):
                await ask(text)
        except Exception:
            failures += 1
        else:
            replies.append(time.perf_counter() - due)

    with using(groups) as usage:
        began = time.perf_counter()
        for number in range(round(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(one(due, next(texts))))
        await asyncio.gather(*asked)
        took = time.perf_counter() - began
    return Times(took, replies, failures, usage)


async def as_fast_as_it_goes(
    ask: Ask, texts: Iterator[str], at_once: int, seconds: float, groups: Mapping[str, Sequence[psutil.Process]]
) -> Times:
    """``at_once`` customers, each of whom says the next as soon as the last was answered."""
    replies: list[float] = []
    failures = 0
    began = time.perf_counter()

    async def customer() -> None:
        nonlocal failures
        while time.perf_counter() - began < seconds:
            said = time.perf_counter()
            try:
                async with asyncio.timeout(REPLY_WITHIN):
                    await ask(next(texts))
            except Exception:
                failures += 1
            else:
                replies.append(time.perf_counter() - said)

    with using(groups) as usage:
        await asyncio.gather(*(customer() for _ in range(at_once)))
    return Times(time.perf_counter() - began, replies, failures, usage)
