"""An application of ours on a server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bot.runtime import http
from tests.support.ports import HOST


@asynccontextmanager
async def served(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """Its address while entered, as ``http://127.0.0.1:40001``; the system chooses the port unless one is given."""
    with http.bind(HOST, port) as listening:
        serving = asyncio.create_task(http.serve(app, listening))
        try:
            yield f"http://{HOST}:{listening.getsockname()[1]}"
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
