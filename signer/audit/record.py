"""One entry of the audit log: the types, and their bytes.

Compatibility: a record is JSON in UTF-8 with ASCII member names, in the order of
the fields below. Entries are hashed as they are stored and are never encoded
again, so fields may be added at the end, but none is ever renamed, reordered,
retyped or given another meaning; a reader ignores members that it does not know.
A member is left out where it has its default value. There are no floats: amounts
and other numbers that may exceed 2^53 are decimal strings.

Nothing here can be part of a cycle, so the garbage collector need not look at it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

MAX_BYTES = (1 << 16) - 1  # C2SP tlog-tiles, log entries: a uint16 length
_BOUNDS = ((1024, 64), (256, 16), (64, 4))  # characters of a text, elements of a list


class Clock(Struct, frozen=True, omit_defaults=True, gc=False):
    """``ok``, or ``behind`` the newest time in the ledger by so many milliseconds."""

    state: str
    behind_ms: int = 0


class Reason(Struct, frozen=True, gc=False):
    """One failed rule."""

    code: str
    rule: str
    detail: str


class Caller(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who asked: certificate SAN, certificate fingerprint in hex, source address."""

    san: str
    certificate_sha256: str = ""
    address: str = ""


class Payload(Struct, frozen=True, gc=False):
    """What was handed in: its format's tag, the SHA-256 of its bytes in hex."""

    format: str
    sha256: str


class Transfer(Struct, frozen=True, omit_defaults=True, gc=False):
    """An amount, in base units, that leaves; ``decimals`` as the payload gives them."""

    asset: str
    amount: str
    role: str
    destination: str | None = None
    decimals: int | None = None


class Call(Struct, frozen=True, omit_defaults=True, gc=False):
    """A contract's call: coins sent along in base units, calldata in hexadecimal."""

    contract: str
    value: str
    data: str


class Facts(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the payload does, in the policy's terms.

    ``expires_at`` is in seconds and ``timestamp`` in milliseconds since the epoch;
    ``quantity`` and ``price`` are as the payload has them.
    """

    action: str
    transfers: tuple[Transfer, ...] = ()
    chain_id: str | None = None
    source: str | None = None
    expires_at: str | None = None
    nonce: str | None = None
    venue: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_type: str | None = None
    quantity: str | None = None
    price: str | None = None
    timestamp: str | None = None
    session: bool = False
    algorithm: str | None = None
    key_version: str | None = None
    call: Call | None = None
    receives: Transfer | None = None
    text: str | None = None


class Policy(Struct, frozen=True, gc=False):
    """A policy or root document: its version, the SHA-256 of its text in hex."""

    version: int
    sha256: str


class Sum(Struct, frozen=True, omit_defaults=True, gc=False):
    """A window's content or its bounds: base units, and number of requests."""

    total: str | None = None
    requests: int | None = None


class Limit(Struct, frozen=True, omit_defaults=True, gc=False):
    """A window before and after the request, beside its bounds.

    ``counts`` names what the window sums over when that is not the whole key: the
    key and a caller or destination, or a group.
    """

    asset: str
    span_ms: int
    before: Sum
    after: Sum
    max: Sum
    counts: str | None = None


class Proposal(Struct, frozen=True, omit_defaults=True, gc=False):
    """What officers are asked to agree to: a document against the version it replaces.

    ``kind`` is policy, root or unfreeze; ``direction`` is looser where a quorum must
    agree, tighter where one officer suffices.
    """

    number: int
    kind: str
    base: int
    sha256: str
    author: str
    direction: str


class Record(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One entry.

    ``index`` is its place in the log, from 0; ``time`` is RFC 3339 in UTC to the
    millisecond. ``event`` is one of ``log.opened``, ``sign.decision``,
    ``sign.outcome``, ``validate``, ``policy.activated``, ``root.activated``,
    ``freeze``, ``unfreeze.asked``, ``unfreeze``, ``rate``, ``rate.end.asked``,
    ``rate.end``, ``approval``, ``proposal.made``, ``proposal.approved``,
    ``proposal.rejected``, ``proposal.activated``, ``canary.decision``,
    ``canary.outcome``, ``rate.limited``.
    ``decision`` is the index of the decision that an outcome or a replay belongs
    to. ``truncated`` marks an entry whose longest texts and lists were cut.
    """

    index: int
    time: str
    clock: Clock
    event: str
    outcome: str
    reasons: tuple[Reason, ...] = ()
    request_id: str | None = None
    caller: Caller | None = None
    key_version: str | None = None
    payload: Payload | None = None
    facts: Facts | None = None
    message_sha256: str | None = None
    policy: Policy | None = None
    grant: str | None = None
    limits: tuple[Limit, ...] = ()
    approvals: tuple[str, ...] = ()
    resumed: bool = False
    decision: int | None = None
    signature_sha256: str | None = None
    detail: str | None = None
    by: str | None = None
    scope: str | None = None
    name: str | None = None
    truncated: bool = False
    root: Policy | None = None
    proposal: Proposal | None = None


_encode = msgspec.json.Encoder().encode


def encode(record: Record) -> bytes:
    """Return the bytes that are stored and hashed, at most ``MAX_BYTES``."""
    try:
        body = _encode(record)
    except UnicodeEncodeError:  # a lone surrogate in what somebody sent
        return _bounded(record)
    return body if len(body) <= MAX_BYTES else _bounded(record)


def _bounded(record: Record) -> bytes:
    members = {**msgspec.to_builtins(record), "truncated": True}
    bodies = (_encode(_cut(members, *bound)) for bound in _BOUNDS)
    return next(body for body in bodies if len(body) <= MAX_BYTES)


def _cut(value: Any, text: int, elements: int) -> Any:
    if isinstance(value, str):
        return _cut_text(value.encode("utf-8", "backslashreplace").decode(), text)
    if isinstance(value, Mapping):
        return {name: _cut(member, text, elements) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [_cut(element, text, elements) for element in value[:elements]]
    return value


def _cut_text(value: str, length: int) -> str:
    return value if len(value) <= length else f"{value[:length]}...(+{len(value) - length})"
