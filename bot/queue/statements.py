"""Pieces of SQL, for statements that write work and its job at once."""

BORN = """
    worker AS (
        SELECT id FROM procrastinate_workers
        -- Whoever was silent for long may be taken for dead, and the job from it.
        WHERE id = %(worker)s AND last_heartbeat > now() - interval '3 seconds'
    ), claimed AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args, status, worker_id)
        SELECT 'default', {task}, {priority}, {lock}, jsonb_build_object('message_id', {made}.id), 'doing', worker.id
        FROM {made}, worker
        WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE lock = {lock} AND status IN ('todo', 'doing') OFFSET 0)
        ON CONFLICT DO NOTHING
        RETURNING id
    ), deferred AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args)
        SELECT 'default', {task}, {priority}, {lock}, jsonb_build_object('message_id', {made}.id)
        FROM {made} WHERE NOT EXISTS (SELECT FROM claimed)
    )
"""
"""Part of a statement: the job of the message in ``made``, under way in this worker from its birth if it has room and
nothing waits under that lock; else it waits like any other. A statement sees what was committed before it began: where
jobs of one lock are made side by side, another statement must take the row that orders them first. ``OFFSET 0`` has
that lock looked up; without it PostgreSQL may read all that waits, and join."""
ENDED = "DELETE FROM procrastinate_jobs WHERE id = %(job)s AND attempts = %(attempts)s AND status = 'doing'"
"""Ends a job in the transaction that its work is recorded in."""
OTHERS_WAIT = "EXISTS (SELECT FROM procrastinate_jobs WHERE lock = {lock} AND status = 'todo')"
HURRY = """
    UPDATE procrastinate_jobs SET priority = %(priority)s
    WHERE lock = {lock} AND status IN ('todo', 'doing') AND priority < %(priority)s
"""
"""Also of one lock's jobs the one of the highest priority comes first: those before an urgent one must be as urgent,
and the one that is under way, too, for it may have to be tried again."""
OF_NOBODY: dict[str, None] = {"worker": None, "job": None, "attempts": None}
"""The values with which ``BORN`` gives a job to no worker, and ``ENDED`` ends none."""
