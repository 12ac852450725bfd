"""What ``bot.runtime.http.protocol`` relies on in uvicorn and httptools: an upgrade that moves it shows here first."""

from __future__ import annotations

import inspect

import httptools
import pytest
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from bot.runtime.http.limits import Limits
from bot.runtime.http.protocol import LimitedProtocol

OVERRIDDEN = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "on_message_begin": ["self"],
    "on_url": ["self", "url"],
    "on_header": ["self", "name", "value"],
    "on_headers_complete": ["self"],
    "on_body": ["self", "body"],
    "on_message_complete": ["self"],
    "on_response_complete": ["self"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "_start_asgi_task": ["self", "cycle", "app"],
    "_unset_keepalive_if_required": ["self"],
}


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_is_overridden_or_called_is_there(name: str) -> None:
    assert list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == OVERRIDDEN[name]


def test_all_that_is_overridden_is_named_here() -> None:
    ours = {name for name in vars(LimitedProtocol) if name in vars(HttpToolsProtocol)} - {"__init__", "__module__"}
    assert ours - {"__doc__", "__firstlineno__", "__static_attributes__"} <= set(OVERRIDDEN)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        # Every request is started by one method, which may put it off.
        (HttpToolsProtocol.on_headers_complete, "self._start_asgi_task(self.cycle, app)"),
        (HttpToolsProtocol.on_headers_complete, "self.pipeline.appendleft((self.cycle, app))"),
        (HttpToolsProtocol.on_response_complete, "self._start_asgi_task(cycle, app)"),
        (HttpToolsProtocol.on_headers_complete, "on_response=self.on_response_complete"),
        # What a disconnected request is told by.
        (HttpToolsProtocol.connection_lost, "self.cycle.disconnected = True"),
        (HttpToolsProtocol.on_message_complete, "self.cycle.more_body = False"),
        (RequestResponseCycle.send, "if self.disconnected:\n            return"),
        (RequestResponseCycle.send, "self.response_started = True"),
        (RequestResponseCycle.receive, "await self.message_event.wait()"),
        (Server.startup, "if sockets is not None:"),
    ],
)
def test_it_works_as_when_it_was_read(method: object, words: str) -> None:
    assert words in inspect.getsource(method)  # type: ignore[arg-type]


def test_a_request_is_started_before_uvicorn_stops_reading_its_body() -> None:
    assert Limits(100).wait_for < HIGH_WATER_LIMIT
    assert httptools_impl.HIGH_WATER_LIMIT == HIGH_WATER_LIMIT


def test_an_exception_in_a_callback_stops_the_parser_and_can_be_had() -> None:
    class Refused(Exception):
        pass

    class Callbacks:
        def on_header(self, name: bytes, value: bytes) -> None:
            raise Refused

    with pytest.raises(httptools.HttpParserError) as error:
        httptools.HttpRequestParser(Callbacks()).feed_data(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n")
    assert isinstance(error.value.__context__, Refused)
