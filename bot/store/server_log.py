"""What PostgreSQL may write into its own log: no statement's values, and no row, for customers' words are in them."""

from __future__ import annotations

from collections.abc import Mapping

QUIET: Mapping[str, str] = {
    # Of an error its first line: the rest quotes the row that breaks a rule, and the values of the statement.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
}
"""How the embedded server is started."""

ASKED = (*QUIET, "log_statement_sample_rate", "auto_explain.log_min_duration", "pgaudit.log", "pgaudit.log_parameter")
"""Settings by which ``telling`` judges; a server that has one not says nothing of it."""


def telling(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Those of a server's ``settings``, as ``name = value``, by which customers' words get into its log."""
    found = []
    if settings.get("log_error_verbosity") != "terse":  # which keeps all that follows here out
        found.append("log_error_verbosity")
        if settings.get("log_parameter_max_length_on_error", "0") != "0":
            found.append("log_parameter_max_length_on_error")
        if settings.get("log_parameter_max_length", "-1") != "0" and (why := _logs_statements(settings)):
            found.append(why)
    if settings.get("auto_explain.log_min_duration", "-1") != "-1":
        found.append("auto_explain.log_min_duration")
    if settings.get("pgaudit.log_parameter") == "on" and settings.get("pgaudit.log", "none") != "none":
        found.append("pgaudit.log_parameter")
    return tuple(f"{name} = {settings.get(name, '')}" for name in found)


def _logs_statements(settings: Mapping[str, str]) -> str | None:
    """The setting by which statements are logged that go well, and their values with them."""
    if settings.get("log_statement", "none") in ("mod", "all"):
        return "log_statement"
    if settings.get("log_min_duration_statement", "-1") != "-1":
        return "log_min_duration_statement"
    if settings.get("log_min_duration_sample", "-1") != "-1" and settings.get("log_statement_sample_rate") != "0":
        return "log_min_duration_sample"
    return "log_transaction_sample_rate" if settings.get("log_transaction_sample_rate", "0") != "0" else None
