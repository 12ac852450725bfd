"""What a bot may say in a call, and how the Bot API refuses the rest."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

Json = dict[str, Any]


class Refusal(Exception):
    """What the Bot API answers instead of a result."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass(frozen=True)
class Parameters:
    """Parameters of a call, however they were brought: in the query, as a form, as multipart or as JSON."""

    values: Json

    @classmethod
    async def of(cls, request: web.Request) -> Parameters:
        values: Json = dict(request.query)
        if request.content_type == "application/json":
            try:
                body = json.loads(await request.read() or b"{}")
            except ValueError:
                raise Refusal(400, "Bad Request: can't parse JSON object") from None
            if not isinstance(body, dict):
                raise Refusal(400, "Bad Request: JSON object expected")
            values.update(body)
        else:
            try:
                values.update(await request.post())
            except UnicodeDecodeError:
                raise Refusal(400, "Bad Request: strings must be encoded in UTF-8") from None
        return cls(values)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        text = "" if value is None else str(value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal(400, "Bad Request: strings must be encoded in UTF-8")
        return text

    def integer(self, name: str, default: int) -> int:
        text = self.text(name)
        return int(text) if re.fullmatch(r"-?\d{1,19}", text) else default

    def boolean(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "yes", "1")

    def upload(self, name: str) -> tuple[bytes, str]:
        """The content and the name of an uploaded file."""
        value = self.values.get(name)
        if not isinstance(value, FileField):
            raise Refusal(400, f"Bad Request: there is no {name} in the request")
        content = value.file.read()
        if not content:
            raise Refusal(400, "Bad Request: file must be non-empty")
        return content, value.filename

    def json(self, name: str, called: str) -> Any:
        """A parameter that is JSON by itself: text in a form, part of the object in a JSON body."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refusal(400, f"Bad Request: can't parse {called} JSON object") from None


def entities_of(given: Any, text: str) -> list[Json]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(entity, dict) for entity in given):
        raise Refusal(400, "Bad Request: can't parse entities: expected an Array of Objects")
    encoded = text.encode("utf-16-le")
    for entity in given:
        kind, start, length = entity.get("type"), entity.get("offset"), entity.get("length")
        if not isinstance(kind, str) or type(start) is not int or type(length) is not int or start < 0 or length <= 0:
            raise Refusal(400, "Bad Request: can't parse entities: wrong MessageEntity")
        if kind == "text_link" and not isinstance(entity.get("url"), str):
            raise Refusal(400, "Bad Request: can't parse entities: text_link without url")
        end = start + length
        if end * 2 > len(encoded):
            raise Refusal(
                400,
                f"Bad Request: entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16"
                f" offset {end}",
            )
        if _splits_symbol(encoded, start) or _splits_symbol(encoded, end):
            raise Refusal(400, f"Bad Request: entity begins in a middle of a UTF-16 symbol at UTF-16 offset {start}")
    return given


def _splits_symbol(encoded: bytes, units: int) -> bool:
    at = encoded[units * 2 : units * 2 + 2]
    return len(at) == 2 and 0xDC00 <= int.from_bytes(at, "little") <= 0xDFFF


def dimensions(picture: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG; None for anything else, and for broken ones."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n") and picture[12:16] == b"IHDR" and len(picture) >= 24:
        return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
    if not picture.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(picture) and picture[at] == 0xFF:
        if 0xC0 <= picture[at + 1] <= 0xC3:  # a start of frame
            return int.from_bytes(picture[at + 7 : at + 9]), int.from_bytes(picture[at + 5 : at + 7])
        at += 2 + int.from_bytes(picture[at + 2 : at + 4])
    return None


def keyboard_of(given: Any) -> Json | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise Refusal(400, "Bad Request: object expected as reply markup")
    rows = given.get("inline_keyboard")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refusal(400, "Bad Request: field inline_keyboard must be an Array of Arrays")
    for button in (button for row in rows for button in row):
        if not isinstance(button, dict) or not isinstance(button.get("text"), str):
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: field text must be a String")
        if not button["text"].strip():
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: button text must be non-empty")
        data = button.get("callback_data")
        if data is None and "url" not in button:
            raise Refusal(400, "Bad Request: text buttons are unallowed in the inline keyboard")
        if data is not None and not (isinstance(data, str) and 1 <= len(data.encode()) <= 64):
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return given


def units(text: str) -> int:
    """Telegram's measure of text: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def captioned(caption: str | None) -> Json:
    return {} if caption is None else {"caption": caption}
