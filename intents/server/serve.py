"""Serve a model, as ``python serve.py <model.tar.gz> <port>`` in the Rasa environment.

Rasa's own HTTP API on 127.0.0.1, without channels, stories or an action server. The token that every
request must carry comes from RASA_TOKEN, where ``ps`` does not show it. Ends with its parent (``lifeline``).
"""

from __future__ import annotations

import os
import sys

from lifeline import end_with_parent
from startup import be_quiet, parse_with_one_thread, use_vector_instructions


def serve(model: str, port: int, token: str) -> None:
    """Runs until the process is told to stop. The port opens only once the model is loaded."""
    from rasa.core.agent import Agent
    from rasa.server import create_app

    app = create_app(agent=Agent.load(model), cors_origins=None, auth_token=token)
    app.run(host="127.0.0.1", port=port, access_log=False, debug=False)


if __name__ == "__main__":
    end_with_parent()
    be_quiet()
    use_vector_instructions()
    parse_with_one_thread()
    serve(sys.argv[1], int(sys.argv[2]), os.environ.pop("RASA_TOKEN"))
