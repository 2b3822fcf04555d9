"""Every payload is counted by what came of it, however early it was refused."""

from collections import Counter

from signer.errors import RateLimitedError
from signer.v1 import signing_service_pb2 as pb
from tests.rpc.conftest import Port, euros, sign_request

SHED = RateLimitedError("too many calls of this caller wait", 0.1)


def test_a_single_payload_counts_once(port: Port) -> None:
    """Signed, replayed, validated, refused by policy and never decided: each as that."""
    signed = sign_request()
    wanted = [signed, signed, sign_request(euros("10001")), sign_request(request_id="")]
    for request in (*wanted, sign_request(validate_only=True)):
        port.unary("SignPayload", request)
    outcomes = ["SIGNED", "REPLAYED", "LIMIT_PER_REQUEST", "INVALID_REQUEST"]
    assert port.finished[:4] == [("rpc-pay", outcome) for outcome in outcomes]
    assert len(port.finished) == 5


def test_each_payload_of_a_batch_and_of_a_stream_counts(port: Port) -> None:
    """Also where the ledger refuses all of them at once."""
    requests = [sign_request(), sign_request(b"{")]
    port.unary("BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=requests))
    streamed = [pb.StreamSignPayloadsRequest(request=sign_request()) for _ in range(2)]
    port.stream("StreamSignPayloads", list(streamed))
    assert Counter(outcome for _, outcome in port.finished) == {"SIGNED": 3, "PAYLOAD_MALFORMED": 1}
    port.ledger.close()
    port.finished.clear()
    requests = [sign_request(), sign_request()]
    port.unary("BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=requests))
    assert port.finished == [("rpc-pay", "LEDGER_UNAVAILABLE")] * 2


def test_what_is_shed_counts_by_its_key(port: Port) -> None:
    """A call that is shed unread, and a batch that is no good, count all their payloads."""
    port.unary("BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=[sign_request()] * 2))
    assert port.finished == [("rpc-pay", "INVALID_REQUEST")] * 2
    port.finished.clear()
    port.refused = SHED
    port.unary("SignPayload", sign_request())
    requests = [sign_request(key="rpc-mac"), sign_request()]
    port.unary("BatchSignPayloads", pb.BatchSignPayloadsRequest(requests=requests))
    assert port.finished == [(key, "RATE_LIMITED") for key in ("rpc-pay", "rpc-mac", "rpc-pay")]
