"""Checks of this machine: disk, files, clock, and the address of the desk on it."""

from __future__ import annotations

import ipaddress
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import httpx

from bot.domain.findings import Finding, Level
from switchboard.doctor.words import MB, duration_in_words, size_in_words

DISK_LOW = 1024 * MB
DISK_FULL = 200 * MB
CLOCK_OFF = 5.0
CLOCK_WRONG = 60.0
READY_WITHIN = 8.0
"""Seconds for a desk to say whether it is ready; it gives its own database five."""

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (recognized, not listened on)


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
    return Finding("disk", level, f"{size_in_words(free)} free for {what}", "" if level is Level.OK else fix)


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
            f"this machine's is {duration_in_words(abs(most))} {'behind' if most > 0 else 'ahead of'} {whose}",
            "set the clock by NTP on this machine (timedatectl set-ntp true), and on the database's",
        )
    ]


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
