"""What responses carry beside the signature, checked by recovering the key from it."""

import hashlib
import json
import time
from collections.abc import Callable

import coincurve
import grpc
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from policy.payloads import protobuf
from policy.payloads.ethereum import address_of
from tests.policy.payloads import typed_examples
from tests.policy.payloads.examples import call, dynamic_fee
from tests.rpc.conftest import Port, sign_request
from tests.rpc.test_signing_service import public_key

ACCOUNT = bytes.fromhex("4182dd6b9966724ae2fdc79b416c7588da67ff1b35")
USDT = bytes.fromhex("41a614f803b6fd780986a42c78ec9c7f77e6ded13c")


def _tron_transfer() -> bytes:
    words = ACCOUNT[1:].rjust(32, b"\0") + (10**6).to_bytes(32)
    call = protobuf.encode({1: ACCOUNT, 2: USDT, 4: bytes.fromhex("a9059cbb") + words})
    url = b"type.googleapis.com/protocol.TriggerSmartContract"
    contract = protobuf.encode({1: 31, 2: protobuf.encode({1: url, 2: call})})
    soon_ms = int(time.time() * 1000) + 60_000
    return protobuf.encode({1: b"\1\2", 4: bytes(range(8)), 8: soon_ms, 11: contract, 18: 10**6})


def test_a_tron_transaction_is_ready_to_broadcast(port: Port) -> None:
    """The 65 bytes recover to the key, and the transaction holds payload and signature."""
    payload = _tron_transfer()
    request = sign_request(payload, "rpc-tron", payload_format="tron.transaction")
    response, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK, message
    signed = response.tron
    assert signed.recoverable_signature[:64] == response.signature
    key = coincurve.PublicKey.from_signature_and_message(signed.recoverable_signature, payload)
    address = address_of(key.format(compressed=False))
    assert address == public_key(port, "rpc-tron").ethereum_address
    assert signed.transaction_id == hashlib.sha256(payload).digest()
    raw = protobuf.decode(signed.raw_transaction, {1: bytes, 2: bytes}, "here")
    assert (raw.data(1), raw.data(2)) == (payload, signed.recoverable_signature)


def _permit() -> bytes:
    deadline = str(int(time.time()) + 600)
    return typed_examples.written(typed_examples.document("Permit", deadline=deadline))


TYPED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a permit": ("ethereum.typed-data", _permit),
    "a text": ("ethereum.message", "Grüße\nNonce: 7".encode),
}


@pytest.mark.parametrize("name", TYPED)
def test_typed_data_and_texts_are_signed_as_wallets_do(port: Port, name: str) -> None:
    """The 65 bytes are those of ``eth_signTypedData_v4`` and ``personal_sign``."""
    payload_format, make = TYPED[name]
    payload = make()
    request = sign_request(payload, "rpc-typed", payload_format=payload_format)
    response, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK, message
    signed = response.ethereum
    assert signed.r + signed.s == response.signature
    assert signed.recoverable_signature == response.signature + bytes((27 + signed.y_parity,))
    assert not signed.raw_transaction
    signable = (
        encode_typed_data(full_message=json.loads(payload))
        if payload_format == "ethereum.typed-data"
        else encode_defunct(primitive=payload)
    )
    signer = Account.recover_message(signable, signature=signed.recoverable_signature)
    assert signer == public_key(port, "rpc-typed").ethereum_address


def test_a_pinned_call_is_signed_and_recorded_in_the_policys_words(port: Port) -> None:
    """The log says what the policy made of the call, beside the call itself."""
    data = call("6e553f65", 5, b"\x11" * 20)
    payload = dynamic_fee(to=b"\x33" * 20, value=0, gas_limit=30_000, data=data)
    request = sign_request(payload, "rpc-eth", payload_format="ethereum.transaction")
    response, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK, message
    assert Account.recover_transaction(response.ethereum.raw_transaction)
    record = json.loads(port.ledger.leaves(response.audit_index, 1)[0][1])
    facts = record["facts"]
    assert facts["action"] == "call.vault.deposit"
    assert facts["transfers"][0]["amount"] == "5"
    assert facts["call"]["data"] == data.hex()
