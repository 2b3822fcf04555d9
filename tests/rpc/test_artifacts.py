"""What responses carry beside the signature, checked by recovering the key from it."""

import hashlib
import time

import coincurve
import grpc

from policy.payloads import protobuf
from policy.payloads.ethereum import address_of
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
