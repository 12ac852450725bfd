"""``config.yml`` and the environment → typed settings.

What is wrong is named with its line and with what is allowed. Secrets come from the environment only:
a key that looks like one is refused in the file.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.settings.hours import WorkingHours
from bot.settings.section import Section

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the home of the default ``config.yml``, ``data`` and ``var``."""

_SECRETS = ("token", "secret", "password", "api_key", "key")


class SettingsError(Exception):
    """The configuration cannot be used; the message names the key, its line and what is allowed."""


class Brand(Section):
    """Who the desk speaks for. What is left out is not mentioned to customers."""

    name: Annotated[str, Field(min_length=1)] = "Switchboard"
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    help_centre: str | None = None
    crisis: str | dict[str, str] | None = None
    """Where somebody who may end their life finds help at once, or that by locale."""


class Promises(Section):
    """What customers are told to expect."""

    response_hours: Annotated[int, Field(gt=0)] = 48
    """Hours within which a ticket or feedback is answered, on working days."""
    hours: str | None = None
    """When people answer, in words: ``Mon–Fri 9:00–18:00 (UTC+8)``. Without it they are made from the ``hours`` of the
    desk, where it has some."""


class Locales(Section):
    """The languages of the desk. A customer who writes another one gets the default."""

    default: str = "en"
    available: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Without it, every language that has a file in ``data/phrases``."""


class Engine(Section):
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds for one classification; after that the customer goes to a human."""


class DeskRules(Section):
    """How conversations move between customers and agents."""

    reopen_hours: Annotated[float, Field(ge=0)] = 72.0
    """So long after it was resolved, a conversation goes on when its customer writes again."""
    agent_gone_minutes: Annotated[float, Field(gt=0)] = 15.0
    """An agent who did nothing at the desk for so long is gone: who waits for them as long goes back to the queue."""
    visitor_gone_minutes: Annotated[float, Field(gt=0)] = 30.0
    """Who waits in the queue, and whose page has been closed for so long, is with the bot again."""


class Server(Section):
    connections: Annotated[int, Field(ge=64, le=60_000)] = 10_000
    """HTTP connections at once, if the system gives handles for so many."""


def _destination(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        if not _HOST.fullmatch(value) or value.replace(".", "").isdigit():
            raise ValueError("must be a host name, an address or a network such as 10.0.0.0/8") from None
    return value


_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?")


class Egress(Section):
    """Where the desk may connect to at the word of others: links of files, webhooks."""

    allow: tuple[Annotated[str, AfterValidator(_destination)], ...] = ()
    """Besides the public network: host names, addresses, networks."""


SecretName = Literal[
    "seed_phrase",
    "private_key",
    "keystore",
    "api_secret",
    "password",
    "one_time_code",
    "card_number",
    "identity_number",
]


class Secrets(Section):
    """What customers must not share, and is removed from what they write."""

    let_pass: tuple[SecretName, ...] = ()
    """Kinds that are left as they are: identity numbers may have their place in a review of accounts."""


class Logs(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """``config.yml``. Its ``channels`` are added by the connectors, each with its own section."""

    brand: Brand = Brand()
    locales: Locales = Locales()
    promises: Promises = Promises()
    engine: Engine = Engine()
    hours: WorkingHours | None = None
    desk: DeskRules = DeskRules()
    server: Server = Server()
    egress: Egress = Egress()
    secrets: Secrets = Secrets()
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

    def secrets_of(self, variables: Iterable[str]) -> dict[str, str]:
        """The secrets of these variables; one that is not set is missing."""
        return {name: self.secrets[name] for name in variables if name in self.secrets}

    def channel(self, name: str) -> Any:
        """The settings of one channel, as its connector typed them."""
        return getattr(self.config.channels, name)

    @property
    def facts(self) -> dict[str, str | Mapping[str, str] | None]:
        """What fills the placeholders of answers; what differs from language to language by locale."""
        brand, promises = self.config.brand, self.config.promises
        return {
            "brand": brand.name,
            "email": brand.email,
            "phone": brand.phone,
            "website": brand.website,
            "help_centre": brand.help_centre,
            "crisis": brand.crisis,
            "hours": promises.hours,
            "response_hours": str(promises.response_hours),
        }


def load(
    channels: Mapping[str, type[BaseModel]],
    secret_variables: Mapping[str, str],
    config: Path | None = None,
    more_secrets: Mapping[str, Callable[[Any], Iterable[str]]] | None = None,
) -> Settings:
    """Reads the environment and the configuration file.

    ``channels`` are the schemas of ``channels.<name>``, ``secret_variables`` the environment variables with
    their tokens, ``more_secrets`` what names further ones by the channel's settings. ``config`` (from ``--config``)
    goes before ``SWITCHBOARD_CONFIG``. Without a file at the default place every default holds; a file that was named
    must exist.
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
    further = [
        name for channel, named in (more_secrets or {}).items() for name in named(getattr(parsed.channels, channel))
    ]
    variables = [*secret_variables.values(), *further]
    secrets = {name: value for name in variables if (value := os.environ.get(name, "").strip())}
    return Settings(config=parsed, environment=environment, secrets=secrets)


def _with_channels(channels: Mapping[str, type[BaseModel]]) -> type[Config]:
    fields: dict[str, Any] = {name: (schema, Field(default_factory=schema)) for name, schema in channels.items()}
    sections = create_model("Channels", __base__=Section, **fields)
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
        said = problem["msg"].removeprefix("Value error, ")
        # A whole section that does not fit together is not repeated.
        given = "" if isinstance(problem["input"], dict) else f", not {str(problem['input'])[:80]!r}"
        return f"{prefix}{said}{given}"
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
        schema = next((one for one in get_args(annotation) if isinstance(one, type)), annotation)
    return list(schema.model_fields)
