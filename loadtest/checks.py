"""What came back: each payload has exactly one outcome, and it is the expected one."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from loadtest.plan import requests_of
from loadtest.profile import SIGNED, Call
from loadtest.sending import Body, Failure
from loadtest.signatures import Verify
from signer.v1 import signing_service_pb2 as pb

MAX_EXAMPLES = 5
Answer = pb.SignPayloadResponse | str
"""A signature, or how the request ended without one."""


class Fault(StrEnum):
    """An outcome that no profile can expect."""

    UNANSWERED = "UNANSWERED"  # lost: no answer by the end of the run
    UNASKED = "UNASKED"  # a second answer, or one to a request that nobody made
    UNREADABLE = "UNREADABLE"  # not the response message, or not all of a batch
    WRONG_REQUEST_ID = "WRONG_REQUEST_ID"
    WRONG_KEY = "WRONG_KEY"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"
    REPLAYED = "REPLAYED"  # the result of an earlier request, though the id is new
    AUDIT_INDEX_REUSED = "AUDIT_INDEX_REUSED"  # two decisions of one key, one record


# Not wrong, but not an answer either: the server could not keep up. CANCELLED was seen
# from a grpcio server with thousands of calls waiting; nothing here cancels a call.
OVERLOAD = frozenset(
    {Fault.UNANSWERED, "CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    | {"LEDGER_UNAVAILABLE", "HSM_UNAVAILABLE", "HSM_OVERLOADED", "DRAINING", "STREAM_ENDED"}
    | {"RATE_LIMITED"}  # where no rate is set: one caller has its share of what may wait
)
SHED = OVERLOAD - {Fault.UNANSWERED, "STREAM_ENDED"}
"""What a profile may allow: an answer in any case."""


class Checker:
    """Judges the answers of one worker.

    Attributes:
        unexpected: how often each "call: outcome" came that should not have come.
        examples: the first few of them, with their request ids.
        verified: how many signatures were verified.
        audit_indexes: of each key, what its decisions said; none may be there twice.
    """

    def __init__(self, verifiers: Mapping[str, Verify], share: float, seed: str) -> None:
        self._verifiers = verifiers
        self._share = share
        self._rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
        self.unexpected: Counter[str] = Counter()
        self.examples: list[str] = []
        self.verified = 0
        self.audit_indexes: dict[str, list[int]] = {}

    def judge(self, call: Call, wire: bytes, body: Body | None) -> list[str]:
        """Return the outcome of each payload of a call; None as body: no answer came."""
        requests = requests_of(call, wire)
        outcomes = []
        for request, answer in zip(requests, _answers(call, body, requests), strict=True):
            outcome = self._outcome(call, request, answer)
            outcomes.append(outcome)
            if outcome != call.expect:
                self.report(call.name, outcome, request.request_id)
        return outcomes

    def report(self, call: str, outcome: str, request_id: str) -> None:
        """Note an outcome that should not have come."""
        self.unexpected[f"{call}: {outcome}"] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{call}: {outcome}, request id {request_id}")

    def _outcome(self, call: Call, request: pb.SignPayloadRequest, answer: Answer) -> str:
        if isinstance(answer, str):
            return answer
        if answer.request_id != request.request_id:
            return Fault.WRONG_REQUEST_ID
        if not answer.name.startswith(f"{request.name}/versions/"):
            return Fault.WRONG_KEY
        if answer.replayed:
            return Fault.REPLAYED
        if call.expect != SIGNED:
            return SIGNED
        self.audit_indexes.setdefault(call.key, []).append(answer.audit_index)
        return SIGNED if self._is_right(call, request, answer) else Fault.WRONG_SIGNATURE

    def _is_right(
        self, call: Call, request: pb.SignPayloadRequest, response: pb.SignPayloadResponse
    ) -> bool:
        if self._rng.random() >= self._share:
            return True
        self.verified += 1
        return self._verifiers[call.key](request, response)


def _answers(
    call: Call, body: Body | None, requests: Sequence[pb.SignPayloadRequest]
) -> list[Answer]:
    if body is None:
        return [Fault.UNANSWERED] * len(requests)
    if isinstance(body, Failure):
        return [_reason_of_call(body)] * len(requests)
    try:
        return _parsed(call, body, requests)
    except (DecodeError, ValueError):  # not a message, or not as many results as requests
        return [Fault.UNREADABLE] * len(requests)


def _parsed(call: Call, body: bytes, requests: Sequence[pb.SignPayloadRequest]) -> list[Answer]:
    if call.method == "unary":
        return [pb.SignPayloadResponse.FromString(body)]
    if call.method == "stream":
        return [_answer(requests[0], pb.StreamSignPayloadsResponse.FromString(body).result)]
    results = pb.BatchSignPayloadsResponse.FromString(body).results
    return [_answer(*pair) for pair in zip(requests, results, strict=True)]


def _answer(request: pb.SignPayloadRequest, result: pb.SignPayloadResult) -> Answer:
    if result.request_id != request.request_id:
        return Fault.WRONG_REQUEST_ID
    if result.HasField("response"):
        return result.response
    return reason_of(result.error) or Fault.UNREADABLE


def _reason_of_call(failure: Failure) -> str:
    if failure.details is None:
        return failure.code
    try:
        return reason_of(status_pb2.Status.FromString(failure.details)) or failure.code
    except DecodeError:
        return failure.code


def reason_of(status: status_pb2.Status) -> str:
    """Return the stable reason in a status; empty when there is none."""
    info = error_details_pb2.ErrorInfo()
    return info.reason if any(detail.Unpack(info) for detail in status.details) else ""


def reused(indexes: Mapping[str, list[int]]) -> dict[str, int]:
    """Return how many audit indexes of each key stand there more than once."""
    counts = {key: len(found) - len(set(found)) for key, found in indexes.items()}
    return {key: number for key, number in counts.items() if number}
