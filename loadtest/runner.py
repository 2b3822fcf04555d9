"""One run: spawns the workers, starts them together, and sums up."""

import multiprocessing
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from typing import Self

from loadtest import ending, report, worker
from loadtest.errors import LoadtestError
from loadtest.live import View
from loadtest.plan import Task
from loadtest.profile import Profile
from loadtest.report import Report
from loadtest.scrape import Scraper
from loadtest.tally import Part
from loadtest.target import Target
from loadtest.usage import Cpu
from loadtest.watch import Watch
from loadtest.worker import Failed, Message, Ready, Tick

START_SECONDS = 0.3  # for the start time to reach all workers before it comes
PAYLOAD_LIFETIME = 86_400
STOP_SECONDS = 5


def run(profile: Profile, target: Target, view: View, verify: float = 1.0) -> Report:
    """Run a profile against a server.

    Args:
        profile: what to send.
        target: where to.
        view: shows how it fares.
        verify: the share of signatures to verify, 0 to 1.

    Raises:
        LoadtestError: the run could not start, or a worker failed.
    """
    cpu = Cpu(target.pids) if target.pids else None
    with ExitStack() as stack:
        scraper = stack.enter_context(Scraper(target.metrics)) if target.metrics else None
        workers = stack.enter_context(Workers(tasks(profile, target, verify)))
        planned = workers.ready()
        view.say(f"{profile.description} {planned} calls from {profile.workers} processes.")
        start = time.monotonic() + START_SECONDS
        watch = Watch(profile, start, cpu, view)
        if scraper:
            scraper.start(start)
        with view.running():
            parts = workers.run(start, watch)
    return report.summarise(profile, target.address, parts, watch.cores, verify, scraper)


def tasks(profile: Profile, target: Target, verify: float) -> list[Task]:
    """Return what each worker is told."""
    run_id = uuid.uuid4().hex
    expiry = int(time.time()) + PAYLOAD_LIFETIME
    found = target.public_keys(profile) if verify else {}
    public_keys = {key: value.SerializeToString() for key, value in found.items()}
    return [
        Task(profile, target, run_id, number, expiry, public_keys, verify)
        for number in range(profile.workers)
    ]


class Workers:
    """The processes of a run; they end with the context, whatever happens in it.

    Spawned, never forked: gRPC does not survive a fork.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for task in tasks:
            ours, theirs = context.Pipe()
            process = context.Process(target=worker.main, args=(task, theirs), daemon=True)
            with ending.by_parent():
                process.start()
            theirs.close()  # so that its end is seen when the process dies
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(0.2)
            if process.is_alive():
                process.terminate()
            process.join(STOP_SECONDS)

    def ready(self) -> int:
        """Wait until all are connected; return the number of calls planned."""
        return sum(_ready(pipe) for pipe in self._pipes)

    def run(self, start: float, watch: Watch) -> list[Part]:
        """Start all at one time and return their parts, in order."""
        for pipe in self._pipes:
            pipe.send(start)
        parts: dict[Connection, Part] = {}
        while len(parts) < len(self._pipes):
            waiting = [pipe for pipe in self._pipes if pipe not in parts]
            readable = wait(waiting, timeout=watch.until_next())
            for pipe in waiting:
                message = receive(pipe) if pipe in readable else None
                if isinstance(message, Tick):
                    watch.add(message)
                elif isinstance(message, Part):
                    parts[pipe] = message
            watch.pulse()
        return [parts[pipe] for pipe in self._pipes]


def _ready(pipe: Connection) -> int:
    message = receive(pipe)
    return message.calls if isinstance(message, Ready) else 0


def receive(pipe: Connection) -> Message:
    """Return the next message of a worker.

    Raises:
        LoadtestError: it failed, or is gone.
    """
    message: Message | None = None
    with suppress(EOFError, ConnectionResetError):
        message = pipe.recv()
    if message is None:
        raise LoadtestError("a worker process ended before its work was done")
    if isinstance(message, Failed):
        raise LoadtestError(message.message)
    return message
