"""A disk of a desk's own that can be filled, and a clock of its own that can be set."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOM = "96m"
"""For PostgreSQL's files and what it logs before it works, and little more."""
ON_A_DISK_OF_ITS_OWN = f'mount -t tmpfs -o size={ROOM} desk "$0" && exec "$@"'


def on_a_disk_of_its_own(folder: Path, *command: str | Path) -> Sequence[str | Path]:
    """Runs ``command`` with a small disk at ``folder`` that only it and its children see: whatever happens to it, or
    to this process, the disk goes with the last of them."""
    return ("unshare", "--mount", "sh", "-c", ON_A_DISK_OF_ITS_OWN, folder, *command)


class Ballast:
    """A file that takes all the room on the disk of a process."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._file = Path(f"/proc/{pid}/root{folder}/ballast")

    def fill(self) -> None:
        with self._file.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(64 * 1024))
        assert not shutil.disk_usage(self._file).free

    def throw_off(self) -> None:
        self._file.unlink()


FAKETIME = ("lib/*/faketime/libfaketimeMT.so.1", "lib*/faketime/libfaketimeMT.so.1")
FAKED_BY = next((found for place in FAKETIME for found in Path("/usr").glob(place)), None)
"""Debian's package ``libfaketime``, which ``make setup-tests`` installs, or another system's."""
SLEEPING_OTHERWISE = (
    "import threading, time; time.sleep = threading.Event().wait; from switchboard.cli import main; main()"
)
"""``switchboard``, but for the system's call behind ``time.sleep``, which libfaketime 0.9.10 breaks."""
HOUR = 3600


class Clock:
    """The time of day of a desk and its PostgreSQL. What only counts seconds goes on as before, as on a machine whose
    clock is set."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set_by(0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKED_BY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_by(self, seconds: int) -> None:
        """So far from the machine's clock, from now on."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}")
        unfinished.replace(self._file)
