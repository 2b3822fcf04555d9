"""Writes valid Ethereum payloads for the JavaScript peer, one a line of JSON.

The same at every call: all that are fixed in the tests, and as many made up from a seed.
"""

import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.policy.payloads.examples import (
    APPROVE,
    BUILDERS,
    TRANSFER,
    USDC,
    VALID,
    call,
)
from tests.policy.payloads.typed_examples import KINDS, document, written

MADE_UP = 100  # of each format
SAFE_NUMBERS = {"value", "nonce"}  # what else a Safe's transaction says is fixed


def payloads() -> Iterator[tuple[str, bytes]]:
    """Return formats and payloads."""
    for tag in sorted(_MAKERS):
        for payload in VALID[tag]:
            yield tag, payload
        source = random.Random(tag)
        for _ in range(MADE_UP):
            yield tag, _MAKERS[tag](source)


def name(payload: bytes) -> str:
    """Return what stands for a payload in what is recorded."""
    return hashlib.sha256(payload).hexdigest()


def _message(source: random.Random) -> bytes:
    words = [source.choice(("Grüße", "Ходить", "登录", "sign", "in")) for _ in range(5)]
    return f"{' '.join(words)}\nNonce: {source.getrandbits(64)}".encode()


def _transaction(source: random.Random) -> bytes:
    kind = source.choice(sorted(BUILDERS))
    fields: dict[str, Any] = {
        "chain_id": source.randint(1, 2**63 - 19),
        "nonce": source.getrandbits(53),  # the peer takes no more
        "gas_limit": source.getrandbits(64),
        "to": source.randbytes(20),
        "value": source.getrandbits(source.choice((8, 64, 256))),
    }
    if kind in {"legacy", "access list"}:
        fields["gas_price"] = source.getrandbits(100)
    else:
        fields["priority_fee"], fields["max_fee"] = sorted((source.getrandbits(100), 2**100))
    if kind != "legacy":
        fields["access_list"] = [[source.randbytes(20), [source.randbytes(32)]]]
    if kind == "set code":
        fields["chain_id"] = 1  # that of the example's authorisation
    elif kind != "blob" and source.random() < 1 / 2:
        data = call(source.choice((TRANSFER, APPROVE)), source.randbytes(20), source.randbytes(32))
        fields |= {"to": USDC, "value": 0, "data": data}
    return BUILDERS[kind](**fields)


def _typed_data(source: random.Random) -> bytes:
    kind = source.choice(KINDS)
    tree = document(kind)
    tree["domain"]["chainId"] = source.randint(1, 2**53 - 1)
    tree["message"] = _changed(source, tree["types"], kind, tree["message"])
    return written(tree)


def _changed(source: random.Random, types: Any, kind: str, members: Any) -> Any:
    """Return the members with other numbers."""
    kinds = {member["name"]: member["type"] for member in types[kind]}
    found: dict[str, Any] = {}
    for member, value in members.items():
        inner = kinds[member].removesuffix("[]")
        if isinstance(value, list):
            found[member] = [_changed(source, types, inner, item) for item in value]
        elif isinstance(value, dict):
            found[member] = _changed(source, types, inner, value)
        elif inner.startswith("uint") and (kind != "SafeTx" or member in SAFE_NUMBERS):
            found[member] = str(source.getrandbits(min(int(inner[4:]), 255)) or 1)
        else:
            found[member] = value
    return found


_MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "ethereum.message": _message,
    "ethereum.transaction": _transaction,
    "ethereum.typed-data": _typed_data,
}


def main() -> None:
    """Write them."""
    for tag, payload in payloads():
        line = {"format": tag, "name": name(payload), "payload": "0x" + payload.hex()}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
