"""The signing service, message by message, without a socket."""

import json
from typing import Any

import grpc
import pytest
import rlp
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from eth_account import Account
from google.rpc import error_details_pb2, status_pb2

from signer.v1 import resources_pb2
from signer.v1 import signing_service_pb2 as pb
from tests.rpc.conftest import STRANGER, Port, euros, sign_request
from tests.support.ledgers import freeze


def reason_of(status: status_pb2.Status) -> str:
    """Return the stable reason that a status carries."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


def public_key(port: Port, key: str) -> resources_pb2.PublicKey:
    """Fetch a public key as the caller."""
    response, code, _ = port.unary("GetPublicKey", pb.GetPublicKeyRequest(name=f"keys/{key}"))
    assert code is grpc.StatusCode.OK
    assert isinstance(response, resources_pb2.PublicKey)
    return response


def test_a_payload_is_signed(port: Port) -> None:
    """The signature verifies over the payload with the key that GetPublicKey returns."""
    request = sign_request()
    response, code, _ = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK
    assert (response.name, response.request_id) == ("keys/rpc-pay/versions/1", request.request_id)
    key: Any = load_pem_public_key(public_key(port, "rpc-pay").pem.encode())
    key.verify(response.signature, request.payload)


def test_an_ethereum_transaction_is_ready_to_broadcast(port: Port) -> None:
    """The raw transaction recovers to the key's address, and r, s and y_parity are its own."""
    payload = rlp.encode([0, 10**9, 21_000, b"\x11" * 20, 10**18, b"", 1, b"", b""])
    request = sign_request(payload, "rpc-eth", payload_format="ethereum.transaction")
    response, code, _ = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK
    signed = response.ethereum
    address = public_key(port, "rpc-eth").ethereum_address
    assert Account.recover_transaction(signed.raw_transaction) == address
    assert signed.r + signed.s == response.signature
    assert rlp.decode(signed.raw_transaction)[6] == bytes([37 + signed.y_parity])


def test_a_refusal_has_a_code_and_is_audited(port: Port) -> None:
    """The caller sees the reason's code; the audit log has the request with the reasons."""
    request = sign_request(euros("10001"))
    _, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert message == "refused by policy: LIMIT_PER_REQUEST"
    index, body = port.ledger.leaves(0, 100)[-1]
    record = json.loads(body)
    assert (record["index"], record["request_id"]) == (index, request.request_id)
    assert record["reasons"][0]["code"] == "LIMIT_PER_REQUEST"


def test_a_malformed_payload_is_audited_too(port: Port) -> None:
    """A decoder's refusal is INVALID_ARGUMENT and stands in the audit log."""
    _, code, message = port.unary("SignPayload", sign_request(b"{"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message == "refused by policy: PAYLOAD_MALFORMED"
    assert json.loads(port.ledger.leaves(0, 100)[-1][1])["outcome"] == "refused"


@pytest.mark.parametrize("key", ["rpc-pay", "no-such-key"])
@pytest.mark.parametrize("payload", [euros(), b"{"], ids=["good", "malformed"])
def test_unknown_and_forbidden_keys_look_the_same(port: Port, key: str, payload: bytes) -> None:
    """Whoever has no grant on a key can't tell whether it exists, nor probe its decoder."""
    port.caller = STRANGER
    _, code, message = port.unary("SignPayload", sign_request(payload, key))
    denied = (grpc.StatusCode.PERMISSION_DENIED, "refused by policy: KEY_DENIED")
    assert (code, message) == denied


def test_a_repeated_request_gives_the_first_result(port: Port) -> None:
    """The same request again returns the same signature, marked as replayed."""
    request = sign_request()
    first, *_ = port.unary("SignPayload", request)
    second, *_ = port.unary("SignPayload", request)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.signature == first.signature


def test_another_payload_under_the_same_id_is_refused(port: Port) -> None:
    """A request id is bound to its payload."""
    request = sign_request()
    port.unary("SignPayload", request)
    request.payload = euros("101")
    _, code, message = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert message == "the request id is bound to another key or payload"


def test_validate_only_signs_nothing(port: Port) -> None:
    """It decides and is audited, but there is no signature and the id stays free."""
    request = sign_request(validate_only=True)
    response, code, _ = port.unary("SignPayload", request)
    assert (code, response.signature) == (grpc.StatusCode.OK, b"")
    assert response.name == "keys/rpc-pay/versions/1"
    assert (response.validation.allowed, response.validation.grant) == (True, "all")
    assert json.loads(port.ledger.leaves(0, 100)[-1][1])["event"] == "validate"
    request.validate_only = False
    response, *_ = port.unary("SignPayload", request)
    assert response.signature
    assert not response.replayed
    assert not response.HasField("validation")


def test_a_validator_is_told_everything(port: Port) -> None:
    """A refused validation shows what each grant and limit made of it, and what is left."""
    port.unary("SignPayload", sign_request(euros("4000")))
    request = sign_request(euros("20000", destination="eve"), validate_only=True)
    response, code, _ = port.unary("SignPayload", request)
    assert (code, response.signature) == (grpc.StatusCode.OK, b"")
    found = response.validation
    assert (found.allowed, found.grant) == (False, "")
    failures = [(item.reason, item.rule) for item in found.failures]
    assert failures[0] == ("DESTINATION_NOT_ALLOWED", "keys.rpc-pay.grants.all.destinations")
    assert failures[-1] == ("LIMIT_PER_REQUEST", "keys.rpc-pay.limits.EUR.per_request")
    grant, *others = found.grants
    assert not any(other.matches for other in others)
    assert (grant.id, grant.applies, grant.matches) == ("all", True, False)
    failed = {rule.name: rule.failure.detail for rule in grant.rules if rule.HasField("failure")}
    assert failed == {"destinations": "eve is not listed"}
    assert len(grant.rules) > len(failed)
    [amount] = found.amounts
    assert (amount.asset, amount.amount, amount.max_per_request) == ("EUR", "20000", "10000")
    [window] = found.windows
    assert (window.counts, window.asset, window.span_ms) == ("rpc-pay", "EUR", 3_600_000)
    assert (window.used_total, window.max_total, window.left_total) == ("4000", "100000", "96000")
    assert (window.used_requests, window.max_requests, window.left_requests) == (1, 500, 499)


def test_a_payload_that_cannot_be_read_is_explained(port: Port) -> None:
    """A validator is told where the decoder stopped."""
    response, *_ = port.unary("SignPayload", sign_request(b"{", validate_only=True))
    [failure] = response.validation.failures
    assert failure.reason.startswith("PAYLOAD_")
    assert not response.validation.grants


@pytest.mark.parametrize(
    ("key", "reason"),
    [("rpc-eth", "VALIDATION_NOT_ALLOWED"), ("rpc-other", "KEY_DENIED"), ("nothing", "KEY_DENIED")],
)
def test_validation_takes_a_permission_of_its_own(port: Port, key: str, reason: str) -> None:
    """A grant does not let its callers ask what would be allowed, and tells nobody of a key."""
    response, code, message = port.unary("SignPayload", sign_request(key=key, validate_only=True))
    assert (response, code) == (None, grpc.StatusCode.PERMISSION_DENIED)
    assert message == f"refused by policy: {reason}"


def test_a_batch_answers_each_request_alone(port: Port) -> None:
    """Good, refused, malformed and incomplete requests get results in their order."""
    requests = [
        sign_request(),
        sign_request(euros("10001")),
        sign_request(b"{"),
        sign_request(payload_format=""),
        sign_request(key="rpc-mac"),
    ]
    response, code, _ = port.unary(
        "BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=requests)
    )
    assert code is grpc.StatusCode.OK
    assert [item.request_id for item in response.results] == [item.request_id for item in requests]
    kinds = [item.WhichOneof("result") for item in response.results]
    assert kinds == ["response", "error", "error", "error", "response"]
    reasons = [reason_of(item.error) for item in response.results if item.HasField("error")]
    assert reasons == ["LIMIT_PER_REQUEST", "PAYLOAD_MALFORMED", "INVALID_REQUEST"]
    assert len(response.results[4].response.signature) == 32


@pytest.mark.parametrize("requests", [[], [sign_request()] * 2, [sign_request()] * 257])
def test_a_bad_batch_is_refused_whole(port: Port, requests: list[pb.SignPayloadRequest]) -> None:
    """An empty batch, a large one and one with an id twice are refused."""
    _, code, message = port.unary(
        "BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=requests)
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("requests: ")


def test_a_stream_answers_every_request_by_its_id(port: Port) -> None:
    """Refusals are answers and do not end the stream."""
    requests = [sign_request(), sign_request(euros("10001")), sign_request()]
    responses = port.stream(
        "StreamSignPayloads", [pb.StreamSignPayloadsRequest(request=item) for item in requests]
    )
    kinds = {item.result.request_id: item.result.WhichOneof("result") for item in responses}
    expected = dict(
        zip([r.request_id for r in requests], ["response", "error", "response"], strict=True)
    )
    assert kinds == expected


def test_keys_are_listed_for_their_callers_only(port: Port) -> None:
    """A caller sees the keys that it has a grant for, by name, a page at a time."""
    first, *_ = port.unary("ListKeys", pb.ListKeysRequest(page_size=2))
    assert [key.name for key in first.keys] == ["keys/rpc-eth", "keys/rpc-mac"]
    rest, *_ = port.unary("ListKeys", pb.ListKeysRequest(page_token=first.next_page_token))
    assert [key.name for key in rest.keys] == ["keys/rpc-pay", "keys/rpc-tron", "keys/rpc-typed"]
    assert not rest.next_page_token
    port.caller = STRANGER
    nothing, *_ = port.unary("ListKeys", pb.ListKeysRequest())
    assert not nothing.keys


def test_a_page_size_out_of_range_is_refused(port: Port) -> None:
    """Page sizes are 1 to 1,000."""
    for size in (-1, 1001):
        _, code, message = port.unary("ListKeys", pb.ListKeysRequest(page_size=size))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert message.startswith("page_size: ")


def test_a_key_is_described(port: Port) -> None:
    """GetKey tells the version that signs, the algorithm and the formats."""
    key, *_ = port.unary("GetKey", pb.GetKeyRequest(name="keys/rpc-eth"))
    assert key == resources_pb2.Key(
        name="keys/rpc-eth",
        primary_version="keys/rpc-eth/versions/1",
        algorithm=resources_pb2.ALGORITHM_ECDSA_SECP256K1,
        payload_formats=["ethereum.transaction"],
    )


@pytest.mark.parametrize(
    ("method", "request_type", "name"),
    [
        ("GetKey", pb.GetKeyRequest, "keys/rpc-other"),
        ("GetKey", pb.GetKeyRequest, "keys/no-such-key"),
        ("GetPublicKey", pb.GetPublicKeyRequest, "keys/rpc-other"),
        ("GetPublicKey", pb.GetPublicKeyRequest, "keys/no-such-key"),
        ("GetPublicKey", pb.GetPublicKeyRequest, "keys/rpc-pay/versions/2"),
    ],
)
def test_other_callers_keys_are_not_shown(
    port: Port, method: str, request_type: Any, name: str
) -> None:
    """A key that exists for others and one that does not exist look the same."""
    _, code, message = port.unary(method, request_type(name=name))
    denied = (grpc.StatusCode.PERMISSION_DENIED, "refused by policy: KEY_DENIED")
    assert (code, message) == denied


def test_an_hmac_key_has_no_public_key(port: Port) -> None:
    """There is nothing to hand out, and the answer says so."""
    _, code, message = port.unary("GetPublicKey", pb.GetPublicKeyRequest(name="keys/rpc-mac"))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert message == "keys/rpc-mac/versions/1 is an HMAC key: it has no public half"


def test_a_frozen_key_is_refused_with_the_next_transaction(port: Port) -> None:
    """A freeze is read in the deciding transaction."""
    assert port.unary("SignPayload", sign_request())[1] is grpc.StatusCode.OK
    freeze(port.ledger, "key", "rpc-pay")
    _, code, message = port.unary("SignPayload", sign_request())
    assert (code, message) == (grpc.StatusCode.FAILED_PRECONDITION, "refused by policy: FROZEN")


def test_a_closed_ledger_signs_nothing(port: Port) -> None:
    """Without a ledger there is no signature, only a hint to try again."""
    port.ledger.close()
    _, code, message = port.unary("SignPayload", sign_request())
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "ledger" in message
