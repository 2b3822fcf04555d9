"""Requests as the payloads that say them, read again by the decoder.

A payload may say less than was wanted, as with a destination that is no address, or no
decoder takes it: the engine and the claim are asked about what was read, and nothing else.
"""

import json
from dataclasses import replace

from msgspec import structs

from policy import calldata
from policy.contracts import PinnedCall
from policy.model import Facts, Role, Transfer
from policy.payloads import decode
from policy.payloads.ethereum import address, erc20, rlp, safe, transaction, typed_data
from policy.payloads.ethereum.pinned import Schema
from policy.prove import permits, shapes
from policy.prove.answer import Step
from policy.reasons import PayloadError
from policy.rules import Policy

_SELECTORS = {method.action: selector for selector, method in erc20.METHODS.items()}
_SECOND = 1000
_GAS_LIMIT = 1  # so that the price of gas may be any fee
_BLOB_HASH = b"\1".ljust(transaction.BLOB_HASH, b"\0")

Call = tuple[bytes, int, bytes]
"""Whom an account calls, with how much of the coin and what data."""


def restated(policy: Policy, step: Step) -> Step | None:
    """Return the request as a payload says it; None if none does.

    A request whose action has no shape stays as it is.
    """
    facts = step.ask.facts
    if shapes.of(policy, policy.keys[step.ask.key], facts.action) is None:
        return step
    written = _written(policy, facts, -(-step.at_ms // _SECOND))
    if written is None:
        return None
    tag, payload = written
    try:
        read = decode(tag, payload).facts
    except PayloadError:
        return None
    ask = structs.replace(step.ask, format=tag, facts=read)
    return replace(step, ask=ask, payload=payload)


def _written(policy: Policy, facts: Facts, expires_at: int) -> tuple[str, bytes] | None:
    """Return the format and the payload."""
    schema = permits.SCHEMAS.get(facts.action)
    if schema is not None:
        if not facts.transfers:
            return None
        said = permits.domain(facts), permits.message(facts, expires_at)
        return typed_data.TAG, _document(schema, *said)
    call = _call(policy, facts)
    if call is None:
        return None
    if facts.source is not None and facts.action != shapes.OF_ANOTHER:
        return typed_data.TAG, _safe(facts, call)
    return transaction.TAG, _transaction(facts, call)


def _transaction(facts: Facts, call: Call) -> bytes:
    """Write a transaction of type 2; of blobs and of delegations, 3 and 4."""
    fee = sum(item.amount for item in facts.transfers if item.role is Role.FEE)
    to, value, data = call
    numbers = (facts.chain_id or 0, 0, 0, fee, _GAS_LIMIT)  # its nonce and the tip are zero
    items: list[rlp.Item] = [*map(rlp.scalar, numbers), to, rlp.scalar(value), data, []]
    kind = transaction.DYNAMIC_FEE
    if facts.action == transaction.BLOB_TRANSFER:
        kind = transaction.BLOB
        items += [rlp.scalar(0), [_BLOB_HASH]]
    elif facts.action == transaction.SET_CODE:
        kind = transaction.SET_CODE_TYPE
        items.append(_authorizations(facts, to))
    return bytes((kind,)) + rlp.encode(items)


def _authorizations(facts: Facts, to: bytes) -> list[rlp.Item]:
    """Delegate to whoever gets nothing; at least to whom it pays."""
    places = {_account(item.destination) for item in _paid(facts) if not item.amount}
    chain_id, one = rlp.scalar(facts.chain_id or 0), rlp.scalar(1)
    return [[chain_id, place, b"", b"", one, one] for place in sorted(places - {to}) or [to]]


def _safe(facts: Facts, call: Call) -> bytes:
    """Write a Safe's transaction as typed data."""
    (schema,) = safe.SCHEMAS
    to, value, data = call
    said = {"to": "0x" + to.hex(), "value": str(value), "data": "0x" + data.hex()}
    rest: dict[str, object] = {name: str(value) for name, value in safe.FIXED.items()}
    domain: dict[str, object] = {
        "chainId": facts.chain_id,
        "verifyingContract": str(facts.source).lower(),
    }
    return _document(schema, domain, rest | said | {"nonce": "0"})


def _document(schema: Schema, domain: dict[str, object], message: dict[str, object]) -> bytes:
    """Write typed data of the kind whose domain has these members."""
    (types,) = (types for struct, types in schema.types if struct.codecs.keys() == domain.keys())
    document = {
        "domain": domain,
        "message": message,
        "primaryType": schema.primary.name,
        "types": types,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _call(policy: Policy, facts: Facts) -> Call | None:
    """Return the call that pays the most that is paid; None if it would pay nobody."""
    moved = max(_paid(facts), key=lambda item: item.amount, default=None)
    pin = next((call for call in policy.calls.values() if call.action == facts.action), None)
    if pin is not None:
        return _pinned(pin, moved)
    if moved is None:
        return None
    action = facts.action.removeprefix(shapes.SAFES)
    if action not in erc20.ACTIONS:
        return _account(moved.destination), moved.amount, b""
    source = (
        [calldata.address(facts.source)] if action == shapes.OF_ANOTHER and facts.source else []
    )
    words = [*source, calldata.address(str(moved.destination)), moved.amount.to_bytes(erc20.WORD)]
    token = moved.asset.rpartition(":")[2]
    return _account(token), 0, _SELECTORS[action] + b"".join(words)


def _pinned(pin: PinnedCall, moved: Transfer | None) -> Call:
    value = moved.amount if moved and pin.amount is None else 0
    return _account(pin.contract), value, next(calldata.written(pin, moved))


def _paid(facts: Facts) -> list[Transfer]:
    return [item for item in facts.transfers if item.role is not Role.FEE]


def _account(text: str | None) -> bytes:
    return calldata.address(str(text))[-address.LENGTH :]
