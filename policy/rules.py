"""A policy as the engine uses it, and the rules of a grant.

Everything is resolved when the document is compiled: names to assets, sets to
addresses, amounts to base units. A rule looks at one request and returns why
it fails, or None; ``RULES`` holds them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from policy.algorithms import Algorithm
from policy.assets import Asset
from policy.hours import Hours
from policy.model import Counter, Facts
from policy.reasons import Code, Reason


@dataclass(frozen=True, slots=True)
class Approval:
    """Amounts above ``above`` (by asset, base units) need ``quorum`` of ``approvers``."""

    above: Mapping[str, int]
    quorum: int
    approvers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may do what with a key. None stands for "no chain" and "the key's own funds"."""

    id: str
    path: str
    callers: frozenset[str]
    action: str
    chain_ids: frozenset[int | None]
    assets: frozenset[str]
    destinations: frozenset[str]
    sources: frozenset[str | None]
    hours: Hours | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """What may be counted in one rolling window; None where there is no bound."""

    counter: Counter
    path: str
    max_total: int | None
    max_requests: int | None


@dataclass(frozen=True, slots=True)
class Limit:
    """All limits of a key on one asset, in base units."""

    asset: Asset
    path: str
    per_request: int
    windows: tuple[WindowLimit, ...]


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Everything a key may be used for. ``limits`` and ``callers`` are by name."""

    name: str
    algorithm: Algorithm
    version: int
    durable_intent: bool
    formats: frozenset[str]
    grants: tuple[Grant, ...]
    callers: Mapping[str, tuple[Grant, ...]]
    limits: Mapping[str, Limit]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy. ``assets`` finds an asset by its name and by its CAIP-19 id."""

    sha256: str
    keys: Mapping[str, KeyPolicy]
    assets: Mapping[str, Asset]


class Request(NamedTuple):
    """What the rules look at.

    ``moved`` sums each asset, fees included; ``assets`` and ``destinations``
    are those of the transfers that need a grant, which fees do not.
    """

    facts: Facts
    caller: str
    moved: dict[str, int]
    assets: list[str]
    destinations: list[str | None]
    now_ms: int
    approved_by: frozenset[str]


def action(grant: Grant, request: Request) -> Reason | None:
    """The payload does what the grant names."""
    found = request.facts.action
    if found == grant.action:
        return None
    return _fail(Code.ACTION_NOT_ALLOWED, grant, "action", f"{found} is not {grant.action}")


def chain(grant: Grant, request: Request) -> Reason | None:
    """It does it on a chain that the grant names."""
    found = request.facts.chain_id
    if found in grant.chain_ids:
        return None
    return _fail(Code.CHAIN_NOT_ALLOWED, grant, "chain_ids", f"chain {found} is not listed")


def assets(grant: Grant, request: Request) -> Reason | None:
    """Everything that moves is granted, and something does move."""
    if request.assets and grant.assets.issuperset(request.assets):
        return None
    bad = _unlisted(request.assets, grant.assets) or "the payload moves nothing"
    return _fail(Code.ASSET_NOT_ALLOWED, grant, "assets", bad)


def destinations(grant: Grant, request: Request) -> Reason | None:
    """Everything goes where the grant lets it go."""
    if grant.destinations.issuperset(request.destinations):
        return None
    bad = _unlisted(request.destinations, grant.destinations)
    return _fail(Code.DESTINATION_NOT_ALLOWED, grant, "destinations", bad)


def source(grant: Grant, request: Request) -> Reason | None:
    """The funds are the key's own, or of a source that the grant names."""
    found = request.facts.source
    if found in grant.sources:
        return None
    return _fail(Code.SOURCE_NOT_ALLOWED, grant, "sources", f"{found} is not listed")


def hours(grant: Grant, request: Request) -> Reason | None:
    """The grant is open now."""
    if grant.hours is None or grant.hours.contains(request.now_ms):
        return None
    return _fail(Code.OUTSIDE_HOURS, grant, "hours", f"closed at {request.now_ms} ms")


def approval(grant: Grant, request: Request) -> Reason | None:
    """Enough other people agreed to a large amount."""
    wanted = grant.approval
    if wanted is None:
        return None
    above = [asset for asset, most in wanted.above.items() if request.moved.get(asset, 0) > most]
    if not above:
        return None
    given = len((wanted.approvers & request.approved_by) - {request.caller})
    if given >= wanted.quorum:
        return None
    detail = f"{', '.join(sorted(above))}: {given} of {wanted.quorum} approvals"
    return _fail(Code.APPROVAL_REQUIRED, grant, "approval", detail)


RULES = (action, chain, assets, destinations, source, hours, approval)


def failures(grant: Grant, request: Request) -> list[Reason]:
    """Return why the grant does not allow the request: every rule that fails."""
    return [reason for rule in RULES if (reason := rule(grant, request))]


def _unlisted(found: Sequence[str | None], listed: frozenset[str]) -> str:
    bad = sorted({str(item) for item in found if item not in listed})
    return f"{', '.join(bad)} is not listed" if bad else ""


def _fail(code: Code, grant: Grant, field: str, detail: str) -> Reason:
    return Reason(code, f"{grant.path}.{field}", detail)
