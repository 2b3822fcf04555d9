"""Sends serialised messages when they are due, and notes when each answer came.

Futures of the synchronous API: the sender sleeps until a call is due, the
transport's own thread notes its end. The asyncio API costs less CPU at some
rates, but its clock ticks in milliseconds, which would be in every latency.
"""

from __future__ import annotations  # array[float] is for type checkers only

import queue
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc

from loadtest.plan import Plan
from signer.v1 import signing_service_pb2 as pb

SERVICE = "/signer.v1.SigningService/"
UNARY = {"unary": f"{SERVICE}SignPayload", "batch": f"{SERVICE}BatchSignPayloads"}
STREAM = f"{SERVICE}StreamSignPayloads"
STATUS_DETAILS = "grpc-status-details-bin"  # the serialised google.rpc.Status


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that ended with a status: its code's name, and its google.rpc.Status if any."""

    code: str
    details: bytes | None = None


Body = bytes | Failure
Completion = tuple[int | None, float, Body]
"""(place in the plan, or None when nobody asked; time.monotonic; the answer)."""


class Route(Protocol):
    """A way to send a message."""

    def send(self, place: int, wire: bytes) -> None:
        """Send the plan's message number ``place``; returns at once."""

    def close(self) -> None:
        """Send nothing more."""


class Unary:
    """Calls with one request and one response: SignPayload and BatchSignPayloads."""

    def __init__(
        self, channel: grpc.Channel, method: str, completed: list[Completion], timeout: float
    ) -> None:
        # Bytes in, bytes out: messages are parsed after the run.
        self._call: Any = channel.unary_unary(UNARY[method])
        self._completed = completed
        self._timeout = timeout

    def send(self, place: int, wire: bytes) -> None:
        """Start the call."""
        future = self._call.future(wire, timeout=self._timeout)
        future.add_done_callback(partial(self._done, place))

    def _done(self, place: int, future: Any) -> None:
        now = time.monotonic()
        body = future.result() if future.code() is grpc.StatusCode.OK else failure(future)
        self._completed.append((place, now, body))

    def close(self) -> None:
        """Do nothing: each call ends by its deadline."""


class Stream:
    """One StreamSignPayloads call; its responses are matched by request id."""

    def __init__(
        self, channel: grpc.Channel, completed: list[Completion], id_of: Callable[[int], str]
    ) -> None:
        self._completed = completed
        self._id_of = id_of
        self._waiting: dict[str, int] = {}
        self._failure: Failure | None = None
        self._closing = False
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        open_stream: Any = channel.stream_stream(STREAM)
        self._call = open_stream(iter(self._outbox.get, None))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, place: int, wire: bytes) -> None:
        """Write the message; fails at once when the stream has ended."""
        self._waiting[self._id_of(place)] = place
        self._outbox.put(wire)
        if self._failure:
            self._fail(self._failure)

    def close(self) -> None:
        """End the stream; what has not been answered stays unanswered."""
        self._closing = True
        self._outbox.put(None)
        self._call.cancel()
        self._reader.join()

    def _read(self) -> None:
        try:
            for body in self._call:
                now = time.monotonic()
                answer = pb.StreamSignPayloadsResponse.FromString(body)
                place = self._waiting.pop(answer.result.request_id, None)
                self._completed.append((place, now, body))
        except grpc.RpcError:
            ended = failure(self._call)
        else:
            ended = Failure("STREAM_ENDED")
        if not self._closing:
            self._failure = ended
            self._fail(ended)

    def _fail(self, reason: Failure) -> None:
        now = time.monotonic()
        for request_id in tuple(self._waiting):
            # The reader and the sender may both come here: each message fails once.
            place = self._waiting.pop(request_id, None)
            if place is not None:
                self._completed.append((place, now, reason))


def failure(call: Any) -> Failure:
    """Return how a call failed that has ended."""
    details = dict(call.trailing_metadata() or ()).get(STATUS_DETAILS)
    return Failure(call.code().name, details)


def send_all(plan: Plan, routes: Sequence[Route], start: float, sent: array[float]) -> None:
    """Send each message when it is due.

    Args:
        plan: the messages.
        routes: the way of each of them.
        start: when second 0 is, in seconds of ``time.monotonic``.
        sent: is filled with when each was sent, in seconds from the start.
    """
    for place, (offset, wire, route) in enumerate(zip(plan.due, plan.wires, routes, strict=True)):
        early = start + offset - time.monotonic()
        if early > 0:
            time.sleep(early)
        sent.append(time.monotonic() - start)
        route.send(place, wire)
