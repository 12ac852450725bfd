"""The monotonic clock: for durations only."""

from __future__ import annotations

import time


def seconds() -> float:
    """Since some moment in the past. Runs on while the process is frozen and, where there is such a clock, while the
    machine sleeps; never jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
