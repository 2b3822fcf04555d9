"""The types every part of a decision shares.

All are frozen. Amounts are integers in an asset's base units, times are
milliseconds since the Unix epoch; there is no float anywhere.

What each request makes anew is a ``Struct``, which is made in a tenth of the time of
a frozen dataclass. None can be part of a cycle, so the garbage collector skips them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from policy.algorithms import Algorithm, Digest
from policy.reasons import Reason


class Role(StrEnum):
    """Why value leaves: each role counts against the asset's limits."""

    PAYMENT = "payment"
    FEE = "fee"  # to whoever processes the transaction; has no destination
    ALLOWANCE = "allowance"  # a right to spend later counts as spent now


class Side(StrEnum):
    """Which way an order trades its symbol's base asset."""

    BUY = "buy"
    SELL = "sell"


class Transfer(Struct, frozen=True, gc=False):
    """An amount of one asset that a payload lets go.

    ``asset`` is a CAIP-19 identifier (``eip155:1/slip44:60``,
    ``eip155:1/erc20:0xA0b8…`` with the EIP-55 address) or, in a transfer
    intent, the asset's name in the policy. ``destination`` is in its one
    canonical form, and None for a fee. ``decimals`` is how many decimals the
    payload's own format gives the amount, where it does.
    """

    asset: str
    amount: int
    destination: str | None
    role: Role = Role.PAYMENT
    decimals: int | None = None


CONTRACT_CALL = "contract.call"  # the action of a call until the policy says what it does


class ContractCall(Struct, frozen=True, gc=False):
    """A call that only the policy can read, if it pins it.

    ``contract`` has its ERC-55 checksum, ``value`` is in the coin's base units, ``data``
    is in hexadecimal: a selector and words of 32 bytes.
    """

    contract: str
    value: int
    data: str


class Facts(Struct, frozen=True, gc=False):
    """What a payload does, as its decoder read it.

    ``source`` names the account whose funds move when it is not the key's own
    (ERC-20 ``transferFrom``). ``expires_at`` is in seconds since the epoch.

    An order also says where and what it trades. ``quantity`` and ``price`` are
    decimal text in its shortest form, as signed: each venue and symbol has its own
    number of decimals, which no payload names. ``timestamp`` is the payload's own
    clock, in milliseconds since the epoch. ``session`` marks a logon, whose holder
    may then do whatever the venue lets the key do.
    """

    action: str
    transfers: tuple[Transfer, ...]
    chain_id: int | None = None
    source: str | None = None
    expires_at: int | None = None
    nonce: str | None = None
    venue: str | None = None
    symbol: str | None = None
    side: Side | None = None
    order_type: str | None = None
    quantity: str | None = None
    price: str | None = None
    timestamp: int | None = None
    session: bool = False
    algorithm: Algorithm | None = None
    key_version: str | None = None
    call: ContractCall | None = None
    receives: Transfer | None = None
    text: str | None = None


class Decoded(Struct, frozen=True, gc=False):
    """Facts, and the exact bytes that a signature over this payload covers.

    A payload that takes several signatures has the other messages in ``further``, in
    order. They are decided, charged and signed together, or not at all.
    """

    facts: Facts
    message: bytes
    digest: Digest = Digest.NATIVE
    further: tuple[bytes, ...] = ()

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Every message that is signed, in order."""
        return self.message, *self.further


@dataclass(frozen=True, slots=True)
class Format:
    """A payload format: its stable tag, its one decoder and what it may yield.

    ``decode`` returns ``Decoded`` or raises ``PayloadError``, nothing else,
    for any bytes. ``on_chain`` says that it names an EIP-155 chain, ``pays_gas`` that
    the key's account pays for gas there, ``calls`` that it may hold calls of contracts
    that a policy pins, ``names_source`` that each of its payloads names whose funds
    move. ``lifetime_ms`` is how far ahead its payloads may expire where a
    grant says nothing; None for any time.
    """

    tag: str
    decode: Callable[[bytes], Decoded]
    actions: frozenset[str]
    algorithms: frozenset[Algorithm]
    on_chain: bool = False
    pays_gas: bool = False
    calls: bool = False
    names_source: bool = False
    lifetime_ms: int | None = None


class Ask(Struct, frozen=True, gc=False):
    """Who wants which key to sign what.

    ``address`` is the caller's IP address, without a port; None where it is not known.
    """

    key: str
    format: str
    caller: str
    facts: Facts
    address: str | None = None


class Counter(NamedTuple):
    """Names one rolling sum: what left ``key`` in ``asset`` over ``span_ms``.

    ``key`` is what is counted together: a key, ``group`` and the name of a group of
    keys, and after either ``caller`` or ``destination`` and its name where each has a
    sum of its own. The parts are joined by spaces, which no name contains.
    """

    key: str
    asset: str
    span_ms: int


class Used(Struct, frozen=True, gc=False):
    """What a rolling window holds now: base units, and number of requests."""

    total: int
    requests: int


class Usage(Protocol):
    """Read access to the rolling windows, already rolled to the time of the decision."""

    def used(self, counter: Counter) -> Used:
        """Return what the counter's window holds; zero when never charged."""


class Charge(Struct, frozen=True, gc=False):
    """What an allowed request adds to a counter."""

    counter: Counter
    amount: int
    requests: int = 1


class LimitState(Struct, frozen=True, gc=False):
    """A window beside its bounds, for the audit log; None where there is no bound."""

    counter: Counter
    before: Used
    after: Used
    max_total: int | None
    max_requests: int | None


class Decision(Struct, frozen=True, gc=False):
    """The engine's answer. ``reasons`` is empty exactly when it is allowed.

    ``reasons[0]`` is the one a caller is told; the audit log gets them all.
    """

    reasons: tuple[Reason, ...]
    grant: str | None = None
    charges: tuple[Charge, ...] = ()
    limits: tuple[LimitState, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request may be signed."""
        return not self.reasons
