"""Who gets a place for an event stream."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from bot.runtime.http import Limits, Streams
from bot.runtime.http.streams import Audience

STREAM, REFUSAL = PlainTextResponse("a stream"), PlainTextResponse("full", 503)


@pytest.fixture
def streams() -> Streams:
    """10 for strangers, 50 for customers, 25 for agents."""
    return Streams(Limits(100))


def open_(streams: Streams, stack: ExitStack, audience: Audience, key: str) -> bool:
    return stack.enter_context(streams._place(audience, key))


def test_every_audience_has_its_own_places(streams: Streams) -> None:
    with ExitStack() as stack:
        taken = [open_(streams, stack, Audience.STRANGER, f"visitor {number}") for number in range(100)]
        assert taken == [True] * 10 + [False] * 90
        taken = [open_(streams, stack, Audience.CUSTOMER, f"visitor c{number}") for number in range(100)]
        assert taken == [True] * 50 + [False] * 50
        taken = [open_(streams, stack, Audience.AGENT, f"agent {number}") for number in range(100)]
        assert taken == [True] * 25 + [False] * 75
    assert not streams._of
    assert not +streams.open


def test_one_visitor_or_session_cannot_take_them_all(streams: Streams) -> None:
    with ExitStack() as stack:
        assert sum(open_(streams, stack, Audience.CUSTOMER, "visitor one") for _ in range(50)) == 8
        assert sum(open_(streams, stack, Audience.AGENT, "agent one") for _ in range(50)) == 24
        assert open_(streams, stack, Audience.CUSTOMER, "visitor another")


def test_who_writes_leaves_the_place_to_other_strangers(streams: Streams) -> None:
    with ExitStack() as stack:
        for number in range(10):
            assert open_(streams, stack, Audience.STRANGER, f"visitor {number}")
        with ExitStack() as later:
            assert not open_(streams, later, Audience.STRANGER, "visitor late")
        streams.wrote("3")
        streams.wrote("nobody")
        assert open_(streams, stack, Audience.STRANGER, "visitor late")
        assert streams.open[Audience.CUSTOMER] == 1
    assert not +streams.open


def test_a_place_is_given_back_when_the_stream_ends_however_it_ends(streams: Streams) -> None:
    class Fails(Response):
        async def __call__(self, *_: object) -> None:
            raise ConnectionError

    for _ in range(30):
        with pytest.raises(ConnectionError):
            TestClient(streams.to_visitor("one", known=False, stream=Fails(), refusal=REFUSAL)).get("/")
    for _ in range(30):  # made, and never sent
        streams.to_visitor("one", known=False, stream=STREAM, refusal=REFUSAL)
    assert (
        TestClient(streams.to_visitor("one", known=False, stream=STREAM, refusal=REFUSAL)).get("/").text == "a stream"
    )
    with ExitStack() as stack:
        for _ in range(8):
            open_(streams, stack, Audience.STRANGER, "visitor one")
        full = streams.to_visitor("one", known=True, stream=STREAM, refusal=REFUSAL)
        assert TestClient(full).get("/").status_code == 503
    agent = streams.to_agent("one", stream=STREAM, refusal=REFUSAL)
    assert TestClient(agent).get("/").status_code == 200
