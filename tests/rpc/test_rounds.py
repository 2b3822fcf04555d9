"""Calls that wait are read without a thread and answered together, over a real socket."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from deploy.dev.ca import SERVER_NAMES, Authority, uri
from signer.errors import InvalidRequestError
from signer.metrics import families
from signer.metrics.calls import Calls
from signer.metrics.meter import Meter
from signer.rpc import transport
from signer.rpc.front import Front
from signer.rpc.rounds import BOUND, LARGE, LEADERS, Joint, Rounds
from signer.rpc.server import Server
from signer.rpc.signing_service import SIGN_PAYLOAD
from signer.rpc.status import answers
from signer.rpc.transport import Arrived, Ending
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc
from tests.support.switched import wait_for

WAIT = 30
A, B = "spiffe://firm.example/a", "spiffe://firm.example/b"
WAITING = 200
Answer = Callable[[Arrived], None]


def same(call: Arrived) -> None:
    """Answer with the request's id."""
    call.answer(pb.SignPayloadResponse(request_id=call.message.request_id))


class Together(rpc.SigningServiceServicer):
    """Answers calls together once it may; a key ``alone`` waits for nobody."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.alone: list[str] = []
        self.go_on = threading.Event()
        self.answer: Answer = same

    def company(self, message: Any) -> str | None:
        """Return the name's first word, but for the word alone."""
        word: str = message.name.partition(" ")[0]
        if word == "bug":
            raise ValueError(word)
        return None if word == "alone" else word

    def answer_all(self, calls: Sequence[Arrived]) -> None:
        """Note the round, wait, and answer."""
        self.rounds.append([call.message.request_id for call in calls])
        self.go_on.wait(WAIT)
        for call in sorted(calls, key=lambda call: int(call.message.request_id)):
            self.answer(call)

    @answers
    def SignPayload(self, request: Any, context: Any) -> pb.SignPayloadResponse:  # noqa: N802 - the base's signature
        """Answer alone."""
        self.alone.append(request.request_id)
        return pb.SignPayloadResponse(request_id=request.request_id)


class Port:
    """A server with one thread for calls that are alone."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack, self.meter, self.service = stack, Meter(), Together()  # type: ignore[abstract] # no other methods
        self.authority = Authority()
        counts = self.meter.calls(SIGN_PAYLOAD)
        self._server = server = Server(
            1,
            1 << 20,
            max_calls=2 * WAITING,
            shared=False,
            shed=lambda _lane, _args: False,
            interceptors=[Calls(self.meter)],
            joint=Joint(SIGN_PAYLOAD, self.service.company, self.service.answer_all, counts),
        )
        rpc.add_SigningServiceServicer_to_server(self.service, server.grpc)
        identity = self.authority.issue(SERVER_NAMES)
        pair = [(identity.private_key, identity.certificate)]
        tls = grpc.ssl_server_credentials(
            pair, self.authority.certificate, require_client_auth=True
        )
        self._address = server.bind("localhost:0", tls)
        server.start()
        self.server = server
        stack.callback(server.drain, 0)
        stack.callback(self.service.go_on.set)

    @property
    def front(self) -> Front:
        """What the transport hands its calls to."""
        return self.server._pool

    def channel(self, san: str = A) -> grpc.Channel:
        """Connect as somebody."""
        identity = self.authority.issue([uri(san)])
        credentials = grpc.ssl_channel_credentials(
            self.authority.certificate, identity.private_key, identity.certificate
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        return self._stack.enter_context(grpc.secure_channel(self._address, credentials, options))

    def call(self, channel: grpc.Channel, name: str, number: int) -> Any:
        """Call, and wait for nothing."""
        request = pb.SignPayloadRequest(name=name, request_id=str(number))
        return rpc.SigningServiceStub(channel).SignPayload.future(request, timeout=WAIT)

    def calls(self, channel: grpc.Channel, name: str, numbers: range, san: str = A) -> list[Any]:
        """Call many times, and return once all of them wait for a round."""
        before = self.front._waiting.get(san, 0)
        calls = [self.call(channel, name, number) for number in numbers]
        wait_for(lambda: self.front._waiting.get(san, 0) == before + len(numbers), WAIT)
        return calls

    def occupy(self, channel: grpc.Channel, name: str = "k") -> list[Any]:
        """Have as many rounds under way as there may be."""
        calls = []
        for number in range(LEADERS):
            calls.append(self.call(channel, name, -1 - number))
            wait_for(lambda: len(self.service.rounds) == len(calls), WAIT)
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
    """A server whose rounds wait until they may go on."""
    with ExitStack() as stack:
        yield Port(stack)


def test_who_comes_meanwhile_is_in_the_next_round(port: Port) -> None:
    """Each call is answered as its own, in rounds of a bounded size."""
    channel = port.channel()
    first = port.occupy(channel)
    waiting = port.calls(channel, "k", range(BOUND + 5))
    port.service.go_on.set()
    assert [call.result(WAIT).request_id for call in first] == ["-1", "-2"]
    assert [call.result(WAIT).request_id for call in waiting] == [
        str(number) for number in range(BOUND + 5)
    ]
    assert sorted(len(each) for each in port.service.rounds) == [1, 1, 5, BOUND]
    wait_for(lambda: not port.front._waiting, WAIT)


def test_beside_a_large_round_none_begins_for_less() -> None:
    """What comes waits until it is worth a round, or until the large one is over."""
    rounds: list[int] = []
    gates = [threading.Event() for _ in range(4)]

    def answer_all(calls: Sequence[Any]) -> None:
        rounds.append(len(calls))
        gates[len(rounds) - 1].wait(WAIT)

    made = Rounds(answer_all)

    def put(number: int) -> None:
        for _ in range(number):
            made.put("a", SimpleNamespace(is_over=True))  # type: ignore[arg-type] # all that is looked at

    put(1)
    wait_for(lambda: rounds == [1], WAIT)
    put(1)
    wait_for(lambda: rounds == [1, 1], WAIT)
    put(LARGE)
    gates[0].set()
    wait_for(lambda: rounds == [1, 1, LARGE], WAIT)
    gates[1].set()  # a thread is free now
    put(LARGE - 1)
    time.sleep(0.05)
    assert rounds == [1, 1, LARGE]
    put(1)
    wait_for(lambda: rounds == [1, 1, LARGE, LARGE], WAIT)
    put(2)
    gates.append(gates[2])
    gates[2].set()  # one of two large ones is over: what waits is not worth another yet
    time.sleep(0.05)
    assert len(rounds) == 4
    gates[3].set()
    wait_for(lambda: rounds[4:] == [2], WAIT)
    made.close()


def test_callers_take_turns_in_a_round(port: Port) -> None:
    """A caller's burst keeps nobody out of the next round."""
    one, other = port.channel(), port.channel(B)
    first = port.occupy(one)
    burst = port.calls(one, "k", range(2 * BOUND))
    few = port.calls(other, "k", range(1000, 1003), B)
    port.service.go_on.set()
    for call in (*first, *burst, *few):
        call.result(WAIT)
    (found,) = (each for each in port.service.rounds if "1000" in each)
    assert {"1001", "1002"} <= set(found)
    assert len(found) == BOUND  # and not what was left for the last


def test_companies_do_not_wait_for_one_another(port: Port) -> None:
    """Orders are signed while every round of the wallets' is held up; so is who is alone."""
    channel = port.channel()
    wallets = port.occupy(channel, "wallets")
    assert port.call(channel, "alone", 5).result(WAIT).request_id == "5"
    order = port.call(channel, "orders", 7)
    wait_for(lambda: ["7"] in port.service.rounds, WAIT)
    assert not any(call.done() for call in wallets)
    port.service.go_on.set()
    assert order.result(WAIT).request_id == "7"
    assert port.service.alone == ["5"]


def test_one_error_is_one_calls(port: Port) -> None:
    """A call that is refused has its status and reason, a bug is shielded, nobody is left out."""

    def some(call: Arrived) -> None:
        if call.message.request_id == "1":
            call.refuse(InvalidRequestError("name: wrong"))
        elif call.message.request_id == "2":
            call.refuse(ValueError("a secret"))
        elif call.message.request_id == "3":
            raise RuntimeError("another")  # with some unanswered
        else:
            same(call)

    port.service.answer = some
    channel = port.channel()
    first = port.occupy(channel)
    calls = port.calls(channel, "k", range(6))
    port.service.go_on.set()
    for call in first:
        call.result(WAIT)
    assert calls[0].result(WAIT).request_id == "0"
    errors = [call.exception(WAIT) for call in calls[1:]]
    codes = [error.code().name for error in errors]
    assert codes == ["INVALID_ARGUMENT", "INTERNAL", *["UNAVAILABLE"] * 3]
    assert "secret" not in errors[1].details()
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(errors[0]).details[0].Unpack(info)
    assert info.reason == "INVALID_REQUEST"
    wait_for(lambda: port.counted(families.CALLS_IN_FLIGHT) == {(SIGN_PAYLOAD,): 0}, WAIT)
    assert port.counted(families.CALLS) == {
        (SIGN_PAYLOAD, "OK"): 3,
        (SIGN_PAYLOAD, "INVALID_ARGUMENT"): 1,
        (SIGN_PAYLOAD, "INTERNAL"): 1,
        (SIGN_PAYLOAD, "UNAVAILABLE"): 3,
    }
    assert port.call(channel, "k", 0).result(WAIT).request_id == "0"


def test_what_cannot_be_told_or_said_costs_no_other_call(port: Port) -> None:
    """A call of no known company has a thread; an answer that can't be sent is one call's."""
    channel = port.channel()
    assert port.call(channel, "bug", 4).result(WAIT).request_id == "4"
    assert port.service.alone == ["4"]

    def unsendable(call: Arrived) -> None:
        call.answer("no message" if call.message.request_id == "0" else pb.SignPayloadResponse())

    port.service.answer = unsendable
    first = port.occupy(channel)
    lost, good = port.calls(channel, "k", range(2))
    port.service.go_on.set()
    for call in (*first, good):
        assert call.result(WAIT) == pb.SignPayloadResponse()
    lost.cancel()
    wait_for(lambda: not port.front._waiting, WAIT)


def test_who_has_left_costs_nothing(port: Port) -> None:
    """A call that its caller cancelled while it waited is answered to nobody."""
    channel = port.channel()
    first = port.occupy(channel)
    left, stays = port.calls(channel, "k", range(2))
    left.cancel()
    port.service.go_on.set()
    for call in (*first, stays):
        call.result(WAIT)
    wait_for(lambda: not port.front._waiting, WAIT)
    wait_for(lambda: not _state(port).rpc_states and not _state(port).active_rpc_count, WAIT)


def test_a_caller_who_does_not_send_holds_no_thread(port: Port) -> None:
    """Calls without a message keep no thread; one that ends without any is told so."""
    channel = port.channel()
    stop = threading.Event()

    def never() -> Iterator[bytes]:
        stop.wait(WAIT)
        yield from ()

    silent: Any = channel.stream_unary(f"/{SIGN_PAYLOAD}")
    open_calls = [silent.future(never(), timeout=WAIT) for _ in range(8)]
    wait_for(lambda: port.front._waiting.get(A) == len(open_calls), WAIT)
    assert port.call(channel, "alone", 1).result(WAIT).request_id == "1"
    open_calls.pop().cancel()
    wait_for(lambda: port.front._waiting.get(A) == len(open_calls), WAIT)
    stop.set()
    for call in open_calls:
        assert call.exception(WAIT).code() is grpc.StatusCode.UNIMPLEMENTED
    wait_for(lambda: not port.front._waiting, WAIT)


def test_what_is_no_message_is_refused(port: Port) -> None:
    """Bytes that are no request are an error of the call, and of no other."""
    channel = port.channel()
    garbage: Any = channel.unary_unary(f"/{SIGN_PAYLOAD}")
    with pytest.raises(grpc.RpcError) as caught:
        garbage(b"\xff\xff\xff", timeout=WAIT)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    port.service.go_on.set()
    assert port.call(channel, "k", 1).result(WAIT).request_id == "1"
    wait_for(lambda: not port.front._waiting, WAIT)


def test_a_drain_answers_what_waits(port: Port) -> None:
    """What was accepted before the server stops is answered."""
    channel = port.channel()
    first = port.occupy(channel)
    waiting = port.calls(channel, "k", range(3))
    draining = threading.Thread(target=port.server.drain, args=(WAIT,))
    draining.start()
    port.service.go_on.set()
    for call in (*first, *waiting):
        call.result(WAIT)
    draining.join(WAIT)
    assert not draining.is_alive()


def test_another_kind_of_transport_is_left_to_itself(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where grpcio is made differently every call has a thread, and is served."""
    # No such grpcio can be installed beside the one that is locked.
    monkeypatch.setattr(transport, "IS_KNOWN", False)
    assert port.call(port.channel(), "k", 3).result(WAIT).request_id == "3"
    assert port.service.rounds == []
    assert port.service.alone == ["3"]


def test_an_end_is_told_once() -> None:
    """Whoever asks before or after the end is told of it."""
    told: list[str] = []
    ending = Ending()
    ending.add_done_callback(lambda _: told.append("before"))
    ending.end()
    ending.add_done_callback(lambda _: told.append("after"))
    ending.end()
    assert told == ["before", "after"]


def _state(port: Port) -> Any:
    return port.server.grpc._state  # type: ignore[attr-defined] # grpcio's own
