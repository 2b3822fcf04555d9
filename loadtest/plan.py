"""A worker's part of the run: every message built before the first is sent."""

from __future__ import annotations  # array[float] is for type checkers only

from array import array
from dataclasses import dataclass

from loadtest import schedule
from loadtest.payloads import KINDS
from loadtest.profile import MAX_BATCH, Call, Profile
from loadtest.target import Target
from signer.v1 import signing_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is told.

    Attributes:
        run_id: starts every request id, so that no two runs share one.
        worker: its number, from 0; it makes every ``profile.workers``-th call.
        expiry: of payloads that have one, in epoch seconds.
        public_keys: by key, the serialised ``PublicKey`` that its signatures must fit.
        verify: the share of the signatures to verify, 0 to 1.
    """

    profile: Profile
    target: Target
    run_id: str
    worker: int
    expiry: int
    public_keys: dict[str, bytes]
    verify: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls in the order in which they are due, one entry of each list a call.

    Attributes:
        due: seconds from the start.
        calls: the place of the call in the profile's mix.
        measured: whether its phase is.
        wires: the request message, serialised.
    """

    due: array[float]
    calls: list[int]
    measured: list[bool]
    wires: list[bytes]


def build(task: Task) -> Plan:
    """Plan what the task's worker sends; the same task gives the same plan."""
    profile = task.profile
    everybody = schedule.arrivals(profile)
    numbers = range(task.worker, len(everybody), profile.workers)
    mix = schedule.mix(profile, len(everybody))
    due = everybody[task.worker :: profile.workers]
    phases = schedule.phase_numbers(profile.phases, due)
    calls = mix[task.worker :: profile.workers]
    return Plan(
        due=due,
        calls=calls,
        measured=[profile.phases[phase].measured for phase in phases],
        wires=[
            _wire(task, profile.calls[call], number)
            for call, number in zip(calls, numbers, strict=True)
        ],
    )


def _wire(task: Task, call: Call, number: int) -> bytes:
    requests = [request_of(task, call, number, item) for item in range(call.batch)]
    match call.method:
        case "unary":
            return requests[0].SerializeToString()
        case "batch":
            return pb.BatchSignPayloadsRequest(requests=requests).SerializeToString()
        case "stream":
            return pb.StreamSignPayloadsRequest(request=requests[0]).SerializeToString()


def request_of(task: Task, call: Call, number: int, item: int) -> pb.SignPayloadRequest:
    """Return payload ``item`` of the run's call ``number``; no two are the same."""
    kind = KINDS[call.payload]
    return pb.SignPayloadRequest(
        name=f"keys/{call.key}",
        request_id=_request_id(task, number, item),
        payload_format=kind.format,
        payload=kind.build(number * MAX_BATCH + item, task.expiry),
    )


def request_id(task: Task, place: int) -> str:
    """Return the request id of a message with one request, by its place in the plan."""
    return _request_id(task, task.worker + place * task.profile.workers, 0)


def _request_id(task: Task, number: int, item: int) -> str:
    return f"{task.run_id}-{number}-{item}"


def requests_of(call: Call, wire: bytes) -> list[pb.SignPayloadRequest]:
    """Return the requests that a message of ``build`` carries."""
    match call.method:
        case "unary":
            return [pb.SignPayloadRequest.FromString(wire)]
        case "batch":
            return list(pb.BatchSignPayloadsRequest.FromString(wire).requests)
        case "stream":
            return [pb.StreamSignPayloadsRequest.FromString(wire).request]
