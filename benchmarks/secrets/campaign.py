"""Customers bring secrets on every channel, in every way, to a desk that is killed meanwhile; then all that it wrote is
searched for them, byte by byte, and every customer's screen is looked at.

.venv/bin/python -m benchmarks.secrets campaign [--seed 1] [--secrets 10000] [--kills 40] [--keep]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import re
import shutil
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import aiohttp
import psycopg
from psycopg.rows import namedtuple_row

from benchmarks.crash.audit import UNFINISHED
from benchmarks.crash.desk import VARIABLE, Order
from benchmarks.crash.points import AFTER, BEFORE
from benchmarks.secrets import planting
from benchmarks.secrets.bringing import SPLIT, ByApi, Case, Channel, OnDiscord, OnTelegram, OnTheWeb, cases
from benchmarks.secrets.outcome import Outcome, has, place_of, plain, report
from benchmarks.secrets.traces import Trace, Traces, parts
from bot.domain.secret import PUTS_FUNDS_AT_RISK, SecretKind
from bot.guard.secrets import Certainty, search, warm
from connectors.api.commands import new_secret
from switchboard.plugins import load_settings
from switchboard.wiring import load_words
from tests.peers.discord import DiscordPeer
from tests.peers.engine import RasaPeer
from tests.peers.telegram import TelegramPeer
from tests.support.api_channel import VARIABLE as API_SECRET
from tests.support.api_channel import client_module
from tests.support.desk_process import DeskProcess, config_file
from tests.support.dump import everything
from tests.support.ports import HeldPort

AT_ONCE = 40
"""Customers who wait for their answer."""
PATIENCE = 25.0
"""Seconds after which they ask whether anybody is there, at most ``ASKS`` times."""
ASKS = 2
SETTLED_WITHIN = 180.0
CONTROL = "nobody has answered my letter {} of last week"
"""An ordinary message that must be found in the files: or the search of them is blind."""
PLACES = (
    (BEFORE, "record incoming"),
    (AFTER, "record incoming"),
    (BEFORE, "take turn"),
    (BEFORE, "finish turn"),
    (AFTER, "finish turn"),
    (BEFORE, "deliver"),
    (AFTER, "send to Telegram"),
    (AFTER, "send to Discord"),
    (BEFORE, "record sent"),
)
"""Where desks are killed, every second time; else anywhere."""

Tell = Callable[[str], None]


class Campaign:
    def __init__(self, folder: Path, *, seed: int, secrets: int, kills: int, tell: Tell = lambda _: None) -> None:
        self._folder, self._seed, self._kills, self._tell = folder, seed, kills, tell
        self._random = Random(f"campaign {seed}")  # noqa: S311  (the same every time)
        self._count = secrets
        self._orders = folder / "orders"
        self._temporary = folder / "tmp"
        self._channels: dict[str, Channel] = {}
        self._done = 0
        self._up = asyncio.Event()
        self._controls: list[Case] = []
        self.outcome = Outcome(planted=secrets)

    async def run(self) -> Outcome:
        warm()
        for folder in (self._folder, self._orders, self._temporary, self._folder / "desk" / "var"):
            folder.mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            brought = self._cases()
            began = time.monotonic()
            await self._bring(brought)
            await self._settle()
            self.outcome.seconds = time.monotonic() - began
            self._tell("settled; looking at the screens and the tables")
            await self._screens(brought)
            await asyncio.to_thread(self._tables, brought)
            self._held = await asyncio.to_thread(everything, self._desk.database)
            await self._desk.stop()
            self._said_to_engine = "\n".join(self._engine.asked)
        self._tell("stopped; searching the files")
        await asyncio.to_thread(self._files, brought)
        return self.outcome

    # --- the desk and its platforms

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        self._telegram = await stack.enter_async_context(TelegramPeer())
        self._discord = await stack.enter_async_context(DiscordPeer())
        self._discord.route_limit = (100_000, 1.0)
        self._engine = await stack.enter_async_context(RasaPeer({"hello": "greet", "thank you": "thanks"}))
        port, secret = HeldPort(), new_secret()
        url = f"http://127.0.0.1:{port.number}"
        stack.callback(port.close)
        client = client_module.Client(self._folder.parent / f"{self._folder.name}-customers.db", url, "sample", secret)
        webhook = client.start("127.0.0.1", 0)
        stack.callback(client.stop)
        config = (
            f"channels:\n  discord: {{api_base: '{self._discord.api_base}'}}\n"
            f"  telegram: {{base_url: '{self._telegram.base_url}', poll_timeout: 2}}\n"
            f"  api: {{apps: {{sample: {{webhook_url: '{webhook}', rate: 10000}}}}}}\n"
            "egress: {allow: [127.0.0.1]}\n"
        )
        desk = self._folder / "desk"
        environment = {
            **self._engine.environment,
            "DISCORD_BOT_TOKEN": self._discord.token,
            "TELEGRAM_BOT_TOKEN": self._telegram.token,
            API_SECRET: secret,
            "PORT": str(port.number),
            "TMPDIR": str(self._temporary),
            VARIABLE: str(self._orders),
        }
        self._desk = DeskProcess(
            desk / "var",
            config_file(desk / "config.yml", config),
            environment,
            command=(sys.executable, "-m", "benchmarks.crash.desk"),
        )
        stack.push_async_callback(self._desk.end)
        await self._desk.start()
        await self._desk.staffed()
        await asyncio.to_thread(self._prepare)
        await self._discord.connected(60)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=20))
        )
        made = (
            OnTelegram(self._telegram),
            OnDiscord(self._discord),
            OnTheWeb(url, http, Random(f"web {self._seed}")),  # noqa: S311
            ByApi(client),
        )
        self._channels = {one.name: one for one in made}
        self._up.set()

    def _prepare(self) -> None:
        """All that was ever written ahead is kept, and long values stay as they are: they can be searched."""
        with psycopg.connect(self._desk.database, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_keep_size = '32GB'")
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            columns = connection.execute(
                "SELECT format('ALTER TABLE %I ALTER %I SET STORAGE EXTERNAL', table_name, column_name)"
                " FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
                " AND data_type IN ('text', 'jsonb', 'bytea', 'character varying')"
            ).fetchall()
            for (statement,) in columns:
                connection.execute(statement)

    def _cases(self) -> list[Case]:
        kinds = len(planting.KINDS)
        planted = list(planting.all_of(self._seed, -(-self._count // kinds)))
        self._random.shuffle(planted)
        made = cases(planted[: self._count], list(self._channels.values()))
        for number, name in enumerate(itertools.islice(itertools.cycle(self._channels), 4 * len(self._channels))):
            marker = "".join(self._random.choices("bcdfghjklmnpqrstvwxz", k=14))
            case = Case(self._count + number, "control", [CONTROL.format(marker)], (marker,), "message", name)
            self._controls.append(case)
        return made

    # --- while it runs

    async def _bring(self, brought: Sequence[Case]) -> None:
        waiting = iter(_mixed([*brought, *self._controls], self._random))
        total = len(brought) + len(self._controls)

        async def serve() -> None:
            for case in waiting:
                await self._serve(case)
                self._done += 1
                if self._done % 250 == 0:
                    self._tell(f"{self._done} of {total}, {self.outcome.kills} kills")

        killing = asyncio.create_task(self._kill(total))
        await asyncio.gather(*(serve() for _ in range(AT_ONCE)))
        await killing

    async def _serve(self, case: Case) -> None:
        channel = self._channels[case.channel]
        if case.channel == "discord":
            # Who was never met and writes while no desk is there is heard with their next message.
            await self._up.wait()
        await channel.bring(case)
        for _ in range(ASKS + 1):
            since = time.monotonic()
            while time.monotonic() - since < PATIENCE:
                if await channel.sees(case):
                    return
                await asyncio.sleep(channel.pause)
            if case.written < ASKS:
                case.written += 1
                await channel.asks(case)

    async def _kill(self, total: int) -> None:
        for number in range(self._kills):
            at = total * (number + 1) // (self._kills + 1)
            while self._done < at:  # noqa: ASYNC110  (all the customers move it)
                await asyncio.sleep(0.02)
            process = self._desk.process
            assert process is not None
            if number % 2 == 0:
                side, point = PLACES[number // 2 % len(PLACES)]
                order = f"order-{number}"
                Order(side, point, self._random.randrange(1, 4), "kill").give(self._orders, order)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 6)
                self.outcome.at_places += not Order.withdraw(self._orders, order)
            if process.returncode is None:
                process.kill()
            self._up.clear()
            await process.wait()
            self.outcome.kills += 1
            await self._desk.start()
            await self._discord.connected(60)
            self._up.set()

    async def _settle(self) -> None:
        left: Any = "not looked"
        deadline, quiet = time.monotonic() + SETTLED_WITHIN, 0
        while time.monotonic() < deadline:
            async with await psycopg.AsyncConnection.connect(
                self._desk.database, row_factory=namedtuple_row
            ) as connection:
                row: Any = await (await connection.execute(UNFINISHED)).fetchone()
            left = (len(self._telegram.pending), row.turns, row.deliveries, row.jobs)
            quiet = 0 if any(left) else quiet + 1
            if quiet == 3:
                return
            await asyncio.sleep(0.5)
        self.outcome.violations.append(f"not settled: updates, turns, deliveries, jobs are {left}")

    # --- afterwards

    def _headlines(self) -> list[str]:
        words = load_words(load_settings())
        kinds = [*(kind.value for kind in SecretKind), "doubtful"]
        return [plain(words.say(f"customer.removed.{kind}", at))[:18] for kind in kinds for at in ("en", "zh")]

    async def _screens(self, brought: Sequence[Case]) -> None:
        headlines = self._headlines()
        for case in brought:
            found = search(case.texts)
            if not _gone(case, found):
                continue
            (self.outcome.spread if case.way == SPLIT else self.outcome.recognised).add(case.number)
            self.outcome.expected[case.channel] += 1
            told = [one for one in await self._channels[case.channel].sees(case) if has(one, headlines)]
            if len(told) == 1:
                self.outcome.answered[case.channel] += 1
            elif told:
                self.outcome.twice[case.channel] += 1
                if case.channel != "telegram" and case.way not in (SPLIT, "quote", "forward"):
                    self.outcome.violations.append(f"{_named(case)} was told {len(told)} times")
            else:
                self.outcome.violations.append(f"{_named(case)} was not told")

    def _tables(self, brought: Sequence[Case]) -> None:
        """Whoever's funds are at risk is in the queue for that; nobody was answered twice."""
        headlines = self._headlines()
        with psycopg.connect(self._desk.database, row_factory=namedtuple_row) as connection:
            rows = connection.execute(
                "SELECT contact.channel, contact.external_id, conversation.state, conversation.reason,"
                " array(SELECT text FROM message WHERE message.contact_id = contact.id AND author = 'bot'"
                " AND visibility = 'public') AS said"
                " FROM contact JOIN conversation ON conversation.contact_id = contact.id"
            ).fetchall()
        of: dict[tuple[str, str], Any] = {(row.channel, row.external_id): row for row in rows}
        for case in brought:
            if case.number not in self.outcome.recognised | self.outcome.spread:
                continue
            row = of.get((case.channel, case.contact))
            if row is None:
                self.outcome.violations.append(f"{_named(case)} has no conversation")
                continue
            told = sum(has(text, headlines) for text in row.said)
            if told > 1 and case.way not in (SPLIT, "quote", "forward"):
                self.outcome.violations.append(f"{_named(case)} has {told} answers in the tables")
            risk = [one for one in search(case.texts).findings if one.kind in PUTS_FUNDS_AT_RISK]
            sure = any(one.certainty is not Certainty.DOUBTFUL for one in risk)
            if sure and (row.state, row.reason) != ("queued", "funds_at_risk"):
                self.outcome.violations.append(f"{_named(case)} is {row.state} for {row.reason}")

    def _files(self, brought: Sequence[Case]) -> None:
        outcome = self.outcome
        single = Traces((case.number, _parts(case)) for case in brought if case.number in outcome.recognised)
        spread = Traces((case.number, _parts(case)) for case in brought if case.number in outcome.spread)
        control = Traces((case.number, [case.texts[0].split()[5]]) for case in self._controls)
        seen = defaultdict[str, set[int]](set)
        for path in sorted(one for one in self._folder.rglob("*") if one.is_file()):
            name = str(path.relative_to(self._folder))
            place = place_of(name)
            outcome.searched[place] += path.stat().st_size
            self._note(single.in_file(path, name), outcome.found, place)
            self._note(spread.in_file(path, name), outcome.found_spread, place)
            for trace in control.in_file(path, name):
                seen[place].add(trace.secret)
        for place, text in (("tables, read by SQL", self._held), ("what the engine was asked", self._said_to_engine)):
            outcome.searched[place] += len(text.encode())
            self._note(single.in_text(text, place), outcome.found, place)
            self._note(spread.in_text(text, place), outcome.found_spread, place)
        for place, numbers in outcome.found.items():
            if numbers:
                outcome.violations.append(f"{len(numbers)} secrets of one message are in: {place}")
        if kept := outcome.found_spread.get("tables, read by SQL"):
            outcome.violations.append(f"{len(kept)} secrets over several messages are in the tables")
        # A page of the write-ahead log may end in the middle of a word.
        for place, least in (("database: tables", 1.0), ("database: write-ahead log", 0.75)):
            if len(seen[place]) < least * len(self._controls):
                outcome.violations.append(
                    f"only {len(seen[place])} of {len(self._controls)} ordinary words in: {place}"
                )

    def _note(self, traces: Iterable[Trace], found: dict[str, set[int]], place: str) -> None:
        for trace in traces:
            if trace.secret not in found[place] and len(self.outcome.notes) < 40 and found is self.outcome.found:
                self.outcome.notes.append(f"{trace.path} at {trace.offset}: {trace.needle!r} of {trace.secret}")
            found[place].add(trace.secret)


def _named(case: Case) -> str:
    return f"customer {case.number} ({case.channel}, {case.way}, {case.kind}, asked {case.written} times)"


def _mixed(all_of_them: list[Case], random: Random) -> list[Case]:
    random.shuffle(all_of_them)
    return all_of_them


def _gone(case: Case, found: Any) -> bool:
    """Whether the search by itself finds it, so that nothing of it may be left."""
    return bool(found.findings) and not any(
        part in "\n".join(found.redacted) for part in _parts(case, found) if len(part) > 3
    )


def _parts(case: Case, found: Any = None) -> set[str]:
    found = found or search(case.texts)
    made = set[str]()
    whole = _letters(" ".join(case.secret))
    for one in found.findings:
        for span in one.spans:
            some = parts(case.texts[span.message], span.start, span.end, one.kind)
            if one.kind is SecretKind.SEED_PHRASE:
                # A few of the words around a phrase may be hidden with it: others write them, too.
                some = {part for part in some if _letters(part) in whole}
            made |= some
    return made


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", unicodedata.normalize("NFKC", text).casefold())


def main(arguments: Sequence[str]) -> None:
    read = argparse.ArgumentParser(prog="benchmarks.secrets campaign", description=__doc__)
    read.add_argument("--seed", type=int, default=1)
    read.add_argument("--secrets", type=int, default=10_000)
    read.add_argument("--kills", type=int, default=40)
    read.add_argument("--keep", action="store_true", help="keep what the desk wrote also if all is well")
    given = read.parse_args(arguments)
    folder = Path(mkdtemp(prefix="switchboard-secrets-"))
    began = time.monotonic()

    def tell(words: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f} s  {words}\n")

    campaign = Campaign(folder / "campaign", seed=given.seed, secrets=given.secrets, kills=given.kills, tell=tell)
    outcome = asyncio.run(campaign.run())
    sys.stdout.write(f"{report(outcome)}\n")
    if given.keep or outcome.violations:
        sys.stdout.write(f"kept: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if outcome.violations else 0)
