"""A process that sends its part of the calls and then judges what came back."""

from __future__ import annotations  # array[float] is for type checkers only

import gc
import threading
import time
import traceback
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

import grpc

from loadtest import plan as planning
from loadtest import tally
from loadtest.checks import Checker
from loadtest.errors import LoadtestError
from loadtest.plan import Plan, Task
from loadtest.profile import Call
from loadtest.sending import Completion, Route, Stream, Unary, send_all
from loadtest.signatures import verifier
from loadtest.tally import Part, Record
from signer.v1 import resources_pb2

TICK_SECONDS = 1.0
GRACE_SECONDS = 1.0  # for answers that cross the deadline on their way


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker is connected and has planned ``calls`` calls."""

    calls: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Since the last one: the latencies of what ended and the lags of what was sent, seconds."""

    latencies: array[float]
    lags: array[float]


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker can't go on; the message is for the user."""

    message: str


Message = Ready | Tick | Part | Failed


def main(task: Task, pipe: Connection) -> None:
    """Run the task; what the pipe carries back is ``Message``, one ``Part`` last."""
    last: Part | Failed
    try:
        last = work(task, pipe)
    except LoadtestError as error:
        last = Failed(str(error))
    except Exception:  # noqa: BLE001 - a bug here must not look like a server that is slow
        last = Failed(traceback.format_exc())
    with suppress(OSError):  # the run was stopped, and nobody is there
        pipe.send(last)


def work(task: Task, pipe: Connection) -> Part:
    """Plan, connect, report ready, wait for the start time, send, judge."""
    plan = planning.build(task)
    checker = _checker(task)
    completed: list[Completion] = []
    sent: array[float] = array("d")
    with ExitStack() as stack:
        routes = _routes(task, plan, completed, stack)
        pipe.send(Ready(len(plan.due)))
        start: float = pipe.recv()
        cpu = time.process_time()
        with _undisturbed(), _ticking(pipe, plan, start, sent, completed):
            send_all(plan, routes, start, sent)
            _wait_for_answers(task, plan, completed)
        cpu = time.process_time() - cpu
        ended = time.monotonic()
    return tally.part(Record(task.profile, plan, sent, completed, start, ended), checker, cpu)


def _checker(task: Task) -> Checker:
    verifiers = {
        key: verifier(resources_pb2.PublicKey.FromString(encoded))
        for key, encoded in task.public_keys.items()
    }
    return Checker(verifiers, task.verify, f"{task.run_id}/{task.worker}")


def _routes(
    task: Task, plan: Plan, completed: list[Completion], stack: ExitStack
) -> Sequence[Route]:
    """Return the way of each call: the connections of its client take turns."""
    profile = task.profile
    used = {number: profile.calls[number] for number in sorted(set(plan.calls))}
    channels = {
        client: [
            stack.enter_context(task.target.connect(client)) for _ in range(profile.connections)
        ]
        for client in sorted({call.client for call in used.values()})
    }
    routes = {
        number: [
            stack.enter_context(closing(_route(task, call, channel, completed)))
            for channel in channels[call.client]
        ]
        for number, call in used.items()
    }
    return [routes[call][place % profile.connections] for place, call in enumerate(plan.calls)]


def _route(task: Task, call: Call, channel: grpc.Channel, completed: list[Completion]) -> Route:
    if call.method == "stream":
        return Stream(channel, completed, partial(planning.request_id, task))
    return Unary(channel, call.method, completed, task.profile.timeout_seconds)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the garbage collector from stopping the sender to look at a million messages."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextmanager
def _ticking(
    pipe: Connection, plan: Plan, start: float, sent: array[float], completed: list[Completion]
) -> Iterator[None]:
    """Report progress each second; the arithmetic is left to the receiver."""
    stopped = threading.Event()

    def report() -> None:
        seen = ended = 0
        while not stopped.wait(TICK_SECONDS):
            lags = array("d", (sent[i] - plan.due[i] for i in range(seen, len(sent))))
            fresh = completed[ended:]
            latencies = array(
                "d", (at - start - plan.due[place] for place, at, _ in fresh if place is not None)
            )
            seen, ended = seen + len(lags), ended + len(fresh)
            try:
                pipe.send(Tick(latencies, lags))
            except OSError:  # the run was stopped, and nobody is there
                return

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _wait_for_answers(task: Task, plan: Plan, completed: list[Completion]) -> None:
    last = time.monotonic() + task.profile.timeout_seconds + GRACE_SECONDS
    while len(completed) < len(plan.due) and time.monotonic() < last:
        time.sleep(0.01)
