"""The control port's methods that freeze and slow, and end both by quorum."""

from collections.abc import Callable

import grpc

from policy import freezes
from policy.freezes import Freeze, Scope
from policy.rules import Policy
from signer.errors import InvalidRequestError, ScopeUnknownError
from signer.ledger.duty import Duty
from signer.ledger.stopping import StopState
from signer.ledger.stops import How, Stop, freezing, slowing
from signer.rpc.fields import reason, timestamp
from signer.rpc.peer import Identify
from signer.rpc.status import answers
from signer.v1 import control_service_pb2 as pb
from signer.v1 import control_service_pb2_grpc

MAX_RATE = 1_000_000
_EVERYTHING = "everything"


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
        what = self._known(request.scope, allow_unknown=request.allow_unknown)
        wanted = freezing(what, caller.san, reason(request.reason))
        return _freeze(wanted, self._duty.stop(wanted))

    @answers
    def Unfreeze(
        self, request: pb.UnfreezeRequest, context: grpc.ServicerContext
    ) -> pb.FreezeState:
        """Ask for the end of a freeze."""
        caller = self._identify(context)
        wanted = freezing(self._what(request.scope), caller.san, reason(request.reason))
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
        what = self._known(request.scope, allow_unknown=request.allow_unknown)
        wanted = slowing(what, most, caller.san, reason(request.reason))
        return _rate(wanted, self._duty.stop(wanted))

    @answers
    def EndEmergencyRate(
        self, request: pb.EndEmergencyRateRequest, context: grpc.ServicerContext
    ) -> pb.EmergencyRate:
        """Ask for the end of a rate."""
        caller = self._identify(context)
        wanted = slowing(self._what(request.scope), 0, caller.san, reason(request.reason))
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

    def _known(self, scope: pb.Scope, *, allow_unknown: bool) -> Freeze:
        """Return what a scope names; a name that is most likely misspelt would stop nothing."""
        what, policy = self._what(scope), self._policy()
        if allow_unknown or policy is None or freezes.is_named(what, policy):
            return what
        similar = freezes.similar(what, policy)
        hint = f"; did you mean {' or '.join(similar)}" if similar else ""
        raise ScopeUnknownError(f"the policy in force has no {what.scope} {what.name}{hint}")

    def _what(self, scope: pb.Scope) -> Freeze:
        field = scope.WhichOneof("scope")
        if field is None or (field == _EVERYTHING and not scope.everything):
            raise InvalidRequestError("scope: name one thing; everything must be true")
        if field == _EVERYTHING:
            return Freeze(Scope.ALL)
        what, policy = Freeze(field, getattr(scope, field)), self._policy()
        if field == Scope.KEY:
            what = what._replace(name=what.name.removeprefix("keys/"))
        try:
            return freezes.parse(*(freezes.resolve(what, policy) if policy else what))
        except ValueError as error:
            raise InvalidRequestError(f"scope.{field}: {error}") from None


def _scope(stop: Stop) -> pb.Scope:
    if stop.scope == Scope.ALL:
        return pb.Scope(everything=True)
    name = f"keys/{stop.name}" if stop.scope == Scope.KEY else stop.name
    return pb.Scope(**{stop.scope: name})  # type: ignore[arg-type] # by the field's name


def _freeze(wanted: Stop, state: StopState) -> pb.FreezeState:
    stop = state.in_force
    return pb.FreezeState(
        scope=_scope(wanted),
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
        scope=_scope(wanted),
        requests_per_minute=stop.per_minute or 0 if stop else 0,
        set_by=stop.by if stop else "",
        set_time=timestamp(stop.since_ms if stop else None),
        in_force=stop is not None,
        end_requesters=state.askers,
        required_requesters=state.required,
        reason=stop.reason if stop else "",
    )
