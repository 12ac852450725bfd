"""The deployment's list of coins, networks and exchanges: ``data/coins.yml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.content.problems import ContentError
from bot.domain.forms import Term, Vocabulary

FILE = "coins.yml"

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Reads every value as text: a coin named ``ON`` is no truth value."""

_Alias = Annotated[str, Field(min_length=1, max_length=40)]
_Name = Annotated[str, Field(pattern=r"^\S.*$", max_length=40)]


class _Network(BaseModel):
    model_config = ConfigDict(extra="forbid")

    aliases: tuple[_Alias, ...] = ()
    doubtful: tuple[_Alias, ...] = ()
    evm: bool = False


class _Coin(BaseModel):
    model_config = ConfigDict(extra="forbid")

    aliases: tuple[_Alias, ...] = ()
    doubtful: tuple[_Alias, ...] = ()
    behind_number: tuple[_Alias, ...] = ()
    networks: tuple[str, ...] = ()


class _Exchange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    aliases: tuple[_Alias, ...] = ()
    doubtful: tuple[_Alias, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    coins: dict[_Name, _Coin] = {}
    networks: dict[_Name, _Network] = {}
    exchanges: dict[_Name, _Exchange] = {}


def read_vocabulary(folder: Path) -> Vocabulary:
    """What the file in a content folder lists; an empty vocabulary where there is no such file. Raises
    ``ContentError`` for a file that cannot be used, with its path and what to do."""
    path = folder / FILE
    if not path.exists():
        return Vocabulary()
    try:
        loaded: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (either is safe)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    try:
        read = _File.model_validate(loaded or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the file"
        raise ContentError(f"{path}: {where}: {first['msg']}") from error
    for problem in _problems(read):
        raise ContentError(f"{path}: {problem}")
    return Vocabulary(
        coins=tuple(
            Term(name, coin.aliases, coin.doubtful, coin.behind_number, coin.networks)
            for name, coin in read.coins.items()
        ),
        networks=tuple(
            Term(name, network.aliases, network.doubtful, evm=network.evm) for name, network in read.networks.items()
        ),
        exchanges=tuple(Term(name, exchange.aliases, exchange.doubtful) for name, exchange in read.exchanges.items()),
    )


def _problems(read: _File) -> Iterator[str]:
    for name, coin in read.coins.items():
        for network in coin.networks:
            if network not in read.networks:
                yield f"coins.{name}: the network {network} is not under networks; add it there, or mend its name"
    yield from _twice("coins", {name: coin.aliases + coin.doubtful + (name,) for name, coin in read.coins.items()})
    yield from _twice("networks", {name: net.aliases + net.doubtful + (name,) for name, net in read.networks.items()})
    yield from _twice("exchanges", {name: ex.aliases + ex.doubtful + (name,) for name, ex in read.exchanges.items()})
    yield from _twice("coins", {name: coin.behind_number for name, coin in read.coins.items()})


def _twice(section: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, aliases in names.items():
        for alias in aliases:
            other = seen.setdefault(alias.lower(), name)
            if other != name:
                yield f"{section}.{name}: the alias {alias} is also that of {other}; leave it with one of them"
