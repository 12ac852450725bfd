"""How passwords are kept. The module is loaded anew: the tests' own is in a hurry."""

from __future__ import annotations

import asyncio
import sys
import threading
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def passwords() -> ModuleType:
    spec = find_spec("handoff.passwords")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    assert module is not sys.modules.get("handoff.passwords")
    spec.loader.exec_module(module)
    return module


async def test_a_hash_costs_whoever_guesses_time_and_memory(passwords: ModuleType) -> None:
    kept = await passwords.hash_password("correct horse")
    # RFC 9106, second recommended option: 64 MiB, three passes, four lanes.
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.verify_password(kept, "correct horse")
    assert not await passwords.verify_password(kept, "correct horses")
    assert not await passwords.verify_password("no hash", "correct horse")


@pytest.mark.parametrize("length", [9, 1001])
async def test_too_short_and_absurdly_long(passwords: ModuleType, length: int) -> None:
    with pytest.raises(ValueError, match=r"at (least|most)"):
        await passwords.hash_password("x" * length)


class Slow:
    """Work that goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.end = threading.Event()

    def __call__(self, number: int) -> int:
        self.begun.append(number)
        assert self.end.wait(5)
        if number < 0:
            raise ValueError
        return number


async def outcomes(tasks: list[asyncio.Task[int]]) -> list[object]:
    return [
        type(one) if isinstance(one, Exception) else one for one in await asyncio.gather(*tasks, return_exceptions=True)
    ]


async def test_of_many_at_once_the_last_to_come_go_first_and_those_in_front_are_told_to_come_again(
    passwords: ModuleType,
) -> None:
    line, slow = passwords.Line(), Slow()
    tasks = []
    for number in range(100):
        tasks.append(asyncio.create_task(line.run(slow, number)))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert slow.begun == [0, 1]
    assert sum(task.done() for task in tasks) == 90
    slow.end.set()
    assert await outcomes(tasks) == [0, 1, *[passwords.Busy] * 90, *range(92, 100)]
    assert slow.begun[2:] == [99, 98, 97, 96, 95, 94, 93, 92] or sorted(slow.begun[2:]) == list(range(92, 100))
    assert slow.begun[2] in (98, 99)
    assert line._working == 0


async def test_a_place_in_line_is_never_lost(passwords: ModuleType) -> None:
    line, slow = passwords.Line(), Slow()
    tasks = [asyncio.create_task(line.run(slow, number)) for number in (-1, 1, 2, -3, 4, 5)]
    await asyncio.sleep(0.05)
    for task in (tasks[1], tasks[4]):  # one that works, and one that waits
        task.cancel()
    await asyncio.sleep(0)
    slow.end.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done] == [
        ValueError,
        asyncio.CancelledError,
        int,
        ValueError,
        asyncio.CancelledError,
        int,
    ]
    async with asyncio.timeout(5):
        while line._working:
            await asyncio.sleep(0.01)
    assert await line.run(slow, 7) == 7
