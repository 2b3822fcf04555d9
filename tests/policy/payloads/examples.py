"""Valid payloads to take apart, and the one way to hand a payload to its decoder."""

import base64
import json
import os
from collections.abc import Mapping

import cbor2
import pytest
from hypothesis import settings

from policy.model import Facts
from policy.payloads import decode
from policy.payloads.ethereum import rlp
from policy.reasons import PayloadError, Reason
from tests.policy.payloads import typed_examples

# How many generated payloads are shown to another implementation: 10,000 in the long campaign.
ORACLE_EXAMPLES = int(os.environ.get("SIGNGATE_FUZZ_EXAMPLES", "100"))
oracle = settings(max_examples=ORACLE_EXAMPLES, deadline=None, database=None)

GWEI = 10**9
OMNIBUS = bytes.fromhex("11" * 20)
OMNIBUS_TEXT = "0x1111111111111111111111111111111111111111"
USDC = bytes.fromhex("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
USDC_TEXT = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"

KEY_VERSION = "keys/wd/versions/1"

_INTENT = {
    "amount": "1000000",
    "asset": "USDC@eip155:1",
    "destination": OMNIBUS_TEXT,
    "expiry": 1_790_000_000,
    "nonce": "run-7.1",
    "schema": "signgate.intent/1",
}
# The fields in the order in which each type signs them.
_LEGACY = ("nonce", "gas_price", "gas_limit", "to", "value", "data", "chain_id", "r", "s")
_ACCESS_LIST = (
    *("chain_id", "nonce", "gas_price", "gas_limit"),
    *("to", "value", "data", "access_list"),
)
_DYNAMIC_FEE = (
    *("chain_id", "nonce", "priority_fee", "max_fee", "gas_limit"),
    *("to", "value", "data", "access_list"),
)
_BLOB = (*_DYNAMIC_FEE, "blob_fee", "blob_hashes")
_SET_CODE = (*_DYNAMIC_FEE, "authorizations")
_FIELDS: dict[str, int | rlp.Item] = {
    "chain_id": 1,
    "nonce": 7,
    "priority_fee": GWEI,
    "max_fee": 30 * GWEI,
    "gas_price": 20 * GWEI,
    "gas_limit": 65_000,
    "to": OMNIBUS,
    "value": 10**18,
    "data": b"",
    "access_list": [],
    "r": b"",
    "s": b"",
    "blob_fee": 2 * GWEI,
    "blob_hashes": [b"\1" + b"\x0b" * 31, b"\1" + b"\x0c" * 31],
    "authorizations": [[b"\1", USDC, b"\5", b"\1", b"\x28" * 32, b"\x67" * 32]],
}


def facts(tag: str, payload: bytes) -> Facts:
    """Decode what must be accepted."""
    return decode(tag, payload).facts


def refusal(tag: str, payload: bytes) -> Reason:
    """Decode what must be refused, and return why."""
    with pytest.raises(PayloadError) as caught:
        decode(tag, payload)
    return caught.value.reason


def document(**changes: object) -> dict[str, object]:
    """Return an intent's members; None takes a member out."""
    members: Mapping[str, object] = {**_INTENT, **changes}
    return {name: value for name, value in members.items() if value is not None}


def intent(**changes: object) -> bytes:
    """Return an intent with some members changed, in canonical form."""
    return text(document(**changes)).encode()


def text(members: object) -> str:
    """Write JSON as RFC 8785 does where no member's name is beyond ASCII."""
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def jws(alg: str = "EdDSA", body: bytes | None = None, **changes: object) -> bytes:
    """Return the signing input of an intent in a JWS; None takes a header member out."""
    header = {"alg": alg, "kid": KEY_VERSION, "typ": "signgate-intent+jws", **changes}
    parts = (
        text({name: value for name, value in header.items() if value is not None}).encode(),
        intent() if body is None else body,
    )
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def cose(alg: int = -8, body: bytes | None = None, **changes: object) -> bytes:
    """Return the Sig_structure of an intent, or its MAC_structure for an algorithm of MACs."""
    items = {
        "context": "MAC0" if alg > 0 else "Signature1",
        "protected": cbor2.dumps({1: alg, 4: KEY_VERSION.encode()}, canonical=True),
        "external": b"",
        "payload": intent() if body is None else body,
        **changes,
    }
    return cbor2.dumps(list(items.values()))


def legacy(**changes: int | rlp.Item) -> bytes:
    """Return the signing form of EIP-155 with some fields changed."""
    return rlp.encode(items(_LEGACY, changes))


def access_list(**changes: int | rlp.Item) -> bytes:
    """Return an unsigned transaction of EIP-2930 with some fields changed."""
    return b"\x01" + rlp.encode(items(_ACCESS_LIST, changes))


def dynamic_fee(**changes: int | rlp.Item) -> bytes:
    """Return an unsigned transaction of EIP-1559 with some fields changed."""
    return b"\x02" + rlp.encode(items(_DYNAMIC_FEE, changes))


def blob(**changes: int | rlp.Item) -> bytes:
    """Return an unsigned transaction of EIP-4844 with some fields changed."""
    return b"\x03" + rlp.encode(items(_BLOB, changes))


def set_code(**changes: int | rlp.Item) -> bytes:
    """Return an unsigned transaction of EIP-7702 with some fields changed."""
    return b"\x04" + rlp.encode(items(_SET_CODE, changes))


BUILDERS = {
    "legacy": legacy,
    "access list": access_list,
    "dynamic fee": dynamic_fee,
    "blob": blob,
    "set code": set_code,
}
LAYOUTS = {
    "legacy": _LEGACY,
    "access list": _ACCESS_LIST,
    "dynamic fee": _DYNAMIC_FEE,
    "blob": _BLOB,
    "set code": _SET_CODE,
}


def items(names: tuple[str, ...], changes: Mapping[str, int | rlp.Item]) -> list[rlp.Item]:
    """Return the named fields as RLP items; a number is written as a scalar."""
    assert changes.keys() <= set(names), changes.keys() - set(names)
    values = ({**_FIELDS, **changes}[name] for name in names)
    return [rlp.scalar(value) if isinstance(value, int) else value for value in values]


def call(selector: str, *words: int | bytes) -> bytes:
    """Return calldata: a selector in hex, and a 32-byte word for each argument."""
    padded = (
        word.to_bytes(32) if isinstance(word, int) else word.rjust(32, b"\0") for word in words
    )
    return bytes.fromhex(selector) + b"".join(padded)


TRANSFER, APPROVE, TRANSFER_FROM = "a9059cbb", "095ea7b3", "23b872dd"


def token(data: bytes, **changes: int | rlp.Item) -> bytes:
    """Return a transaction that calls USDC."""
    return dynamic_fee(**{"to": USDC, "value": 0, "data": data, **changes})


# The example of EIP-4361 without its resources.
LOGIN = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z"""

# By format, what mutations start from.
VALID: Mapping[str, tuple[bytes, ...]] = {
    "intent": (intent(), intent(asset="USD", destination="acme")),
    "intent.jws": (jws(), jws("HS512", intent(asset="USD", destination="acme"))),
    "intent.cose": (cose(), cose(7, intent(asset="USD", destination="acme"))),
    "ethereum.transaction": (
        legacy(),
        access_list(access_list=[[USDC, [b"\1" * 32, b"\2" * 32]]]),
        dynamic_fee(),
        token(call(TRANSFER, OMNIBUS, 10**6)),
        token(call(APPROVE, OMNIBUS, 10**6)),
        token(call(TRANSFER_FROM, USDC, OMNIBUS, 10**6)),
        blob(),
        set_code(),
    ),
    "ethereum.message": (
        b"Sign in to the desk.\nNonce: 7",
        "Grüße".encode(),
        LOGIN.encode(),
    ),
    "ethereum.typed-data": typed_examples.VALID,
}
