"""The messages of a closed loop: made as they are sent, and checked as they come back."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadtest import payloads
from loadtest.errors import LoadtestError
from loadtest.signatures import verifier
from loadtest.target import Target
from signer.v1 import resources_pb2
from signer.v1 import signing_service_pb2 as pb

A_DAY = 86_400
VERIFIED = 64  # signatures of each load that are verified at its end, about
STREAMS = frozenset({"stream", "echoes"})


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for, and how.

    Attributes:
        client: whose certificate.
        keys: the keys' names; requests take turns.
        each: how many of them a batch has, the next one the next ones; 0: all take turns.
        payload: a kind of ``loadtest.payloads``.
        method: unary, batch, stream; echo and echoes for the bare server.
        calls: calls under way at once; of streams, the open ones.
        batch: payloads a batch; of a stream, how many are under way in it.
        connections: over which calls and streams are spread.
        size: bytes of an echo's answer.
        public_keys: serialised, by key, to verify with.
        cpu: the core to stay on.
    """

    target: Target
    client: str
    keys: tuple[str, ...]
    payload: str
    method: str
    calls: int
    batch: int = 1
    each: int = 0
    connections: int = 1
    size: int = 0
    public_keys: tuple[tuple[str, bytes], ...] = ()
    cpu: int | None = None


class Messages:
    """Requests of a load, each with an id and a payload of its own, and their answers."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._run = uuid.uuid4().hex[:12]
        self._expiry = int(time.time()) + A_DAY
        self._asked: dict[str, pb.SignPayloadRequest] = {}
        self._answered: list[pb.SignPayloadResponse] = []
        singles = map(self._request, itertools.count(1))
        self.wires = _WIRES[load.method](singles, load.batch)
        self._read = _READERS[load.method]

    def _request(self, serial: int) -> pb.SignPayloadRequest:
        kind = payloads.KINDS[self._load.payload]
        request = pb.SignPayloadRequest(
            name=f"keys/{self._key(serial)}",
            request_id=f"{self._run}-{serial}",
            payload_format=kind.format,
            payload=kind.build(serial, self._expiry),
        )
        if serial <= self._load.calls * self._load.batch:  # any of them may be answered first
            self._asked[request.request_id] = request
        return request

    def _key(self, serial: int) -> str:
        load, place = self._load, serial
        if load.each:
            place = (serial - 1) // load.batch * load.each + serial % load.each
        return load.keys[place % len(load.keys)]

    def check(self, answer: bytes) -> int:
        """Return how many payloads were signed by an answer; one that was not is an error.

        Raises:
            LoadtestError: a refusal, or an answer without a signature.
        """
        responses = self._read(answer)
        for response in responses:
            if not response.signature:
                raise LoadtestError(f"{self._load.method}: an answer without a signature")
        if len(self._answered) < VERIFIED:
            self._answered += [item for item in responses if item.request_id in self._asked]
        return len(responses)

    def verify(self) -> None:
        """Verify the signatures that were kept.

        Raises:
            LoadtestError: one is wrong, or there is none.
        """
        checks = {
            name: verifier(resources_pb2.PublicKey.FromString(encoded))
            for name, encoded in self._load.public_keys
        }
        if checks and not self._answered:
            raise LoadtestError(f"{self._load.method}: no answer to any of the first requests")
        for response in self._answered if checks else ():
            request = self._asked[response.request_id]
            if not checks[request.name.removeprefix("keys/")](request, response):
                raise LoadtestError(f"{self._load.method}: a signature that does not verify")


def _single(singles: Iterator[pb.SignPayloadRequest], _batch: int) -> Iterator[bytes]:
    for item in singles:
        yield item.SerializeToString()


def _batches(singles: Iterator[pb.SignPayloadRequest], batch: int) -> Iterator[bytes]:
    while True:
        items = itertools.islice(singles, batch)
        yield pb.BatchSignPayloadsRequest(requests=items).SerializeToString()


def _streamed(singles: Iterator[pb.SignPayloadRequest], _batch: int) -> Iterator[bytes]:
    for item in singles:
        yield pb.StreamSignPayloadsRequest(request=item).SerializeToString()


_WIRES: Mapping[str, Callable[[Iterator[pb.SignPayloadRequest], int], Iterator[bytes]]] = {
    "unary": _single,
    "echo": _single,
    "batch": _batches,
    "stream": _streamed,
    "echoes": _streamed,
}


def _of_unary(answer: bytes) -> Sequence[pb.SignPayloadResponse]:
    return [pb.SignPayloadResponse.FromString(answer)]


def _of_batch(answer: bytes) -> Sequence[pb.SignPayloadResponse]:
    return [_signed(item) for item in pb.BatchSignPayloadsResponse.FromString(answer).results]


def _of_stream(answer: bytes) -> Sequence[pb.SignPayloadResponse]:
    return [_signed(pb.StreamSignPayloadsResponse.FromString(answer).result)]


def _of_echo(_answer: bytes) -> Sequence[pb.SignPayloadResponse]:
    return [_ECHO]


def _signed(result: pb.SignPayloadResult) -> pb.SignPayloadResponse:
    if result.HasField("error"):
        raise LoadtestError(f"a payload was refused: {result.error.message}")
    return result.response


_ECHO = pb.SignPayloadResponse(signature=b"\1")
_READERS: Mapping[str, Callable[[bytes], Sequence[pb.SignPayloadResponse]]] = {
    "unary": _of_unary,
    "batch": _of_batch,
    "stream": _of_stream,
    "echo": _of_echo,
    "echoes": _of_echo,
}
