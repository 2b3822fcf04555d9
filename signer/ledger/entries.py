"""From requests and decisions to the members of their audit records."""

from hashlib import sha256
from typing import Any

from policy import reading
from policy.model import ContractCall, Decision, Decoded, Facts, LimitState, Transfer
from policy.reasons import PayloadError, Reason
from policy.rules import Policy
from signer.audit import record
from signer.ledger.holds import Hold
from signer.ledger.transaction import Transaction
from signer.model import Caller, Outcome, SignRequest


def key_version(key: str, version: int | None) -> str:
    """Return the resource name; of the key alone while no version is settled."""
    return f"keys/{key}/versions/{version}" if version else f"keys/{key}"


def asked(request: SignRequest) -> dict[str, Any]:
    """Return who asked for what."""
    return {
        "request_id": request.request_id,
        "caller": caller(request.caller),
        "key_version": key_version(request.key, request.version),
        "payload": record.Payload(request.format, request.payload_sha256.hex()),
    }


def judged(
    tx: Transaction,
    request: SignRequest,
    decision: Decision,
    outcome: str,
    *,
    event: str = "sign.decision",
    hold: Hold | None = None,
    resumed: bool = False,
) -> record.Record:
    """Return who asked for what, what it would do, and what the policy said.

    ``hold`` is what a decision rests on or waits for, with those who have agreed.
    """
    active, decoded = tx.policy, request.decoded
    policy = None if active is None else active.policy
    read = None if isinstance(decoded, PayloadError) else decoded
    reasons, limits = decision.reasons, decision.limits
    return record.Record(
        index=tx.size,
        time=tx.time,
        clock=tx.clock,
        event=event,
        outcome=outcome,
        reasons=tuple(map(_reason, reasons)) if reasons else (),
        request_id=request.request_id,
        caller=caller(request.caller),
        key_version=key_version(request.key, settled_version(tx, request)),
        payload=record.Payload(request.format, request.payload_sha256.hex()),
        facts=None if read is None else _facts(policy, read.facts),
        message_sha256=None if read is None else _message_hash(read),
        policy=None if active is None else active.named,
        grant=decision.grant,
        limits=tuple([_limit(request.key, state) for state in limits]),
        approvals=() if hold is None else hold.approvals,
        resumed=resumed,
        name=None if hold is None else hold.name,
    )


def settled_version(tx: Transaction, request: SignRequest) -> int | None:
    """Return the key version that is asked for, or that the policy says instead."""
    if request.version is not None or tx.policy is None:
        return request.version
    key = tx.policy.policy.keys.get(request.key)
    return None if key is None else key.version


def _reason(reason: Reason) -> record.Reason:
    return record.Reason(reason.code, reason.rule, reason.detail)


def _message_hash(decoded: Decoded) -> str:
    """Return the SHA-256 of everything that is signed, one message after the other."""
    whole = b"".join(decoded.messages) if decoded.further else decoded.message
    return sha256(whole).hexdigest()


def settled(tx: Transaction, outcome: Outcome) -> record.Record:
    """Return how an approved signing ended."""
    approval, signature = outcome.approval, outcome.signature
    caller, request_id = approval.subject
    return record.Record(
        index=tx.size,
        time=tx.time,
        clock=tx.clock,
        event="sign.outcome",
        outcome=_ending(outcome),
        request_id=request_id,
        caller=record.Caller(caller),
        key_version=approval.key_version,
        decision=approval.decision,
        signature_sha256=None if signature is None else sha256(signature).hexdigest(),
        detail=outcome.detail or None,
    )


def _ending(outcome: Outcome) -> str:
    if outcome.signature is not None:
        return "signed"
    return "refused" if outcome.refused else "unknown"


def caller(caller: Caller) -> record.Caller:
    """Return an authenticated peer as records name it."""
    return record.Caller(caller.san, caller.certificate_sha256, caller.address)


def _facts(policy: Policy | None, facts: Facts) -> record.Facts:
    return recorded(facts if policy is None else reading.read(policy, facts)[0])


def recorded(facts: Facts) -> record.Facts:
    """Return facts as records hold them; ``signer.audit.history.facts`` is the inverse."""
    return record.Facts(
        facts.action,
        tuple([_transfer(item) for item in facts.transfers]),
        None if facts.chain_id is None else str(facts.chain_id),
        facts.source,
        None if facts.expires_at is None else str(facts.expires_at),
        facts.nonce,
        facts.venue,
        facts.symbol,
        facts.side,
        facts.order_type,
        facts.quantity,
        facts.price,
        None if facts.timestamp is None else str(facts.timestamp),
        facts.session,
        facts.algorithm,
        facts.key_version,
        None if facts.call is None else _call(facts.call),
        None if facts.receives is None else _transfer(facts.receives),
        facts.text,
    )


def _transfer(item: Transfer) -> record.Transfer:
    return record.Transfer(item.asset, str(item.amount), item.role, item.destination, item.decimals)


def _call(call: ContractCall) -> record.Call:
    return record.Call(call.contract, str(call.value), call.data)


def _limit(key: str, state: LimitState) -> record.Limit:
    counted, asset, span_ms = state.counter
    before, after, most = state.before, state.after, state.max_total
    return record.Limit(
        asset,
        span_ms,
        record.Sum(str(before.total), before.requests),
        record.Sum(str(after.total), after.requests),
        record.Sum(None if most is None else str(most), state.max_requests),
        None if counted == key else counted,
    )
