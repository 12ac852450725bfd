"""The section ``channels.telegram`` of ``config.yml``."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

WEBHOOK_PATH = "/telegram/webhook"


class TelegramSettings(BaseModel):
    """The section ``channels.telegram`` of ``config.yml``. The token is not here: TELEGRAM_BOT_TOKEN."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    mode: Literal["polling", "webhook"] = "polling"
    base_url: str = "https://api.telegram.org/bot"
    """The Bot API server; the token is appended as it stands. ``/bot`` may be left out: ``http://127.0.0.1:8081``."""
    base_file_url: str | None = None
    """Where files are downloaded, with the same rules; unless set, ``base_url`` with ``/file`` before ``/bot``."""
    webhook_url: str | None = None
    """Public address of the webhook, needed in mode ``webhook``; without a path, ``/telegram/webhook`` is added."""
    poll_timeout: int = Field(default=30, ge=1, le=50)
    """Seconds that one fetch waits for news."""

    @field_validator("base_url")
    @classmethod
    def _complete_base_url(cls, value: str) -> str:
        return _completed(value, "/bot")

    @field_validator("base_file_url")
    @classmethod
    def _complete_file_url(cls, value: str | None) -> str | None:
        return None if value is None else _completed(value, "/file/bot")

    @field_validator("webhook_url")
    @classmethod
    def _complete_webhook_url(cls, value: str | None) -> str | None:
        return None if value is None else _completed(value, WEBHOOK_PATH)

    @model_validator(mode="after")
    def _need_webhook_url(self) -> TelegramSettings:
        if self.mode == "webhook" and self.webhook_url is None:
            raise ValueError("webhook_url is required when mode is webhook")
        return self

    @property
    def file_url(self) -> str:
        root, _, last = self.base_url.rpartition("/")
        return self.base_file_url or f"{root}/file/{last}"


def _completed(url: str, path: str) -> str:
    url = url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://example.com")
    return url if parts.path else url + path
