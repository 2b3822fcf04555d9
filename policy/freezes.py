"""Freezes: one officer stops a key, a caller, an asset, a destination, a group, or all.

A freeze outranks every grant and lives outside the policy document, so that it
takes no review and no delay.
"""

from collections.abc import Collection
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from policy import assets, fields, reading
from policy.model import Ask
from policy.reasons import Code, Reason
from policy.rules import Policy


class Scope(StrEnum):
    """What a freeze stops. The values are stored, so they never change."""

    KEY = "key"
    CALLER = "caller"
    ASSET = "asset"
    DESTINATION = "destination"
    GROUP = "group"  # of keys that share limits
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
    Scope.GROUP: fields.name,
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


def resolve(freeze: Freeze, policy: Policy) -> Freeze:
    """Give an asset that is named by its CAIP-19 identifier the policy's name for it."""
    asset = policy.assets.get(freeze.name) if freeze.scope == Scope.ASSET else None
    return freeze if asset is None else freeze._replace(name=asset.name)


def is_named(freeze: Freeze, policy: Policy) -> bool:
    """Whether a policy names what is to be frozen: if not, the freeze stops nothing now."""
    return freeze.scope == Scope.ALL or freeze.name in _names(Scope(freeze.scope), policy)


def similar(freeze: Freeze, policy: Policy) -> list[str]:
    """Return the names in a policy that look like one that it does not have."""
    return get_close_matches(freeze.name, sorted(_names(Scope(freeze.scope), policy)))


def _names(scope: Scope, policy: Policy) -> Collection[str]:
    keys = policy.keys.values()
    match scope:
        case Scope.KEY:
            return policy.keys.keys()
        case Scope.CALLER:
            return set().union(*(key.callers for key in keys))
        case Scope.ASSET:
            return {asset.name for asset in policy.assets.values()}
        case Scope.DESTINATION:
            return set().union(*(grant.destinations for key in keys for grant in key.grants))
        case _:
            return set().union(*(key.groups for key in keys))


def frozen(freezes: frozenset[tuple[str, str]], ask: Ask, policy: Policy) -> tuple[Reason, ...]:
    """Return a reason for everything in the request that is frozen."""
    if not freezes:
        return ()
    found = sorted(freezes & touched(ask, policy))
    return tuple(
        Reason(Code.FROZEN, f"freezes.{scope}", name or "everything is frozen")
        for scope, name in found
    )


def touched(ask: Ask, policy: Policy) -> set[tuple[str, str]]:
    """Return everything in a request that can be frozen, by scope and name."""
    found = {("all", ""), ("key", ask.key), ("caller", ask.caller)}
    key = policy.keys.get(ask.key)
    found.update(("group", group) for group in (key.groups if key else ()))
    facts, _ = reading.read(policy, ask.facts)
    brought = (facts.receives,) if facts.receives else ()
    for transfer in (*facts.transfers, *brought):
        asset = policy.assets.get(transfer.asset)
        if asset is not None:
            found.add(("asset", asset.name))
        if transfer.destination is not None:
            found.add(("destination", transfer.destination))
    return found
