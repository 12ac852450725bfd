"""What visitors of the web chat say, and how its events are read."""

from __future__ import annotations

from typing import Any
from uuid import uuid4


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "text": text, **more}


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08 and so on"
