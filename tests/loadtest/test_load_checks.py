"""Every answer is checked: each way of being wrong has its own name, and none passes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc import status_pb2

from loadtest import checks, plan
from loadtest.answers import Signer
from loadtest.checks import Checker, Fault
from loadtest.errors import LoadtestError
from loadtest.profile import Call
from loadtest.sending import Body, Failure
from loadtest.signatures import verifier
from loadtest.target import Target
from policy.payloads import ethereum
from policy.reasons import Code, Reason
from signer.errors import RefusedError
from signer.rpc.status import status_of
from signer.v1 import resources_pb2 as resources
from signer.v1 import signing_service_pb2 as pb
from tests.loadtest.samples import ORDER, profile_of

PAYOUT = Call(name="payout", client="wallet", key="wd-usdc", payload="transfer")
PAYMENT = Call(name="payment", client="payments", key="payments", payload="intent")
BATCH = PAYOUT.model_copy(update={"method": "batch", "batch": 3})
STREAM = ORDER.model_copy(update={"method": "stream"})
CALLERS = {
    "wd-usdc": "spiffe://firm.example/wallet-usdc",
    "payments": "spiffe://firm.example/payments",
    "orders": "spiffe://firm.example/desk",
}
TASK = plan.Task(profile_of(), Target("", Path()), "run", 0, 2_000_000_000, {})

Spoil = Callable[[pb.SignPayloadResponse], None]


def _checker(signer: Signer, share: float = 1.0) -> Checker:
    return Checker({key: verifier(signer.public_key(key)) for key in CALLERS}, share, "seed")


def _answer(signer: Signer, call: Call, number: int = 0) -> tuple[bytes, pb.SignPayloadResponse]:
    request = plan.request_of(TASK, call, number, 0)
    return request.SerializeToString(), signer.result(CALLERS[call.key], request).response


def _flip(response: pb.SignPayloadResponse) -> None:
    signature = bytearray(response.signature)
    signature[-1] ^= 1
    response.signature = bytes(signature)


def _other_parity(response: pb.SignPayloadResponse) -> None:
    response.ethereum.y_parity ^= 1


def _high_s(response: pb.SignPayloadResponse) -> None:
    # All of it fits together but for EIP-2: only s itself tells.
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = (order - int.from_bytes(response.signature[32:])).to_bytes(32)
    parity = response.ethereum.y_parity ^ 1
    response.signature = response.signature[:32] + s
    raw = ethereum.assemble(plan.request_of(TASK, PAYOUT, 0, 0).payload, response.signature, parity)
    response.ethereum.s, response.ethereum.y_parity = s, parity
    response.ethereum.raw_transaction = raw
    response.ethereum.transaction_hash = ethereum.transaction_hash(raw)


def _set(**fields: object) -> Spoil:
    return lambda response: response.MergeFrom(pb.SignPayloadResponse(**fields))  # type: ignore[arg-type]  # any field


def _raw(response: pb.SignPayloadResponse) -> None:
    response.ethereum.raw_transaction += b"\0"


def _hash(response: pb.SignPayloadResponse) -> None:
    response.ethereum.transaction_hash = bytes(32)


def _r(response: pb.SignPayloadResponse) -> None:
    response.ethereum.r = bytes(32)


WRONG = {
    "p256": (ORDER, _flip, Fault.WRONG_SIGNATURE),
    "ed25519": (PAYMENT, _flip, Fault.WRONG_SIGNATURE),
    "secp256k1": (PAYOUT, _flip, Fault.WRONG_SIGNATURE),
    "short": (ORDER, _set(signature=b"\1"), Fault.WRONG_SIGNATURE),
    "high s": (PAYOUT, _high_s, Fault.WRONG_SIGNATURE),
    "parity": (PAYOUT, _other_parity, Fault.WRONG_SIGNATURE),
    "r": (PAYOUT, _r, Fault.WRONG_SIGNATURE),
    "raw transaction": (PAYOUT, _raw, Fault.WRONG_SIGNATURE),
    "hash": (PAYOUT, _hash, Fault.WRONG_SIGNATURE),
    "request id": (ORDER, _set(request_id="other"), Fault.WRONG_REQUEST_ID),
    "key": (ORDER, _set(name="keys/payments/versions/1"), Fault.WRONG_KEY),
    "replayed": (ORDER, _set(replayed=True), Fault.REPLAYED),
}


@pytest.mark.parametrize(("call", "spoil", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_spoilt_answer_is_found(
    signer: Signer, call: Call, spoil: Spoil, expected: Fault
) -> None:
    """One thing wrong in a good answer is reported by its name; the good one is not."""
    checker = _checker(signer)
    wire, response = _answer(signer, call)
    assert checker.judge(call, wire, response.SerializeToString()) == ["SIGNED"]
    assert not checker.unexpected
    spoil(response)
    assert checker.judge(call, wire, response.SerializeToString()) == [expected]
    assert checker.unexpected == {f"{call.name}: {expected}": 1}


BODIES: dict[str, tuple[Call, Body | None, str]] = {
    "nothing": (ORDER, None, Fault.UNANSWERED),
    "no message": (ORDER, b"\xff", Fault.UNREADABLE),
    "empty batch": (BATCH, b"", Fault.UNREADABLE),
    "empty result": (STREAM, b"", Fault.WRONG_REQUEST_ID),
    "bare status": (ORDER, Failure("DEADLINE_EXCEEDED"), "DEADLINE_EXCEEDED"),
    "odd details": (ORDER, Failure("INTERNAL", b"\xff"), "INTERNAL"),
    "no reason": (ORDER, Failure("INTERNAL", b""), "INTERNAL"),
}


@pytest.mark.parametrize(("call", "body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_what_is_no_answer_has_a_name(
    signer: Signer, call: Call, body: Body | None, expected: str
) -> None:
    """A missing or unreadable answer gives each payload of the call that outcome."""
    wires = {"unary": _unary, "batch": _batch, "stream": _stream}
    outcomes = _checker(signer).judge(call, wires[call.method](call), body)
    assert outcomes == [expected] * call.batch


def _unary(call: Call) -> bytes:
    return plan.request_of(TASK, call, 0, 0).SerializeToString()


def _batch(call: Call) -> bytes:
    requests = [plan.request_of(TASK, call, 0, item) for item in range(call.batch)]
    return pb.BatchSignPayloadsRequest(requests=requests).SerializeToString()


def _stream(call: Call) -> bytes:
    request = plan.request_of(TASK, call, 0, 0)
    return pb.StreamSignPayloadsRequest(request=request).SerializeToString()


def test_a_batch_in_another_order_is_found(signer: Signer) -> None:
    """Results of a batch that changed places are reported, each of them."""
    wire = _batch(BATCH)
    results = [
        signer.result(CALLERS["wd-usdc"], request) for request in plan.requests_of(BATCH, wire)
    ]
    swapped = pb.BatchSignPayloadsResponse(results=[results[1], results[0], results[2]])
    outcomes = _checker(signer).judge(BATCH, wire, swapped.SerializeToString())
    assert outcomes == [Fault.WRONG_REQUEST_ID, Fault.WRONG_REQUEST_ID, "SIGNED"]


def test_a_refusal_is_only_right_with_its_reason(signer: Signer) -> None:
    """The expected reason passes; another one, and a signature instead, are reported."""
    refused = ORDER.model_copy(update={"expect": "LIMIT_PER_REQUEST"})
    wire, response = _answer(signer, ORDER)
    checker = _checker(signer)
    for code in (Code.LIMIT_PER_REQUEST, Code.KEY_DENIED):
        status = status_of(RefusedError((Reason(code, "rule", "detail"),), 1))
        checker.judge(refused, wire, Failure("ANY", status.SerializeToString()))
    assert checker.unexpected == {"order: KEY_DENIED": 1}
    assert checker.judge(refused, wire, response.SerializeToString()) == ["SIGNED"]
    assert checker.unexpected == {"order: KEY_DENIED": 1, "order: SIGNED": 1}


def test_one_audit_record_for_two_decisions_is_found() -> None:
    """An index that a key's decisions name twice is counted; other keys may have it too."""
    assert checks.reused({"a": [1, 2, 2, 3, 3], "b": [1, 2]}) == {"a": 2}


def test_the_verified_share_is_what_was_asked(signer: Signer) -> None:
    """Half of the share verifies about half of the signatures, none verifies none."""
    half, none = _checker(signer, 0.5), _checker(signer, 0.0)
    for number in range(100):
        wire, response = _answer(signer, ORDER, number)
        for checker in (half, none):
            checker.judge(ORDER, wire, response.SerializeToString())
    assert 25 < half.verified < 75
    assert none.verified == 0


def test_examples_are_few(signer: Signer) -> None:
    """Of many wrong answers the first few are kept, and all are counted."""
    checker = _checker(signer)
    for number in range(20):
        checker.judge(ORDER, _answer(signer, ORDER, number)[0], None)
    assert checker.unexpected == {"order: UNANSWERED": 20}
    assert len(checker.examples) == checks.MAX_EXAMPLES


def test_a_status_without_a_reason_has_none() -> None:
    """A status that carries no ErrorInfo gives an empty reason."""
    assert checks.reason_of(status_pb2.Status(code=13)) == ""


def test_a_key_that_cannot_be_verified_is_refused(signer: Signer) -> None:
    """A public key of an algorithm that is not known here stops the run."""
    key = signer.public_key("orders")
    key.algorithm = resources.ALGORITHM_HMAC_SHA256
    with pytest.raises(LoadtestError, match="ALGORITHM_HMAC_SHA256 can't be verified"):
        verifier(key)
