"""Far more messages than can be answered at once, said in a minute or waiting when the desk starts: what becomes of
them, of agents, and of memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, pairwise
from statistics import median
from typing import LiteralString

import psutil
import psycopg
import typer

from benchmarks.load.systems import Desk, Rasa
from bot.domain.message import Command, Incoming, Sender
from bot.queue import Queue
from bot.store import Store
from bot.store.database import conninfo, create_engine
from tests.peers.telegram import PeerUser, TelegramPeer
from tests.support.agents import AgentBrowser, signed_in

CUSTOMERS = 400
ANSWERED_WITHIN = 3600.0
ASKS = "/human"
BETWEEN_REPLIES = 2.0
_UNDONE = "SELECT (SELECT count(*) FROM turn WHERE NOT done) + (SELECT count(*) FROM delivery WHERE state <> 'sent')"
_GATHERED = "SELECT count(*) FROM turn WHERE action = 'silent'"
_SILENT = "SELECT count(*) FROM turn WHERE done AND action IS NULL"
_WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


@dataclass(frozen=True)
class Sample:
    seconds: float
    at_telegram: int
    """Messages that the desk has not fetched yet."""
    in_the_desk: int
    """Jobs that are not done."""
    memory: dict[str, int]
    """Bytes resident, by process."""


@dataclass
class Outcome:
    said: int
    how: str
    """In what time, or before what."""
    samples: list[Sample] = field(default_factory=list)
    replies: list[float] = field(default_factory=list)
    """Seconds until an agent's words were with their customer."""
    unanswered: int = 0
    gathered: int = 0
    """Messages that had no answer of their own, since the bot read them with the customer's next."""
    silent: int = 0
    """Turns in which the bot had no say, since an agent had the conversation. None of these customers has one."""
    doubled: int = 0
    out_of_order: int = 0
    over: float = 0.0
    """Seconds from the first message to the last answer."""

    def table(self) -> str:
        most = {name: max(sample.memory[name] for sample in self.samples) for name in self.samples[0].memory}
        rows = [
            ("messages", f"{self.said:,} {self.how}"),
            (
                "without an answer; of them read with the next, with a person",
                f"{self.unanswered}, {self.gathered}, {self.silent}",
            ),
            ("doubled, out of order", f"{self.doubled}, {self.out_of_order}"),
            ("all answered after", f"{self.over:.0f} s, {self.said / self.over:.0f} a second"),
            ("most that waited at Telegram", f"{max(s.at_telegram for s in self.samples):,}"),
            ("most jobs in the desk", f"{max(s.in_the_desk for s in self.samples):,}"),
            (
                f"{len(self.replies)} agents' replies meanwhile: median, longest",
                f"{median(self.replies) * 1000:.0f} ms, {max(self.replies) * 1000:.0f} ms",
            ),
            *(
                (
                    f"memory of {name}: at first, at most, at the end",
                    " ".join(
                        f"{used / 2**20:.0f}"
                        for used in (self.samples[0].memory[name], most[name], self.samples[-1].memory[name])
                    )
                    + " MB",
                )
                for name in most
            ),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])

    def picture(self) -> str:
        """What waits above, memory below, over time."""
        width, height, left, gap = 760, 150, 64, 46
        last = self.samples[-1].seconds
        waiting = {
            "at Telegram": [(s.seconds, float(s.at_telegram)) for s in self.samples],
            "in the desk": [(s.seconds, float(s.in_the_desk)) for s in self.samples],
        }
        memory = {name: [(s.seconds, s.memory[name] / 2**20) for s in self.samples] for name in self.samples[0].memory}
        parts = []
        for number, (title, unit, curves) in enumerate(
            (("messages that wait", "", waiting), ("memory", " MB", memory))
        ):
            top = 24 + number * (height + gap)
            most = max(value for curve in curves.values() for _, value in curve) or 1.0
            parts.append(f'<text x="{left}" y="{top - 8}" class="title">{title}</text>')
            for share in (0.0, 0.5, 1.0):
                y = top + height * (1 - share)
                parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.0f}" y2="{y:.0f}" class="grid"/>')
                parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{most * share:,.0f}{unit}</text>')
            for index, (name, curve) in enumerate(curves.items()):
                points = " ".join(
                    f"{left + width * seconds / last:.1f},{top + height * (1 - value / most):.1f}"
                    for seconds, value in curve
                )
                parts.append(f'<polyline points="{points}" class="c{index}"/>')
                parts.append(f'<text x="{left + width + 8}" y="{top + 14 + 18 * index}" class="t{index}">{name}</text>')
        bottom = 24 + 2 * height + gap
        parts += [
            f'<text x="{left + width * share:.0f}" y="{bottom + 18}" text-anchor="middle">{last * share:.0f} s</text>'
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]
        style = (
            "text{font:12px sans-serif;fill:#444}.title{font-weight:bold}.grid{stroke:#ddd}"
            "polyline{fill:none;stroke-width:1.8}.c0{stroke:#2563eb}.c1{stroke:#d97706}.c2{stroke:#059669}"
            ".t0{fill:#2563eb}.t1{fill:#d97706}.t2{fill:#059669}"
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 110} {bottom + 30}">'
            f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
        )


async def storm(
    desk: Desk, peer: TelegramPeer, rasa: Rasa, asked: Iterator[str], rate: float, seconds: float
) -> Outcome:
    """Customers say ``rate`` messages a second for so long, and an agent goes on talking with one of them."""
    crowd = Crowd(peer, CUSTOMERS)
    crowd.other.writes(ASKS)
    outcome = Outcome(round(rate * seconds), f"in {seconds:.0f} s")
    async with _watched(desk, crowd, rasa, outcome) as began:
        for number in range(outcome.said):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            crowd.says(next(asked))
        await _over(desk, peer, outcome, began)
    await crowd.count(desk, outcome)
    return outcome


async def fill(database_url: str, crowd: Crowd, asked: Iterator[str], messages: int) -> None:
    """Everybody says their part, and all of it is recorded, with nobody there to answer."""
    queue = Queue(conninfo(database_url))
    await queue.open()
    store = Store(create_engine(database_url), queue)
    account = crowd.peer.token.partition(":")[0]
    limit = asyncio.Semaphore(10)

    async def record(person: PeerUser, said: Mapping[int, str], command: Command | None = None) -> None:
        async with limit:
            for number, text in said.items():
                sender = Sender(str(person.id), "Ann", "en")
                event = Incoming("telegram", account, f"{person.id}:{number}", sender, str(person.id), text)
                await store.incoming.record(replace(event, command=command))

    await record(crowd.other, {crowd.other.writes(ASKS): ASKS}, Command.HUMAN)
    for _ in range(messages):
        crowd.says(next(asked))
    crowd.peer.pending.clear()  # as after they were fetched
    await asyncio.gather(*(record(person, crowd.said[person.id]) for person in crowd.people))
    await store.close()
    await queue.close()


async def work_off(desk: Desk, rasa: Rasa, crowd: Crowd, messages: int) -> Outcome:
    """What ``fill`` left, while an agent goes on talking with a customer."""
    outcome = Outcome(messages, f"of {len(crowd.people):,} customers, before the desk was started")
    async with _watched(desk, crowd, rasa, outcome) as began:
        await _over(desk, crowd.peer, outcome, began)
    await crowd.count(desk, outcome)
    return outcome


class Crowd:
    """Customers on Telegram who speak in turn, and what they said: its text by the number of the message."""

    def __init__(self, peer: TelegramPeer, size: int) -> None:
        self.peer = peer
        self.other = peer.user(1, first_name="Bo", language_code="en")
        """Asks for a person, and gets one."""
        self.people = [peer.user(1000 + number, first_name="Ann", language_code="en") for number in range(size)]
        self.said: dict[int, dict[int, str]] = {person.id: {} for person in self.people}
        self._next = cycle(self.people)

    def says(self, text: str) -> None:
        person = next(self._next)
        self.said[person.id][person.writes(text)] = text

    async def count(self, desk: Desk, outcome: Outcome) -> None:
        """What became of it all."""
        for person in self.people:
            answered = [sent["reply_to_message"]["message_id"] for sent in self.peer.sent(person.id)]
            outcome.unanswered += len(self.said[person.id].keys() - set(answered))
            outcome.doubled += len(answered) - len(set(answered))
            outcome.out_of_order += sum(later < earlier for earlier, later in pairwise(answered))
        outcome.gathered = await _count(desk, _GATHERED)
        outcome.silent = await _count(desk, _SILENT)


@asynccontextmanager
async def _watched(desk: Desk, crowd: Crowd, rasa: Rasa, outcome: Outcome) -> AsyncIterator[float]:
    """Meanwhile an agent talks with a customer, and samples are taken. Gives the time at which it began."""
    peer, customer = crowd.peer, crowd.other
    await peer.wait_sent(customer.id, 1, timeout=60)
    async with signed_in(desk.process) as agent:
        path = await agent.latest()
        await agent.does(path, "claim")
        await peer.wait_sent(customer.id, 2, timeout=30)
        began = time.perf_counter()
        beside = [
            asyncio.create_task(_sample(desk, peer, rasa, outcome, began)),
            asyncio.create_task(_reply(agent, path, peer, customer, outcome)),
        ]
        yield began
        await asyncio.sleep(3)  # for what should not come
        for task in beside:
            task.cancel()
        failed = [e for e in await asyncio.gather(*beside, return_exceptions=True) if isinstance(e, Exception)]
        if failed:
            raise failed[0]


async def _over(desk: Desk, peer: TelegramPeer, outcome: Outcome, began: float) -> None:
    while peer.pending or await _undone(desk):
        if time.perf_counter() - began > ANSWERED_WITHIN:
            break
        await asyncio.sleep(1)
    outcome.over = time.perf_counter() - began


async def _undone(desk: Desk) -> int:
    return await _count(desk, _UNDONE)


async def _count(desk: Desk, query: LiteralString) -> int:
    async with await psycopg.AsyncConnection.connect(conninfo(desk.database_url), autocommit=True) as connection:
        row = await (await connection.execute(query)).fetchone()
        assert row is not None
        return int(row[0])


async def _reply(agent: AgentBrowser, path: str, peer: TelegramPeer, customer: PeerUser, outcome: Outcome) -> None:
    while True:
        before = len(peer.sent(customer.id))
        began = time.perf_counter()
        await agent.does(path, "messages", text=f"reply {before}", mode="reply")
        await peer.wait_sent(customer.id, before + 1, timeout=120)
        outcome.replies.append(time.perf_counter() - began)
        await asyncio.sleep(BETWEEN_REPLIES)


async def _sample(desk: Desk, peer: TelegramPeer, rasa: Rasa, outcome: Outcome, began: float) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(desk.database_url), autocommit=True) as connection:
        while True:
            row = await (await connection.execute(_WAITING)).fetchone()
            assert row is not None
            memory = {
                "desk": sum(process.memory_info().rss for process in desk.processes()),
                "Rasa": rasa.process.memory_info().rss,
                "PostgreSQL": sum(_own(process) for process in desk.database()),
            }
            passed = time.perf_counter() - began
            outcome.samples.append(Sample(passed, len(peer.pending), row[0], memory))
            if len(outcome.samples) % 20 == 0:
                typer.echo(f"{passed:6.0f} s: {len(peer.pending)} at Telegram, {row[0]} jobs in the desk", err=True)
            await asyncio.sleep(1)


def _own(process: psutil.Process) -> int:
    """Without what PostgreSQL's processes share, which each of them would be told to have."""
    try:
        info = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(info.rss - info.shared)
