"""Scripts, style sheets and pictures of a page, at addresses that change with their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Media types by a file's ending; there are no others among assets."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {} for media_type in TYPES.values()}},
    404: {"description": "There is no such file."},
}


class Assets:
    """The files of one page, read once. ``files`` by the name under which the page serves them; a file that is missing
    is none of them.

    All addresses carry one version, a hash over all files: scripts import one another by relative addresses, and so
    find what was released with them.
    """

    def __init__(self, files: Mapping[str, Path], made: Mapping[str, bytes] | None = None) -> None:
        """``made`` are contents that stand in no file, by name."""
        found = {name: file.read_bytes() for name, file in files.items() if file.is_file()}
        self._files = dict(sorted({**found, **(made or {})}.items()))
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
        self.version = digest.hexdigest()[:12]

    @property
    def names(self) -> list[str]:
        """Of the files that there are, in order."""
        return list(self._files)

    def address(self, name: str) -> str:
        """Where the file is, relative to the page's root: ``static/<version>/<name>``."""
        return f"static/{self.version}/{name}"

    def router(self) -> APIRouter:
        """Answers with the files, below the page's root. Only what was given can be asked for."""
        router = APIRouter()

        @router.get("/static/{version}/{name:path}", response_class=Response, responses=_ANSWERS)
        async def asset(version: str, name: str) -> Response:
            content = self._files.get(name)
            if content is None:
                raise HTTPException(404)
            # While replicas are replaced, a page of one may ask another: what that has is not kept under this address.
            caching = "public, max-age=31536000, immutable" if version == self.version else "no-store"
            headers = {"Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
            return Response(content, headers=headers, media_type=TYPES[Path(name).suffix])

        return router
