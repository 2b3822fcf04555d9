"""What a store keeps, whichever engine it is. Times are milliseconds since the epoch."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from policy.model import Charge


class State(NamedTuple):
    """The one row that every transaction reads first and writes last.

    ``seq`` counts transactions and ``control_seq`` those that changed a stop.
    ``policy_version`` is None before the first policy, ``root_version`` before the
    first root document. ``clock_ms`` is the newest time ever seen; the tree's peaks
    are 32 bytes each, largest subtree first.
    """

    seq: int
    control_seq: int
    policy_version: int | None
    clock_ms: int
    tree_size: int
    tree_peaks: bytes
    root_version: int | None = None


class Standing(StrEnum):
    """Where a request id stands. The values are stored, so they never change."""

    REFUSED = "refused"  # bound to its payload; nothing is reserved
    RESERVED = "reserved"  # charged; an approval is or was out
    RETURNED = "returned"  # the HSM refused for certain; the charges were given back


class Request(Struct, frozen=True, gc=False):
    """What a request id is bound to, and how far it came.

    ``reservation`` is the index of the leaf with which the id was bound, and the
    charges booked, at ``decided_ms``; ``decision`` is that of the newest attempt.
    ``version`` is the key version that was granted, 0 if none was. ``resumed``: there
    was more than one attempt on one reservation. ``signature``: one of them ended so.
    """

    reservation: int
    caller: str
    request_id: str
    key: str
    version: int
    format: str
    payload_sha256: bytes
    standing: Standing
    decided_ms: int
    lease_ms: int
    decision: int
    policy_version: int
    charges: tuple[Charge, ...] = ()
    resumed: bool = False
    signature: bytes | None = None


class SignedRow(NamedTuple):
    """The end of an attempt: its signature, by which version of the key."""

    reservation: int
    version: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A policy or a root document that is or was in force."""

    version: int
    sha256: str
    document: str
    activated_ms: int


class Kind(StrEnum):
    """What a proposal would do. The values are stored, so they never change."""

    POLICY = "policy"
    ROOT = "root"
    UNFREEZE = "unfreeze"


DOCUMENTS = (Kind.POLICY, Kind.ROOT)


class Progress(StrEnum):
    """How a proposal ended, if it did. The values are stored, so they never change."""

    OPEN = "open"
    REJECTED = "rejected"
    DONE = "done"


class Endorsement(NamedTuple):
    """An officer's approval of a proposal."""

    officer: str
    at_ms: int


class Proposal(NamedTuple):
    """Something that officers are asked to agree to.

    ``base`` is the version that a document would replace, 0 for none; ``sha256`` is of
    ``body``. ``looser``: it takes a quorum. ``number`` is 0 until it is stored.
    """

    number: int
    kind: Kind
    base: int
    sha256: str
    body: str
    author: str
    reason: str
    looser: bool
    proposed_ms: int
    expires_ms: int
    progress: Progress = Progress.OPEN
    endorsements: tuple[Endorsement, ...] = ()
