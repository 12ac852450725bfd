"""What the desk's connections ask of PostgreSQL."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict

ANSWER_WITHIN = 60
"""Seconds for one statement, locks that it waits for included."""
IDLE_WITHIN = 10
"""Seconds for which a transaction may do nothing: a desk that is frozen in one holds its locks no longer."""


def options(conninfo: str) -> str:
    """The connection parameter ``options``: what ``conninfo`` has there, and these limits."""
    limits = {"statement_timeout": ANSWER_WITHIN, "idle_in_transaction_session_timeout": IDLE_WITHIN}
    given = str(conninfo_to_dict(conninfo).get("options") or "")
    return " ".join([given, *(f"-c {name}={seconds}s" for name, seconds in limits.items())]).strip()
