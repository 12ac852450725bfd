"""The section ``channels.discord`` of ``config.yml``."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

API_BASE = "https://discord.com/api/v10"


class DiscordSettings(BaseModel):
    """The token is not here: DISCORD_BOT_TOKEN."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    api_base: str = API_BASE
    """The REST API, with its version."""
    gateway_url: str | None = None
    """The gateway's WebSocket; unless set, the address that the REST API names."""

    @field_validator("api_base")
    @classmethod
    def _check_api_base(cls, value: str) -> str:
        return _address(value, ("https", "http"), API_BASE)

    @field_validator("gateway_url")
    @classmethod
    def _check_gateway_url(cls, value: str | None) -> str | None:
        return None if value is None else _address(value, ("wss", "ws"), "wss://gateway.discord.gg")


def _address(url: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        is_address = False
    if not is_address:
        raise ValueError(f"must be an address such as {example}")
    return url.rstrip("/")
