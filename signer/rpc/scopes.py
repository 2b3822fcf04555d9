"""What is to be frozen or slowed: from the message to the ledger's name for it, and back."""

from policy import freezes
from policy.freezes import Freeze, Scope
from policy.rules import Policy
from signer.errors import InvalidRequestError, ScopeUnknownError
from signer.v1 import control_service_pb2 as pb

_EVERYTHING = "everything"


def named(scope: pb.Scope, policy: Policy | None) -> Freeze:
    """Return what a scope names, spelt as requests have it.

    Raises:
        InvalidRequestError: it names nothing, or nothing that a request could have.
    """
    field = scope.WhichOneof("scope")
    if field is None or (field == _EVERYTHING and not scope.everything):
        raise InvalidRequestError("scope: name one thing; everything must be true")
    if field == _EVERYTHING:
        return Freeze(Scope.ALL)
    what = Freeze(field, getattr(scope, field))
    if what.scope == Scope.KEY:
        what = what._replace(name=what.name.removeprefix("keys/"))
    try:
        return freezes.parse(*(freezes.resolve(what, policy) if policy else what))
    except ValueError as error:
        raise InvalidRequestError(f"scope.{field}: {error}") from None


def known(scope: pb.Scope, policy: Policy | None, *, allow_unknown: bool) -> Freeze:
    """Return what a scope names in a policy: a misspelt name would stop nothing.

    Raises:
        InvalidRequestError: see ``named``.
        ScopeUnknownError: the policy has no such name, and that was not allowed.
    """
    what = named(scope, policy)
    if allow_unknown or policy is None or freezes.is_named(what, policy):
        return what
    similar = freezes.similar(what, policy)
    hint = f"; did you mean {' or '.join(similar)}" if similar else ""
    raise ScopeUnknownError(f"the policy in force has no {what.scope} {what.name}{hint}")


def scope_of(what: Freeze) -> pb.Scope:
    """Return the message of what is frozen or slowed."""
    if what.scope == Scope.ALL:
        return pb.Scope(everything=True)
    name = f"keys/{what.name}" if what.scope == Scope.KEY else what.name
    return pb.Scope(**{what.scope: name})  # type: ignore[arg-type] # by the field's name
