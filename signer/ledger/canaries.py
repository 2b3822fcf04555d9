"""Approvals for canaries: signatures that show that a token signs, and move nothing.

The ledger itself makes the message, so that whoever asks cannot have anything else
signed this way, and the message is none that anybody could use:

    0xFF "signgate canary v1" LF, the log's origin, LF, the index of its record, LF

0xFF begins no UTF-8 text, so no JSON, query, note or typed data; it is no type byte of
EIP-2718 or EIP-191, the length that it would announce in RLP is over 8,000,000 TB,
and it is no version of Solana's messages and no tag of protobuf that anybody uses.
Nothing is charged. A frozen key signs no canary either, nor does any before there is a policy.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from policy import freezes
from policy.algorithms import Algorithm
from policy.model import Ask, Facts
from policy.reasons import Code
from signer.approval import Approval
from signer.audit import record
from signer.ledger.entries import key_version
from signer.ledger.lifecycle import Submit
from signer.ledger.transaction import Transaction

PREFIX: Final = b"\xffsigngate canary v1\n"
CANARY: Final = "canary"  # the first half of a canary approval's subject


class CanaryKey(NamedTuple):
    """The key version that signs canaries."""

    key: str
    version: int
    algorithm: Algorithm


class Canaries:
    """Approves canaries and records what became of them, each in a durable transaction.

    Every method raises ``LedgerUnavailableError`` when nothing was recorded.
    """

    def __init__(self, submit: Submit, origin: str) -> None:
        self._submit = submit
        self._origin = origin

    def approve(self, canary: CanaryKey, slot: str) -> Approval | None:
        """Approve one signature by a slot; None while the key is frozen, or without a policy."""
        return self._submit(lambda tx: self._approve(tx, canary, slot), 0)

    def record(self, approval: Approval, outcome: str, signature: bytes, detail: str) -> None:
        """Record how it ended: ``signed``, ``refused`` for certain, or ``unknown``."""
        members = {
            "key_version": approval.key_version,
            "decision": approval.decision,
            "signature_sha256": sha256(signature).hexdigest() if signature else None,
            "detail": detail,
            "by": CANARY,
        }

        def work(tx: Transaction) -> None:
            tx.append(event="canary.outcome", outcome=outcome, **members)

        self._submit(work, 0)

    def _approve(self, tx: Transaction, canary: CanaryKey, slot: str) -> Approval | None:
        index = tx.state.tree_size
        message = PREFIX + f"{self._origin}\n{index}\n".encode()
        reasons = _refusal(tx, canary.key)
        decision = tx.append(
            event="canary.decision",
            outcome="refused" if reasons else "granted",
            reasons=reasons,
            key_version=key_version(canary.key, canary.version),
            message_sha256=sha256(message).hexdigest(),
            detail=f"slot {slot}",
            by=CANARY,
        )
        if reasons:
            return None
        approval = Approval(
            subject=(CANARY, slot),
            key=canary.key,
            version=canary.version,
            algorithm=canary.algorithm,
            message=message,
            decision=decision,
        )
        tx.approvals.append(approval)
        return approval


def _refusal(tx: Transaction, key: str) -> tuple[record.Reason, ...]:
    if tx.policy is None:
        return (record.Reason(Code.KEY_DENIED, "policy", "no policy is active"),)
    ask = Ask(key, CANARY, CANARY, Facts(CANARY, ()))
    found = freezes.frozen(tx.stopped.frozen, ask, tx.policy.policy)
    return tuple(record.Reason(item.code.value, item.rule, item.detail) for item in found)
