"""What runs on the campaign's machine, each thing restarted by itself when it dies, as an operator's system would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg

from benchmarks.crash.desk import VARIABLE
from bot.settings import ROOT
from bot.store.database import conninfo, embedded
from intents.paths import EnginePaths
from intents.rasa import Endpoint, RasaEngine
from tests.support.desk_process import DeskProcess
from tests.support.ports import HeldPort

PAUSE = 0.5
"""Seconds before something that died is started again."""


def thaw(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


class Database:
    """The embedded PostgreSQL as a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._restarting = asyncio.Lock()
        self.url = ""
        self.restarts = 0

    async def start(self) -> None:
        self.url = await asyncio.to_thread(self._stack.enter_context, embedded(self._folder))

    async def stop(self) -> None:
        for pid in self.backends():
            thaw(pid)
        await asyncio.to_thread(self._stack.close)

    @property
    def postmaster(self) -> int:
        return int((self._folder / "postmaster.pid").read_text().splitlines()[0])

    def backends(self) -> list[int]:
        """The processes that serve clients."""
        with contextlib.suppress(psutil.Error, OSError):
            return [
                child.pid
                for child in psutil.Process(self.postmaster).children()
                if "[local]" in " ".join(child.cmdline()) and "switchboard" not in child.name()
            ]
        return []

    async def kill(self, how: signal.Signals) -> bool:
        """SIGQUIT: it ends at once without a word to its clients. SIGKILL: it does not even do that. Who runs it starts
        it again (``embedded``); false if it does not answer within a minute."""
        async with self._restarting:
            for pid in self.backends():
                thaw(pid)  # or the postmaster's successor would wait for one that is frozen
            postmaster = psutil.Process(self.postmaster)
            postmaster.send_signal(how)
            await asyncio.to_thread(postmaster.wait, 20)
            self.restarts += 1
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(psycopg.Error):
                    async with await psycopg.AsyncConnection.connect(conninfo(self.url), connect_timeout=5):
                        return True
                await asyncio.sleep(0.2)
            return False

    async def cut_connections(self) -> None:
        """Ends every connection that a desk has."""
        with contextlib.suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(conninfo(self.url), autocommit=True) as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )


class Rasa:
    """One Rasa server for all replicas, at one address for its whole life."""

    def __init__(self, model: Path, var: Path) -> None:
        self._model = model
        self._paths = EnginePaths(ROOT / "data", var)
        self._port = HeldPort()
        self._token = secrets.token_urlsafe(16)
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"RASA_URL": f"http://127.0.0.1:{self._port.number}", "RASA_TOKEN": self._token}

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        self._keeping = asyncio.create_task(self._keep())
        await self.ready()

    async def ready(self, within: float = 90) -> None:
        async with RasaEngine(lambda: Endpoint(self.environment["RASA_URL"], self._token), 2.0) as engine:
            async with asyncio.timeout(within):
                while not await engine.healthy():
                    await asyncio.sleep(0.2)

    async def _keep(self) -> None:
        while True:
            self._process = await asyncio.create_subprocess_exec(
                *(self._paths.python(), self._paths.server / "serve.py", self._model, str(self._port.number)),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=DEVNULL,
                env={**self._paths.process_environment(), "RASA_TOKEN": self._token},
            )
            await self._process.wait()
            await asyncio.sleep(PAUSE)

    def kill(self) -> bool:
        if self.pid is None:
            return False
        os.kill(self.pid, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Replica:
    """One desk process after the other, at one port."""

    def __init__(self, number: int, folder: Path, config: str, environment: dict[str, str], orders: Path) -> None:
        self.number = number
        self._port = HeldPort()
        self.port = self._port.number
        folder.mkdir(parents=True)
        (folder / "var").mkdir()
        path = folder / "config.yml"
        path.write_text(f"data: {ROOT / 'data'}\nbrand:\n  name: BitPie\n{config}", encoding="utf-8")
        self._desk = DeskProcess(
            folder / "var",
            path,
            {**environment, "PORT": str(self.port), VARIABLE: str(orders)},
            command=(sys.executable, "-m", "benchmarks.crash.desk"),
        )
        self.ready = asyncio.Event()
        self.starts: list[float] = []
        """Seconds that each start took, until the desk was ready."""
        self.complaints: list[str] = []
        """How it ended by itself, other than for want of a database at its start."""
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        process = self._desk.process
        return None if process is None or process.returncode is not None else process.pid

    @property
    def log(self) -> str:
        return self._desk.log

    def run(self) -> None:
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._desk.start()
            except RuntimeError as error:
                assert self._desk.process is not None
                status = await self._desk.process.wait()
                words = str(error)[-600:]
                # Without a database no desk starts; the operator's system tries again.
                if status >= 0 and "cannot reach the database" not in words:
                    self.complaints.append(f"replica {self.number} did not start: {words}")
                await asyncio.sleep(PAUSE)
                continue
            except TimeoutError:
                self.complaints.append(f"replica {self.number} was not ready in time: {self._desk.log[-600:]}")
                self.kill()
                continue
            self.starts.append(time.monotonic() - began)
            self.ready.set()
            assert self._desk.process is not None
            status = await self._desk.process.wait()
            self.ready.clear()
            if status >= 0 and not self._stopping:
                self.complaints.append(f"replica {self.number} ended by itself, with {status}: {self._desk.log[-600:]}")
            self._stopping = False
            await asyncio.sleep(PAUSE)

    def kill(self) -> bool:
        return self._signal(signal.SIGKILL)

    def freeze(self) -> bool:
        return self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> bool:
        if self.pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    async def restart(self) -> int | None:
        """In order, as a rolling restart does; the exit status of the old process."""
        process = self._desk.process
        if process is None or process.returncode is not None or not self.ready.is_set():
            return None
        self._stopping = True
        self.ready.clear()
        try:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                return await process.wait()
        except TimeoutError:
            self.complaints.append(f"replica {self.number} did not stop within a minute")
            return None

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        process = self._desk.process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                while process.returncode is None:
                    # An order to freeze may have been taken in the last moment, and strikes on the way out.
                    thaw(process.pid)
                    await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=1)
        await self._desk.end()


class Balancer:
    """The plainest load balancer: every connection to the next replica that accepts one. Customers and agents reach the
    desk through it, so it is also where their connections are cut."""

    def __init__(self, replicas: list[Replica]) -> None:
        self._replicas = replicas
        self._next = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._faults: list[str] = []
        self._port = HeldPort()
        self.port = self._port.number
        self.cuts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Every open connection breaks."""
        for writer in list(self._open):
            writer.transport.abort()

    def drop_next(self, when: str) -> None:
        """The next POST never reaches a desk (``before``), or its answer is lost (``after``)."""
        self._faults.append(when)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self._replicas:
            replica = self._replicas[self._next % len(self._replicas)]
            self._next += 1
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", replica.port)
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            writer.transport.abort()
            return
        upstream, desk = found
        self._open.add(writer)
        losing = asyncio.Event()

        async def forward() -> None:
            while data := await reader.read(65536):
                if self._faults and data.startswith(b"POST"):
                    self.cuts += 1
                    if self._faults.pop(0) == "before":
                        writer.transport.abort()
                        return
                    losing.set()
                desk.write(data)
                await desk.drain()

        async def back() -> None:
            while data := await upstream.read(65536):
                if losing.is_set():
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()

        tasks = [asyncio.create_task(forward()), asyncio.create_task(back())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(writer)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in (writer, desk):
                with contextlib.suppress(Exception):
                    one.close()
