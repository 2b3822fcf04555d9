"""Several processes that are one signer: started, watched, restarted and drained.

The supervisor starts one process for the control port (with publishing) and
``workers`` for the signing port, which they share by SO_REUSEPORT. They agree
through the ledger; the supervisor itself touches no key, no payload and no token.
Each process is a new interpreter: a PKCS#11 module does not survive a fork.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import structlog

from signer import allocator, logs
from signer.config import Config, load
from signer.errors import EXIT_RESTART, ConfigError, SigngateError

PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a restart, by failures so far
STEADY_SECONDS = 60.0  # a process that served this long has no failures any more
REPLACED_SECONDS = 0.5  # between looks at one that is being replaced
KILL_SECONDS = 10.0  # beyond the drain that is configured
READY = b"ready"
PR_SET_PDEATHSIG = 1  # linux/prctl.h

_log = structlog.get_logger(__name__)


class StartError(SigngateError):
    """A process ended, or took too long, before it was ready; it said why itself."""


@dataclass(slots=True)
class Process:
    """One process of the signer: its command line and the core that it may use."""

    name: str
    command: tuple[str, ...]
    cpu: int | None = None
    start_seconds: float = 60.0  # until it must be ready
    running: asyncio.subprocess.Process | None = field(default=None, repr=False)
    failures: int = 0  # starts that failed and ends that came too soon

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start."""
        return PAUSES[min(self.failures, len(PAUSES) - 1)]

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            StartError: it does not become ready.
        """
        reading, writing = os.pipe()
        with open(reading, "rb") as pipe:  # noqa: PTH123, ASYNC230 - a descriptor, not a path
            try:
                command = (*self.command, f"--ready-descriptor={writing}")
                self.running = await asyncio.create_subprocess_exec(
                    *command,
                    pass_fds=(writing,),
                    env=allocator.environment(),
                    start_new_session=True,  # Ctrl-C is for the supervisor to pass on
                )
            finally:
                os.close(writing)
            if self.cpu is not None:
                os.sched_setaffinity(self.running.pid, {self.cpu})
            if await self._said(pipe) != READY:
                await self.running.wait()
                raise StartError(f"{self.name} did not start")

    async def _said(self, pipe: BinaryIO) -> bytes:
        """Read what it says before it closes its end; a thread that reads could not be stopped."""
        said = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), pipe
        )
        try:
            return await asyncio.wait_for(said.read(), self.start_seconds)
        except TimeoutError:
            self._end_start()
            return b""
        finally:
            transport.close()

    def _end_start(self) -> None:
        """Kill it, and say so: what is killed says nothing itself."""
        seconds, hint = self.start_seconds, "[server] start_seconds allows more"
        _log.error("killed, since it did not start", process=self.name, seconds=seconds, hint=hint)
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.running is not None and self.running.returncode is None:
            self.running.send_signal(number)

    async def stop(self, seconds: float) -> None:
        """Drain it, and kill it when it takes longer."""
        self.signal(signal.SIGTERM)
        if self.running is not None:
            try:
                await asyncio.wait_for(self.running.wait(), seconds)
            except TimeoutError:
                _log.error("killed, since it did not drain", process=self.name)
                self.signal(signal.SIGKILL)
                await self.running.wait()


class Supervisor:
    """Keeps all processes running until it is told to stop."""

    def __init__(self, processes: Sequence[Process], drain_seconds: float) -> None:
        self._processes = processes
        self._seconds = drain_seconds + KILL_SECONDS
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._starting = asyncio.Lock()  # together they would race for the token's store
        self._replacing: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Start one process after the other, then watch them until ``stop``.

        Raises:
            StartError: one did not start; the others were stopped again.
        """
        stopping = asyncio.create_task(self._stopping.wait())
        starting = asyncio.create_task(self._start_all())
        self._tasks |= {stopping, starting}
        try:
            await asyncio.wait((stopping, starting), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await stopping
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(item.stop(self._seconds) for item in self._processes))

    def stop(self) -> None:
        """Drain all processes and end ``run``."""
        self._stopping.set()

    def reload(self) -> None:
        """Replace one process after the other, so that the others go on serving."""
        self._tasks.add(asyncio.create_task(self._replace_all()))

    async def _start_all(self) -> None:
        for process in self._processes:
            await process.start()
            self._tasks.add(asyncio.create_task(self._watch(process)))

    async def _replace_all(self) -> None:
        async with self._reloading:
            for process in self._processes:
                self._replacing.add(process.name)
                await process.stop(self._seconds)
                await self._restart(process)
                self._replacing.discard(process.name)

    async def _watch(self, process: Process) -> None:
        while True:
            began = time.monotonic()
            running = process.running
            assert running is not None  # noqa: S101 - it was started
            code = await running.wait()
            if process.name in self._replacing:
                await asyncio.sleep(REPLACED_SECONDS)
                continue
            steady = time.monotonic() - began >= STEADY_SECONDS
            process.failures = 0 if steady else process.failures + 1
            asked = code == EXIT_RESTART  # it drained, and has said why
            _log.error("asked for a restart" if asked else "ended", process=process.name, code=code)
            await self._restart(process)

    async def _restart(self, process: Process) -> None:
        while True:
            await asyncio.sleep(process.pause)
            try:
                async with self._starting:
                    await process.start()
            except StartError as error:
                process.failures += 1
                _log.error("restart failed", process=process.name, error=str(error))
            else:
                _log.info("restarted", process=process.name)
                return


def run(path: Path, workers: int) -> None:
    """Serve with ``workers`` signing processes until SIGTERM or SIGINT; SIGHUP replaces them.

    Raises:
        ConfigError: it can't start; one line says why.
    """
    config = load(path)
    logs.configure(config.log.level)
    # Where the processes hand each other their metrics; nobody else may look in.
    with _reserved(config.signing.listen), TemporaryDirectory(prefix="signgate-") as directory:
        try:
            asyncio.run(_run(path, config, workers, directory))
        except StartError:
            sys.exit(1)  # the process itself has said why


def _reserved(address: str) -> socket.socket:
    """Hold an address that the workers share, so that nobody else can take it alone."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    where = (host.strip("[]"), int(port))
    if where[1] == 0:
        raise ConfigError(f"{address}: several workers need a fixed port, not 0")
    held = socket.socket(family)
    try:
        # Sharing works only among those who all ask for it: so this finds everybody else.
        socket.create_server(where, family=family, reuse_port=False).close()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(where)
    except OSError as error:
        held.close()
        raise ConfigError(f"{address}: can't listen there: {error.strerror}") from None
    return held


def _processes(path: Path, config: Config, workers: int, directory: str) -> list[Process]:
    # -P: what lies in the working directory is not for them to import.
    base = (sys.executable, "-P", "-m", "signer.cli", "process", "--config", str(path))
    cpus = sorted(os.sched_getaffinity(0))

    def process(name: str, role: str, cpu: int | None = None) -> Process:
        options = (f"--role={role}", f"--name={name}", f"--directory={directory}")
        return Process(name, base + options, cpu, config.server.start_seconds)

    # One signing process a core, and pinned: else two fifths of its time are wake-ups.
    return [
        process("control", "control"),
        *(
            process(f"signing-{number}", "signing", cpus[number % len(cpus)])
            for number in range(workers)
        ),
    ]


async def _run(path: Path, config: Config, workers: int, directory: str) -> None:
    processes = _processes(path, config, workers, directory)
    supervisor = Supervisor(processes, config.server.drain_seconds)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    await supervisor.run()


def end_with_parent() -> None:
    """Have the kernel drain this process when its supervisor is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
