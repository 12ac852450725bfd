"""All SQL that names a table of procrastinate: statements of the queue, and pieces for those that write work and its
job at once. tests/integration/test_upgrade_procrastinate.py says what to look at when its version is raised."""

PRE_CLAIMED = """
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
"""The values with which ``PRE_CLAIMED`` gives a job to no worker, and ``ENDED`` ends none."""
HAND_BACK_OF_DEAD = """
    UPDATE procrastinate_jobs job
    SET status = 'todo', attempts = job.attempts + 1, scheduled_at = now(), worker_id = NULL,
        args = job.args || jsonb_build_object('interrupted', coalesce((job.args ->> 'interrupted')::integer, 0) + 1)
    WHERE job.status = 'doing' AND (
        NOT EXISTS (SELECT 1 FROM procrastinate_workers worker WHERE worker.id = job.worker_id)
        OR EXISTS (
            SELECT 1 FROM procrastinate_workers worker
            JOIN unnest(%(dead)s::bigint[], %(beats)s::timestamptz[]) dead (id, beat)
            ON dead.id = worker.id AND dead.beat = worker.last_heartbeat
            WHERE worker.id = job.worker_id
        )
    )
    RETURNING job.id, job.task_name
"""
"""Jobs of workers that are gone or dead wait again, and say how often they were interrupted."""
FORGET_WORKERS = """
    DELETE FROM procrastinate_workers worker USING unnest(%(dead)s::bigint[], %(beats)s::timestamptz[]) dead (id, beat)
    WHERE dead.id = worker.id AND dead.beat = worker.last_heartbeat
    RETURNING worker.id
"""
"""Dead workers are struck off the list, unless they gave a sign of life meanwhile."""
HEARTBEATS = """
    SELECT id, last_heartbeat, abs(extract(epoch FROM now() - last_heartbeat)) > %(seconds)s AS late
    FROM procrastinate_workers
"""
"""The workers, with how late each is by the database's clock."""
DUE_AGAIN = """
    UPDATE procrastinate_jobs job SET scheduled_at = now()
    WHERE job.status = 'todo' AND job.scheduled_at > now() + interval '5 seconds' AND (
        SELECT event.at FROM procrastinate_events event
        -- That one tells what it was put off until.
        WHERE event.job_id = job.id AND event.type <> 'scheduled' ORDER BY event.id DESC LIMIT 1
    ) > now() + interval '5 seconds'
    RETURNING job.id
"""
"""What was put off before the clock was set back is due now."""
JOBS_OF_WORKER = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s"
"""What a worker is at, by the database."""
HAND_BACK = """
    UPDATE procrastinate_jobs
    SET status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = NULL
    WHERE status = 'doing' AND worker_id = %(worker)s AND id = ANY(%(ids)s)
    RETURNING id
"""
"""Some of them wait again."""
IS_OURS = """
    SELECT 1 AS ours FROM procrastinate_jobs WHERE id = %(id)s AND status = 'doing' AND attempts = %(attempts)s
"""
"""Whether a job is still under way in the attempt that asks."""
BEAT = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s RETURNING id"
"""A worker's sign of life; no row where it was struck off the list."""
OLDEST_DUE = """
    SELECT extract(epoch FROM max(clock_timestamp() - coalesce(job.scheduled_at, event.at)))::float8, count(*)
    FROM procrastinate_jobs job
    LEFT JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'
    WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= clock_timestamp())
"""
"""For how many seconds the first of the due jobs has been due, and how many are."""
WORKERS = """
    SELECT count(*) FILTER (WHERE alive), count(*) FILTER (WHERE NOT alive)
    FROM (
        SELECT last_heartbeat > clock_timestamp() - %(seconds)s * interval '1 second' AS alive
        FROM procrastinate_workers
    ) worker
"""
"""How many workers are alive, and how many are not."""
WAITING = """
    SELECT waiting.task, waiting.todo, waiting.doing,
           greatest(0, extract(epoch FROM clock_timestamp() - least(waiting.due, event.at)))::float8 AS oldest_due
    FROM (
        SELECT task_name AS task,
               count(*) FILTER (WHERE status = 'todo') AS todo,
               count(*) FILTER (WHERE status = 'doing') AS doing,
               min(scheduled_at) FILTER (WHERE status = 'todo' AND scheduled_at <= now()) AS due,
               min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first
        FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY task_name
    ) waiting
    LEFT JOIN procrastinate_events event ON event.job_id = waiting.first AND event.type = 'deferred'
"""
"""Of each task: what waits and what is under way, and for how many seconds the first has been due. Jobs do not say when
they were deferred, their events do; ids grow, so one event a task is read and no more."""
JOBS = "procrastinate_jobs"
HAS_JOB = "task_name = :task AND status IN ('todo', 'doing')"
"""A condition on ``JOBS``: the task has work, waiting or under way."""
MESSAGE_OF_JOB = "(args->>'message_id')::bigint"
"""Which message a row of ``JOBS`` is about."""
LOCK_IS_TAKEN = "EXISTS (SELECT FROM procrastinate_jobs WHERE lock = {lock} AND status IN ('todo', 'doing'))"
"""Whether anything of that lock waits or is under way."""
