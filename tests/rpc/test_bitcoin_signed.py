"""A PSBT from request to transaction: one decision, a signature for each input."""

import json

import grpc
import pytest
from btclib.script.engine import verify_transaction
from btclib.tx.tx import Tx
from btclib_wallet.psbt import Psbt, prevouts

from policy import bech32
from signer.approval import Mint
from signer.hsm import Pool
from tests.policy.payloads_bitcoin.drafts import BTC, ELSEWHERE, Draft, Out, hash160, spend
from tests.rpc.conftest import POLICY, Port, sign_request
from tests.rpc.test_signing_service import public_key

ELSEWHERE_TEXT = bech32.encode(0, ELSEWHERE[2:])
KEY = """
[keys.rpc-btc]
algorithm = "ecdsa-secp256k1"
payloads = ["bitcoin.psbt"]

[[keys.rpc-btc.grants]]
id = "payouts"
callers = ["spiffe://firm.example/wallet"]
action = "bitcoin.transfer"
assets = ["BTC@bip122:000000000019d6689c085ae165831e93"]
destinations = ["{destination}"]
sources = ["{source}"]

[[keys.rpc-btc.limits]]
asset = "BTC@bip122:000000000019d6689c085ae165831e93"
per_request = "{most}"
windows = [{{ span = "1h", total = "{most}" }}]
"""


@pytest.fixture
def own(rpc_pool_mint: tuple[Pool, Mint]) -> bytes:
    """The script of the key's own address."""
    return b"\x00\x14" + hash160(rpc_pool_mint[0].public_key("rpc-btc", 1).compressed)


def _activate(port: Port, own: bytes, most: str = "0.50001", source: str = "") -> None:
    source = source or bech32.encode(0, own[2:])
    key = KEY.format(destination=ELSEWHERE_TEXT, source=source, most=most)
    port.ledger.activate_policy(POLICY + key, by="test")


def _payment(own: bytes, version: int = 0) -> bytes:
    inputs = [spend((own, None), BTC, salt) for salt in (1, 2)]
    outputs = [Out(BTC // 2, ELSEWHERE), Out(3 * BTC // 2 - 1000, own)]
    return Draft(version, inputs, outputs).payload()


@pytest.mark.parametrize("version", [0, 2])
def test_a_psbt_is_ready_to_broadcast(port: Port, own: bytes, version: int) -> None:
    """The network's rules take the transaction; there is one decision and one outcome."""
    _activate(port, own)
    payload = _payment(own, version)
    request = sign_request(payload, "rpc-btc", payload_format="bitcoin.psbt")
    response, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK, message
    assert len(response.signature) == 2 * 64
    signed = response.bitcoin
    verify_transaction(prevouts(Psbt.parse(payload)), Tx.parse(signed.raw_transaction))
    assert Tx.parse(signed.raw_transaction).id.hex() == signed.transaction_id
    assert all(len(item.partial_sigs) == 1 for item in Psbt.parse(signed.psbt).inputs)
    port.ledger.flush()
    records = [json.loads(body) for _, body in port.ledger.leaves(0, 100)]
    ours = [item["event"] for item in records if item.get("request_id") == request.request_id]
    assert ours == ["sign.decision", "sign.outcome"]


def test_a_retry_gives_the_same_signatures(port: Port, own: bytes) -> None:
    """The same request again is not charged again, and gives the same transaction."""
    _activate(port, own)
    request = sign_request(_payment(own), "rpc-btc", payload_format="bitcoin.psbt")
    first, *_ = port.unary("SignPayload", request)
    port.ledger.flush()
    second, code, _ = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK
    assert second.replayed
    assert (second.signature, second.bitcoin) == (first.signature, first.bitcoin)
    again = sign_request(_payment(own), "rpc-btc", payload_format="bitcoin.psbt")
    _, code, _ = port.unary("SignPayload", again)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("most", "code"),
    [("0.50001", grpc.StatusCode.OK), ("0.50000999", grpc.StatusCode.PERMISSION_DENIED)],
)
def test_limits_hold(port: Port, own: bytes, most: str, code: grpc.StatusCode) -> None:
    """What is paid counts, and the fee; what returns does not."""
    _activate(port, own, most)
    request = sign_request(_payment(own), "rpc-btc", payload_format="bitcoin.psbt")
    assert port.unary("SignPayload", request)[1] is code


def test_inputs_of_another_address_are_refused(port: Port, own: bytes) -> None:
    """Inputs that the grant does not name as the key's own are refused."""
    _activate(port, own)
    payload = _payment(ELSEWHERE)
    request = sign_request(payload, "rpc-btc", payload_format="bitcoin.psbt")
    _, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert message.startswith("refused by policy: ")


def test_a_source_that_is_not_the_keys_gives_nothing(port: Port, own: bytes) -> None:
    """A policy that names a wrong address as the key's own yields no transaction."""
    _activate(port, own, source=ELSEWHERE_TEXT)
    inputs = [spend((ELSEWHERE, None), BTC, 1)]
    payload = Draft(0, inputs, [Out(BTC // 2 + 1, own), Out(BTC // 2 - 1, ELSEWHERE)]).payload()
    grant = POLICY + KEY.format(
        destination=bech32.encode(0, own[2:]), source=ELSEWHERE_TEXT, most="1"
    )
    port.ledger.activate_policy(grant, by="test")
    request = sign_request(payload, "rpc-btc", payload_format="bitcoin.psbt")
    _, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "not locked to this key" in message


def test_the_keys_address_is_published(port: Port, own: bytes) -> None:
    """GetPublicKey gives the P2WPKH address that belongs into ``sources``."""
    _activate(port, own)
    assert public_key(port, "rpc-btc").bitcoin_address == bech32.encode(0, own[2:])
    assert public_key(port, "rpc-pay").bitcoin_address == ""
