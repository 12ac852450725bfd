"""Telegram's updates, and what the desk makes of them."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.message import Incoming
from connectors.telegram import read_update

ANN = {"id": 42, "is_bot": False, "first_name": "Ann", "last_name": "Ng", "language_code": "zh-hans"}
PRIVATE = {"id": 42, "type": "private", "first_name": "Ann"}
FILE = {"file_id": "F1", "file_unique_id": "u1", "file_size": 12}


def message(**content: Any) -> dict[str, Any]:
    return {"message_id": 7, "date": 1_700_000_000, "chat": PRIVATE, "from": ANN, **content}


def said(update: dict[str, Any]) -> Incoming | None:
    # Through JSON, as on the wire, so that no test passes what could never come.
    return read_update(json.loads(json.dumps({"update_id": 1, **update})), "700")


def incoming(**content: Any) -> Incoming:
    result = said({"message": message(**content)})
    assert result is not None
    return result
