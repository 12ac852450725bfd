"""What any page holds against a request before it acts, and what it says to the browser with every answer."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from bot.web.headers import SecurityHeaders, content_security_policy, page_headers
from bot.web.requests import is_same_origin


def asked(method: str = "POST", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "query_string": b"", "headers": raw})


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        # A browser that says where the request comes from is believed, whatever else it names.
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://behind-a-proxy.example"}, True),
        ({"sec_fetch_site": "same-site", "origin": "https://desk.example"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "https://desk.example"}, False),
        ({"sec_fetch_site": "", "origin": "https://desk.example"}, False),
        ({"sec_fetch_site": "nonsense"}, False),
        # The person sends a form again: always by navigating. The console took it from scripts too, the chat never.
        ({"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}, True),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "none", "sec_fetch_mode": "cors"}, False),
        ({"sec_fetch_site": "none", "sec_fetch_mode": "no-cors", "origin": "https://desk.example"}, False),
        # Over plain HTTP browsers name the origin alone.
        ({"origin": "https://desk.example"}, True),
        ({"origin": "http://desk.example"}, True),
        ({"origin": "https://desk.example:8443"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://desk.example.evil.example"}, False),
        ({"origin": "http://[::1"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        # No browser, and so nobody else's cookie.
        ({}, True),
    ],
)
def test_only_the_sites_own_pages_may_change_anything(headers: dict[str, str], passes: bool) -> None:
    assert is_same_origin(asked(host="desk.example", **headers)) is passes


@pytest.mark.parametrize("origin", ["null", "", "https://"])
def test_an_empty_host_makes_no_origin_its_own(origin: str) -> None:
    assert is_same_origin(asked(host="", origin=origin)) is (origin == "https://")
    assert not is_same_origin(asked(origin=origin))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_may_come_from_anywhere(method: str) -> None:
    assert is_same_origin(asked(method, host="desk.example", sec_fetch_site="cross-site"))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "LINK"])
def test_every_other_method_is_looked_at(method: str) -> None:
    assert not is_same_origin(asked(method, host="desk.example", sec_fetch_site="cross-site"))


def test_a_policy_allows_nothing_that_was_not_named() -> None:
    strict = dict(directive.split(" ", 1) for directive in content_security_policy().split("; "))
    assert strict["default-src"] == strict["form-action"] == strict["base-uri"] == strict["frame-ancestors"] == "'none'"
    assert set(strict.values()) == {"'none'", "'self'"}
    loose = dict(directive.split(" ", 1) for directive in content_security_policy(media_src="'self'").split("; "))
    assert loose == strict | {"media-src": "'self'"}


def test_every_answer_has_the_headers_and_may_have_its_own() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = {"Cache-Control": "private"} if scope["path"] == "/own" else {}
        await PlainTextResponse("no", 404, own)(scope, receive, send)

    client = TestClient(SecurityHeaders(app, page_headers(form_action="'self'")))
    answer = client.get("/")
    for name, value in page_headers(form_action="'self'").items():
        assert answer.headers[name] == value
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert client.get("/own").headers["cache-control"] == "private"
