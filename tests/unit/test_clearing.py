"""The search of long messages beside what else the desk does."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from bot import guard
from bot.domain.message import ClearedIncoming, Incoming, Message, Sender
from bot.domain.secret import Cleaning
from bot.pipeline.clearing import LONG, Clearing


class LongOnes:
    async def before(self, incoming: ClearedIncoming) -> guard.Before:
        return guard.Before(((1, "all is well. " * LONG),))

    async def before_message(self, of: Message) -> guard.Before:
        raise AssertionError("it is no turn")

    async def clean(self, cleanings: Sequence[Cleaning]) -> None:
        raise AssertionError("there is nothing")


async def test_a_short_message_behind_long_ones_is_searched_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    search = guard.incoming

    def watched(*values: object) -> ClearedIncoming:
        threads.append(threading.current_thread())
        return search(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(guard, "incoming", watched)
    await Clearing(LongOnes())(Incoming("test", "bot", "1", Sender("7", "Ann"), "7", "my password is"))
    here = threading.current_thread()
    assert [one is here for one in threads] == [True, False], "alone at once, then with those before"
