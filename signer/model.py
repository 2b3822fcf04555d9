"""The types that cross the boundaries between rpc, signing, ledger and HSM."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from policy.explain import Explanation
from policy.model import Decoded
from policy.reasons import PayloadError, Reason
from signer.approval import Approval
from signer.codes import Code as ServiceCode


class Caller(Struct, frozen=True, gc=False):
    """An authenticated peer: its certificate's SAN, fingerprint and source address."""

    san: str
    certificate_sha256: str
    address: str


class SignRequest(Struct, frozen=True, gc=False):
    """One request, decoded: ``decoded`` is the decoder's refusal if it refused.

    ``version`` is None where the caller left the key's version to the policy.
    """

    caller: Caller
    request_id: str
    key: str
    version: int | None
    format: str
    payload_sha256: bytes
    decoded: Decoded | PayloadError
    validate_only: bool = False


class Signed(Struct, frozen=True, gc=False):
    """A signature that may be released, and the decision behind it.

    ``signature`` is r || s for ECDSA, the plain octets for everything else; of a
    payload with several messages it is all of them, one after the other.
    """

    key_version: str
    signature: bytes
    leaf_index: int
    policy_version: int
    replayed: bool = False


class Granted(Struct, frozen=True, gc=False):
    """A durable permission to sign once."""

    approval: Approval
    leaf_index: int
    policy_version: int


class Refused(Struct, frozen=True, gc=False):
    """A refusal; ``reasons[0]`` is the one the caller is told.

    ``hold`` names what people may approve, where nothing but that is missing.
    """

    reasons: tuple[Reason, ...]
    leaf_index: int
    hold: str | None = None


class Conflict(Struct, frozen=True, gc=False):
    """The request id is bound to another payload, or its first attempt still runs."""

    code: ServiceCode
    leaf_index: int


class Validated(Struct, frozen=True, gc=False):
    """What would have become of a validate-only request, for whoever may know it."""

    key_version: str
    leaf_index: int
    policy_version: int
    explanation: Explanation


Verdict = Granted | Signed | Refused | Conflict | Validated
Begin = Callable[[Sequence[Verdict]], None]


class Outcome(Struct, frozen=True, gc=False):
    """How an approved signing ended.

    A signature: released. No signature and ``refused``: the HSM refused for
    certain, the reservation is given back. Neither: unknown, so it is spent.
    """

    approval: Approval
    signature: bytes | None
    refused: bool = False
    detail: str = ""


class Limited(NamedTuple):
    """Whose request a rate limit refused: ``by`` is caller, share, or key and its name."""

    caller: str
    by: str


class Ledger(Protocol):
    """The single truth about usage, idempotency, policy and the audit log."""

    def decide(self, requests: Sequence[SignRequest], begin: Begin | None = None) -> list[Verdict]:
        """Decide all requests in one durable transaction, in order.

        ``begin`` is called before the commit: see ``signer.ledger.Ledger``.

        Raises:
            LedgerUnavailable: nothing was decided; nothing may be released.
        """

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Queue the outcomes as leaves of the next transaction; returns at once."""
