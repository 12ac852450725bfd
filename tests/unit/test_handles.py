"""The limit of file handles, in processes of their own."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from bot.runtime import handles
from bot.runtime.http import connections_for

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(("soft", "hard"), [(100, 300), (300, 300)])
def test_the_soft_limit_is_raised_to_the_hard_one_for_children_too(soft: int, hard: int) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import subprocess; from bot.runtime import handles;"
            "print(handles.limit(), handles.raise_limit(), flush=True);"
            "subprocess.run(['sh', '-c', 'ulimit -Sn'])",
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(soft), str(hard), str(hard)]


@pytest.mark.parametrize(
    ("available", "connections"),
    [(20, 16), (256, 192), (1024, 768), (4096, 3584), (20_000, 10_000), (handles.ENOUGH, 10_000)],
)
def test_the_desk_keeps_some_for_itself(available: int, connections: int) -> None:
    assert connections_for(available) == connections


def test_no_handles_left_is_told_from_what_is_missing() -> None:
    assert handles.are_used_up(OSError(errno.EMFILE, "too many"))
    assert handles.are_used_up(OSError(errno.ENFILE, "too many"))
    assert not handles.are_used_up(FileNotFoundError(errno.ENOENT, "gone"))
    assert not handles.are_used_up(ValueError())
