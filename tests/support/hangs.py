"""A test that hangs: what waited for what, and that the tests behind it run all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

TIMED_OUT = "from pytest-timeout"


class Hangs:
    """A plugin. pytest-timeout ends a test that takes too long by an error in the main thread, which stands in the
    event loop then: its trace names no coroutine. So what every task waits for is told as well, and the test's own
    task is cancelled, lest it keep locks that the next test waits for."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """``loop`` is the one in which all tests run."""
        self._loop = loop
        loop.set_exception_handler(_not_swallowed)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self._loop is not None and call.excinfo is not None and _is_of_a_hang(call.excinfo.value):
            tasks = asyncio.all_tasks(self._loop)
            report.sections.append(("Tasks of asyncio", "\n".join(map(_stack, tasks))))
            for task in tasks:
                if getattr(task.get_coro(), "__name__", "") == getattr(item, "originalname", None):
                    task.cancel()
        return report


def _is_of_a_hang(error: BaseException | None) -> bool:
    return isinstance(error, (pytest.fail.Exception, RuntimeError)) and (
        TIMED_OUT in str(error) or "stopped before Future" in str(error)
    )


def _not_swallowed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The error may come up between two steps of tasks, where the loop only logs it and would go on for ever."""
    loop.default_exception_handler(context)
    if _is_of_a_hang(context.get("exception")):
        loop.stop()


def _stack(task: asyncio.Task[Any]) -> str:
    """Where it waits: asyncio's own ``print_stack`` shows the outermost coroutine only."""
    lines = [f"{task.get_name()}: {task.get_coro()!r}"]
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = _first(waiting, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None:
            lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        waiting = _first(waiting, "cr_await", "gi_yieldfrom", "ag_await")
    return "\n".join(lines)


def _first(thing: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(thing, name, None)) is not None), None)
