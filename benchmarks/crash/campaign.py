"""One campaign: people write, things break, and afterwards everything is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from benchmarks.crash.audit import UNFINISHED, audit
from benchmarks.crash.deployment import AGENTS, Deployment
from benchmarks.crash.outcome import Outcome, Plan
from benchmarks.crash.people import (
    HUMAN,
    HUMAN_SHARE,
    QUESTION_SHARE,
    QUESTIONS,
    SMALL_TALK,
    Agent,
    Customer,
    DiscordCustomer,
    TelegramCustomer,
    WebCustomer,
)
from benchmarks.crash.schedule import (
    Fault,
    schedule,
)
from benchmarks.crash.strikes import Strikes
from bot.store.database import conninfo

AT_ONCE = 24
"""Customers who write in turn."""
LIFE = 40
"""Messages after which a customer is replaced by somebody new."""
SETTLED_WITHIN = 240.0
"""Seconds after the last message and fault in which everything must be done."""

Tell = Callable[[str], None]


class Campaign:
    def __init__(
        self, plan: Plan, model: Path, folder: Path, tell: Tell = lambda _: None, faults: list[Fault] | None = None
    ) -> None:
        """``faults`` come in place of those of the plan's seed."""
        self.plan = plan
        self._faults = faults or schedule(
            plan.seed,
            kills=plan.kills,
            duration=plan.duration,
            replicas=plan.replicas,
            opening_seconds=plan.opening,
        )
        self._tell = tell
        self._on = Deployment(model, folder, plan.replicas)
        self._random = Random(f"people {plan.seed}")
        self._customers: list[Customer] = []
        self._present: list[Customer] = []
        self._asked: dict[int, set[str]] = {}
        """What each customer has asked about."""
        self._agents: list[Agent] = []
        self._began = 0.0
        self.outcome = Outcome(plan, folder=folder)

    async def run(self) -> Outcome:
        self._on.orders.mkdir(parents=True)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            agents = [asyncio.create_task(agent.work()) for agent in self._agents]
            self._began, self.outcome.began_at = time.monotonic(), datetime.now(UTC)
            faults = asyncio.create_task(Strikes(self._on, self.outcome).strike(self._faults, self._began))
            try:
                await self._write()
                self.outcome.seconds = time.monotonic() - self._began
                await faults
                await self._settle()
            finally:
                for task in (faults, *agents):
                    task.cancel()
                await asyncio.gather(faults, *agents, return_exceptions=True)
            await self._account()
        return self.outcome

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        await self._on.start(stack)
        stack.push_async_callback(self._leave)
        for name in AGENTS:
            self._agents.append(Agent(name, self._on.balancer.url, Random(f"{name} {self.plan.seed}")))
        self._tell(f"{self.plan.replicas} replica(s) are ready")

    async def _leave(self) -> None:
        for customer in self._customers:
            if isinstance(customer, WebCustomer):
                await customer.leave()

    async def _write(self) -> None:
        """The customers' messages, at a steady rate."""
        written = dict[int, int]()
        for number in range(self.plan.messages):
            pause = self._began + number / self.plan.rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            customer = self._next_customer(written)
            count = written[id(customer)] = written.get(id(customer), 0) + 1
            text, topic = self._words(customer)
            customer.says(count, f"{text} (#{count})", topic)
            if number % 200 == 199:
                self._tell(f"{number + 1} messages, {len(self.outcome.struck)} faults")

    def _words(self, customer: Customer) -> tuple[str, str | None]:
        if self._random.random() < HUMAN_SHARE:
            return HUMAN, None
        asked = self._asked.setdefault(id(customer), set())
        new = [text for text, topic in QUESTIONS.items() if topic not in asked]
        if not new or self._random.random() >= QUESTION_SHARE:
            return self._random.choice(list(SMALL_TALK.items()))
        text = self._random.choice(new)
        asked.add(QUESTIONS[text])
        return text, QUESTIONS[text]

    def _next_customer(self, written: dict[int, int]) -> Customer:
        self._present = [one for one in self._present if written.get(id(one), 0) < LIFE]
        if len(self._present) < AT_ONCE:
            number = len(self._customers) + 1
            made: Customer
            match number % 3:
                case 0:
                    made = TelegramCustomer(self._on.telegram, number)
                case 1:
                    made = DiscordCustomer(self._on.discord, number)
                case _:
                    made = WebCustomer(self._on.balancer.url, Random(f"customer {number} {self.plan.seed}"))
            self._customers.append(made)
            self._present.append(made)
            return made
        return self._random.choice(self._present)

    async def _settle(self) -> None:
        """Waits until nobody waits and nothing is left to do."""
        began = time.monotonic()
        left = "not looked"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN):
                for replica in self._on.replicas:
                    await replica.ready.wait()
                await self._on.rasa.ready(SETTLED_WITHIN)
                for customer in self._customers:
                    if isinstance(customer, WebCustomer):
                        await customer.all_sent()
                for agent in self._agents:
                    agent.working = False
                quiet, looks = 0, 0
                while quiet < 4:
                    await asyncio.sleep(0.5)
                    left = await self._unfinished()
                    looks += 1
                    if left and looks % 20 == 0:
                        self._tell(f"left: {left}")
                    quiet = quiet + 1 if not left else 0
                self.outcome.settled = time.monotonic() - began
                # Pages look for themselves every fifteen seconds, should nobody have told them.
                await asyncio.sleep(1)
                return
        self.outcome.settled = time.monotonic() - began
        self.outcome.violations.append(f"not settled {SETTLED_WITHIN:g} seconds after the last message: {left}")

    async def _unfinished(self) -> str:
        """What is not done yet; empty when all is."""
        incoming = len(self._on.telegram.pending)
        resting = sum(agent.resting.is_set() for agent in self._agents)
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo(self._on.database.url), row_factory=namedtuple_row
            ) as connection:
                row: Any = await (await connection.execute(UNFINISHED)).fetchone()
        except psycopg.Error as error:
            return f"the database does not answer: {error}"
        counts = {
            "updates at Telegram": incoming,
            "agents at work": len(AGENTS) - resting,
            "conversations with agents": row.with_agents,
            "turns": row.turns,
            "deliveries": row.deliveries,
            "jobs": row.jobs,
            "replicas whose queue stands still": max(0, len(self._on.replicas) - row.workers),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    async def _account(self) -> None:
        outcome = self.outcome
        transcripts = {
            customer.contact: await customer.transcript()
            for customer in self._customers
            if isinstance(customer, WebCustomer) and customer.contact
        }
        unsettled = outcome.violations
        outcome.account = await audit(
            conninfo(self._on.database.url),
            self._customers,
            [reply for agent in self._agents for reply in agent.written],
            transcripts,
        )
        outcome.account.violations[:0] = unsettled
        for replica in self._on.replicas:
            outcome.violations.extend(replica.complaints)
            outcome.starts.extend(replica.starts)
        for agent in self._agents:
            outcome.claims += agent.claims
            outcome.lost_claims += agent.lost_claims
            outcome.hand_backs += agent.hand_backs
            outcome.doubts += agent.doubts
