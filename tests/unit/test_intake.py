"""Events that cannot be recorded, and the way on behind them."""

from __future__ import annotations

import psycopg
import pytest

from bot.domain.message import ClearedIncoming, Command, Incoming, Receipt, Sender
from bot.pipeline.intake import MAX_TRIES, REMEMBERED, STAND_IN, Intake


class Records:
    """A store that fails on some words."""

    def __init__(self, failing: str, error: Exception) -> None:
        self.failing = failing
        self.error = error
        self.recorded: list[Incoming] = []

    async def __call__(self, incoming: Incoming) -> Receipt:
        if incoming.text == self.failing:
            # Without where it was raised before, which would grow by every time.
            raise self.error.with_traceback(None)
        self.recorded.append(incoming)
        return Receipt(len(self.recorded), 1)


def said(text: str, id: str = "1") -> Incoming:
    return Incoming("telegram", "bot", id, Sender("7", name="Ann"), "7", text=text, thread="<mail>", mark="9")


async def test_a_person_is_told_of_what_always_fails() -> None:
    records = Records("poison", KeyError("poison"))
    intake = Intake(records)
    for _ in range(MAX_TRIES):
        with pytest.raises(KeyError):
            await intake.record(said("poison"))
    assert records.recorded == []
    assert (await intake.record(said("poison"))).message_id == 1
    stand_in = records.recorded[0]
    assert (stand_in.text, stand_in.command, stand_in.external_id) == (STAND_IN, Command.HUMAN, "1")
    assert (stand_in.sender, stand_in.chat_id, stand_in.mark) == (Sender("7"), "7", "9")
    assert stand_in.thread == "<mail>"


async def test_a_database_in_trouble_is_no_fault_of_the_event() -> None:
    intake = Intake(records := Records("hello", psycopg.OperationalError("the disk is full")))
    for _ in range(3 * MAX_TRIES):
        with pytest.raises(psycopg.OperationalError):
            await intake.record(said("hello"))
    records.failing = ""
    await intake.record(said("hello"))
    assert records.recorded[0].text == "hello"


async def test_failures_are_counted_by_event_and_not_for_ever() -> None:
    intake = Intake(Records("poison", KeyError()))
    for number in range(REMEMBERED + 10):
        with pytest.raises(KeyError):
            await intake.record(said("poison", str(number)))
    assert len(intake._failures) == REMEMBERED
    assert set(intake._failures.values()) == {1}


async def test_what_cannot_be_searched_for_secrets_is_not_recorded_and_a_person_is_told() -> None:
    async def fails(_: Incoming) -> ClearedIncoming:
        raise error

    records = Records("", KeyError())
    prefetched: list[str] = []
    intake = Intake(records, lambda incoming: prefetched.append(incoming.text), clear=fails)
    error: Exception = KeyError("a bug of the search")
    assert (await intake.receive(said("my phrase is …"))).message_id == 1
    assert [one.text for one in records.recorded] == prefetched == [STAND_IN]
    # What must be read for the search is the database's trouble: the platform brings the event again.
    error = psycopg.OperationalError("away")
    with pytest.raises(psycopg.OperationalError):
        await intake.receive(said("my phrase is …"))
    assert len(records.recorded) == 1
