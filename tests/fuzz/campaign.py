"""One way in, so many examples, one seed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import desks, discord, telegram, terminal, whole
from tests.fuzz.hostile import Examples, mutated, on_the_wire
from tests.fuzz.web import chat_requests, console_requests

BATCH = 20
"""Updates of one example, at most: they come behind each other from one customer."""


class Target(Protocol):
    counts: Counter[str]

    def running(self) -> AbstractAsyncContextManager[None]: ...

    async def bring(self, example: Any) -> None: ...


@dataclass(frozen=True)
class Way:
    """A way into the desk: where to, what, and how many updates an example has."""

    target: Callable[..., Target]
    examples: st.SearchStrategy[Any]
    size: Callable[[Any], int] = len


def _batch(one: st.SearchStrategy[Any], most: int = BATCH) -> st.SearchStrategy[Any]:
    return st.lists(one, min_size=most // 2, max_size=most)


_NAMES = tuple({name: None for name, _ in discord.EVENTS})
_DATA = {name: Examples(data for kind, data in discord.EVENTS if kind == name) for name in _NAMES}
_PAGES = st.lists(mutated(Examples(list(discord.MESSAGES[at : at + 4]) for at in range(0, 12, 2))), max_size=2)

TELEGRAM = on_the_wire(mutated(telegram.WELL_FORMED))
DISCORD = st.one_of(
    *(st.tuples(st.just(name), mutated(data)) for name, data in _DATA.items()),
    st.tuples(st.sampled_from(_NAMES), mutated(Examples(data for _, data in discord.EVENTS))),
)
WEB = chat_requests()
GREETING = on_the_wire(mutated(terminal.GREETINGS))
GREETED = st.one_of(st.just(b'{"hello": {"after": 0}}'), st.just(b'{"hello": {}}'), GREETING)
LINE = on_the_wire(mutated(terminal.LINES))

FAST: dict[str, Way] = {
    "telegram": Way(desks.Telegram, _batch(TELEGRAM)),
    "discord": Way(desks.Discord, st.tuples(_batch(DISCORD), _PAGES), lambda example: len(example[0])),
    "web": Way(desks.Web, _batch(WEB)),
    "terminal": Way(desks.Terminal, st.tuples(GREETED, _batch(LINE)), lambda example: 1 + len(example[1])),
}


WHOLE: dict[str, Way] = {
    "telegram": Way(whole.Telegram, _batch(mutated(telegram.WELL_FORMED))),
    "discord": Way(whole.Discord, st.tuples(_batch(DISCORD), st.none()), lambda example: len(example[0])),
    "web": Way(whole.Web, _batch(WEB)),
    "console": Way(whole.Console, _batch(console_requests())),
    "terminal": Way(whole.Terminal, st.tuples(GREETED, _batch(LINE)), lambda example: 1 + len(example[1])),
}


@dataclass
class Outcome:
    updates: int
    examples: int
    seconds: float
    counts: Counter[str]


@contextmanager
def whole_desk(url: str | None = None) -> Iterator[tuple[asyncio.Runner, whole.WholeDesk]]:
    """A desk that runs, with what runs it. ``url`` is an empty database; without one it has its own."""
    desk = whole.WholeDesk(url)
    with _running(desk) as runner:
        yield runner, desk
        runner.run(desk.settled())


@contextmanager
def _running(target: Target | whole.WholeDesk) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        running = target.running()
        runner.run(running.__aenter__())
        try:
            yield runner
        finally:
            runner.run(running.__aexit__(None, None, None))


def fuzz(way: Way, updates: int, number: int | None = None) -> Outcome:
    """Brings at least so many updates. Raises what hypothesis raises, with the smallest example that it found.
    Without a ``number`` they are always the same."""
    target = way.target()
    with _running(target) as runner:
        return bring(runner, target, way, updates, number)


def bring(runner: asyncio.Runner, target: Target, way: Way, updates: int, number: int | None = None) -> Outcome:
    """The same for a target that runs already."""
    brought, examples, began = 0, 0, time.monotonic()

    @settings(
        max_examples=-(-updates // (BATCH // 2)),
        deadline=None,
        database=None,
        derandomize=number is None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(way.examples)
    def every(example: Any) -> None:
        nonlocal brought, examples
        if brought >= updates:
            return
        runner.run(target.bring(example))
        brought += way.size(example)
        examples += 1

    (every if number is None else seed(number)(every))()
    assert brought >= updates, f"only {brought} of {updates} updates were brought"
    return Outcome(brought, examples, time.monotonic() - began, target.counts)
