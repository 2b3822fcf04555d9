"""Streams that are read and written without a thread for each message, over a real socket."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from deploy.dev.ca import SERVER_NAMES, Authority, uri
from signer.errors import TooManyStreamsError
from signer.rpc import transport
from signer.rpc.duplex import CAPACITY
from signer.rpc.inbox import Inbox
from signer.rpc.server import Server
from signer.rpc.status import answers_stream
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc
from tests.support.switched import wait_for

WAIT = 30
SAN = "spiffe://firm.example/a"
METHOD = "/signer.v1.SigningService/StreamSignPayloads"


class Echo(rpc.SigningServiceServicer):
    """Answers each message with its id; one that is called ``refuse`` ends the call."""

    def __init__(self) -> None:
        self.kinds: list[type[Any]] = []
        self.taken = 0
        self.closed = threading.Event()

    @answers_stream
    def StreamSignPayloads(  # noqa: N802 - the base's signature
        self, request_iterator: Any, context: Any
    ) -> Iterator[pb.StreamSignPayloadsResponse]:
        """Answer every message."""
        self.kinds.append(type(request_iterator))
        try:
            for item in request_iterator:
                self.taken += 1
                if item.request.request_id == "refuse":
                    raise TooManyStreamsError("enough")
                if item.request.request_id == "bug":
                    raise ValueError("a secret")
                yield pb.StreamSignPayloadsResponse(
                    result=pb.SignPayloadResult(request_id=item.request.request_id)
                )
        finally:
            self.closed.set()


class Port:
    """A server, and a connection to it."""

    def __init__(self, stack: ExitStack) -> None:
        self.service = Echo()  # type: ignore[abstract] # no other methods
        authority = Authority()
        self.server = Server(
            16, 1 << 20, max_calls=64, shared=False, shed=lambda _lane, _args: False
        )
        rpc.add_SigningServiceServicer_to_server(self.service, self.server.grpc)
        identity = authority.issue(SERVER_NAMES)
        pair = [(identity.private_key, identity.certificate)]
        tls = grpc.ssl_server_credentials(pair, authority.certificate, require_client_auth=True)
        address = self.server.bind("localhost:0", tls)
        self.server.start()
        stack.callback(self.server.drain, 0)
        own = authority.issue([uri(SAN)])
        credentials = grpc.ssl_channel_credentials(
            authority.certificate, own.private_key, own.certificate
        )
        self.channel = stack.enter_context(grpc.secure_channel(address, credentials))

    def stream(self, ids: Iterator[str] | list[str]) -> Any:
        """Open a stream that sends these."""
        requests = (
            pb.StreamSignPayloadsRequest(request=pb.SignPayloadRequest(request_id=name))
            for name in ids
        )
        return rpc.SigningServiceStub(self.channel).StreamSignPayloads(requests, timeout=WAIT)

    def is_idle(self) -> bool:
        """Whether no call is left."""
        state: Any = self.server.grpc._state  # type: ignore[attr-defined] # grpcio's own
        return not state.rpc_states and not state.active_rpc_count


@pytest.fixture
def port() -> Iterator[Port]:
    """A server that echoes."""
    with ExitStack() as stack:
        yield Port(stack)


def ids(call: Any) -> list[str]:
    """Return the ids of all answers."""
    return [answer.result.request_id for answer in call]


def ended(call: Any) -> Any:
    """Return how a call that fails did."""
    with pytest.raises(grpc.RpcError) as caught:
        ids(call)
    return caught.value


def test_everything_is_answered_in_order(port: Port) -> None:
    """However many messages, and however many streams at once."""
    found: dict[int, list[str]] = {}

    def run(number: int) -> None:
        found[number] = ids(port.stream([f"{number}-{place}" for place in range(600)]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert found == {number: [f"{number}-{place}" for place in range(600)] for number in range(6)}
    assert set(port.service.kinds) == {Inbox}
    assert ids(port.stream([])) == []
    wait_for(port.is_idle, WAIT)


def test_who_does_not_listen_is_not_read(port: Port) -> None:
    """What a caller leaves unread is bounded by the transport's window, and nothing is lost."""
    number = 1500
    sent = 0

    def count() -> Iterator[str]:
        nonlocal sent
        for place in range(number):
            sent = place
            yield "x" * 40_000 + str(place)

    call = port.stream(count())
    last = -1
    while last != sent:  # until nothing moves any more
        last = sent
        threading.Event().wait(0.3)
    assert sent < number - 1
    assert port.service.taken <= sent + 1
    assert len(ids(call)) == number


def test_a_refusal_comes_after_the_answers(port: Port) -> None:
    """What was answered before an error is not lost, and the error has its status."""
    call = port.stream(["1", "2", "refuse", "4"])
    seen = [next(call).result.request_id, next(call).result.request_id]
    error = ended(call)
    assert seen == ["1", "2"]
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    assert info.reason == "TOO_MANY_STREAMS"
    error = ended(port.stream(["bug"]))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    wait_for(port.is_idle, WAIT)


def test_a_caller_who_leaves_ends_the_method(port: Port) -> None:
    """Cancelled while it waits for a message, or with answers unread: no thread is kept."""
    gate = threading.Event()

    def wait() -> Iterator[str]:
        yield "1"
        gate.wait(WAIT)

    call = port.stream(wait())
    assert next(call).result.request_id == "1"
    call.cancel()
    assert port.service.closed.wait(WAIT)
    gate.set()
    port.service.closed.clear()
    unread = port.stream(str(number) for number in itertools.count())
    wait_for(lambda: port.service.taken > CAPACITY, WAIT)
    unread.cancel()
    assert port.service.closed.wait(WAIT)
    wait_for(port.is_idle, WAIT)


def test_what_is_no_message_ends_the_stream(port: Port) -> None:
    """Bytes that are no request are an error of the call; what came before is answered."""
    raw: Any = port.channel.stream_stream(METHOD)
    good = pb.StreamSignPayloadsRequest(request=pb.SignPayloadRequest(request_id="1"))
    error = ended(raw(iter([b"\xff\xff\xff", good.SerializeToString()]), timeout=WAIT))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert port.service.closed.wait(WAIT)
    wait_for(port.is_idle, WAIT)


def test_another_kind_of_transport_is_left_to_itself(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where grpcio is made differently it reads and writes in its own way."""
    # No such grpcio can be installed beside the one that is locked.
    monkeypatch.setattr(transport, "IS_KNOWN", False)
    assert ids(port.stream(["1", "2"])) == ["1", "2"]
    assert Inbox not in port.service.kinds
