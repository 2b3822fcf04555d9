"""A call that is shed, over a real socket: what its caller is told, and what it costs."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from deploy.dev.ca import SERVER_NAMES, Authority, uri
from signer.metrics import families
from signer.metrics.calls import Calls
from signer.metrics.meter import Meter
from signer.model import Limited
from signer.rpc.server import Server
from signer.rpc.shedding import REFUSAL, Shedding
from signer.rpc.status import answers, status_of
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc
from tests.support.switched import wait_for

WAIT = 30
ALLOWED, STRANGER = "spiffe://firm.example/a", "spiffe://firm.example/stranger"
SERVICE = "signer.v1.SigningService"
WAITING = 8


class Held(rpc.SigningServiceServicer):
    """Holds up every call until told otherwise, and knows how many had a thread."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = 0

    @answers
    def SignPayload(self, request: Any, context: Any) -> pb.SignPayloadResponse:  # noqa: N802 - the base's signature
        """Wait; or refuse, as usual, where that is asked for."""
        if request.request_id == "refuse":
            raise REFUSAL
        self.begun += 1
        self.go_on.wait(WAIT)
        return pb.SignPayloadResponse()


class Port:
    """A server whose one thread is held up."""

    def __init__(self, stack: ExitStack) -> None:
        self.meter, self.told = Meter(), list[Limited]()
        self.held = Held()  # type: ignore[abstract] # of the other methods no call gets through
        self.authority = Authority()
        self._stack = stack
        self._server = server = Server(
            1,
            1 << 20,
            max_calls=2 * WAITING,
            shared=False,
            shed=Shedding({ALLOWED}, self.told.append, self.meter.shed),
            interceptors=[Calls(self.meter)],
        )
        rpc.add_SigningServiceServicer_to_server(self.held, server.grpc)
        identity = self.authority.issue(SERVER_NAMES)
        pair = [(identity.private_key, identity.certificate)]
        tls = grpc.ssl_server_credentials(
            pair, self.authority.certificate, require_client_auth=True
        )
        self._address = server.bind("localhost:0", tls)
        server.start()
        stack.callback(server.drain, 0)
        stack.callback(self.held.go_on.set)

    def channel(self, san: str) -> grpc.Channel:
        """Connect as somebody."""
        identity = self.authority.issue([uri(san)])
        credentials = grpc.ssl_channel_credentials(
            self.authority.certificate, identity.private_key, identity.certificate
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        return self._stack.enter_context(grpc.secure_channel(self._address, credentials, options))

    def fill(self, channel: grpc.Channel, san: str = ALLOWED) -> list[Any]:
        """Have one call on the thread and as many waiting as may."""
        stub = rpc.SigningServiceStub(channel)
        calls = [stub.SignPayload.future(pb.SignPayloadRequest(), timeout=WAIT)]
        wait_for(lambda: self.held.begun == 1, WAIT)
        calls += (stub.SignPayload.future(pb.SignPayloadRequest()) for _ in range(WAITING))
        wait_for(lambda: self._server._pool.is_full(san), WAIT)
        return calls

    def counted(self, family: families.Family) -> dict[tuple[str, ...], Any]:
        """Return the samples of a metric by their labels."""
        return {
            sample.labels: getattr(sample, "value", None)
            for sample in self.meter.snapshot()
            if sample.name == family.name
        }


@pytest.fixture
def port() -> Iterator[Port]:
    """A server whose one thread is held up."""
    with ExitStack() as stack:
        yield Port(stack)


def ended(call: Any) -> Any:
    """Return how a call that fails did."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_a_shed_call_is_told_what_every_refused_one_is(port: Port) -> None:
    """Of any kind and size it ends at once with the status, the reason and the time to wait."""
    channel = port.channel(ALLOWED)
    stub = rpc.SigningServiceStub(channel)
    usual = ended(
        lambda: stub.SignPayload(pb.SignPayloadRequest(request_id="refuse"), timeout=WAIT)
    )
    waiting = port.fill(channel)
    large = pb.BatchSignPayloadsRequest(
        requests=[pb.SignPayloadRequest(payload=b"x" * 500_000)] * 2
    )
    for call in (
        lambda: stub.SignPayload(pb.SignPayloadRequest(), timeout=WAIT),
        lambda: stub.BatchSignPayloads(large, timeout=WAIT),
        lambda: list(stub.StreamSignPayloads(iter([]), timeout=WAIT)),
        lambda: stub.GetKey(pb.GetKeyRequest(), timeout=WAIT),
    ):
        error = ended(call)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == usual.details()
        assert error.trailing_metadata() == usual.trailing_metadata()
        status = rpc_status.from_call(error)
        assert status == status_of(REFUSAL)
        info, hint = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(hint)
        assert (info.reason, hint.retry_delay.ToMilliseconds()) == ("RATE_LIMITED", 100)
    assert not any(call.done() for call in waiting)
    port.held.go_on.set()
    assert [call.result(WAIT) for call in waiting] == [pb.SignPayloadResponse()] * len(waiting)


def test_a_shed_call_is_counted_and_costs_no_thread(port: Port) -> None:
    """Its method and reason are in the metrics, its caller is told of once each, nothing ran."""
    channel = port.channel(ALLOWED)
    stub = rpc.SigningServiceStub(channel)
    waiting = port.fill(channel)
    for _ in range(3):
        ended(lambda: stub.SignPayload(pb.SignPayloadRequest(), timeout=WAIT))
    ended(lambda: list(stub.StreamSignPayloads(iter([]), timeout=WAIT)))
    unary, stream = f"{SERVICE}/SignPayload", f"{SERVICE}/StreamSignPayloads"
    assert port.counted(families.SHED) == {(unary,): 3, (stream,): 1}
    assert port.counted(families.PAYLOADS) == {("unknown", "RATE_LIMITED"): 3}
    assert port.counted(families.CALLS) == {
        (unary, "RESOURCE_EXHAUSTED"): 3,
        (stream, "RESOURCE_EXHAUSTED"): 1,
    }
    assert port.told == [Limited(ALLOWED, "share")] * 4
    port.held.go_on.set()
    for call in waiting:
        call.result(WAIT)
    assert port.held.begun == 1 + WAITING
    assert stub.SignPayload(pb.SignPayloadRequest(), timeout=WAIT) == pb.SignPayloadResponse()


def test_who_is_not_allowed_is_shed_and_not_written_down(port: Port) -> None:
    """A stranger's calls take no more than others', and its name stays out of the audit log."""
    channel = port.channel(STRANGER)
    port.fill(channel, STRANGER)
    stub = rpc.SigningServiceStub(channel)
    error = ended(lambda: stub.SignPayload(pb.SignPayloadRequest(), timeout=WAIT))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert port.told == []


def test_health_is_answered_to_a_caller_whose_share_waits(port: Port) -> None:
    """A health check is never shed: it goes before what waits."""
    channel = port.channel(ALLOWED)
    port.fill(channel)
    health: Any = health_pb2_grpc.HealthStub(channel)
    check = health.Check.future(health_pb2.HealthCheckRequest(), timeout=WAIT)
    port.held.go_on.set()
    assert check.result(WAIT).status == health_pb2.HealthCheckResponse.SERVING
    assert port.counted(families.SHED) == {}


def test_what_cannot_be_refused_is_served() -> None:
    """Another shape of the transport's submissions costs no call."""
    told: list[str] = []
    assert not Shedding({ALLOWED}, lambda _: told.append("refused"), told.append)(ALLOWED, (None,))
    assert told == []
