"""``signgate freeze``, ``unfreeze``, ``freezes`` and ``slow``: stop now, allow again together."""

from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from policy.words import utc
from signer.cli.control import Connection, connected
from signer.cli.policy_lifecycle import Reason
from signer.errors import ConfigError
from signer.v1 import control_service_pb2 as pb
from signer.v1.control_service_pb2_grpc import ControlServiceStub

EVERYTHING = "everything"
SCOPES = ("key", "caller", "asset", "destination", "group")

What = Annotated[str, typer.Argument(metavar="SCOPE", help=f"{', '.join(SCOPES)} or {EVERYTHING}.")]
Name = Annotated[str, typer.Argument(metavar="[NAME]", help="Its name; everything has none.")]
Unknown = Annotated[
    bool, typer.Option("--unknown", help="Also a name that is not in the policy in force.")
]


@connected
def freeze(
    connection: Connection, what: What, reason: Reason, name: Name = "", unknown: Unknown = False
) -> None:
    """Freeze something at once, in every process; takes one caller of the control port.

    Freezing it again drops what officers asked for so far.
    """
    request = pb.FreezeRequest(scope=_scope(what, name), reason=reason, allow_unknown=unknown)
    typer.echo(_frozen(connection.call(_stub(connection).Freeze, request)))


@connected
def unfreeze(connection: Connection, what: What, reason: Reason, name: Name = "") -> None:
    """Ask for the end of a freeze, or agree to it; it ends once enough officers have asked."""
    request = pb.UnfreezeRequest(scope=_scope(what, name), reason=reason)
    typer.echo(_frozen(connection.call(_stub(connection).Unfreeze, request)))


@connected
def slow(
    connection: Connection,
    what: What,
    reason: Reason,
    name: Name = "",
    per_minute: Annotated[
        int | None, typer.Option(min=0, help="The most signatures in any 60 seconds.")
    ] = None,
    end: Annotated[
        bool, typer.Option("--end", help="Ask for the end of the rate instead, or agree to it.")
    ] = False,
    unknown: Unknown = False,
) -> None:
    """Let no more than so many signatures a minute through; it can only be lowered."""
    scope, stub = _scope(what, name), _stub(connection)
    if (per_minute is None) != end:
        raise ConfigError("exactly one of --per-minute and --end is needed")
    if per_minute is None:
        ending = pb.EndEmergencyRateRequest(scope=scope, reason=reason)
        typer.echo(_slowed(connection.call(stub.EndEmergencyRate, ending)))
        return
    request = pb.SetEmergencyRateRequest(
        scope=scope, requests_per_minute=per_minute, reason=reason, allow_unknown=unknown
    )
    typer.echo(_slowed(connection.call(stub.SetEmergencyRate, request)))


@connected
def freezes(connection: Connection) -> None:
    """List what is frozen or slowed, by whom and why, and who asks for its end."""
    stub = _stub(connection)
    found = connection.call(stub.ListFreezes, pb.ListFreezesRequest())
    rates = connection.call(stub.ListEmergencyRates, pb.ListEmergencyRatesRequest())
    for line in (*map(_frozen, found.freezes), *map(_slowed, rates.rates)):
        typer.echo(line)


def _stub(connection: Connection) -> ControlServiceStub:
    return ControlServiceStub(connection.channel)


def _scope(what: str, name: str) -> pb.Scope:
    if what == EVERYTHING and not name:
        return pb.Scope(everything=True)
    if what not in SCOPES or not name:
        raise ConfigError(
            f"name what to stop: one of {', '.join(SCOPES)} and a name, or everything"
        )
    return pb.Scope(**{what: name})  # type: ignore[arg-type] # by the field's name


def _shown(scope: pb.Scope) -> str:
    field = scope.WhichOneof("scope")
    if field is None or field == EVERYTHING:
        return EVERYTHING
    return f"{field} {getattr(scope, field).removeprefix('keys/')}"


def _frozen(state: pb.FreezeState) -> str:
    if not state.frozen:
        return f"{_shown(state.scope)}: not frozen"
    since = _since(state.frozen_by, state.freeze_time, state.reason)
    asked = _asked(list(state.unfreeze_requesters), state.required_requesters)
    return f"{_shown(state.scope)}: frozen {since}; {asked}"


def _slowed(rate: pb.EmergencyRate) -> str:
    if not rate.in_force:
        return f"{_shown(rate.scope)}: not slowed"
    since = _since(rate.set_by, rate.set_time, rate.reason)
    asked = _asked(list(rate.end_requesters), rate.required_requesters)
    return f"{_shown(rate.scope)}: slowed to {rate.requests_per_minute} a minute {since}; {asked}"


def _since(by: str, stamp: Timestamp, reason: str) -> str:
    return f"by {by} at {utc(stamp.ToMilliseconds())}: {reason}"


def _asked(askers: list[str], required: int) -> str:
    if not required:
        return "without a root document nobody can end it"
    by = f" ({', '.join(askers)})" if askers else ""
    return f"{len(askers)} of {required} officers ask for its end{by}"


COMMANDS = (freeze, unfreeze, freezes, slow)
