"""One campaign: people write, things break, and afterwards everything is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from benchmarks.crash.audit import UNFINISHED, Account, audit
from benchmarks.crash.desk import Order
from benchmarks.crash.machines import Balancer, Database, Rasa, Replica, thaw
from benchmarks.crash.people import (
    HUMAN,
    HUMAN_SHARE,
    QUESTIONS,
    Agent,
    Customer,
    DiscordCustomer,
    TelegramCustomer,
    WebCustomer,
)
from benchmarks.crash.points import OFTEN
from benchmarks.crash.schedule import (
    CUT,
    DESK,
    DISCORD,
    FREEZE,
    HOLDER,
    KILL,
    OPENING,
    POSTGRESQL,
    RASA,
    RESTART,
    TELEGRAM,
    WEB,
    Fault,
    schedule,
)
from bot.app import load_settings
from bot.cli.agents import staffing
from bot.model import Role
from bot.store.database import conninfo
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.agents import PASSWORD

AT_ONCE = 24
"""Customers who write in turn."""
LIFE = 40
"""Messages after which a customer is replaced by somebody new."""
AGENTS = ("Mei", "Bo", "Ines", "Omar", "Ada", "Jun")
REACHED_WITHIN = 12.0
RARELY_REACHED_WITHIN = 40.0
"""Seconds for a desk to pass the place where it is to die, at which every message comes by, or only some; then one
dies where it is."""
TAKEN_OVER_WITHIN = 10.0
MOVED = "struck where it was: no desk came by in time"
SETTLED_WITHIN = 240.0
"""Seconds after the last message and fault in which everything must be done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that chance decides follows from it."""

    seed: int
    kills: int
    messages: int
    replicas: int
    rate: float
    opening: float = OPENING
    """Seconds for which one that holds a lease is frozen at first."""

    @property
    def duration(self) -> float:
        """Seconds from the first message to the last."""
        return self.messages / self.rate

    @property
    def command(self) -> str:
        opening = "" if self.opening == OPENING else f" --opening {self.opening:g}"
        return (
            f".venv/bin/python -m benchmarks.crash --seed {self.seed} --kills {self.kills}"
            f" --messages {self.messages} --replicas {self.replicas} --rate {self.rate:g}{opening}"
        )


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault as it was carried out."""

    fault: Fault
    at: float
    """Seconds after the first message."""
    outcome: str
    """Empty if it went as ordered; else what happened instead."""

    @property
    def at_point(self) -> bool:
        return bool(self.fault.point) and not self.outcome

    @property
    def hit(self) -> bool:
        return self.outcome in ("", MOVED)


@dataclass
class Outcome:
    plan: Plan
    struck: list[Struck] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    seconds: float = 0.0
    """From the first message to the last."""
    settled: float = 0.0
    """Seconds more until everything was done."""
    starts: list[float] = field(default_factory=list)
    claims: int = 0
    lost_claims: int = 0
    hand_backs: int = 0
    doubts: int = 0
    takeovers: list[float] = field(default_factory=list)
    """Seconds until another replica had the lease of one that was frozen."""
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    folder: Path = Path()

    @property
    def violations(self) -> list[str]:
        return self.account.violations

    def kills(self) -> list[Struck]:
        return [one for one in self.struck if one.fault.deed == KILL and one.hit]


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
        self._model = model
        self._folder = folder
        self._orders = folder / "orders"
        self._random = Random(f"people {plan.seed}")
        self._customers: list[Customer] = []
        self._present: list[Customer] = []
        self._agents: list[Agent] = []
        self._began = 0.0
        self.outcome = Outcome(plan, folder=folder)

    async def run(self) -> Outcome:
        self._orders.mkdir(parents=True)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            agents = [asyncio.create_task(agent.work()) for agent in self._agents]
            faults = asyncio.create_task(self._strike(self._faults))
            try:
                self._began, self.outcome.began_at = time.monotonic(), datetime.now(UTC)
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

    # --- the machine

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        self._telegram = await stack.enter_async_context(TelegramPeer())
        self._discord = await stack.enter_async_context(DiscordPeer())
        self._database = Database(self._folder / "postgres")
        await self._database.start()
        stack.push_async_callback(self._database.stop)
        self._rasa = Rasa(self._model, self._folder / "var")
        stack.push_async_callback(self._rasa.stop)
        async with staffing(load_settings(), self._database.url) as (_, staff):
            for name in AGENTS:
                await staff.add(name, Role.AGENT, password=PASSWORD)
        await self._rasa.start()
        config = (
            f"channels:\n  discord:\n    api_base: {self._discord.api_base}\n"
            f"  telegram:\n    base_url: {self._telegram.base_url}\n    poll_timeout: 2\n"
        )
        environment = {
            "DATABASE_URL": self._database.url,
            "DISCORD_BOT_TOKEN": self._discord.token,
            "TELEGRAM_BOT_TOKEN": self._telegram.token,
            **self._rasa.environment,
        }
        self._replicas = [
            Replica(number, self._folder / f"replica-{number}", config, environment, self._orders)
            for number in range(1, self.plan.replicas + 1)
        ]
        for replica in self._replicas:
            stack.push_async_callback(replica.stop)
            replica.run()
        async with asyncio.timeout(120):
            for replica in self._replicas:
                await replica.ready.wait()
            await self._discord.connected()
        self._balancer = Balancer(self._replicas)
        await self._balancer.start()
        stack.push_async_callback(self._balancer.stop)
        stack.push_async_callback(self._leave)
        for name in AGENTS:
            self._agents.append(Agent(name, self._balancer.url, Random(f"{name} {self.plan.seed}")))
        self._tell(f"{self.plan.replicas} replica(s) are ready")

    async def _leave(self) -> None:
        for customer in self._customers:
            if isinstance(customer, WebCustomer):
                await customer.leave()

    # --- people

    async def _write(self) -> None:
        """The customers' messages, at a steady rate."""
        written = dict[int, int]()
        for number in range(self.plan.messages):
            pause = self._began + number / self.plan.rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            customer = self._next_customer(written)
            count = written[id(customer)] = written.get(id(customer), 0) + 1
            if self._random.random() < HUMAN_SHARE:
                text, topic = HUMAN, None
            else:
                text, topic = self._random.choice(list(QUESTIONS.items()))
            customer.says(count, f"{text} (#{count})", topic)
            if number % 200 == 199:
                self._tell(f"{number + 1} messages, {len(self.outcome.struck)} faults")

    def _next_customer(self, written: dict[int, int]) -> Customer:
        self._present = [one for one in self._present if written.get(id(one), 0) < LIFE]
        if len(self._present) < AT_ONCE:
            number = len(self._customers) + 1
            made: Customer
            match number % 3:
                case 0:
                    made = TelegramCustomer(self._telegram, number)
                case 1:
                    made = DiscordCustomer(self._discord, number)
                case _:
                    made = WebCustomer(self._balancer.url, Random(f"customer {number} {self.plan.seed}"))
            self._customers.append(made)
            self._present.append(made)
            return made
        return self._random.choice(self._present)

    # --- faults

    async def _strike(self, faults: list[Fault]) -> None:
        while not self._began:
            await asyncio.sleep(0.05)
        striking = []
        for fault in faults:
            await asyncio.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            striking.append(asyncio.create_task(self._carry_out(fault)))
        await asyncio.gather(*striking)

    async def _carry_out(self, fault: Fault) -> None:
        outcome = await self._done(fault)
        self.outcome.struck.append(Struck(fault, time.monotonic() - self._began, outcome))

    async def _done(self, fault: Fault) -> str:
        match fault.deed, fault.victim:
            case (deed, victim) if victim == DESK and fault.point:
                return await self._at_point(fault)
            case (deed, victim) if (deed, victim) == (RESTART, DESK):
                return await self._restart_one_by_one()
            case (deed, victim) if victim == DESK and fault.how == HOLDER:
                return await self._freeze_holder(fault)
            case (deed, victim) if victim == DESK:
                return await self._any_replica(fault)
            case (deed, victim) if (deed, victim) == (KILL, RASA):
                with contextlib.suppress(TimeoutError):
                    await self._rasa.ready(REACHED_WITHIN)
                return "" if self._rasa.kill() else "was down"
            case (deed, victim) if (deed, victim) == (KILL, POSTGRESQL):
                if not await self._database.kill(getattr(signal, fault.how)):
                    self.outcome.violations.append("PostgreSQL did not come back within a minute")
                return ""
            case (deed, victim) if (deed, victim) == (FREEZE, RASA):
                return await self._freeze(self._rasa.pid, fault.seconds)
            case (deed, victim) if (deed, victim) == (FREEZE, POSTGRESQL):
                backends = self._database.backends()
                return await self._freeze(
                    backends[int(fault.dice * len(backends))] if backends else None, fault.seconds
                )
            case (deed, victim) if (deed, victim) == (CUT, TELEGRAM):
                return await self._cut_telegram(fault)
            case (deed, victim) if (deed, victim) == (CUT, DISCORD):
                return await self._cut_discord(fault)
            case (deed, victim) if (deed, victim) == (CUT, POSTGRESQL):
                await self._database.cut_connections()
                return ""
            case (deed, victim) if (deed, victim) == (CUT, WEB):
                return self._cut_web(fault)
            case _:
                raise ValueError(f"nobody knows how to {fault.deed} {fault.victim}")

    async def _at_point(self, fault: Fault) -> str:
        name = f"{fault.number:04d}"
        how = "kill" if fault.deed == KILL else "stop"
        Order(fault.side, fault.point, fault.passage, how).give(self._orders, name)
        deadline = time.monotonic() + (REACHED_WITHIN if OFTEN[fault.point] else RARELY_REACHED_WITHIN)
        while (pid := Order.taken_by(self._orders, name)) is None:
            if time.monotonic() > deadline and Order.withdraw(self._orders, name):
                return await self._any_replica(fault) or MOVED
            await asyncio.sleep(0.02)
        if fault.deed == FREEZE:
            await asyncio.sleep(fault.seconds)
            thaw(pid)
        return ""

    async def _any_replica(self, fault: Fault) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REACHED_WITHIN):
                while not any(replica.ready.is_set() for replica in self._replicas):
                    await asyncio.sleep(0.1)
        running = [replica for replica in self._replicas if replica.pid is not None]
        if not running:
            return "all were down"
        victim = running[int(fault.dice * len(running))]
        if fault.deed == KILL:
            victim.kill()
            return ""
        return await self._freeze(victim.pid, fault.seconds)

    async def _restart_one_by_one(self) -> str:
        for replica in self._replicas:
            status = await replica.restart()
            if status not in (None, 0, -signal.SIGKILL):
                self.outcome.violations.append(f"a desk that was asked to stop ended with {status}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await replica.ready.wait()
        return ""

    async def _freeze_holder(self, fault: Fault) -> str:
        """Freezes the desk that holds a lease. In the opening, when nothing else is broken, another one must have it
        within the promised time."""
        leases = await self._leases()
        running = {replica.pid for replica in self._replicas}
        held = [name for name, (_, pid) in sorted(leases.items()) if pid in running]
        if not held:
            return await self._any_replica(fault)
        name = held[int(fault.dice * len(held))]
        generation, pid = leases[name]
        freezing = asyncio.create_task(self._freeze(pid, fault.seconds))
        began = time.monotonic()
        while not freezing.done():
            await asyncio.sleep(0.1)
            if (await self._leases()).get(name, (generation, pid))[0] > generation:
                self.outcome.takeovers.append(time.monotonic() - began)
                break
        if (
            fault.number == 1
            and fault.seconds > TAKEN_OVER_WITHIN
            and not any(t <= TAKEN_OVER_WITHIN for t in self.outcome.takeovers)
        ):
            self.outcome.violations.append(
                f"nobody took over {name} within {TAKEN_OVER_WITHIN:g} s: {self.outcome.takeovers}"
            )
        return await freezing

    async def _leases(self) -> dict[str, tuple[int, int]]:
        """Generation and holder's process, by lease."""
        with contextlib.suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(conninfo(self._database.url)) as connection:
                rows = await connection.execute("SELECT name, generation, holder FROM lease")
                return {name: (generation, int(holder.rpartition(":")[2])) async for name, generation, holder in rows}
        return {}

    async def _freeze(self, pid: int | None, seconds: float) -> str:
        if pid is None:
            return "was down"
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        thaw(pid)
        return ""

    async def _cut_telegram(self, fault: Fault) -> str:
        telegram = self._telegram
        match fault.how:
            case "send refused a connection":
                telegram.drop_next("sendMessage", times=fault.passage)
            case "send's answer lost":
                telegram.drop_next("sendMessage", after_effect=True, times=fault.passage)
            case "fetch cut":
                telegram.drop_next("getUpdates", times=fault.passage)
            case "fetch's answer lost":
                telegram.drop_next("getUpdates", after_effect=True, times=fault.passage)
            case "outage":
                await telegram.stop()
                await asyncio.sleep(fault.seconds)
                await telegram.start()
        return ""

    async def _cut_discord(self, fault: Fault) -> str:
        discord = self._discord
        match fault.how:
            case "send refused a connection":
                discord.drop_next("POST /channels", times=fault.passage)
            case "send's answer lost":
                discord.drop_next("POST /channels", times=fault.passage, after_effect=True)
            case "gateway cut":
                discord.cut()
            case "gateway closed":
                discord.close(4000)
            case "asked to reconnect":
                discord.ask_to_reconnect()
            case "session invalid":
                discord.invalidate(resumable=True)
            case "outage":
                await discord.stop()
                await asyncio.sleep(fault.seconds)
                await discord.start()
        return ""

    def _cut_web(self, fault: Fault) -> str:
        match fault.how:
            case "connections cut":
                self._balancer.cut()
            case how:
                for _ in range(fault.passage):
                    self._balancer.drop_next("before" if how == "request lost" else "after")
        return ""

    # --- afterwards

    async def _settle(self) -> None:
        """Waits until nobody waits and nothing is left to do."""
        began = time.monotonic()
        left = "not looked"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN):
                for replica in self._replicas:
                    await replica.ready.wait()
                await self._rasa.ready(SETTLED_WITHIN)
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
        incoming = len(self._telegram.pending)
        resting = sum(agent.resting.is_set() for agent in self._agents)
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo(self._database.url), row_factory=namedtuple_row
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
            "replicas whose queue stands still": max(0, len(self._replicas) - row.workers),
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
            conninfo(self._database.url),
            self._customers,
            [reply for agent in self._agents for reply in agent.written],
            transcripts,
        )
        outcome.account.violations[:0] = unsettled
        for replica in self._replicas:
            outcome.violations.extend(replica.complaints)
            outcome.starts.extend(replica.starts)
        for agent in self._agents:
            outcome.claims += agent.claims
            outcome.lost_claims += agent.lost_claims
            outcome.hand_backs += agent.hand_backs
            outcome.doubts += agent.doubts
