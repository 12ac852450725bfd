"""Train a model, as ``python train.py <pipeline.yml> <data folder> <model.tar.gz>`` in the Rasa environment.

Standard output carries progress only, one JSON object a line: ``{"step": str, "done": float}`` with
``done`` from 0 to 1 over the whole run. Everything Rasa says goes to standard error. Exit status 0
means that the model file is there. Ends with its parent (``lifeline``).
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lifeline import end_with_parent
from startup import Report, be_quiet, progress_on_stdout, use_vector_instructions

_STARTED = 0.15
_EMBEDDED = 0.6
"""The share of the run after which the examples are embedded, as measured; what remains is the classifier's."""


class ProgressLines(logging.Handler):
    """Turns what the featurizer logs (``done``: its own share) into progress lines."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        done = getattr(record, "done", None)
        if done is not None:
            self._report(record.getMessage(), _STARTED + (_EMBEDDED - _STARTED) * done)


def train(pipeline: Path, data: Path, model: Path, report: Report) -> None:
    """Raises on any failure; a partly written model is possible then, so the caller renames."""
    report("Starting Rasa", 0.0)
    from rasa.model_training import train_nlu

    featurizer = logging.getLogger("components.sentence_featurizer")
    featurizer.setLevel(logging.INFO)
    featurizer.addHandler(ProgressLines(report))

    report("Reading the examples", _STARTED)
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
    report = progress_on_stdout()
    be_quiet()
    use_vector_instructions()
    with TemporaryDirectory() as cache:
        # Rasa's own cache would sit in the working directory and knows nothing of our components.
        os.environ.update(RASA_CACHE_DIRECTORY=cache, RASA_MAX_CACHE_SIZE="0")
        # Threads that spin while they wait take the processor from the desk, and from one another.
        os.environ["OMP_WAIT_POLICY"] = "passive"
        train(*(Path(argument) for argument in sys.argv[1:4]), report)
