"""What another user of this machine can do: a child process that has become that user says so."""

from __future__ import annotations

import os
import pwd
import traceback
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = pwd.getpwnam("nobody")


def as_nobody(act: Callable[[], object]) -> str:
    """What ``act`` returned, or the error that it ended with, in words."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
            if not isinstance(error, (OSError, psycopg.Error)):
                said += traceback.format_exc()
        os.write(writing, said.encode()[:4096])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def opened_by_nobody(folder: Path) -> list[str]:
    """Every file and folder below ``folder`` that ``nobody`` can read or list, tried one by one."""

    def look() -> str:
        found = []
        for path in paths:
            try:
                os.scandir(path).close() if path.is_dir() and not path.is_symlink() else path.open("rb").close()
            except OSError:
                continue
            found.append(str(path))
        return "\n".join(found)

    paths = [folder, *folder.rglob("*")]
    return as_nobody(look).split()
