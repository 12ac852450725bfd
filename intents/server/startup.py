"""What a process of the Rasa environment sets up before it imports Rasa, the same for training, parsing and serving."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import structlog

Report = Callable[..., None]
"""Writes one progress line: the step under way, the share done of the whole run (0 to 1), and what else is named."""


def be_quiet() -> None:
    """Nothing below an error is said, whatever a library would like to say at import."""
    # Dozens of deprecations at import, of which nobody here can mend any; libraries undo mere filters.
    warnings.showwarning = lambda *_args, **_named: None
    # Rasa logs what customers write at debug level, which is structlog's own default.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def use_vector_instructions() -> None:
    """Says to OpenBLAS what the processor can do, before numpy loads it.

    That of numpy and scipy for Python 3.10 is of 2021: of any newer processor it thinks that it has no vector
    instructions, and takes four times as long (measured on Intel's of 2023).
    """
    try:
        processors = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if {"avx2", "fma"} <= set(processors.split()):
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


def parse_with_one_thread() -> None:
    # Messages come one at a time: a second thread saves some milliseconds on an idle machine, but on a busy
    # one every layer of the model waits for it (measured at the 95th percentile: 60 ms alone, 190 ms and
    # more with two).
    os.environ["OMP_NUM_THREADS"] = "1"
    # Two encoders run beside one another: who comes back from one must not wait five milliseconds for Python's lock.
    sys.setswitchinterval(0.0005)


def progress_on_stdout() -> Report:
    """Keeps standard output for progress, one JSON object a line; what Rasa prints goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def report(step: str, done: float, **more: float) -> None:
        print(json.dumps({"step": step, "done": round(done, 3), **more}), file=lines, flush=True)

    return report
