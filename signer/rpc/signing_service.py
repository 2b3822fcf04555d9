"""The signing port's service."""

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import grpc

from signer.errors import InvalidRequestError, RateLimitedError, SigngateError
from signer.keyring import Keyring
from signer.model import Caller, Signed, SignRequest
from signer.rpc.inbox import Inbox
from signer.rpc.peer import Identify
from signer.rpc.requests import (
    Decode,
    deadline_of,
    key_name,
    key_part,
    key_version_name,
    sign_request,
)
from signer.rpc.results import Results
from signer.rpc.status import answers, answers_stream, shielded
from signer.rpc.streams import Streams
from signer.rpc.transport import Arrived
from signer.signing import Result, Signing
from signer.v1 import resources_pb2, signing_service_pb2_grpc
from signer.v1 import signing_service_pb2 as pb

MAX_BATCH = 256
DEFAULT_PAGE, MAX_PAGE = 100, 1000
SIGN_PAYLOAD = "signer.v1.SigningService/SignPayload"

Admit = Callable[[str, str], None]
Finished = Callable[[str, str], None]


def _everybody(_caller: str, _key: str) -> None:
    """Let every request through: no rates are configured."""


def _nobody(_key: str, _outcome: str) -> None:
    """Count nothing."""


class SigningService(signing_service_pb2_grpc.SigningServiceServicer):
    """Translates messages; ``signer.signing`` does the work."""

    def __init__(
        self,
        signing: Signing,
        keyring: Keyring,
        decode: Decode,
        identify: Identify,
        request_seconds: float,
        admit: Admit = _everybody,
        streams: Streams | None = None,
        finished: Finished = _nobody,
    ) -> None:
        """Serve with these parts.

        ``admit`` takes a caller and a key, and raises where they have had their share;
        ``finished`` a key and what came of each payload, however early it was refused.
        """
        self._signing = signing
        self._keyring = keyring
        self._decode = decode
        self._identify = identify
        self._request_seconds = request_seconds
        self._admit = admit
        self._streams = streams or Streams(each=4, together=8)
        self._finished = finished
        self._results = Results(keyring.public_key_of)
        self._inboxes: set[Inbox[pb.StreamSignPayloadsRequest]] = set()

    def drain(self) -> None:
        """Read no more from the open streams; what was read is still answered."""
        for inbox in tuple(self._inboxes):
            inbox.close()

    @answers
    def SignPayload(
        self, request: pb.SignPayloadRequest, context: grpc.ServicerContext
    ) -> pb.SignPayloadResponse:
        """Sign one payload."""
        try:
            wanted, deadline = self._asked(request, context)
            result = self._signing.sign([wanted], deadline)[0]
        except SigngateError as error:
            result = error
        self._finish(request, result)
        return self._results.response(request, result)

    def _asked(
        self, request: pb.SignPayloadRequest, context: grpc.ServicerContext
    ) -> tuple[SignRequest, float]:
        caller = self._identify(context)
        self._admit(caller.san, key_part(request.name))
        wanted = sign_request(request, caller, self._decode)
        return wanted, deadline_of(context, self._request_seconds)

    def company(self, message: pb.SignPayloadRequest) -> Hashable:
        """Return what ``SignPayload`` calls have in common that may be answered together.

        None: such a call waits for nobody.
        """
        return self._signing.company(key_part(message.name))

    def answer_all(self, calls: Sequence[Arrived]) -> None:
        """Answer ``SignPayload`` calls, all in one transaction, as each alone would be."""
        asked = list(map(self._asked_or_not, calls))
        good = [item for item in asked if isinstance(item, tuple)]
        signed = iter(self._signing.sign_round(*zip(*good, strict=True)) if good else ())
        for call, item in zip(calls, asked, strict=True):
            found = next(signed) if isinstance(item, tuple) else item
            result = shielded(found) if isinstance(found, Exception) else found
            try:
                self._finish(call.message, result)
                response = self._results.response(call.message, result)
            except Exception as error:  # noqa: BLE001 - the boundary, as ``answers`` is
                call.refuse(error)
            else:
                call.answer(response)

    def _asked_or_not(self, call: Arrived) -> tuple[SignRequest, float] | SigngateError:
        try:
            return self._asked(call.message, call.context)
        except Exception as error:  # noqa: BLE001 - the others of the round must not suffer
            return shielded(error)

    @answers
    def BatchSignPayloads(
        self, request: pb.BatchSignPayloadsRequest, context: grpc.ServicerContext
    ) -> pb.BatchSignPayloadsResponse:
        """Sign several payloads in one transaction."""
        requests = list(request.requests)
        try:
            caller = self._identify(context)
            _check_batch(requests)
            deadline = deadline_of(context, self._request_seconds)
        except SigngateError as error:
            self._refuse(requests, error)
            raise
        response = pb.BatchSignPayloadsResponse()
        for message, result in self._sign_each(requests, caller, deadline):
            self._results.put(response.results.add(), message, result)
        return response

    @answers_stream
    def StreamSignPayloads(
        self,
        request_iterator: Iterator[pb.StreamSignPayloadsRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[pb.StreamSignPayloadsResponse]:
        """Sign what comes, everything that has arrived in one transaction."""
        caller = self._identify(context)
        with self._streams.of(caller.san):
            yield from self._stream(request_iterator, caller, context)

    def _stream(
        self,
        request_iterator: Iterator[pb.StreamSignPayloadsRequest],
        caller: Caller,
        context: grpc.ServicerContext,
    ) -> Iterator[pb.StreamSignPayloadsResponse]:
        inbox = _inbox(request_iterator)
        self._inboxes.add(inbox)
        context.add_callback(lambda: self._end(inbox))
        for batch in inbox.batches():
            deadline = deadline_of(context, self._request_seconds)
            messages = [item.request for item in batch]
            for message, result in self._sign_each(messages, caller, deadline):
                response = pb.StreamSignPayloadsResponse()
                self._results.put(response.result, message, result)
                yield response

    def _end(self, inbox: Inbox[pb.StreamSignPayloadsRequest]) -> None:
        inbox.close()
        self._inboxes.discard(inbox)

    def _sign_each(
        self, messages: list[pb.SignPayloadRequest], caller: Caller, deadline: float
    ) -> Iterable[tuple[pb.SignPayloadRequest, Result]]:
        wanted = [self._wanted(message, caller) for message in messages]
        good = [item for item in wanted if isinstance(item, SignRequest)]
        try:
            signed = iter(self._signing.sign(good, deadline) if good else ())
        except SigngateError as error:
            self._refuse(messages, error)
            raise
        results: list[Result] = [
            next(signed) if isinstance(item, SignRequest) else item for item in wanted
        ]
        answered = list(zip(messages, results, strict=True))
        for message, result in answered:
            self._finish(message, result)
        return answered

    def _refuse(self, messages: Iterable[pb.SignPayloadRequest], error: SigngateError) -> None:
        for message in messages:
            self._finish(message, error)

    def _finish(self, message: pb.SignPayloadRequest, result: Result) -> None:
        self._finished(key_part(message.name), _outcome(result))

    def _wanted(
        self, message: pb.SignPayloadRequest, caller: Caller
    ) -> SignRequest | InvalidRequestError | RateLimitedError:
        try:
            self._admit(caller.san, key_part(message.name))
            return sign_request(message, caller, self._decode)
        except (InvalidRequestError, RateLimitedError) as error:
            return error

    @answers
    def GetKey(self, request: pb.GetKeyRequest, context: grpc.ServicerContext) -> resources_pb2.Key:
        """Return a key that the caller has a grant for."""
        return self._keyring.key(self._identify(context), key_name(request.name))

    @answers
    def ListKeys(
        self, request: pb.ListKeysRequest, context: grpc.ServicerContext
    ) -> pb.ListKeysResponse:
        """List the caller's keys, a page at a time."""
        caller = self._identify(context)
        size = request.page_size or DEFAULT_PAGE
        if not 1 <= size <= MAX_PAGE:
            raise InvalidRequestError(f"page_size: 1 to {MAX_PAGE:,}, or 0 for {DEFAULT_PAGE}")
        keys = self._keyring.keys(caller, after=request.page_token)
        token = keys[size - 1].name.removeprefix("keys/") if len(keys) > size else ""
        return pb.ListKeysResponse(keys=keys[:size], next_page_token=token)

    @answers
    def GetPublicKey(
        self, request: pb.GetPublicKeyRequest, context: grpc.ServicerContext
    ) -> resources_pb2.PublicKey:
        """Return the public key of one version."""
        caller = self._identify(context)
        return self._keyring.public_key(caller, *key_version_name(request.name))


def _outcome(result: Result) -> str:
    if isinstance(result, SigngateError):
        return result.code
    if isinstance(result, Signed):
        return "REPLAYED" if result.replayed else "SIGNED"
    return "VALIDATED"


def _check_batch(requests: list[pb.SignPayloadRequest]) -> None:
    number = len(requests)
    if not 1 <= number <= MAX_BATCH:
        raise InvalidRequestError(f"requests: 1 to {MAX_BATCH}, not {number}")
    if len({item.request_id for item in requests}) != number:
        raise InvalidRequestError("requests: two of them have the same request_id")


def _inbox(
    requests: Iterator[pb.StreamSignPayloadsRequest],
) -> Inbox[pb.StreamSignPayloadsRequest]:
    """Return what the requests come into, which the transport itself fills if it can."""
    if isinstance(requests, Inbox):
        return requests
    inbox: Inbox[pb.StreamSignPayloadsRequest] = Inbox(MAX_BATCH)
    threading.Thread(target=_fill, args=(inbox, requests), daemon=True).start()
    return inbox


def _fill(
    inbox: Inbox[pb.StreamSignPayloadsRequest],
    source: Iterator[pb.StreamSignPayloadsRequest],
) -> None:
    try:
        inbox.fill(source)
    except Exception:  # noqa: BLE001 - grpc ends a cancelled stream's iterator with a bare Exception
        inbox.close()
