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

Groups = Mapping[str, psutil.Process]
"""The parts of a system, each a process with its children."""

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
def using(groups: Groups) -> Iterator[Usage]:
    """Filled in at the end."""
    usage = Usage()
    before = {name: _cpu(process) for name, process in groups.items()}
    yield usage
    for name, process in groups.items():
        usage.cpu[name] = _cpu(process) - before[name]
        usage.memory[name] = process.memory_info().rss + sum(map(_own_memory, process.children(recursive=True)))


def _cpu(process: psutil.Process) -> float:
    """Of the process and its children, also of those that have ended."""
    times = process.cpu_times()
    alive = sum(_alive_cpu(child) for child in process.children(recursive=True))
    return times.user + times.system + times.children_user + times.children_system + alive


def _alive_cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system


def _own_memory(process: psutil.Process) -> int:
    """Without what is shared with others, such as PostgreSQL's buffers."""
    try:
        info = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(info.rss - info.shared)


async def at_rate(ask: Ask, texts: Iterator[str], rate: float, seconds: float, groups: Groups) -> Times:
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


async def as_fast_as_it_goes(ask: Ask, texts: Iterator[str], at_once: int, seconds: float, groups: Groups) -> Times:
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
