"""What the console's pages load: styles, scripts and pictures of the components and of each page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from bot.web import STREAM

log = structlog.get_logger(__name__)

COMPONENTS = Path(__file__).parent / "components"
_VENDOR = ("htmx.org/dist/htmx.min.js", "idiomorph/dist/idiomorph.min.js")
_FOR_EVER = "public, max-age=31536000, immutable"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in ("text/css", "text/javascript", "image/svg+xml")}}
}


class Assets:
    """The files below ``/static/<version>/``, by ``<part>/<name>``: ``components/console.js``, ``agents/agents.css``.

    ``folders`` are the parts that have some, by name; ``vendor`` is the ``node_modules`` folder. Scripts name one
    another by relative addresses, so all files have one version: what changes in one gives all another address.
    """

    def __init__(self, folders: Mapping[str, Path], vendor: Path) -> None:
        self.files = {
            f"{part}/{file.name}": file
            for part, folder in {"components": COMPONENTS, **folders}.items()
            if (folder / "static").is_dir()
            for file in sorted((folder / "static").iterdir())
            if file.is_file()
        }
        self.files |= {f"components/{file.name}": file for file in STREAM}
        self.files |= {f"vendor/{Path(name).name}": vendor / name for name in _VENDOR}
        for path, file in self.files.items():
            if not file.is_file():
                log.warning("a file of the console is missing; run npm ci", action="asset_missing", path=path)
        self.version = self._version()

    def _version(self) -> str:
        digest = hashlib.sha256()
        for path, file in sorted(self.files.items()):
            if file.is_file():
                digest.update(path.encode() + hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:12]

    def address(self, path: str) -> str:
        """Below the console: ``static/<version>/components/console.css``."""
        return f"static/{self.version}/{path}"

    def of(self, part: str, ending: str) -> list[str]:
        """The addresses of a part's files that end so, in the order of their names."""
        return [
            self.address(path)
            for path in sorted(self.files)
            if path.startswith(f"{part}/") and path.endswith(ending) and path.rpartition("/")[2] not in _ON_DEMAND
        ]

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/static/{version}/{part}/{name}", response_class=Response, responses=_ANSWERS)
        async def asset(version: str, part: str, name: str) -> Response:
            file = self.files.get(f"{part}/{name}")
            if file is None or not file.is_file():
                raise HTTPException(404)
            # While replicas are replaced, a page of one may ask another: what that has is not kept by this address.
            return FileResponse(file, headers={"Cache-Control": _FOR_EVER if version == self.version else "no-store"})

        return router


_ON_DEMAND = frozenset(file.name for file in STREAM)
"""Loaded by other scripts: one of them runs in a worker."""
