"""What the desk uses of procrastinate beside its public interface, for whoever raises the version."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import pytest
from procrastinate.worker import Worker

from bot.queue.worker import Worker as OurWorker
from bot.settings import ROOT
from tests.support.lifecycle import Sql

READ = "3.10"
"""The minor version whose source and schema were read for bot/queue."""
LOOK_AT = """procrastinate {now} is not the {read} that bot/queue was written for. Read:
 - sql/migrations: each one that is new comes into a migration of ours (bot/store/migrations, schema() in bot/queue);
   what it does to procrastinate_jobs, _events, _workers, their triggers and their functions, which our statements
   (bot/queue/statements.py) go round: a job inserted as 'doing', deleted when its work is recorded, handed back with
   'interrupted' in its args
 - worker.py: what bot/queue/worker.py overrides (_process_job, _persist_job_status, _update_heartbeat) and reads
   (_running_jobs, _stop_event, _new_job_event, _job_ids_to_abort, worker_id); what a fetched job's end does
 - jobs.py, job_context.py: the arguments of Job and JobContext
Then run tests/integration/test_queue.py, test_fastpath.py, test_tries.py and tests/e2e/test_crashes.py, and put the
version into READ here."""

COLUMNS = {
    "procrastinate_jobs": {
        "id": "bigint",
        "queue_name": "character varying",
        "task_name": "character varying",
        "priority": "integer",
        "lock": "text",
        "args": "jsonb",
        "status": "USER-DEFINED",
        "scheduled_at": "timestamp with time zone",
        "attempts": "integer",
        "worker_id": "bigint",
    },
    "procrastinate_events": {
        "id": "bigint",
        "job_id": "bigint",
        "type": "USER-DEFINED",
        "at": "timestamp with time zone",
    },
    "procrastinate_workers": {"id": "bigint", "last_heartbeat": "timestamp with time zone"},
}
"""All that our statements name."""


def test_the_version_is_the_one_that_was_read() -> None:
    now = version("procrastinate")
    assert now.startswith(f"{READ}."), LOOK_AT.format(now=now, read=READ)


@pytest.mark.parametrize("table", COLUMNS)
def test_the_tables_have_what_our_statements_name(sql: Sql, table: str) -> None:
    found = dict(sql("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", table))
    assert COLUMNS[table].items() <= found.items()
    # What we do not give when we insert must have a value of its own.
    ours = set(COLUMNS[table])
    needed = sql(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO'"
        " AND column_default IS NULL AND is_identity = 'NO'",
        table,
    )
    assert {name for (name,) in needed} <= ours


def test_the_statuses_and_events_are_those_we_name(sql: Sql) -> None:
    of = "SELECT unnest(enum_range(NULL::{}))::text"
    assert {"todo", "doing"} <= {status for (status,) in sql(of.format("procrastinate_job_status"))}
    assert {"deferred", "scheduled"} <= {kind for (kind,) in sql(of.format("procrastinate_job_event_type"))}


def test_the_worker_has_what_ours_overrides_and_reads() -> None:
    for name in ("_process_job", "_persist_job_status", "_update_heartbeat"):
        theirs, ours = inspect.signature(getattr(Worker, name)), inspect.signature(getattr(OurWorker, name))
        assert list(theirs.parameters) == list(ours.parameters), name
    source = inspect.getsource(Worker)
    for name in ("_running_jobs", "_stop_event", "_new_job_event", "_job_ids_to_abort", "worker_id", "worker_name"):
        assert re.search(rf"self\.{name}\b.* = ", source), name


def test_each_part_is_touched_in_one_place() -> None:
    folders = ("bot", "connectors", "handoff", "intents", "switchboard")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "server" not in path.parts]
    naming = {path.relative_to(ROOT).as_posix() for path in files if re.search(r"procrastinate_\w", path.read_text())}
    assert {path for path in naming if "/migrations/" not in path} == {"bot/queue/statements.py"}
    private = re.compile(
        r"\b_(running_jobs|stop_event|new_job_event|job_ids_to_abort|process_job|persist_job_status)\b"
    )
    found = {path.relative_to(ROOT).as_posix() for path in files if private.search(path.read_text())}
    assert found == {"bot/queue/worker.py"}
