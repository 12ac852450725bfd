"""``config.yml`` and the environment → typed settings.

What is wrong is named with its line and with what is allowed. Secrets come from the environment only:
a key that looks like one is refused in the file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the home of the default ``config.yml``, ``data`` and ``var``."""

_SECRETS = ("token", "secret", "password", "api_key", "key")


class SettingsError(Exception):
    """The configuration cannot be used; the message names the key, its line and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Brand(_Section):
    """Who the desk speaks for. What is left out is not mentioned to customers."""

    name: Annotated[str, Field(min_length=1)] = "Switchboard"
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    help_centre: str | None = None


class Promises(_Section):
    """What customers are told to expect."""

    response_hours: Annotated[int, Field(gt=0)] = 48
    """Hours within which a ticket or feedback is answered, on working days."""
    hours: str | None = None
    """When people answer, in words: ``Mon–Fri 9:00–18:00 (UTC+8)``."""


class Locales(_Section):
    """The languages of the desk. A customer who writes another one gets the default."""

    default: str = "en"
    available: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Without it, every language that has a file in ``data/phrases``."""


class Engine(_Section):
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds for one classification; after that the customer goes to a human."""


class DeskRules(_Section):
    """How conversations move between customers and agents."""

    reopen_hours: Annotated[float, Field(ge=0)] = 72.0
    """So long after it was resolved, a conversation goes on when its customer writes again."""
    agent_gone_minutes: Annotated[float, Field(gt=0)] = 15.0
    """An agent who did nothing at the desk for so long is gone: who waits for them as long goes back to the queue."""


class Server(_Section):
    connections: Annotated[int, Field(ge=64, le=60_000)] = 10_000
    """HTTP connections at once, if the system gives handles for so many."""


class Logs(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(_Section):
    """``config.yml``. Its ``channels`` are added by the connectors, each with its own section."""

    brand: Brand = Brand()
    locales: Locales = Locales()
    promises: Promises = Promises()
    engine: Engine = Engine()
    desk: DeskRules = DeskRules()
    server: Server = Server()
    logs: Logs = Logs()
    data: Path = Path("data")
    """The content folder, relative to the file."""
    suggestions: tuple[str, ...] = ("transfer_delay", "password_reset", "fee_explained", "talk_to_human")
    """Topics that a chat page offers before the first word."""
    channels: Any = None


class Environment(BaseSettings):
    """What differs from machine to machine, and secrets."""

    model_config = SettingsConfigDict(extra="ignore")

    switchboard_config: Path = ROOT / "config.yml"
    switchboard_var: Path = ROOT / "var"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    database_url: str | None = None
    rasa_url: str | None = None
    rasa_token: str = ""


class Settings(BaseModel):
    """Everything a desk is made from."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    config: Config
    environment: Environment
    secrets: Mapping[str, str]
    """The connectors' tokens by name of their variable; a variable that is not set is missing."""

    @property
    def data(self) -> Path:
        """The content folder."""
        return (self.environment.switchboard_config.resolve().parent / self.config.data).resolve()

    @property
    def var(self) -> Path:
        return self.environment.switchboard_var.resolve()

    def channel(self, name: str) -> Any:
        """The settings of one channel, as its connector typed them."""
        return getattr(self.config.channels, name)

    @property
    def facts(self) -> dict[str, str | None]:
        """What fills the placeholders of answers."""
        brand, promises = self.config.brand, self.config.promises
        return {
            "brand": brand.name,
            "email": brand.email,
            "phone": brand.phone,
            "website": brand.website,
            "help_centre": brand.help_centre,
            "hours": promises.hours,
            "response_hours": str(promises.response_hours),
        }


def load(
    channels: Mapping[str, type[BaseModel]], secret_variables: Mapping[str, str], config: Path | None = None
) -> Settings:
    """Reads the environment and the configuration file.

    ``channels`` are the schemas of ``channels.<name>``, ``secret_variables`` the environment variables with
    their tokens. ``config`` (from ``--config``) goes before ``SWITCHBOARD_CONFIG``. Without a file at the
    default place every default holds; a file that was named must exist.
    """
    try:
        environment = Environment()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise SettingsError(f"environment variable {name}: {first['msg']}") from error
    named = config is not None or "SWITCHBOARD_CONFIG" in os.environ
    if config is not None:
        environment = environment.model_copy(update={"switchboard_config": config})
    path = environment.switchboard_config
    if not path.is_file() and named:
        raise SettingsError(f"there is no configuration file {path}")
    schema = _with_channels(channels)
    parsed = _parse(path, schema, secret_variables) if path.is_file() else schema()
    if parsed.locales.available and parsed.locales.default not in parsed.locales.available:
        raise SettingsError(f"{path}: locales.default: {parsed.locales.default} is not one of locales.available")
    secrets = {name: value for name in secret_variables.values() if (value := os.environ.get(name, "").strip())}
    return Settings(config=parsed, environment=environment, secrets=secrets)


def _with_channels(channels: Mapping[str, type[BaseModel]]) -> type[Config]:
    fields: dict[str, Any] = {name: (schema, Field(default_factory=schema)) for name, schema in channels.items()}
    sections = create_model("Channels", __base__=_Section, **fields)
    return create_model("Config", __base__=Config, channels=(sections, Field(default_factory=sections)))


def _parse(path: Path, schema: type[Config], secret_variables: Mapping[str, str]) -> Config:
    try:
        content = path.read_text(encoding="utf-8")
        loaded = yaml.safe_load(content)
        lines = _lines(yaml.compose(content))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from error
    if loaded is None:
        return schema()
    if not isinstance(loaded, dict):
        raise SettingsError(f"{path}: must be a map of sections")
    try:
        return schema.model_validate(loaded)
    except ValidationError as error:
        problems = [_explain(path, problem, lines, schema, secret_variables) for problem in error.errors()]
        raise SettingsError("\n".join(problems)) from error


def _lines(node: yaml.Node | None, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """The line of every key, by its path."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            found[here] = key.start_mark.line + 1
            found |= _lines(value, here)
    return found


def _explain(
    path: Path,
    problem: Any,
    lines: Mapping[tuple[str, ...], int],
    schema: type[BaseModel],
    secret_variables: Mapping[str, str],
) -> str:
    where = tuple(str(part) for part in problem["loc"])
    line = next((lines[where[:size]] for size in range(len(where), 0, -1) if where[:size] in lines), 1)
    prefix = f"{path}, line {line}: {'.'.join(where)}: "
    if problem["type"] != "extra_forbidden":
        return f"{prefix}{problem['msg']}, not {str(problem['input'])[:80]!r}"
    if where[-1] in _SECRETS:
        variable = secret_variables.get(where[1]) if len(where) > 2 else None
        hint = f" ({variable})" if variable else ""
        return f"{prefix}secrets come from the environment{hint}, never from this file"
    allowed = sorted(_fields(schema, where[:-1]))
    close = difflib.get_close_matches(where[-1], allowed, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{prefix}unknown key{meant} Allowed here: {', '.join(allowed)}"


def _fields(schema: type[BaseModel], where: tuple[str, ...]) -> list[str]:
    for part in where:
        annotation: Any = schema.model_fields[part].annotation
        schema = annotation
    return list(schema.model_fields)
