"""Calls of one method that wait are answered together, in rounds, by a few threads.

A thread for each call would be woken for it, wait for the others of its round and be woken
again for the answer: on one core that costs more than most signatures. Here a round has
one thread, whoever comes meanwhile is in the next one, and callers take turns in it.

Keys whose signatures take longer are not for this: a call would wait for others' tokens.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from signer.errors import OutcomeUnknownError
from signer.rpc.fair import Queues
from signer.rpc.transport import Arrived

BOUND = 64  # calls in a round
# How many rounds are under way at once, so that one can sign while another waits for the
# disk; but beside one with so many calls none begins with less, which would cost more.
LEADERS, LARGE = 2, 8

_log = structlog.get_logger(__name__)


class Counts(Protocol):
    """Where calls are counted: see ``signer.metrics``."""

    def begun(self) -> None:
        """Count a call that is under way."""

    def ended(self, code: str, seconds: float) -> None:
        """Count its end, by its status."""


@dataclass(frozen=True, slots=True)
class Joint:
    """A unary method whose calls can be answered together.

    Attributes:
        method: such as ``package.Service/Method``.
        company: returns what calls have in common that may wait for one another, by their
            messages; None: a call waits for nobody, and has a thread of its own.
        answer_all: answers every call that it is given, or refuses it.
        counts: where the calls are counted.
    """

    method: str
    company: Callable[[Any], Hashable]
    answer_all: Callable[[Sequence[Arrived]], None]
    counts: Counts


class Rounds:
    """The rounds of one company, and their threads."""

    def __init__(self, answer_all: Callable[[Sequence[Arrived]], None]) -> None:
        self._answer_all = answer_all
        self._changed = threading.Condition(threading.Lock())
        self._calls = Queues[Arrived]()
        self._waiting = 0
        self._large_rounds = 0  # under way
        self._closed = False
        for number in range(LEADERS):
            threading.Thread(target=self._lead, name=f"round-{number}", daemon=True).start()

    def put(self, lane: str, call: Arrived) -> None:
        """Let a call wait for a round."""
        with self._changed:
            self._calls.add(lane, call)
            self._waiting += 1
            if self._may_begin():
                self._changed.notify()

    def close(self) -> None:
        """End the threads once everything that waits is answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _lead(self) -> None:
        while calls := self._next():
            self._answer(calls)
            self._end(len(calls))

    def _answer(self, calls: Sequence[Arrived]) -> None:
        try:
            self._answer_all(calls)
        except BaseException:  # noqa: BLE001 - a bug may cost calls, and no thread
            _log.exception("a round failed", calls=len(calls))
        for call in calls:
            if not call.is_over:
                call.refuse(OutcomeUnknownError("internal error"))

    def _next(self) -> list[Arrived]:
        """Wait until a round may begin, and return its calls; none at the end."""
        with self._changed:
            while not self._may_begin():
                if self._closed:
                    return []
                self._changed.wait()
            calls: list[Arrived] = []
            while len(calls) < BOUND and (call := self._calls.take()) is not None:
                calls.append(call)
            self._waiting -= len(calls)
            self._large_rounds += len(calls) >= LARGE
        return calls

    def _end(self, size: int) -> None:
        with self._changed:
            self._large_rounds -= size >= LARGE
            if self._may_begin():
                self._changed.notify()

    def _may_begin(self) -> bool:
        return self._waiting >= LARGE or (self._waiting > 0 and not self._large_rounds)
