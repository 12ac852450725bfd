"""Reads the customers and what they know from data/, and refuses what cannot be meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from benchmarks.cases.forms import made
from benchmarks.cases.model import Asks, Case, Cause, Falsehood, Pattern, Wordings
from benchmarks.cases.reading import false, right

DATA = Path(__file__).parent / "data"
_VERSIONS = ("5.0.172", "5.0.170", "5.0.168", "4.9.31")
_DEVICES = {"zh": ("小米13", "华为P50", "iPhone 13"), "en": ("Pixel 7", "Galaxy S21", "iPhone 13")}


class BadData(ValueError):
    """A file in data/ says something that cannot be meant."""


@dataclass(frozen=True)
class World:
    """Everything that simulated customers know, and who they are."""

    causes: dict[str, Cause]
    cases: list[Case]
    wordings: dict[str, Wordings]
    asks: dict[str, Asks]
    falsehoods: dict[str, list[Falsehood]]
    nothing_helped: dict[str, Pattern]
    person: dict[str, Pattern]


def load(data: Path = DATA) -> World:
    """Raises BadData or pydantic's ValidationError, with the file's name where it can."""
    causes = {name: Cause(**entry) for path in _files(data / "causes") for name, entry in _read(path).items()}
    spoken = _read(data / "false.yml")
    falsehoods = {language: [Falsehood(**one) for one in spoken[language]] for language in ("zh", "en")}
    asks = _read(data / "wordings" / "asks.yml")
    world = World(
        causes=causes,
        cases=[_case(entry, path) for path in _files(data / "customers") for entry in _read(path)],
        wordings=_wordings(data / "wordings"),
        asks={language: Asks(**asks[language]) for language in ("zh", "en")},
        falsehoods=falsehoods,
        nothing_helped={key: _compiled(text) for key, text in asks["nothing_helped"].items()},
        person={key: _compiled(text) for key, text in asks["person"].items()},
    )
    _check(world, spoken)
    return world


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yml"))


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _compiled(text: str) -> Pattern:
    return Falsehood.model_validate({"says": text}).says


def _wordings(folder: Path) -> dict[str, Wordings]:
    english = _read(folder / "en.yml")
    entries = {"en": english, "zh": _read(folder / "zh.yml"), **_read(folder / "others.yml")}
    return {
        language: Wordings(**{**entry, "give": {**english["give"], **entry["give"]}})
        for language, entry in entries.items()
    }


def _case(entry: dict[str, Any], path: Path) -> Case:
    language = entry.get("language") or path.name.partition("_")[0]
    rng = Random(entry["id"])  # noqa: S311 -- which phone somebody has, always the same
    hidden = {"version": rng.choice(_VERSIONS), "device": rng.choice(_DEVICES.get(language, _DEVICES["en"]))}
    case = Case(**{**entry, "language": language, "holds": {**hidden, **_held(entry.get("holds", {}), entry["id"])}})
    if case.next:
        holds = {**case.holds, **_held(case.next.holds, f"{case.id} next")}
        return case.model_copy(update={"next": case.next.model_copy(update={"holds": holds})})
    return case


def _held(holds: dict[str, Any], seed: str) -> dict[str, str]:
    return {kind: made(str(value), seed) for kind, value in holds.items()}


def _check(world: World, spoken: dict[str, Any]) -> None:
    ids = [case.id for case in world.cases]
    if len(set(ids)) != len(ids):
        raise BadData(f"two customers have one id: {sorted({one for one in ids if ids.count(one) > 1})}")
    for case in world.cases:
        for name in (case.cause, *([case.next.cause] if case.next else [])):
            if name not in world.causes:
                raise BadData(f"{case.id}: there is no cause {name}")
    for name, cause in world.causes.items():
        _check_cause(name, cause, world.falsehoods)
    for language in ("zh", "en"):
        for sentence in spoken["bad"][language]:
            if not false(sentence, world.falsehoods):
                raise BadData(f"false.yml: passes as true: {sentence}")
        for sentence in spoken["good"][language]:
            if false(sentence, world.falsehoods):
                raise BadData(f"false.yml: is taken as false: {sentence}")


def _check_cause(name: str, cause: Cause, falsehoods: dict[str, list[Falsehood]]) -> None:
    by_facts = cause.person in ("either", "facts")
    for language in ("zh", "en"):
        if by_facts and (language not in cause.right or language not in cause.good):
            raise BadData(f"{name}: facts solve it, and there is no right answer in {language}")
        if by_facts and not right([cause.good[language]], cause):
            raise BadData(f"{name}: its own good answer in {language} does not pass")
        if language in cause.good and false(cause.good[language], cause.wrong):
            raise BadData(f"{name}: its good answer in {language} is taken as false")
        if language in cause.good and false(cause.good[language], falsehoods):
            raise BadData(f"{name}: its good answer in {language} is taken as false for everybody")
        if language in cause.bad and not false(cause.bad[language], cause.wrong):
            raise BadData(f"{name}: its bad answer in {language} passes as true")
