"""What the ledger asks of an engine. SQLite's is in ``signer.ledger.sqlite``."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from policy.instants import Instant
from policy.model import Counter
from policy.windows import Bucket
from signer.errors import LedgerUnavailableError
from signer.ledger.documents import Documents, Proposals
from signer.ledger.holds import Holds
from signer.ledger.rows import Request, SignedRow, State
from signer.ledger.stops import Stops


class StoreError(Exception):
    """The engine failed, and the transaction under way has no effect.

    ``fatal``: what it stores can no longer be trusted (input and output, space,
    damage), so that there is no sense in trying again.
    """

    def __init__(self, message: str, *, fatal: bool) -> None:
        super().__init__(message)
        self.fatal = fatal


class Changes(NamedTuple):
    """The rows that a transaction wrote, apart from those of control.

    ``replaced`` are the reservations of stored requests whose ids are among
    ``requests``; no other id may be there already.
    """

    leaves: Sequence[tuple[int, bytes]]
    replaced: Sequence[int]
    requests: Iterable[Request]
    buckets: Iterable[tuple[Counter, Bucket]]
    expired: Sequence[tuple[Counter, Bucket]]
    instants: Iterable[tuple[Counter, Instant]]


class Store(Protocol):
    """One writer's connection. Every method but ``close`` is called in a transaction."""

    documents: Documents
    proposals: Proposals
    stops: Stops
    holds: Holds

    def transaction(self) -> AbstractContextManager[None]:
        """Exclude all other writers; commit durably at the end, or roll back.

        Raises:
            StoreError: also for what any other method met.
        """

    def state(self) -> State:
        """Read the state."""

    def write(self, before: State, after: State, changes: Changes) -> None:
        """Write a transaction's changes; the state must still be ``before``."""

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Read at most ``limit`` stored leaves from index ``start`` on."""

    def request(self, caller: str, request_id: str) -> Request | None:
        """Find what a request id is bound to."""

    def sign(self, signed: Iterable[SignedRow]) -> None:
        """Keep signatures; where a reservation has one already, that stays."""

    def prune(self, decided_before_ms: int, limit: int) -> None:
        """Forget the oldest request ids, at most ``limit``."""

    def buckets(self, counter: Counter) -> list[Bucket]:
        """Read a counter's buckets."""

    def spans(self, key: str, asset: str) -> list[int]:
        """Read the spans that have buckets for a key and asset."""

    def buckets_since(self, seq: int) -> list[tuple[Counter, Bucket]]:
        """Read the buckets that were written by transactions after ``seq``."""

    def drop_expired(self, now_ms: int) -> None:
        """Forget all buckets that have left their windows."""

    def instants(
        self, counter: Counter, after_ms: int, through_ms: int, limit: int
    ) -> list[Instant]:
        """Read at most ``limit`` of a counter's instants between two times, oldest first."""

    def add_instants(self, instants: Iterable[tuple[Counter, Instant]]) -> None:
        """Add to instants; one that is not there yet is made."""

    def copy_instants(self, source: Counter, target: Counter, from_ms: int) -> None:
        """Give a counter that has none another one's instants from a time on."""

    def drop_instants(self, counter: Counter, through_ms: int, limit: int) -> int:
        """Forget a counter's oldest instants up to a time; return how many, at most ``limit``."""

    def stale_instants(self, now_ms: int) -> Iterator[tuple[Counter, int]]:
        """Yield the counters with instants, and up to when no bucket of theirs needs them."""

    def close(self) -> None:
        """Close the connection."""


class Reader(Protocol):
    """A connection that reads only what is committed. Safe to share among threads."""

    documents: Documents
    proposals: Proposals
    stops: Stops
    holds: Holds

    def state(self) -> State:
        """Read the state.

        Raises:
            StoreError: it cannot be read; so do the other methods.
        """

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Read at most ``limit`` leaves from index ``start`` on."""

    def close(self) -> None:
        """Close the connection."""


@contextmanager
def reading() -> Iterator[None]:
    """Raise ``LedgerUnavailableError`` for what a reader meets."""
    try:
        yield
    except StoreError as error:
        raise LedgerUnavailableError(f"the ledger cannot be read: {error}") from error
