"""Freezes: one officer stops a key, a caller, an asset, a destination, or all.

A freeze outranks every grant and lives outside the policy document, so that it
takes no review and no delay.
"""

from enum import StrEnum
from typing import NamedTuple

from policy import assets, fields
from policy.model import Ask
from policy.reasons import Code, Reason
from policy.rules import Policy


class Scope(StrEnum):
    """What a freeze stops. The values are stored, so they never change."""

    KEY = "key"
    CALLER = "caller"
    ASSET = "asset"
    DESTINATION = "destination"
    ALL = "all"


class Freeze(NamedTuple):
    """A frozen thing; the name is empty for all. Equal to a plain (scope, name)."""

    scope: str
    name: str = ""


_CHECKS = {
    Scope.KEY: fields.name,
    Scope.CALLER: fields.san,
    Scope.ASSET: assets.check_name,
    Scope.DESTINATION: fields.address,
}


def parse(scope: str, name: str) -> Freeze:
    """Return the freeze that an officer asks for, spelt as ``frozen`` looks for it.

    An Ethereum address is taken in any case: in an emergency a checksum must
    not stand in the way, and a freeze that matches nothing would be worse.

    Raises:
        ValueError: an unknown scope, or a name that no request could have.
    """
    if scope not in set(Scope):
        raise ValueError(f"{scope!r} is no scope; one of {', '.join(Scope)}")
    if scope == Scope.ALL:
        if name:
            raise ValueError("freezing all takes no name")
        return Freeze(scope)
    if scope == Scope.DESTINATION and fields.is_ethereum(name):
        name = fields.checksummed(name)
    _CHECKS[Scope(scope)](name)
    return Freeze(scope, name)


def frozen(freezes: frozenset[tuple[str, str]], ask: Ask, policy: Policy) -> tuple[Reason, ...]:
    """Return a reason for everything in the request that is frozen."""
    if not freezes:
        return ()
    found = sorted(freezes & _touched(ask, policy))
    return tuple(
        Reason(Code.FROZEN, f"freezes.{scope}", name or "everything is frozen")
        for scope, name in found
    )


def _touched(ask: Ask, policy: Policy) -> set[tuple[str, str]]:
    touched = {("all", ""), ("key", ask.key), ("caller", ask.caller)}
    for transfer in ask.facts.transfers:
        asset = policy.assets.get(transfer.asset)
        if asset is not None:
            touched.add(("asset", asset.name))
        if transfer.destination is not None:
            touched.add(("destination", transfer.destination))
    return touched
