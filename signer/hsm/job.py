"""Signatures that are wanted, on their way from a caller to a session and back."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policy.algorithms import Digest
from signer.errors import HsmError, HsmUnavailableError, OutcomeUnknownError
from signer.hsm.errors import RETRIED, TokenError
from signer.hsm.line import Priority
from signer.hsm.mechanisms import Scheme
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Claim, Verifier

if TYPE_CHECKING:
    from signer.hsm.seat import Seat

TRIES: Final = 2

# How long a job keeps a session from others that wait, and how much is put together to one:
# its caller is woken for each, which costs as much as a fast signature.
TURN_SECONDS: Final = 0.002
JOB_SECONDS: Final = 0.01
MAX_ITEMS: Final = 64


class Pace:
    """How long one signature by a kind of key takes: the recent least.

    A thread that had to wait for the interpreter after the call makes a token look slow.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = float("inf")

    @property
    def is_quick(self) -> bool:
        """Whether a signature takes no longer than others are kept waiting."""
        return self.seconds <= TURN_SECONDS

    def note(self, *seconds: float) -> None:
        """Take the times of some more."""
        for each in seconds:
            self.seconds = min(each, self.seconds * 1.02)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How to sign with one key version by one algorithm, and how fast that is."""

    name: KeyVersion
    scheme: Scheme
    verify: Verifier
    priority: Priority
    place: int = 0  # of the key version among those of each session
    pace: Pace = field(default_factory=Pace)
    mechanism: int = field(init=False)  # the address of the CK_MECHANISM

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanism", self.scheme.prepared.address)


class Item:
    """One signature that is wanted by a deadline, in seconds of ``time.monotonic``.

    ``data`` is the token's input, made of the message and its digest. Once it has ended
    there is a ``signature``, which is the token's answer as it is, and the ``seat`` that
    made it, or an ``error``. ``verify`` gives the answer in its one form, and a verdict.
    """

    __slots__ = (
        "answer",
        "began",
        "data",
        "deadline",
        "digest",
        "ended",
        "error",
        "is_right",
        "message",
        "seat",
        "signature",
        "way",
    )

    def __init__(
        self,
        way: Way,
        data: bytes,
        deadline: float,
        message: bytes = b"",
        digest: Digest = Digest.NATIVE,
    ) -> None:
        self.way = way
        self.data = data
        self.deadline = deadline
        self.message = message
        self.digest = digest
        self.began = 0.0  # of the last try; 0 before the first
        self.ended = 0.0
        self.seat: Seat | None = None
        self.signature: bytes | None = None
        self.error: HsmError | None = None
        self.answer: bytes | None = None
        self.is_right = False

    def result(self) -> bytes:
        """Return the token's answer once it was verified, be it right or wrong.

        Raises:
            HsmError: there is none.
        """
        if self.answer is None:
            raise self.error or OutcomeUnknownError("no answer")
        return self.answer

    def fail(self, error: HsmError) -> None:
        """Note an error; after a try that may have signed nothing is certain."""
        if self.error is None or self.error.certain:
            self.error = error


def verify(items: Iterable[Item]) -> None:
    """Verify whatever was signed, all signatures of one key together.

    What is signed later, for a caller who waits no longer, stays without a verdict.
    """
    by_way: dict[Way, list[Item]] = {}
    for item in items:
        if item.signature is not None:
            item.answer = item.way.scheme.normalise(item.signature)
            by_way.setdefault(item.way, []).append(item)
    for way, signed in by_way.items():
        claims = [Claim(item.message, item.digest, item.answer or b"") for item in signed]
        for item, is_right in zip(signed, way.verify.each(claims), strict=True):
            item.is_right = is_right


class Job(ABC):
    """Items that one session signs one after the other: a hand-over costs as much as a signature.

    All are of one class. Whoever submitted it waits for its end. After ``stop`` nothing
    more is begun. After ``TURN_SECONDS`` what is left of it goes behind those that wait.
    How a session goes through it is the hand-over's: see ``handover``.
    """

    __slots__ = ()

    items: list[Item]
    priority: Priority
    deadline: float
    queued: float
    tries: int  # of each item

    @property
    @abstractmethod
    def place(self) -> int:
        """Which item is next or at work."""

    @property
    @abstractmethod
    def began(self) -> float:
        """When the item that is next or at work was begun; 0 while it was not."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Wait for the end, or for some time; True when it ended."""

    @abstractmethod
    def finish(self) -> None:
        """Let the caller go on."""

    @abstractmethod
    def stop(self) -> Item | None:
        """Begin nothing more; returns the item that is at work, if any."""

    @abstractmethod
    def leave(self) -> None:
        """Say that nobody waits any more."""

    @abstractmethod
    def avoid(self, slot: str, until: float) -> None:
        """Leave it to others than the slot that failed it, for some time."""

    @abstractmethod
    def count_failure(self) -> int:
        """Note that a try of the item that is next has failed; returns how many have."""

    @abstractmethod
    def end_item(self) -> None:
        """Note that the item that was begun has ended, without a signature."""

    @abstractmethod
    def pause_item(self) -> None:
        """Note that nobody works on the item that was begun."""

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended."""
        return self.place >= len(self.items)

    def refuse(self, error: HsmError) -> None:
        """End the item that was begun with an error, for good."""
        item = self.items[self.place]
        item.fail(error)
        item.ended = time.monotonic()
        self.end_item()

    def try_again(self, error: TokenError) -> bool:
        """Note a failed try; True when there may be another one."""
        self.items[self.place].fail(error.for_caller())
        self.pause_item()
        return self.count_failure() < self.tries and error.action in RETRIED

    def fail(self, error: HsmError) -> None:
        """End all that is left with an error."""
        self.stop()
        self._fail_rest(error)
        self.finish()

    def abandon(self) -> None:
        """End all that is left for a caller who waits no longer: what is at work is unknown."""
        at_work = self.stop()
        if at_work is not None:
            at_work.fail(OutcomeUnknownError("the token did not answer in time"))
        self._fail_rest(HsmUnavailableError("no session was free in time"))
        self.leave()

    def _fail_rest(self, error: HsmError) -> None:
        for item in self.items:
            if item.signature is None:
                item.fail(error)


MakeJob = Callable[[list[Item], float], Job]


def jobs(items: Sequence[Item], now: float, make: MakeJob, sessions: int) -> Iterator[Job]:
    """Put items together, a session's share of them or as many as it does in ``JOB_SECONDS``.

    A share that is done within a turn is too little for a hand-over: it is filled up.
    """
    if len(items) == 1:
        yield make([items[0]], now)
        return
    classes: dict[Priority, list[Item]] = {}
    for item in items:
        classes.setdefault(item.way.priority, []).append(item)
    for members in classes.values():
        share = -(-len(members) // sessions)
        part: list[Item] = []
        seconds = 0.0
        for item in members:
            part.append(item)
            seconds += item.way.pace.seconds
            enough = len(part) >= share and seconds >= TURN_SECONDS
            if enough or seconds >= JOB_SECONDS or len(part) == MAX_ITEMS:
                yield make(part, now)
                part, seconds = [], 0.0
        if part:
            yield make(part, now)
