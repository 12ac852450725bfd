"""Serve a model, as ``python serve.py <model.tar.gz> <port>`` in the Rasa environment.

Rasa's own HTTP API on 127.0.0.1, without channels, stories or an action server. The token that every
request must carry comes from RASA_TOKEN, where ``ps`` does not show it. Ends with its parent (``lifeline``).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

import structlog
from lifeline import end_with_parent


def serve(model: str, port: int, token: str) -> None:
    """Runs until the process is told to stop. The port opens only once the model is loaded."""
    # Rasa logs what customers write at debug level, which is structlog's own default.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    from rasa.core.agent import Agent
    from rasa.server import create_app

    app = create_app(agent=Agent.load(model), cors_origins=None, auth_token=token)
    app.run(host="127.0.0.1", port=port, access_log=False, debug=False)


if __name__ == "__main__":
    end_with_parent()
    # Dozens of deprecations at import, of which nobody here can mend any; libraries undo mere filters.
    warnings.showwarning = lambda *_args, **_named: None
    # Messages come one at a time: a second thread saves some milliseconds on an idle machine, but on a busy
    # one every layer of the model waits for it (measured at the 95th percentile: 60 ms alone, 190 ms and
    # more with two).
    os.environ["OMP_NUM_THREADS"] = "1"
    serve(sys.argv[1], int(sys.argv[2]), os.environ.pop("RASA_TOKEN"))
