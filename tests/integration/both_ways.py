"""One scene of a customer's message, played over a store that takes the fast statements or the general way, and told so
that the two can be compared: what must differ (numbers, moments, who works on a job) is told by its order alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bot.domain.conversation import ConversationState, EscalationReason, Reopening
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction
from bot.domain.message import Incoming, Reply, Sender
from bot.domain.operations import DeliveryInput, TurnInput
from bot.domain.staff import Role
from bot.queue import DELIVER, TURN, JobLease, Queue
from bot.store import Store
from bot.store.database import conninfo, create_engine
from bot.store.statements import NOTIFY_CHANNEL

REOPENING = Reopening(
    timedelta(hours=1),
    timedelta(minutes=5),
    {"": "your agent goes on", "zh": "客服继续"},
    {"": "place {position}", "zh": "第 {position} 位"},
)
BEFORE = (
    "new",
    "bot",
    "asked back",
    "queued",
    "assigned",
    "snoozed",
    "resolved: here",
    "resolved: gone",
    "resolved: by bot",
    "long",
)
"""The customer's last conversation. ``new``: there is none, and no contact. The resolved ones were so a minute ago,
with an agent who is at work or is not; ``long``: long ago."""
MEANWHILE = ("nothing", "claimed", "turned", "handed back")
"""What happens between the beginning and the end of the turn."""
ENDS = ("sent", "in two parts", "changed", "deleted", "edited", "twice", "nothing to send")


@dataclass(frozen=True)
class Scene:
    before: str
    message: Incoming
    decision: Decision
    replies: tuple[Reply, ...]
    prediction: Prediction | None = None
    language: str | None = "en"
    immediate: bool = False
    claimed: bool = True
    under_way: bool = False
    """Something else is on its way to the customer."""
    meanwhile: str = "nothing"
    end: str = "sent"


class Births:
    """In the place of the queue's worker: takes every job at its birth, and does nothing with it."""

    term = 1

    def __init__(self, worker_id: int) -> None:
        self.worker_id = worker_id
        self.known: dict[tuple[str, int], object] = {}

    def took_slot(self) -> bool:
        return True

    def leave_slot(self) -> None: ...

    def begin(self, job_id: int, task: str, message_id: int, term: int | None, known: object) -> None:
        self.known[task, message_id] = known


class Job(JobLease):
    over = False

    def __init__(self, job_id: int, attempts: int) -> None:
        super().__init__(attempts)
        self.job_id = job_id

    def ended(self, *, others_wait: bool) -> None:
        self.over = True


class Stage:
    """Plays scenes over an empty database; ``listening`` hears what is told to the feeds."""

    def __init__(self, store: Store, queue: Queue, connection: Any, listening: Any) -> None:
        self.store, self.queue, self.connection, self.listening = store, queue, connection, listening
        self.births = Births(0)

    async def play(self, scene: Scene) -> list[object]:
        """Everything that is to be alike, step by step."""
        await self.prepare(scene.before)
        with await self.working():
            return await self._play(scene)

    async def working(self) -> AbstractContextManager[None]:
        """A worker is there that takes jobs."""
        made = await self.sql(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour') RETURNING id"
        )
        self.births = Births(made[0]["id"])

        @contextmanager
        def there() -> Iterator[None]:
            self.queue._worker = self.births  # type: ignore[assignment]
            try:
                yield
            finally:
                self.queue._worker = None

        return there()

    async def _play(self, scene: Scene) -> list[object]:
        told: list[object] = [await self._seen()]
        receipt = await self.store.incoming.record(scene.message, REOPENING)
        told += ["recorded", receipt.duplicate, receipt.message_id is None, await self._seen()]
        turn = await self.sql("SELECT message_id FROM turn WHERE NOT done ORDER BY message_id DESC LIMIT 1")
        if turn:
            told += await self._turn(scene, turn[0]["message_id"])
            told += await self._deliveries(scene)
        again = await self.store.incoming.record(scene.message, REOPENING)
        return [*told, "again", again.duplicate, await self._seen()]

    # --- what was before ------------------------------------------------------------------------------

    async def prepare(self, before: str) -> None:
        mei = await self.store.agents.add("Mei", Role.AGENT, None)
        self.mei = mei.id
        if before == "new":
            return
        await self.store.agents.record_presence(replace(mei, seen_at=None))
        first = Incoming("web", "web", "m1", Sender("7", "Ann", "en"), "7", text="fees", mark="m1")
        receipt = await self.store.incoming.record(first, REOPENING)
        assert receipt.message_id is not None
        assert receipt.conversation_id is not None
        taken = await self.store.turns.begin(receipt.message_id)
        assert taken is not None
        if before in ("bot", "resolved: by bot"):
            await self.store.turns.finish(taken, Decision(Action.ANSWER, "fees"), [Reply("Few.")], language="en")
        elif before == "asked back":
            asks = Decision(Action.ASK_BACK, offers=("fees", "cards"), understood=False)
            await self.store.turns.finish(taken, asks, [Reply("Which?")], language="en")
        else:
            asked = Decision(Action.ESCALATE, "cards", reason=EscalationReason.ASKED)
            await self.store.turns.finish(taken, asked, [Reply("place {position}")], language="en")
        if before in ("assigned", "snoozed", "long") or before.startswith("resolved"):
            await self.store.conversations.claim(receipt.conversation_id, mei.id, {"": "here"})
        if before == "snoozed":
            await self.store.conversations.snooze(
                receipt.conversation_id, mei.id, datetime.now(UTC) + timedelta(hours=1)
            )
        await self.sql("DELETE FROM procrastinate_jobs")
        await self.sql(
            "UPDATE delivery SET state = 'sent', external_ids = jsonb_build_array('d' || message_id), placed = 1,"
            " sends = 1, sent_at = now()"
        )
        # One by one: a single statement would number them as they lie on the disk, which is another order now and then.
        for row in await self.sql("SELECT id FROM message WHERE cursor IS NULL ORDER BY id"):
            await self.sql("UPDATE message SET cursor = nextval('message_cursor') WHERE id = %s", row["id"])
        if before.startswith("resolved") or before == "long":
            await self._resolve(before)

    async def _resolve(self, before: str) -> None:
        await self.sql(
            "UPDATE conversation SET state = 'resolved', agent_id = NULL, generation = generation + 1,"
            " waiting_since = NULL, resolved_at = now() - %s::interval, last_agent_id = %s",
            "2 hours" if before == "long" else "1 minute",
            None if before == "resolved: by bot" else self.mei,
        )
        if before == "resolved: gone":
            await self.sql("UPDATE agent SET seen_at = now() - interval '1 hour'")

    # --- turn and delivery ----------------------------------------------------------------------------

    async def _turn(self, scene: Scene, message_id: int) -> list[object]:
        taken = self.births.known.get((TURN, message_id)) or await self.store.turns.begin(message_id)
        assert isinstance(taken, TurnInput)
        told: list[object] = ["turn", await self._alike(taken)]
        if scene.under_way:
            await self.sql(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('default', 'deliver', %s)",
                f"contact:{taken.conversation.contact.id}",
            )
        await self._happens(scene.meanwhile, taken)
        job = await self.job(TURN, message_id) if scene.claimed else None
        if taken.conversation.state is ConversationState.ASSIGNED:
            await self.store.turns.skip(taken)
        else:
            end = await self.store.turns.finish(
                taken,
                scene.decision,
                scene.replies,
                language=scene.language,
                prediction=scene.prediction,
                job=job,
                immediate=scene.immediate,
            )
            told += [end.position, end.shown]
        await self._end(TURN, message_id, job)
        if scene.under_way:
            await self.sql("DELETE FROM procrastinate_jobs WHERE args = '{}'")
        return told

    async def _happens(self, meanwhile: str, taken: TurnInput) -> None:
        open_ = taken.conversation.state in (ConversationState.BOT, ConversationState.QUEUED)
        if meanwhile == "claimed" and open_:
            await self.store.conversations.claim(taken.conversation.id, self.mei, {"": "here"})
        elif meanwhile == "turned":
            await self.store.turns.skip(taken)
        elif meanwhile == "handed back" and open_:
            # As the bot has it again, and not as it was.
            await self.sql("UPDATE conversation SET generation = generation + 2 WHERE id = %s", taken.conversation.id)

    async def _deliveries(self, scene: Scene) -> list[object]:
        waiting = await self.sql("SELECT message_id FROM delivery WHERE state = 'pending' ORDER BY message_id")
        begun: list[DeliveryInput] = []
        for row in waiting:
            known = self.births.known.get((DELIVER, row["message_id"]))
            one = known or await self.store.deliveries.begin(row["message_id"])
            assert isinstance(one, DeliveryInput)
            begun.append(one)
        told: list[object] = ["begun", [await self._alike(one) for one in begun], await self._seen()]
        for one in begun:
            job = await self.job(DELIVER, one.message.id) if scene.claimed else None
            await self._sends(scene.end, one, job)
            await self._end(DELIVER, one.message.id, job)
        return [*told, scene.end, await self._seen()]

    async def _sends(self, end: str, begun: DeliveryInput, job: JobLease | None) -> None:
        if end == "in two parts":
            await self.store.deliveries.record_part(begun, 0, "p0")
            return await self.store.deliveries.record_sent(begun, 1, "p1", job)
        if end == "changed":
            await self.sql("UPDATE delivery SET version = version + 1")
        elif end == "deleted":
            await self.sql("UPDATE message SET deleted_at = now() WHERE author <> 'customer'")
        if end == "nothing to send":
            return await self.store.deliveries.record_sent(begun)
        if end == "edited":
            return await self.store.deliveries.record_sent(begun, 0, None, job)
        if end == "twice":
            await self.store.deliveries.record_part(begun, 0, "p0")
        return await self.store.deliveries.record_sent(begun, 0, "p0", job)

    async def job(self, task: str, message_id: int) -> Job:
        (row,) = await self.sql(
            "SELECT id, attempts FROM procrastinate_jobs WHERE task_name = %s AND args->>'message_id' = %s",
            task,
            str(message_id),
        )
        await self.sql("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", row["id"])
        return Job(row["id"], row["attempts"])

    async def _end(self, task: str, message_id: int, job: Job | None) -> None:
        """As the worker ends a job whose task did not."""
        left = "DELETE FROM procrastinate_jobs WHERE task_name = %s AND args->>'message_id' = %s RETURNING id"
        assert bool(await self.sql(left, task, str(message_id))) == (job is None or not job.over)

    # --- what there is to see -------------------------------------------------------------------------

    async def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        cursor = await self.connection.cursor(row_factory=dict_row).execute(query, values)
        return await cursor.fetchall() if cursor.description else []

    async def _rows(self) -> dict[str, list[dict[str, Any]]]:
        orders = {"turn": "message_id", "delivery": "message_id", "procrastinate_jobs": "lock, priority, args"}
        tables = ("agent", "contact", "conversation", "event", "message", "message_version", "message_part", *orders)
        return {name: await self.sql(f"SELECT * FROM {name} ORDER BY {orders.get(name, 'id')}") for name in tables}

    async def _seen(self) -> object:
        """The rows of all tables, and what was told to the feeds since the last look."""
        rows = await self._rows()
        for job in rows["procrastinate_jobs"]:
            for given in ("id", "status", "worker_id"):
                del job[given]
        places = _Places(rows)
        return {name: [places.row(name, row) for row in found] for name, found in rows.items()}, await self.heard()

    async def _alike(self, given: TurnInput | DeliveryInput) -> object:
        return _Places(await self._rows()).fields(given)

    async def heard(self) -> list[object]:
        over = f"over {token_hex(8)}"
        await self.sql("SELECT pg_notify(%s, %s)", NOTIFY_CHANNEL, over)
        heard: list[object] = []
        async for notification in self.listening.notifies(timeout=10):
            if notification.payload == over:
                break
            if notification.payload.startswith("{"):  # or it is another stage that is over
                heard.append(sorted(({"opened_by": ""} | json.loads(notification.payload)).items()))
        return heard


@asynccontextmanager
async def stage(url: str, at_once: bool) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        connect = psycopg.AsyncConnection.connect
        connection, listening = [
            await stack.enter_async_context(await connect(conninfo(url), autocommit=True)) for _ in range(2)
        ]
        await listening.execute(f"LISTEN {NOTIFY_CHANNEL}")
        queue = Queue(conninfo(url))
        await queue.open()
        stack.push_async_callback(queue.close)
        store = Store(create_engine(url), queue, at_once=at_once)
        stack.push_async_callback(store.close)
        yield Stage(store, queue, connection, listening)


class _Places:
    """Numbers and moments by their order among all that there are."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        of_messages = rows["message"]
        self.messages = _order(row["id"] for row in of_messages)
        self.cursors = _order(row[name] for row in of_messages for name in ("cursor", "revision") if row[name])
        self.moments = _order(
            value for found in rows.values() for row in found for value in row.values() if isinstance(value, datetime)
        )

    def row(self, table: str, row: dict[str, Any]) -> dict[str, object]:
        return {name: self.value(f"{table}.{name}", value) for name, value in row.items()}

    def value(self, name: str, value: Any) -> object:
        if isinstance(value, datetime):
            return "at", self.moments[value]
        column = name.rpartition(".")[2]
        if value is not None and (name in ("message.id", "Message.id") or column in ("message_id", "reply_to")):
            return ("message", self.messages[value]) if isinstance(value, int) else value
        if value is not None and column in ("cursor", "revision"):
            return "cursor", self.cursors[value]
        if column == "external_ids":  # of what is shown without being sent: its own number
            return [f"message {self.messages[int(one)]}" if str(one).isdecimal() else one for one in value]
        if column == "args":
            return {key: self.messages.get(one, one) for key, one in value.items()}
        if name == "event.data":
            return {key: self.known(one) for key, one in value.items()}
        return self.fields(value) if is_dataclass(value) else value

    def known(self, value: Any) -> object:
        """What an event keeps: its moments may stand nowhere else any more."""
        if isinstance(value, dict):
            return {key: self.known(one) for key, one in value.items()}
        try:
            return "at", self.moments.get(datetime.fromisoformat(value), "before")
        except (TypeError, ValueError):
            return value

    def fields(self, of: Any) -> dict[str, object]:
        kind = type(of).__name__
        return {one.name: self.value(f"{kind}.{one.name}", getattr(of, one.name)) for one in fields(of)}


def _order(values: Iterable[Any]) -> dict[Any, int]:
    return {value: place for place, value in enumerate(sorted(set(values)))}


def differences(one: object, other: object, path: str = "") -> list[str]:
    """Where two tellings differ."""
    if type(one) is type(other) and isinstance(one, (dict, list, tuple)) and len(one) == len(other):  # type: ignore[arg-type]
        parts = one.items() if isinstance(one, dict) else enumerate(one)
        if not isinstance(one, dict) or one.keys() == other.keys():  # type: ignore[attr-defined]
            return [said for key, part in parts for said in differences(part, other[key], f"{path}.{key}")]  # type: ignore[index]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]
