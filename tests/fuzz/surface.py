"""Every HTTP route of the desk by its OpenAPI description: schemathesis against a whole desk that really listens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Mount

from tests.fuzz.hostile import of
from tests.fuzz.web import VISITOR
from tests.fuzz.whole import WholeDesk

STREAMS = ("/chat/events", "/console/events")
"""They have no end, which schemathesis would wait for. The other campaigns have the customers' one."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def description(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of an application, with those that are mounted in it."""
    whole = app.openapi()
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    for prefix, mounted in _mounted(app.routes):
        part = mounted.openapi()
        whole["paths"] |= {prefix + path: operations for path, operations in part["paths"].items()}
        schemas |= part.get("components", {}).get("schemas", {})
    return whole


def _mounted(routes: Any) -> Iterator[tuple[str, FastAPI]]:
    for route in routes:
        if isinstance(route, Mount):
            app: Any = route.app
            while not isinstance(app, FastAPI):
                app = app._app
            yield route.path, app
        elif router := getattr(route, "original_router", None):
            yield from _mounted(router.routes)


async def explore(desk: WholeDesk, examples: int, number: int | None = None) -> Counter[str]:
    """Asks every route so often in each of four ways: what its description allows and what it does not, as an agent and
    a visitor, and as nobody. Returns how often which status came."""
    await desk.converse()
    app = desk.desk.application(lambda: True, lambda: False)
    counts: Counter[str] = Counter()
    await asyncio.to_thread(_explore, desk, description(app), examples, number, counts, asyncio.get_running_loop())
    return counts


def _explore(
    desk: WholeDesk,
    described: dict[str, Any],
    examples: int,
    number: int | None,
    counts: Counter[str],
    loop: asyncio.AbstractEventLoop,
) -> None:
    address = f"http://127.0.0.1:{desk.address[1]}"
    schema = schemathesis.openapi.from_dict(described, config=SchemathesisConfig())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30, "the description misses routes"
    for operation in operations:
        if operation.path in STREAMS:
            continue
        both = [operation.as_strategy(generation_mode=mode) for mode in _modes(operation)]

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=number is None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(case=st.one_of(both), signed_in=st.booleans(), there_is=st.sampled_from((0, 1, 2, 3)))
        def every(case: Case, signed_in: bool, there_is: int) -> None:
            if there_is:
                # Of all numbers that are allowed, one that something has.
                for name in {"conversation_id", "message_id"} & set(case.path_parameters or ()):
                    case.path_parameters[name] = there_is
            # Starlette finds no mounted application behind a line break: a 404, and not of the console's.
            assume("%0A" not in case.formatted_path)
            cookies = {}
            if signed_in:
                person = next(desk.people)
                session = asyncio.run_coroutine_threadsafe(desk.signed_in(person), loop).result()
                cookies = {
                    "switchboard_session": session,
                    "switchboard_visitor": of(person, VISITOR.encode()).decode(),
                }
            response = case.call(base_url=address, cookies=cookies, timeout=30, allow_redirects=False)
            counts[str(response.status_code)] += 1
            case.validate_response(response, checks=CHECKS)

        (every if number is None else seed(number)(every))()


def _modes(operation: Any) -> list[GenerationMode]:
    """Of an operation that takes nothing there is nothing to get wrong."""
    takes = operation.body or any((operation.path_parameters, operation.query, operation.headers))
    return list(GenerationMode) if takes else [GenerationMode.POSITIVE]
