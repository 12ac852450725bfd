"""The HTTP application without a server."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter
from starlette.responses import Response

from bot.runtime import http


@pytest.mark.parametrize(("path", "kept"), [("/healthz", "nosniff"), ("/nowhere", "nosniff"), ("/own", "own")])
async def test_every_response_forbids_guessing_unless_it_says_so_itself(path: str, kept: str) -> None:
    router = APIRouter()

    @router.get("/own")
    async def own() -> Response:
        return Response(headers={"X-Content-Type-Options": "own"})

    app = http.application([router], {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        assert (await client.get(path)).headers.get_list("x-content-type-options") == [kept]
