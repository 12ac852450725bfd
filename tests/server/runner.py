"""Run test methods, as ``python -m tests.server.runner <module.Class.method> …`` in the Rasa environment.

Standard output carries one JSON object for each as it ends: ``{"test": name, "failures": [str]}``. A failure ends with
what the test printed.
"""

from __future__ import annotations

import json
import os
import sys
import unittest

from startup import be_quiet


def failures(name: str) -> list[str]:
    """What went wrong in the test of this name, one text for it or for each of its subtests."""
    result = unittest.TestResult()
    result.buffer = True
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    # What was skipped has shown nothing, and must not pass for a success.
    return [f"{case}\n{trace}" for case, trace in (*result.failures, *result.errors, *result.skipped)]


if __name__ == "__main__":
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    be_quiet()
    for name in sys.argv[1:]:
        print(json.dumps({"test": name, "failures": failures(name)}), file=lines, flush=True)
