"""A desk that dies when told to: ``python -m benchmarks.crash.desk run`` is ``switchboard run``, its points wrapped.

Orders are files in the folder that ``CRASH_ORDERS`` names, one JSON object each (``Order``), shared by all replicas.
Who passes a point for the n-th time since an order was given takes the order by removing its file, says so in a file
beside it, and kills or freezes itself there and then. The product knows nothing of all this.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.crash.points import AFTER, BEFORE, POINTS

VARIABLE = "CRASH_ORDERS"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(frozen=True, slots=True)
class Order:
    """``how`` is ``kill`` or ``stop``: for the process that passes here for the ``passage``-th time."""

    side: str
    point: str
    passage: int
    how: str

    def give(self, folder: Path, name: str) -> None:
        """Puts the order where every replica finds it, whole."""
        unfinished = folder / f".{name}"
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.rename(folder / f"{name}.json")

    @staticmethod
    def taken_by(folder: Path, name: str) -> int | None:
        """The process that carried the order out; None while nobody has."""
        try:
            return int((folder / f"{name}.taken").read_text() or 0) or None
        except FileNotFoundError:
            return None

    @staticmethod
    def withdraw(folder: Path, name: str) -> bool:
        """Whether nobody had taken it."""
        try:
            (folder / f"{name}.json").unlink()
        except FileNotFoundError:
            return False
        return True


class Saboteur:
    """What a process knows of its orders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = 0
        self._orders: dict[str, Order] = {}
        self._passages: Counter[str] = Counter()

    def pass_by(self, side: str, point: str) -> None:
        self._look()
        for name, order in list(self._orders.items()):
            if (order.side, order.point) != (side, point):
                continue
            self._passages[name] += 1
            if self._passages[name] >= order.passage:
                self._carry_out(name, order)

    def _look(self) -> None:
        changed = self._folder.stat().st_mtime_ns
        if changed == self._seen:
            return
        self._seen = changed
        self._orders = {}
        for path in self._folder.glob("[!.]*.json"):
            try:
                self._orders[path.stem] = Order(**json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue

    def _carry_out(self, name: str, order: Order) -> None:
        del self._orders[name]
        try:
            (self._folder / f"{name}.json").unlink()
        except FileNotFoundError:
            return  # another replica was faster
        (self._folder / f"{name}.taken").write_text(str(os.getpid()))
        os.kill(os.getpid(), _SIGNALS[order.how])


def wrap(saboteur: Saboteur) -> None:
    for point in POINTS:
        owner, name = point.owner()
        setattr(owner, name, _wrapped(vars(owner)[name], point.name, saboteur))


def _wrapped(call: Callable[..., Awaitable[Any]], point: str, saboteur: Saboteur) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def passing(*arguments: Any, **named: Any) -> Any:
        saboteur.pass_by(BEFORE, point)
        result = await call(*arguments, **named)
        saboteur.pass_by(AFTER, point)
        return result

    return passing


def main() -> None:
    from switchboard.cli import main as switchboard

    wrap(Saboteur(Path(os.environ[VARIABLE])))
    switchboard()


if __name__ == "__main__":
    main()
