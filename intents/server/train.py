"""Train a model, as ``python train.py <pipeline.yml> <data folder> <model.tar.gz>`` in the Rasa environment.

Standard output carries progress only, one JSON object a line: ``{"step": str, "done": float}`` with
``done`` from 0 to 1 over the whole run. Everything Rasa says goes to standard error. Exit status 0
means that the model file is there. Ends with its parent (``lifeline``).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from lifeline import end_with_parent

_EMBEDDING = (0.1, 0.85)
"""The share of the run in which the examples are embedded."""


class ProgressLines(logging.Handler):
    """Turns what the featurizer logs (``done``: its own share) into progress lines."""

    def emit(self, record: logging.LogRecord) -> None:
        done = getattr(record, "done", None)
        if done is not None:
            start, end = _EMBEDDING
            report(record.getMessage(), start + (end - start) * done)


def report(step: str, done: float) -> None:
    print(json.dumps({"step": step, "done": round(done, 3)}), file=_progress, flush=True)


def train(pipeline: Path, data: Path, model: Path) -> None:
    """Raises on any failure; a partly written model is possible then, so the caller renames."""
    report("Starting Rasa", 0.0)
    from rasa.model_training import train_nlu

    featurizer = logging.getLogger("components.e5_featurizer")
    featurizer.setLevel(logging.INFO)
    featurizer.addHandler(ProgressLines())

    report("Reading the examples", _EMBEDDING[0])
    written = train_nlu(
        config=str(pipeline),
        nlu_data=str(data),
        output=str(model.parent),
        fixed_model_name=model.name,
    )
    if written is None:
        raise SystemExit(f"Rasa found no training examples in {data}.")
    report("Trained", 1.0)


if __name__ == "__main__":
    end_with_parent()
    # Rasa prints to standard output: keep the real one for progress and hand Rasa the other.
    _progress = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Dozens of deprecations at import, of which nobody here can mend any; libraries undo mere filters.
    warnings.showwarning = lambda *_args, **_named: None
    with TemporaryDirectory() as cache:
        # Rasa's own cache would sit in the working directory and knows nothing of our components.
        os.environ.update(RASA_CACHE_DIRECTORY=cache, RASA_MAX_CACHE_SIZE="0")
        # Threads that spin while they wait take the processor from the desk, and from one another.
        os.environ["OMP_WAIT_POLICY"] = "passive"
        train(*(Path(argument) for argument in sys.argv[1:4]))
