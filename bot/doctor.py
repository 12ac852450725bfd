"""``switchboard doctor``: what of a deployment is well, what is not, and the fix in plain words.

Every check is independent of the others, has a time of its own, and changes nothing. Here are those that need no
platform and no wiring; ``bot.cli.doctor`` puts them together.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from bot.model import EngineUnavailable
from bot.store.database import MIN_VERSION
from bot.store.vitals import Vitals
from connectors.base import Finding, Level
from intents.models import ModelError, ModelStore
from intents.paths import EngineNotInstalled, EnginePaths
from intents.rasa import Endpoint, RasaEngine
from intents.training import content_hash

MB = 1024 * 1024
DISK_LOW = 1024 * MB
DISK_FULL = 200 * MB
CLOCK_OFF = 5.0
CLOCK_WRONG = 60.0
DUE_TOO_LONG = 60.0
"""Seconds that a job may have been due, where somebody works."""
READY_WITHIN = 8.0
"""Seconds for a desk to say whether it is ready; it gives its own database five."""

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (recognized, not listened on)


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    run: Callable[[], Awaitable[Sequence[Finding]]]
    timeout: float
    """Seconds."""
    late: str = "try again; if it happens again, look at the log of what was asked"
    """The fix where it did not end in time."""


async def examine(checks: Iterable[Check], secrets: Iterable[str] = ()) -> AsyncIterator[list[Finding]]:
    """Runs all at once, and yields what each found, in their order and as soon as that is known. Whatever a finding
    quotes, no one of the ``secrets`` is in it."""
    hidden = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    tasks = [asyncio.create_task(_examined(check)) for check in checks]
    try:
        for task in tasks:
            yield [_blotted(finding, hidden) for finding in await task]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _examined(check: Check) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(check.timeout):
            return await check.run()
    except TimeoutError:
        return [Finding(check.name, Level.WRONG, f"no answer within {check.timeout:g} s", check.late)]
    except Exception as error:
        # Only the kind: nobody has read what this one says.
        return [
            Finding(
                check.name,
                Level.WRONG,
                f"the check itself failed ({type(error).__name__})",
                "please report it; the other checks hold all the same",
            )
        ]


def _blotted(finding: Finding, secrets: Sequence[str]) -> Finding:
    words, fix = finding.words, finding.fix
    for secret in secrets:
        words, fix = words.replace(secret, "•••"), fix.replace(secret, "•••")
    return replace(finding, words=words, fix=fix)


# --- database


def database(vitals: Vitals) -> list[Finding]:
    found = [_server(vitals), _tables(vitals)]
    if vitals.work is None:
        return found
    found.append(_queue(vitals))
    if vitals.work.set_aside:
        found.append(
            Finding(
                "set aside",
                Level.WARNING,
                f"{vitals.work.set_aside} message(s) that the desk failed on, and tries no more",
                "look at “Set aside” in the agents' console: what failed, and buttons to try again or dismiss",
            )
        )
    return found


def _server(vitals: Vitals) -> Finding:
    version = f"PostgreSQL {vitals.version // 10000}.{vitals.version % 10000}"
    if vitals.version < MIN_VERSION:
        return Finding(
            "database",
            Level.WRONG,
            f"{version}, and the desk needs {MIN_VERSION // 10000} or later",
            "upgrade the server, or set DATABASE_URL to a newer one",
        )
    if vitals.read_only:
        return Finding(
            "database",
            Level.WRONG,
            f"{version} takes no writes",
            "set DATABASE_URL to the primary server, not to a replica, and see that default_transaction_read_only is"
            " off for the desk's user",
        )
    return Finding("database", Level.OK, f"{version} answers")


def _tables(vitals: Vitals) -> Finding:
    name = "tables"
    if vitals.revision is None:
        return Finding(name, Level.WARNING, "there are none yet", "`switchboard run` makes them")
    if not vitals.known:
        return Finding(
            name,
            Level.WRONG,
            f"they are of version {vitals.revision}, which this desk does not know: a newer desk made them",
            "update this desk (git pull, make setup)",
        )
    if vitals.revision != vitals.newest:
        return Finding(
            name,
            Level.WARNING,
            f"they are of version {vitals.revision}, and this desk's are {vitals.newest}",
            "`switchboard run` brings them up to date; restart the desks that still run with the old ones",
        )
    largest = sorted(vitals.sizes.items(), key=lambda item: -item[1])[:3]
    return Finding(
        name,
        Level.OK,
        f"up to date, {_size(sum(vitals.sizes.values()))} in all; largest: "
        + ", ".join(f"{table} {_size(size)}" for table, size in largest),
    )


def _queue(vitals: Vitals) -> Finding:
    work = vitals.work
    assert work is not None
    words = f"{work.due} job(s) due"
    if work.due:
        words += f", the oldest for {_duration(work.oldest_due)}"
    words += f"; {work.workers} desk(s) at work"
    if work.dead_workers:
        return Finding(
            "queue",
            Level.WARNING,
            f"{words}, {work.dead_workers} died or hang(s)",
            "a desk that runs takes their work over within ten seconds: start one, or look again in two minutes",
        )
    if work.due and work.oldest_due > DUE_TOO_LONG:
        fix = "look at the desk's log for what fails, and at its load" if work.workers else "start the desk"
        return Finding("queue", Level.WARNING, words, fix)
    return Finding("queue", Level.OK, words)


# --- Rasa


async def remote_rasa(url: str, token: str, timeout: float) -> list[Finding]:
    """Asked as the desk would: for a parse, with its token and its patience."""
    endpoint = Endpoint(url, token)
    async with RasaEngine(lambda: endpoint, timeout) as engine:
        try:
            found = await engine.predict("hello")
        except EngineUnavailable as error:
            return [Finding("rasa", Level.WRONG, str(error), _rasa_fix(str(error)))]
    return [Finding("rasa", Level.OK, f"RASA_URL answers; a model is loaded ({len(found.ranking)} intents ranked)")]


def _rasa_fix(said: str) -> str:
    if "token" in said:
        return "set RASA_TOKEN to the server's own (rasa run --auth-token …)"
    if "no model" in said or "409" in said:
        return "load a model into that server (rasa run --model …)"
    if "not a prediction" in said or "not JSON" in said or "404" in said:
        return "check that RASA_URL leads to a Rasa server with --enable-api, and to nothing in front of it"
    if "did not answer" in said:
        return "look at that server's load and log, or raise engine.timeout in config.yml"
    return "check RASA_URL, and that the server runs and lets this machine in"


def embedded_rasa(paths: EnginePaths) -> list[Finding]:
    """Whether the desk can start its own."""
    try:
        paths.python()
    except EngineNotInstalled as error:
        words, _, fix = str(error).partition(". ")
        return [Finding("rasa", Level.WRONG, words, fix)]
    store = ModelStore(paths.models)
    try:
        live = store.live()
    except ModelError as error:
        words, _, fix = str(error).partition(". ")
        return [Finding("rasa", Level.WRONG, words, fix)]
    if live is None:
        return [
            Finding("rasa", Level.WARNING, "no model is live yet", "`switchboard train`, or the first start does it")
        ]
    if not store.has(live.model):
        return [
            Finding(
                "rasa",
                Level.WRONG,
                f"the live model {live.model} is gone from {paths.models}",
                "`switchboard train`, or `switchboard models use` another one",
            )
        ]
    if live.content != content_hash(paths):
        return [
            Finding(
                "rasa",
                Level.WARNING,
                f"model {live.model} is live, and the content has changed since",
                "`switchboard train`, or the next start does it",
            )
        ]
    return [Finding("rasa", Level.OK, f"installed; model {live.model} is live")]


# --- this machine


def disk(folders: Mapping[str, Path]) -> list[Finding]:
    """The free space of each of ``folders``, by what it is for; once where they share a disk."""
    found = []
    devices = set()
    for what, folder in folders.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        device = there.stat().st_dev
        if device in devices:
            continue
        devices.add(device)
        found.append(_space(what, there))
    return found


def _space(what: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    level = Level.WRONG if free < DISK_FULL else Level.WARNING if free < DISK_LOW else Level.OK
    fix = f"free space on the disk with {folder}, or move it (SWITCHBOARD_VAR); a full disk stops the desk"
    return Finding("disk", level, f"{_size(free)} free for {what}", "" if level is Level.OK else fix)


def rights(var: Path) -> list[Finding]:
    """Whether the desk may write in ``var``, and others may not, nor read what is private."""
    name = "files"
    there = next(path for path in (var, *var.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return [
            Finding(
                name,
                Level.WRONG,
                f"this user may not write in {there}",
                "run this, and the desk, as the owner of that folder; or set SWITCHBOARD_VAR to another one",
            )
        ]
    if there != var:
        return [Finding(name, Level.OK, f"{var} is made at the first start")]
    if os.name == "nt":
        return [Finding(name, Level.OK, f"{var} can be written")]
    models, cluster = var / "models", var / "postgres"
    for folder, others in ((var, stat.S_IWOTH), (models, stat.S_IWOTH), (cluster, stat.S_IWGRP | stat.S_IRWXO)):
        if folder.exists() and folder.stat().st_mode & others:
            may = "look into" if folder == cluster else "write in"
            mode = "go-rwx" if folder == cluster else "o-w"
            return [Finding(name, Level.WRONG, f"everybody may {may} {folder}", f"chmod {mode} {folder}")]
    if os.geteuid() not in (0, var.stat().st_uid):
        return [Finding(name, Level.WARNING, f"{var} belongs to another user", "run this, and the desk, as its owner")]
    if readable := _readable_by_others(var, but={models, cluster}):
        shown = " ".join(map(str, readable))
        return [Finding(name, Level.WARNING, f"everybody on this machine may read {shown}", f"chmod o-rwx {shown}")]
    return [Finding(name, Level.OK, f"{var} is private")]


def _readable_by_others(var: Path, but: set[Path]) -> list[Path]:
    if not var.stat().st_mode & stat.S_IXOTH:
        return []
    readable = []
    for path in sorted(var.iterdir()):
        mode = path.lstat().st_mode
        private = (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and path not in but
        if private and mode & (stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)):
            readable.append(path)
    return readable


def clock(ahead: Mapping[str, float]) -> list[Finding]:
    """``ahead``: seconds by which the clocks of others go before this machine's, by whose they are."""
    if not ahead:
        return [
            Finding(
                "clock",
                Level.WARNING,
                "nothing to compare it with",
                "look again when the database or a platform answers",
            )
        ]
    whose, most = max(ahead.items(), key=lambda item: abs(item[1]))
    if abs(most) <= CLOCK_OFF:
        return [Finding("clock", Level.OK, f"agrees with {', '.join(ahead)} within {max(1.0, abs(most)):.0f} s")]
    return [
        Finding(
            "clock",
            Level.WRONG if abs(most) > CLOCK_WRONG else Level.WARNING,
            f"this machine's is {_duration(abs(most))} {'behind' if most > 0 else 'ahead of'} {whose}",
            "set the clock by NTP on this machine (timedatectl set-ntp true), and on the database's",
        )
    ]


# --- the desk's own address


def exposure(host: str) -> list[Finding]:
    if _loopback(host):
        return [Finding("host", Level.OK, f"{host}: only this machine reaches the desk, and a proxy on it")]
    return [
        Finding(
            "host",
            Level.WARNING,
            f"{host or 'HOST'}: others reach the desk without encryption",
            "let only a proxy with https reach this port, and give its address to people; or set HOST to 127.0.0.1",
        )
    ]


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def desk(host: str, port: int) -> list[Finding]:
    """Whether a desk runs there, and what it says of itself. None need run."""
    if port == 0:
        return [Finding("desk", Level.OK, "PORT is 0: nobody knows where it listens")]
    host = "127.0.0.1" if host in _EVERYWHERE else host
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        async with httpx.AsyncClient(timeout=READY_WITHIN, trust_env=False) as client:
            answer = await client.get(f"{url}/readyz")
        said = answer.json()
        status = said["status"]
    except httpx.ConnectError:
        return [Finding("desk", Level.OK, f"none runs at {url}")]
    except httpx.TimeoutException:
        return [
            Finding(
                "desk",
                Level.WRONG,
                f"what listens at {url} does not answer within {READY_WITHIN:g} s",
                "look at the desk's log; stop it and start it again: nothing that was received is lost",
            )
        ]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return [
            Finding(
                "desk",
                Level.WRONG,
                f"another program listens at {url}",
                "stop it, or set PORT to a free one",
            )
        ]
    if answer.status_code == 200:
        return [Finding("desk", Level.OK, f"runs at {url}, and is ready")]
    parts = "; ".join(f"{part}: {words}" for part, words in said.items() if part != "status" and words != "ok")
    return [
        Finding(
            "desk",
            Level.WRONG,
            f"runs at {url}, and is {status}: {parts}",
            "mend the parts it names; it then recovers by itself",
        )
    ]


# --- words


def _size(size: int) -> str:
    return (
        f"{size / 1024 / MB:.1f} GB"
        if size >= 1024 * MB
        else f"{size / MB:.0f} MB"
        if size >= MB
        else f"{size // 1024} KB"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
