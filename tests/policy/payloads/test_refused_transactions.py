"""Ethereum transactions that must be refused: each family of tricks, and where it is found."""

from collections.abc import Mapping

import pytest

from policy.payloads.ethereum import rlp
from policy.reasons import Code
from tests.policy.payloads.examples import (
    BUILDERS,
    GWEI,
    LAYOUTS,
    OMNIBUS,
    USDC,
    dynamic_fee,
    items,
    legacy,
    refusal,
)

TAG = "ethereum.transaction"
MALFORMED, NOT_CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED = Code.PAYLOAD_UNSUPPORTED
KEY = b"\1" * 32
SIGNED: list[rlp.Item] = [b"\1", b"\x28" * 32, b"\x67" * 32]

# Changed fields, the code, and the place that the refusal names: in every type that has the field.
FIELDS: Mapping[str, tuple[Mapping[str, int | rlp.Item], Code, str]] = {
    "nonce: above EIP-2681": ({"nonce": 2**64 - 1}, MALFORMED, "nonce"),
    "nonce: nine bytes": ({"nonce": 2**64}, MALFORMED, "nonce"),
    "nonce: a zero byte": ({"nonce": b"\0"}, NOT_CANONICAL, "nonce"),
    "nonce: a leading zero": ({"nonce": b"\0\7"}, NOT_CANONICAL, "nonce"),
    "nonce: a list": ({"nonce": []}, MALFORMED, "nonce"),
    "gas price: 257 bits": ({"gas_price": 2**256}, MALFORMED, "gas_price"),
    "gas price: a leading zero": ({"gas_price": b"\0\1"}, NOT_CANONICAL, "gas_price"),
    "gas price: a list": ({"gas_price": [b"\1"]}, MALFORMED, "gas_price"),
    "gas limit: 65 bits": ({"gas_limit": 2**64}, MALFORMED, "gas_limit"),
    "gas limit: a leading zero": ({"gas_limit": b"\0\1"}, NOT_CANONICAL, "gas_limit"),
    "gas limit: a list": ({"gas_limit": []}, MALFORMED, "gas_limit"),
    "gas price: no balance could pay": ({"gas_price": 2**255}, MALFORMED, "gas_limit"),
    "max fee: no balance could pay": ({"max_fee": 2**255}, MALFORMED, "gas_limit"),
    "to: empty, a new contract": ({"to": b""}, UNSUPPORTED, "to"),
    "to: empty, with code": ({"to": b"", "data": b"\x60\x80\x60\x40"}, UNSUPPORTED, "to"),
    "to: 19 bytes": ({"to": OMNIBUS[1:]}, MALFORMED, "to"),
    "to: 21 bytes": ({"to": OMNIBUS + b"\1"}, MALFORMED, "to"),
    "to: a word": ({"to": OMNIBUS.rjust(32, b"\0")}, MALFORMED, "to"),
    "to: one byte": ({"to": b"\1"}, MALFORMED, "to"),
    "to: the zero address": ({"to": bytes(20)}, UNSUPPORTED, "to"),
    "to: hexadecimal text": ({"to": b"0x" + OMNIBUS.hex().encode()}, MALFORMED, "to"),
    "to: a list": ({"to": []}, MALFORMED, "to"),
    "to: a list of an address": ({"to": [OMNIBUS]}, MALFORMED, "to"),
    "value: 257 bits": ({"value": 2**256}, MALFORMED, "value"),
    "value: a zero byte": ({"value": b"\0"}, NOT_CANONICAL, "value"),
    "value: a leading zero": ({"value": b"\0" + b"\xff" * 31}, NOT_CANONICAL, "value"),
    "value: 32 zeros": ({"value": bytes(32)}, NOT_CANONICAL, "value"),
    "value: a list": ({"value": []}, MALFORMED, "value"),
    "data: a list": ({"data": []}, MALFORMED, "data"),
    "chain id: zero": ({"chain_id": 0}, UNSUPPORTED, "chain_id"),
    "chain id: a zero byte": ({"chain_id": b"\0"}, NOT_CANONICAL, "chain_id"),
    "chain id: a leading zero": ({"chain_id": b"\0\1"}, NOT_CANONICAL, "chain_id"),
    "chain id: too large for v": ({"chain_id": 2**63 - 18}, MALFORMED, "chain_id"),
    "chain id: 256 bits": ({"chain_id": 2**256 - 1}, MALFORMED, "chain_id"),
    "chain id: a list": ({"chain_id": []}, MALFORMED, "chain_id"),
    "r: signed already": ({"r": b"\x28" * 32}, UNSUPPORTED, "r"),
    "s: signed already": ({"s": b"\x67" * 32}, UNSUPPORTED, "r"),
    "r and s: signed before EIP-155": (
        {"chain_id": 27, "r": b"\x28" * 32, "s": b"\x67" * 32},
        UNSUPPORTED,
        "r",
    ),
    "r: a zero byte": ({"r": b"\0"}, NOT_CANONICAL, "r"),
    "s: a zero byte": ({"s": b"\0"}, NOT_CANONICAL, "s"),
    "r: an empty list": ({"r": []}, MALFORMED, "r"),
    "s: an empty list": ({"s": []}, MALFORMED, "s"),
    "r: 257 bits": ({"r": b"\1" + bytes(32)}, MALFORMED, "r"),
    "priority fee: above the whole": (
        {"priority_fee": 30 * GWEI + 1},
        MALFORMED,
        "max_priority_fee_per_gas",
    ),
    "priority fee: 257 bits": ({"priority_fee": 2**256}, MALFORMED, "max_priority_fee_per_gas"),
    "priority fee: a leading zero": (
        {"priority_fee": b"\0\1"},
        NOT_CANONICAL,
        "max_priority_fee_per_gas",
    ),
    "priority fee: a list": ({"priority_fee": []}, MALFORMED, "max_priority_fee_per_gas"),
    "max fee: 257 bits": ({"max_fee": 2**256}, MALFORMED, "gas_price"),
    "max fee: a leading zero": ({"max_fee": b"\0\1"}, NOT_CANONICAL, "gas_price"),
    "max fee: a list": ({"max_fee": []}, MALFORMED, "gas_price"),
    "access list: bytes": ({"access_list": b""}, MALFORMED, "access_list"),
    "access list: an address itself": ({"access_list": USDC}, MALFORMED, "access_list"),
    "access list: an entry of bytes": ({"access_list": [USDC]}, MALFORMED, "access_list"),
    "access list: an empty entry": ({"access_list": [[]]}, MALFORMED, "access_list"),
    "access list: no keys": ({"access_list": [[USDC]]}, MALFORMED, "access_list"),
    "access list: keys outside a list": ({"access_list": [[USDC, KEY]]}, MALFORMED, "access_list"),
    "access list: a third item": ({"access_list": [[USDC, [], []]]}, MALFORMED, "access_list"),
    "access list: 19 bytes": ({"access_list": [[USDC[1:], []]]}, MALFORMED, "access_list"),
    "access list: an empty address": ({"access_list": [[b"", []]]}, MALFORMED, "access_list"),
    "access list: a list as address": ({"access_list": [[[], []]]}, MALFORMED, "access_list"),
    "access list: a key of 31": ({"access_list": [[USDC, [KEY[1:]]]]}, MALFORMED, "access_list"),
    "access list: a key of 33": (
        {"access_list": [[USDC, [KEY + b"\1"]]]},
        MALFORMED,
        "access_list",
    ),
    "access list: an empty key": ({"access_list": [[USDC, [b""]]]}, MALFORMED, "access_list"),
    "access list: one key is wrong": (
        {"access_list": [[USDC, [KEY, b"\1"]]]},
        MALFORMED,
        "access_list",
    ),
    "access list: a list as key": ({"access_list": [[USDC, [[]]]]}, MALFORMED, ""),
    "access list: the second entry": (
        {"access_list": [[USDC, []], [USDC]]},
        MALFORMED,
        "access_list",
    ),
}
_HASH = b"\1" + b"\x0b" * 31
_BLOBS = "blob_versioned_hashes"
_RIGHT: list[rlp.Item] = [b"\1", USDC, b"\5", b"\1", b"\x28" * 32, b"\x67" * 32]


def _authorized(index: int, value: rlp.Item) -> Mapping[str, rlp.Item]:
    """Return an authorisation list whose second has another item."""
    changed = [*_RIGHT]
    changed[index] = value
    return {"authorizations": [[*_RIGHT], changed]}


_SECOND = "authorization_list[1]"
FIELDS = {
    **FIELDS,
    "blobs: bytes": ({"blob_hashes": b""}, MALFORMED, _BLOBS),
    "blobs: none": ({"blob_hashes": []}, MALFORMED, _BLOBS),
    "blobs: seven": ({"blob_hashes": [_HASH] * 7}, MALFORMED, _BLOBS),
    "blobs: another version": ({"blob_hashes": [b"\2" * 32]}, MALFORMED, _BLOBS),
    "blobs: 31 bytes": ({"blob_hashes": [_HASH[1:]]}, MALFORMED, _BLOBS),
    "blobs: 33 bytes": ({"blob_hashes": [_HASH + b"\1"]}, MALFORMED, _BLOBS),
    "blobs: a list of 32": ({"blob_hashes": [[b"\1"] * 32]}, MALFORMED, _BLOBS),
    "blobs: the second": ({"blob_hashes": [_HASH, b"\1"]}, MALFORMED, _BLOBS),
    "blob fee: a leading zero": ({"blob_fee": b"\0\1"}, NOT_CANONICAL, "max_fee_per_blob_gas"),
    "blob fee: 257 bits": ({"blob_fee": 2**256}, MALFORMED, "max_fee_per_blob_gas"),
    "blob fee: a list": ({"blob_fee": []}, MALFORMED, "max_fee_per_blob_gas"),
    "blob fee: no balance could pay": ({"blob_fee": 2**240}, MALFORMED, "gas_limit"),
    "blob: a call": ({"data": b"\1\2\3\4", "blob_fee": 1}, UNSUPPORTED, "data"),
    "set code: a call": (
        {"data": b"\1\2\3\4", "authorizations": [_RIGHT]},
        UNSUPPORTED,
        "data",
    ),
    "authorisations: bytes": ({"authorizations": b""}, MALFORMED, "authorization_list"),
    "authorisations: none": ({"authorizations": []}, MALFORMED, "authorization_list"),
    "authorisations: 17": ({"authorizations": [_RIGHT] * 17}, MALFORMED, "authorization_list"),
    "authorisation: bytes": ({"authorizations": [_RIGHT, USDC]}, MALFORMED, _SECOND),
    "authorisation: unsigned": ({"authorizations": [_RIGHT, _RIGHT[:3]]}, MALFORMED, _SECOND),
    "authorisation: an item more": (
        {"authorizations": [_RIGHT, [*_RIGHT, b""]]},
        MALFORMED,
        _SECOND,
    ),
    "authorisation: any chain": (_authorized(0, b""), UNSUPPORTED, f"{_SECOND}.chain_id"),
    "authorisation: another chain": (_authorized(0, b"\2"), UNSUPPORTED, f"{_SECOND}.chain_id"),
    "authorisation: a zero chain": (_authorized(0, b"\0"), NOT_CANONICAL, f"{_SECOND}.chain_id"),
    "authorisation: 19 bytes": (_authorized(1, USDC[1:]), MALFORMED, _SECOND),
    "authorisation: a list as contract": (_authorized(1, [USDC]), MALFORMED, _SECOND),
    "authorisation: the last nonce": (
        _authorized(2, b"\xff" * 8),
        MALFORMED,
        f"{_SECOND}.nonce",
    ),
    "authorisation: a parity of 27": (_authorized(3, b"\x1b"), MALFORMED, f"{_SECOND}.y_parity"),
    "authorisation: r is zero": (_authorized(4, b""), MALFORMED, _SECOND),
    "authorisation: s is zero": (_authorized(5, b""), MALFORMED, _SECOND),
    "authorisation: s is high": (_authorized(5, b"\xf0" * 32), MALFORMED, f"{_SECOND}.s"),
    "authorisation: r has a leading zero": (
        _authorized(4, b"\0" + b"\x28" * 31),
        NOT_CANONICAL,
        f"{_SECOND}.r",
    ),
}
IN_TYPES = [
    pytest.param(kind, name, id=f"{kind}: {name}")
    for name, (changes, _, _) in FIELDS.items()
    for kind, layout in LAYOUTS.items()
    if changes.keys() <= set(layout)
]


def _plain(kind: str, *, without: int = 0, extra: tuple[rlp.Item, ...] = ()) -> list[rlp.Item]:
    fields = items(LAYOUTS[kind], {})
    return [*fields[: len(fields) - without], *extra]


def _typed(first: int, fields: rlp.Item) -> bytes:
    return bytes((first,)) + rlp.encode(fields)


# Whole payloads, by what is wrong with them.
PAYLOADS: Mapping[str, tuple[bytes, Code]] = {
    "nothing": (b"", MALFORMED),
    "an empty list": (b"\xc0", MALFORMED),
    "only a type": (b"\2", MALFORMED),
    "a type and a string": (b"\2\x83dog", MALFORMED),
    "a type and a number": (b"\2\5", MALFORMED),
    "a string around a transaction": (rlp.encode(dynamic_fee()), UNSUPPORTED),
    "a list around a transaction": (rlp.encode([legacy()]), MALFORMED),
    "a transaction in hexadecimal": (legacy().hex().encode(), UNSUPPORTED),
    "a transaction in hexadecimal, with 0x": (b"0x" + legacy().hex().encode(), UNSUPPORTED),
    "a JSON-RPC call": (b'{"method":"eth_sendTransaction"}', UNSUPPORTED),
    "a personal message (EIP-191)": (b"\x19Ethereum Signed Message:\n5hello", UNSUPPORTED),
    "typed data (EIP-712)": (b"\x19\1" + bytes(64), UNSUPPORTED),
    "a digest": (b"\x8a" * 32, UNSUPPORTED),
    "a digest that begins like a type": (b"\2" + b"\x8a" * 31, MALFORMED),
    "legacy: signed before EIP-155 came": (rlp.encode(_plain("legacy", without=3)), UNSUPPORTED),
    "legacy: five items": (rlp.encode(_plain("legacy", without=4)), MALFORMED),
    "legacy: a chain id alone": (rlp.encode(_plain("legacy", without=2)), MALFORMED),
    "legacy: eight items": (rlp.encode(_plain("legacy", without=1)), MALFORMED),
    "legacy: ten items": (rlp.encode(_plain("legacy", extra=(b"",))), MALFORMED),
    "legacy: twelve items": (rlp.encode(_plain("legacy", extra=(b"", b"", b""))), MALFORMED),
    "legacy: within type 0": (_typed(0, _plain("legacy")), UNSUPPORTED),
    "legacy: within type 1": (_typed(1, _plain("legacy")), MALFORMED),
    "legacy: within type 2": (_typed(2, _plain("legacy")), MALFORMED),
    "access list: signed": (_typed(1, _plain("access list", extra=(*SIGNED,))), UNSUPPORTED),
    "access list: an item less": (_typed(1, _plain("access list", without=1)), MALFORMED),
    "access list: an item more": (_typed(1, _plain("access list", extra=(b"",))), MALFORMED),
    "access list: without its type": (rlp.encode(_plain("access list")), MALFORMED),
    "access list: within type 2": (_typed(2, _plain("access list")), MALFORMED),
    "dynamic fee: signed": (_typed(2, _plain("dynamic fee", extra=(*SIGNED,))), UNSUPPORTED),
    "dynamic fee: an item less": (_typed(2, _plain("dynamic fee", without=1)), MALFORMED),
    "dynamic fee: an item more": (_typed(2, _plain("dynamic fee", extra=(b"",))), MALFORMED),
    "dynamic fee: without its type": (rlp.encode(_plain("dynamic fee")), MALFORMED),
    "dynamic fee: within type 1": (_typed(1, _plain("dynamic fee")), MALFORMED),
    "blob: an item less": (_typed(3, _plain("blob", without=1)), MALFORMED),
    "blob: an item more": (_typed(3, _plain("blob", extra=(b"",))), MALFORMED),
    "blob: signed": (_typed(3, _plain("blob", extra=(*SIGNED,))), UNSUPPORTED),
    "blob: with its blobs": (_typed(3, [_plain("blob"), [], [], []]), MALFORMED),
    "blob: within type 2": (_typed(2, _plain("blob")), MALFORMED),
    "set code: an item less": (_typed(4, _plain("set code", without=1)), MALFORMED),
    "set code: signed": (_typed(4, _plain("set code", extra=(*SIGNED,))), UNSUPPORTED),
    "set code: within type 2": (_typed(2, _plain("set code")), MALFORMED),
    "a bare authorisation (EIP-7702)": (_typed(5, [b"\1", USDC, b""]), UNSUPPORTED),
    "a deposit of an optimistic rollup": (_typed(0x7E, _plain("dynamic fee")), UNSUPPORTED),
    "the last type": (_typed(0x7F, _plain("dynamic fee")), UNSUPPORTED),
    "a reserved first byte": (_typed(0x80, _plain("dynamic fee")), UNSUPPORTED),
    "a type twice": (b"\2" + dynamic_fee(), MALFORMED),
    "two transactions": (legacy() + legacy(), MALFORMED),
    "a list within a list, without end": (b"\xc1" * 4000, MALFORMED),
    "a list of empty lists": (rlp.encode([[]] * 16_000), MALFORMED),
    "many items": (rlp.encode([b""] * 16_000), MALFORMED),
    "as large as is read": (legacy(data=b"\1" * 16_335), UNSUPPORTED),
    "a byte larger": (legacy(data=b"\1" * 16_336), Code.PAYLOAD_TOO_LARGE),
    "a quarter of a megabyte": (dynamic_fee(data=bytes(260_000)), Code.PAYLOAD_TOO_LARGE),
    "a megabyte": (dynamic_fee(data=bytes(10**6)), Code.PAYLOAD_TOO_LARGE),
}


@pytest.mark.parametrize(("kind", "name"), IN_TYPES)
def test_a_wrong_field_is_refused(kind: str, name: str) -> None:
    """A field out of its range, spelling or shape is refused where it stands."""
    changes, code, field = FIELDS[name]
    reason = refusal(TAG, BUILDERS[kind](**changes))
    assert reason.code is code
    assert reason.rule == (f"transaction.{field}" if field else "transaction")


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_is_no_unsigned_transaction_is_refused(name: str) -> None:
    """Signed, wrapped, cut, foreign and hostile payloads are refused with their code."""
    payload, code = PAYLOADS[name]
    assert refusal(TAG, payload).code is code


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_length_but_its_own_is_refused(kind: str) -> None:
    """A transaction cut anywhere, or followed by anything, is refused."""
    payload = BUILDERS[kind]()
    for end in range(len(payload)):
        refusal(TAG, payload[:end])
    for tail in (b"\0", b"\x80", b"\xc0", b"\n", payload):
        assert refusal(TAG, payload + tail).code is MALFORMED


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_longer_length_is_refused(kind: str) -> None:
    """The list's own length in a longer form than it needs is refused."""
    payload = BUILDERS[kind]()
    first = payload[:1] if payload[0] < rlp.LIST else b""
    fields = rlp.decode(payload[len(first) :], "here")
    assert isinstance(fields, list)
    content = b"".join(map(rlp.encode, fields))
    size = len(content).to_bytes(1)
    longer_ones = [b"\xf9\0" + size, b"\xff" + bytes(7) + size]
    if len(content) < 56:  # where a length of its own begins
        longer_ones.append(b"\xf8" + size)
    for longer in longer_ones:
        assert refusal(TAG, first + longer + content).code is NOT_CANONICAL
