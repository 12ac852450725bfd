"""The section ``channels.api`` of ``config.yml``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

CHANNEL = "api"

AppName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class AppSettings(BaseModel):
    """One app. Its secret is not here: see ``variable``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_url: str | None = None
    """Where the app takes what the desk sends. An app without it has no customers of its own: it gives notices."""
    may_write_to: tuple[str, ...] = ()
    """Channels to whose customers the app may give notices besides its own; ``api``: to those of other apps."""
    rate: int = Field(default=50, ge=1, le=10_000)
    """Calls that it may make in a second."""

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is none
            is_address = False
        if not is_address or parts.username is not None or parts.fragment:
            raise ValueError("must be an address such as https://bridge.example.com/switchboard")
        return value


class ApiSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    max_length: int = Field(default=4_000, ge=100, le=20_000)
    """Characters of one message to an app; longer ones come in parts."""
    apps: dict[AppName, AppSettings] = {}
    """By name: small letters, digits and ``-``."""


def variable(app: str) -> str:
    """The environment variable with the app's secret."""
    return f"API_CHANNEL_SECRET_{_upper(app)}"


def old_variable(app: str) -> str:
    """That of the secret before, which is taken as well while the app changes to the new one."""
    return f"API_CHANNEL_OLD_SECRET_{_upper(app)}"


def variables(settings: ApiSettings) -> Iterator[str]:
    for app in settings.apps:
        yield variable(app)
        yield old_variable(app)


def _upper(app: str) -> str:
    return app.upper().replace("-", "_")
