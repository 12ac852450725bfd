"""The campaign's own parts: points that exist, a schedule that repeats, orders that are carried out once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.crash.desk import Order, Saboteur
from benchmarks.crash.points import POINTS, places
from benchmarks.crash.schedule import DESK, FREEZE, KILL, POSTGRESQL, RASA, schedule


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_named_point_is_a_coroutine_function_of_the_desk(point) -> None:
    owner, name = point.owner()
    assert hasattr(owner, name)


def test_a_seed_says_which_fault_strikes_where_and_when() -> None:
    assert schedule(7, kills=50, duration=300, replicas=3) == schedule(7, kills=50, duration=300, replicas=3)
    assert schedule(7, kills=50, duration=300, replicas=3) != schedule(8, kills=50, duration=300, replicas=3)


def test_the_full_campaign_kills_everything_and_everywhere() -> None:
    faults = schedule(1, kills=200, duration=1250, replicas=3)
    kills = [fault for fault in faults if fault.deed == KILL]
    assert len(kills) == 200
    assert all(earlier.at <= later.at for earlier, later in pairwise(faults))
    assert all(0 < fault.at < 1250 for fault in faults)
    struck = Counter(fault.place for fault in kills if fault.point)
    assert set(struck) == {f"{side} {point}" for side, point in places()}
    assert min(struck.values()) >= 2
    victims = Counter((fault.deed, fault.victim) for fault in faults)
    for deed, victim in ((KILL, RASA), (KILL, POSTGRESQL), (FREEZE, DESK), (FREEZE, RASA), (FREEZE, POSTGRESQL)):
        assert victims[deed, victim] >= 10, (deed, victim)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    return sent


def test_an_order_is_carried_out_once_by_whoever_passes_often_enough(tmp_path: Path, signals: list[int]) -> None:
    one, other = Saboteur(tmp_path), Saboteur(tmp_path)
    Order("after", "receive", 2, "kill").give(tmp_path, "0001")
    one.pass_by("before", "receive")
    one.pass_by("after", "receive")
    other.pass_by("after", "receive")
    assert signals == []
    assert Order.taken_by(tmp_path, "0001") is None
    one.pass_by("after", "receive")
    assert signals == [signal.SIGKILL]
    assert Order.taken_by(tmp_path, "0001") == os.getpid()
    assert not Order.withdraw(tmp_path, "0001")
    other.pass_by("after", "receive")
    one.pass_by("after", "receive")
    assert signals == [signal.SIGKILL]


def test_an_order_that_was_withdrawn_is_not_carried_out(tmp_path: Path, signals: list[int]) -> None:
    desk = Saboteur(tmp_path)
    Order("before", "receive", 1, "stop").give(tmp_path, "0001")
    assert Order.withdraw(tmp_path, "0001")
    desk.pass_by("before", "receive")
    assert signals == []
