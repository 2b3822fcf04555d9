"""The control port's methods that freeze and slow, and end both by quorum."""

from collections.abc import Callable

import grpc

from policy.rules import Policy
from signer.errors import InvalidRequestError
from signer.ledger.duty import Duty
from signer.ledger.stopping import StopState
from signer.ledger.stops import How, Stop, freezing, slowing
from signer.rpc.fields import reason, timestamp
from signer.rpc.peer import Identify
from signer.rpc.scopes import known, named, scope_of
from signer.rpc.status import answers
from signer.v1 import control_service_pb2 as pb
from signer.v1 import control_service_pb2_grpc

MAX_RATE = 1_000_000


class ControlService(control_service_pb2_grpc.ControlServiceServicer):
    """Takes what people on duty do; who they are is their certificate's word."""

    def __init__(self, duty: Duty, policy: Callable[[], Policy | None], identify: Identify) -> None:
        self._duty = duty
        self._policy = policy
        self._identify = identify

    @answers
    def Freeze(self, request: pb.FreezeRequest, context: grpc.ServicerContext) -> pb.FreezeState:
        """Freeze."""
        caller = self._identify(context)
        what = known(request.scope, self._policy(), allow_unknown=request.allow_unknown)
        wanted = freezing(what, caller.san, reason(request.reason))
        return _freeze(wanted, self._duty.stop(wanted))

    @answers
    def Unfreeze(
        self, request: pb.UnfreezeRequest, context: grpc.ServicerContext
    ) -> pb.FreezeState:
        """Ask for the end of a freeze."""
        caller = self._identify(context)
        wanted = freezing(named(request.scope, self._policy()), caller.san, reason(request.reason))
        return _freeze(wanted, self._duty.end_stop(wanted))

    @answers
    def ListFreezes(
        self,
        request: pb.ListFreezesRequest,  # noqa: ARG002 - gRPC passes it
        context: grpc.ServicerContext,
    ) -> pb.ListFreezesResponse:
        """List the freezes in force."""
        self._identify(context)
        found = self._in_force(How.FREEZE)
        return pb.ListFreezesResponse(freezes=[_freeze(stop, state) for stop, state in found])

    @answers
    def SetEmergencyRate(
        self, request: pb.SetEmergencyRateRequest, context: grpc.ServicerContext
    ) -> pb.EmergencyRate:
        """Slow."""
        caller = self._identify(context)
        most = request.requests_per_minute
        if not 0 <= most <= MAX_RATE:
            raise InvalidRequestError(f"requests_per_minute: 0 to {MAX_RATE:,}")
        what = known(request.scope, self._policy(), allow_unknown=request.allow_unknown)
        wanted = slowing(what, most, caller.san, reason(request.reason))
        return _rate(wanted, self._duty.stop(wanted))

    @answers
    def EndEmergencyRate(
        self, request: pb.EndEmergencyRateRequest, context: grpc.ServicerContext
    ) -> pb.EmergencyRate:
        """Ask for the end of a rate."""
        caller = self._identify(context)
        wanted = slowing(
            named(request.scope, self._policy()), 0, caller.san, reason(request.reason)
        )
        return _rate(wanted, self._duty.end_stop(wanted))

    @answers
    def ListEmergencyRates(
        self,
        request: pb.ListEmergencyRatesRequest,  # noqa: ARG002 - gRPC passes it
        context: grpc.ServicerContext,
    ) -> pb.ListEmergencyRatesResponse:
        """List the rates in force."""
        self._identify(context)
        found = self._in_force(How.RATE)
        return pb.ListEmergencyRatesResponse(rates=[_rate(stop, state) for stop, state in found])

    def _in_force(self, how: How) -> list[tuple[Stop, StopState]]:
        states = self._duty.stops()
        return [
            (state.in_force, state)
            for state in states
            if state.in_force is not None and state.in_force.how is how
        ]


def _freeze(wanted: Stop, state: StopState) -> pb.FreezeState:
    stop = state.in_force
    return pb.FreezeState(
        scope=scope_of(wanted.what),
        frozen=stop is not None,
        frozen_by=stop.by if stop else "",
        freeze_time=timestamp(stop.since_ms if stop else None),
        unfreeze_requesters=state.askers,
        required_requesters=state.required,
        reason=stop.reason if stop else "",
    )


def _rate(wanted: Stop, state: StopState) -> pb.EmergencyRate:
    stop = state.in_force
    return pb.EmergencyRate(
        scope=scope_of(wanted.what),
        requests_per_minute=stop.per_minute or 0 if stop else 0,
        set_by=stop.by if stop else "",
        set_time=timestamp(stop.since_ms if stop else None),
        in_force=stop is not None,
        end_requesters=state.askers,
        required_requesters=state.required,
        reason=stop.reason if stop else "",
    )
