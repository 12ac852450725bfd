"""Which errors are the database's own trouble, and nobody's fault who asked it something."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_NOT_SET_UP = frozenset({"42501", "42P01", "42703", "42883"})
"""No right to, no table, no column, no function: the database is not the one this desk made."""


class DatabaseError(Exception):
    """The database cannot be used; the message names the fix."""


def is_transient(error: BaseException | None) -> bool:
    """Whether the database could not be reached, or could not do what it was rightly asked: it stops, its disk is full,
    it takes no writes, it was busy too long. The same question may well be answered later."""
    while error is not None:
        if isinstance(error, (PoolTimeout, PendingRollbackError)):
            return True
        if isinstance(error, DBAPIError):
            if error.connection_invalidated:
                return True
            error = error.orig
            continue
        if isinstance(error, psycopg.Error):
            # Internal errors: it became a replica, or the transaction broke off.
            return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)) or (
                error.sqlstate in _NOT_SET_UP
            )
        # Procrastinate's own errors have the driver's as their cause.
        error = error.__cause__
    return False


def safe_message(error: BaseException | None) -> str:
    """What the database said of its trouble, in one line. Without the statement: that has the customer's words."""
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.orig if isinstance(error, DBAPIError) else error.__cause__
    if error is None:
        return "no answer"
    return error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
