"""How faults are carried out: who is killed, frozen or cut, and what happens if they are not there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import psycopg

from benchmarks.crash.deployment import Deployment
from benchmarks.crash.desk import Order
from benchmarks.crash.machines import thaw
from benchmarks.crash.outcome import MOVED, Outcome, Struck
from benchmarks.crash.points import OFTEN
from benchmarks.crash.schedule import (
    CUT,
    DESK,
    DISCORD,
    FREEZE,
    HOLDER,
    KILL,
    POSTGRESQL,
    RASA,
    RESTART,
    TELEGRAM,
    WEB,
    Fault,
)
from bot.store.database import conninfo

REACHED_WITHIN = 12.0
RARELY_REACHED_WITHIN = 40.0
"""Seconds for a desk to pass the place where it is to die, at which every message comes by, or only some; then one
dies where it is."""
TAKEN_OVER_WITHIN = 10.0


class Strikes:
    """Carries out faults on a deployment, and notes in the outcome what each did."""

    def __init__(self, on: Deployment, outcome: Outcome) -> None:
        self._on = on
        self._outcome = outcome
        self._began = 0.0

    async def strike(self, faults: list[Fault], began: float) -> None:
        """Carries out each in its time after the first message, at ``began``."""
        self._began = began
        striking = []
        for fault in faults:
            await asyncio.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            striking.append(asyncio.create_task(self._carry_out(fault)))
        await asyncio.gather(*striking)

    async def _carry_out(self, fault: Fault) -> None:
        outcome = await self._done(fault)
        self._outcome.struck.append(Struck(fault, time.monotonic() - self._began, outcome))

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
                    await self._on.rasa.ready(REACHED_WITHIN)
                return "" if self._on.rasa.kill() else "was down"
            case (deed, victim) if (deed, victim) == (KILL, POSTGRESQL):
                if not await self._on.database.kill(getattr(signal, fault.how)):
                    self._outcome.violations.append("PostgreSQL did not come back within a minute")
                return ""
            case (deed, victim) if (deed, victim) == (FREEZE, RASA):
                return await self._freeze(self._on.rasa.pid, fault.seconds)
            case (deed, victim) if (deed, victim) == (FREEZE, POSTGRESQL):
                backends = self._on.database.backends()
                return await self._freeze(
                    backends[int(fault.dice * len(backends))] if backends else None, fault.seconds
                )
            case (deed, victim) if (deed, victim) == (CUT, TELEGRAM):
                return await self._cut_telegram(fault)
            case (deed, victim) if (deed, victim) == (CUT, DISCORD):
                return await self._cut_discord(fault)
            case (deed, victim) if (deed, victim) == (CUT, POSTGRESQL):
                await self._on.database.cut_connections()
                return ""
            case (deed, victim) if (deed, victim) == (CUT, WEB):
                return self._cut_web(fault)
            case _:
                raise ValueError(f"nobody knows how to {fault.deed} {fault.victim}")

    async def _at_point(self, fault: Fault) -> str:
        name = f"{fault.number:04d}"
        how = "kill" if fault.deed == KILL else "stop"
        Order(fault.side, fault.point, fault.passage, how).give(self._on.orders, name)
        deadline = time.monotonic() + (REACHED_WITHIN if OFTEN[fault.point] else RARELY_REACHED_WITHIN)
        while (pid := Order.taken_by(self._on.orders, name)) is None:
            if time.monotonic() > deadline and Order.withdraw(self._on.orders, name):
                return await self._any_replica(fault) or MOVED
            await asyncio.sleep(0.02)
        if fault.deed == FREEZE:
            await asyncio.sleep(fault.seconds)
            thaw(pid)
        return ""

    async def _any_replica(self, fault: Fault) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REACHED_WITHIN):
                while not any(replica.ready.is_set() for replica in self._on.replicas):
                    await asyncio.sleep(0.1)
        running = [replica for replica in self._on.replicas if replica.pid is not None]
        if not running:
            return "all were down"
        victim = running[int(fault.dice * len(running))]
        if fault.deed == KILL:
            victim.kill()
            return ""
        return await self._freeze(victim.pid, fault.seconds)

    async def _restart_one_by_one(self) -> str:
        for replica in self._on.replicas:
            status = await replica.restart()
            if status not in (None, 0, -signal.SIGKILL):
                self._outcome.violations.append(f"a desk that was asked to stop ended with {status}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await replica.ready.wait()
        return ""

    async def _freeze_holder(self, fault: Fault) -> str:
        """Freezes the desk that holds a lease. In the opening, when nothing else is broken, another one must have it
        within the promised time."""
        leases = await self._leases()
        running = {replica.pid for replica in self._on.replicas}
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
                self._outcome.takeovers.append(time.monotonic() - began)
                break
        if (
            fault.number == 1
            and fault.seconds > TAKEN_OVER_WITHIN
            and not any(t <= TAKEN_OVER_WITHIN for t in self._outcome.takeovers)
        ):
            self._outcome.violations.append(
                f"nobody took over {name} within {TAKEN_OVER_WITHIN:g} s: {self._outcome.takeovers}"
            )
        return await freezing

    async def _leases(self) -> dict[str, tuple[int, int]]:
        """Generation and holder's process, by lease."""
        with contextlib.suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(conninfo(self._on.database.url)) as connection:
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
        telegram = self._on.telegram
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
        discord = self._on.discord
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
                self._on.balancer.cut()
            case how:
                for _ in range(fault.passage):
                    self._on.balancer.drop_next("before" if how == "request lost" else "after")
        return ""
