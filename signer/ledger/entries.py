"""From requests and decisions to the members of their audit records."""

from hashlib import sha256
from typing import Any

from policy import reading
from policy.model import ContractCall, Decision, Decoded, Facts, LimitState, Transfer
from policy.reasons import PayloadError
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


def judged(tx: Transaction, request: SignRequest, decision: Decision) -> dict[str, Any]:
    """Return who asked for what, what it would do, and what the policy said."""
    members = asked(request)
    members["reasons"] = tuple(
        record.Reason(reason.code.value, reason.rule, reason.detail) for reason in decision.reasons
    )
    members["grant"] = decision.grant
    members["limits"] = tuple(_limit(request.key, state) for state in decision.limits)
    if tx.policy is not None:
        members["policy"] = tx.policy.named
        key = tx.policy.policy.keys.get(request.key)
        if key is not None and request.version is None:
            members["key_version"] = key_version(key.name, key.version)
    if not isinstance(request.decoded, PayloadError):
        facts = request.decoded.facts
        if tx.policy is not None:
            facts, _ = reading.read(tx.policy.policy, facts)
        members["facts"] = recorded(facts)
        members["message_sha256"] = _message_hash(request.decoded)
    return members


def _message_hash(decoded: Decoded) -> str:
    """Return the SHA-256 of everything that is signed, one message after the other."""
    return sha256(b"".join(decoded.messages)).hexdigest()


def held(hold: Hold | None) -> dict[str, Any]:
    """Return the hold that a decision rests on or waits for, and who has agreed."""
    return {"name": hold.name, "approvals": hold.approvals} if hold else {}


def settled(outcome: Outcome) -> dict[str, Any]:
    """Return how an approved signing ended."""
    caller, request_id = outcome.approval.subject
    members: dict[str, Any] = {
        "request_id": request_id,
        "caller": record.Caller(caller),
        "key_version": outcome.approval.key_version,
        "decision": outcome.approval.decision,
        "detail": outcome.detail or None,
    }
    if outcome.signature is not None:
        members["signature_sha256"] = sha256(outcome.signature).hexdigest()
    return members


def caller(caller: Caller) -> record.Caller:
    """Return an authenticated peer as records name it."""
    return record.Caller(caller.san, caller.certificate_sha256, caller.address)


def recorded(facts: Facts) -> record.Facts:
    """Return facts as records hold them; ``signer.audit.history.facts`` is the inverse."""
    return record.Facts(
        action=facts.action,
        transfers=tuple(map(_transfer, facts.transfers)),
        chain_id=_text(facts.chain_id),
        source=facts.source,
        expires_at=_text(facts.expires_at),
        nonce=facts.nonce,
        venue=facts.venue,
        symbol=facts.symbol,
        side=facts.side.value if facts.side else None,
        order_type=facts.order_type,
        quantity=facts.quantity,
        price=facts.price,
        timestamp=_text(facts.timestamp),
        session=facts.session,
        algorithm=facts.algorithm.value if facts.algorithm else None,
        key_version=facts.key_version,
        call=_call(facts.call),
        receives=_transfer(facts.receives) if facts.receives else None,
        text=facts.text,
    )


def _transfer(item: Transfer) -> record.Transfer:
    return record.Transfer(
        item.asset, str(item.amount), item.role.value, item.destination, item.decimals
    )


def _call(call: ContractCall | None) -> record.Call | None:
    return None if call is None else record.Call(call.contract, str(call.value), call.data)


def _limit(key: str, state: LimitState) -> record.Limit:
    return record.Limit(
        state.counter.asset,
        state.counter.span_ms,
        record.Sum(str(state.before.total), state.before.requests),
        record.Sum(str(state.after.total), state.after.requests),
        record.Sum(_text(state.max_total), state.max_requests),
        None if state.counter.key == key else state.counter.key,
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
