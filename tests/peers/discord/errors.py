"""What Discord answers instead of a result."""

from __future__ import annotations

from typing import Any, NoReturn

Json = dict[str, Any]


class Refusal(Exception):
    """A status, one of Discord's JSON error codes and its message."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors is not None:
            self.body["errors"] = errors


class FormErrors:
    """All that is wrong with a form: Discord tells everything at once, each error nested under its path."""

    def __init__(self) -> None:
        self._errors: Json = {}

    def add(self, path: str, code: str, message: str) -> None:
        """``path`` as ``components.0.components.1.custom_id``."""
        place = self._errors
        for name in path.split("."):
            place = place.setdefault(name, {})
        place.setdefault("_errors", []).append({"code": code, "message": message})

    def check(self) -> None:
        if self._errors:
            raise Refusal(400, 50035, "Invalid Form Body", self._errors)


def invalid(path: str, code: str, message: str) -> NoReturn:
    """Refuses a form for one reason."""
    errors = FormErrors()
    errors.add(path, code, message)
    errors.check()
    raise AssertionError("unreachable")


def snowflake(value: object, path: str) -> int:
    """An id as Discord takes it: decimal digits, as a string or as a number."""
    if type(value) is int and 0 <= value < 2**63:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) < 2**63:
        return int(value)
    invalid(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')


def unknown(what: str) -> Refusal:
    """A 404 as Discord words it."""
    codes = {
        "Channel": 10003,
        "Guild": 10004,
        "Message": 10008,
        "User": 10013,
        "Webhook": 10015,
        "interaction": 10062,
        "application command": 10063,
    }
    return Refusal(404, codes[what], f"Unknown {what}")
