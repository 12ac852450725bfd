"""Checks of the database, its tables and the queue in it."""

from __future__ import annotations

from bot.domain.findings import Finding, Level
from bot.store.database import MIN_VERSION
from bot.store.status import DatabaseStatus
from switchboard.doctor.words import duration_in_words, size_in_words

DUE_TOO_LONG = 60.0
"""Seconds that a job may have been due, where somebody works."""


def database(status: DatabaseStatus) -> list[Finding]:
    found = [_server(status), *_log(status), _tables(status)]
    if status.work is None:
        return found
    found.append(_queue(status))
    found += _search(status)
    if status.work.dead_letters:
        found.append(
            Finding(
                "failed messages",
                Level.WARNING,
                f"{status.work.dead_letters} message(s) that the desk failed on, and tries no more",
                "look at “Failed messages” in the agents' console: what failed, and buttons to try again or dismiss",
            )
        )
    return found


def _server(status: DatabaseStatus) -> Finding:
    version = f"PostgreSQL {status.version // 10000}.{status.version % 10000}"
    if status.version < MIN_VERSION:
        return Finding(
            "database",
            Level.WRONG,
            f"{version}, and the desk needs {MIN_VERSION // 10000} or later",
            "upgrade the server, or set DATABASE_URL to a newer one",
        )
    if status.read_only:
        return Finding(
            "database",
            Level.WRONG,
            f"{version} takes no writes",
            "set DATABASE_URL to the primary server, not to a replica, and see that default_transaction_read_only is"
            " off for the desk's user",
        )
    return Finding("database", Level.OK, f"{version} answers")


def _log(status: DatabaseStatus) -> list[Finding]:
    if not status.log_tells:
        return []
    words = f"customers' words may get into PostgreSQL's own log: {', '.join(status.log_tells)}"
    quiet = [one.partition(" = ")[0] for one in status.log_tells if "." in one]
    loud = len(quiet) < len(status.log_tells)
    user = status.user.replace('"', '""')
    fixes = [f'ALTER ROLE "{user}" SET log_error_verbosity = terse'] if loud else []
    fixes += [
        f'ALTER ROLE "{user}" SET {name} = {"-1" if name.startswith("auto_explain") else "off"}' for name in quiet
    ]
    fix = f"as a superuser: {'; '.join(fixes)}. Then restart the desk, and see to what the log holds already"
    return [Finding("database log", Level.WARNING, words, fix)]


def _tables(status: DatabaseStatus) -> Finding:
    name = "tables"
    if status.revision is None:
        return Finding(name, Level.WARNING, "there are none yet", "`switchboard run` makes them")
    if not status.known:
        return Finding(
            name,
            Level.WRONG,
            f"they are of version {status.revision}, which this desk does not know: a newer desk made them",
            "update this desk (git pull, make setup)",
        )
    if status.revision != status.newest:
        return Finding(
            name,
            Level.WARNING,
            f"they are of version {status.revision}, and this desk's are {status.newest}",
            "`switchboard run` brings them up to date; restart the desks that still run with the old ones",
        )
    largest = sorted(status.sizes.items(), key=lambda item: -item[1])[:3]
    return Finding(
        name,
        Level.OK,
        f"up to date, {size_in_words(sum(status.sizes.values()))} in all; largest: "
        + ", ".join(f"{table} {size_in_words(size)}" for table, size in largest),
    )


def _queue(status: DatabaseStatus) -> Finding:
    work = status.work
    assert work is not None
    words = f"{work.due} job(s) due"
    if work.due:
        words += f", the oldest for {duration_in_words(work.oldest_due)}"
    words += f"; {work.workers} desk(s) at work"
    if work.dead_workers:
        return Finding(
            "queue",
            Level.WARNING,
            f"{words}, {work.dead_workers} died or hang(s)",
            "a desk that runs takes their work over within ten seconds: start one, or look again in two minutes",
        )
    if work.due and work.oldest_due > DUE_TOO_LONG:
        fix = "look at the desk's log for what fails, and at its load" if work.workers else "start the desk"
        return Finding("queue", Level.WARNING, words, fix)
    return Finding("queue", Level.OK, words)


def _search(status: DatabaseStatus) -> list[Finding]:
    name = "search"
    if not status.search:
        return []
    found = []
    missing = [one for one in status.search if not one.built]
    if missing:
        words = f"no index yet of {', '.join(one.table for one in missing)}: agents' searches there are slow"
        if not all(one.owned for one in missing):
            words += f", and this role may not build one: the tables are {missing[0].owner}'s"
            fix = f"run the desk once as {missing[0].owner}, until this finding is gone"
        elif any(one.building for one in missing):
            fix = "it is being built; in a database of millions of messages that takes minutes"
        else:
            fix = "a desk that runs builds it beside its work: start one, or look at its log for search_index_building"
        found.append(Finding(name, Level.WARNING, words, fix))
    waiting = [one for one in status.search if one.built and not one.owned]
    if waiting:
        tables = ", ".join(one.table for one in waiting)
        found.append(
            Finding(
                name,
                Level.WARNING,
                f"this role may not sort what is new into the indexes of {tables}: now and then a message waits for it",
                f"GRANT {waiting[0].owner} TO the desk's role, or ALTER INDEX ix_{waiting[0].table}_grams SET"
                " (fastupdate = off): then every message waits, a little",
            )
        )
    return found or [Finding(name, Level.OK, f"the indexes of {len(status.search)} tables are there")]
