"""A policy as the engine uses it, and the rules of a grant.

Everything is resolved when the document is compiled: names to assets, sets to
addresses, amounts to base units. A rule looks at one request and returns why
it fails, or None; ``RULES`` holds them all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from policy import amounts, networks
from policy.algorithms import Algorithm
from policy.assets import Asset
from policy.contracts import PinnedCall, Place
from policy.hours import Hours
from policy.markets import PRICE_DECIMALS, Markets
from policy.model import Counter, Facts, Side
from policy.networks import Network
from policy.reasons import Code, Reason

NAMELESS = frozenset((None,))  # what a payload has that names no such thing
_NO_SESSION = frozenset((False,))


@dataclass(frozen=True, slots=True)
class Approval:
    """Amounts above ``above`` (by asset, base units) need ``quorum`` of ``approvers``."""

    above: Mapping[str, int]
    quorum: int
    approvers: frozenset[str]


class Grant(Struct, frozen=True, gc=False):  # of which there may be many, to be made at once
    """Who may do what with a key.

    In a list of what is allowed None stands for a payload that names no such thing:
    no chain, no venue, the key's own funds. Without assets a grant is for payloads
    that move nothing. Times are milliseconds since the epoch, the end excluded.
    ``lifetime_ms`` is how far ahead a payload may expire; None for any time.
    """

    id: str
    path: str
    callers: frozenset[str]
    action: str
    chain_ids: frozenset[int | None]
    assets: frozenset[str]
    destinations: frozenset[str]
    sources: frozenset[str | None]
    venues: frozenset[str | None] = NAMELESS
    symbols: frozenset[str | None] = NAMELESS
    sides: frozenset[Side | None] = NAMELESS
    order_types: frozenset[str | None] = NAMELESS
    worst_price: Mapping[Side, int] | None = None  # with PRICE_DECIMALS decimals
    session: frozenset[bool] = _NO_SESSION
    networks: tuple[Network, ...] | None = None
    not_before_ms: int = 0
    expires_ms: int | None = None
    lifetime_ms: int | None = None
    hours: tuple[Hours, ...] | None = None
    approval: Approval | None = None


class Per(StrEnum):
    """What a window counts together. The values are part of stored counters."""

    KEY = "key"  # everything that leaves the key, or the group of keys
    CALLER = "caller"
    DESTINATION = "destination"  # fees have none and do not count


_KEY = Per.KEY  # an enum's member is slow to find


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """What may be counted in one rolling window; None where there is no bound.

    ``counter`` counts for the whole key or group; with ``per`` each caller or
    destination has a counter of its own, named after it.
    """

    counter: Counter
    path: str
    max_total: int | None
    max_requests: int | None
    per: Per = Per.KEY

    def shares(
        self, caller: str, amount: int, paid: Mapping[str, int]
    ) -> Iterable[tuple[Counter, int]]:
        """Return the counters that a request counts in, each with its part of the amount.

        ``paid`` is what each destination gets.
        """
        if self.per is _KEY:
            return ((self.counter, amount),)
        if self.per is Per.CALLER:
            return ((self._of(caller), amount),)
        return [(self._of(destination), part) for destination, part in sorted(paid.items())]

    def _of(self, name: str) -> Counter:
        return self.counter._replace(key=f"{self.counter.key} {self.per} {name}")


@dataclass(frozen=True, slots=True)
class Limit:
    """All limits of a key on one asset, in base units."""

    asset: Asset
    path: str
    per_request: int
    windows: tuple[WindowLimit, ...]


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Everything a key may be used for. ``limits`` and ``callers`` are by name.

    ``validators`` may ask what would become of a request; ``groups`` share limits.
    """

    name: str
    algorithm: Algorithm
    version: int
    durable_intent: bool
    formats: frozenset[str]
    grants: tuple[Grant, ...]
    callers: Mapping[str, tuple[Grant, ...]]
    limits: Mapping[str, Limit]
    validators: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy.

    ``assets`` finds an asset by its name and by its CAIP-19 id, ``calls`` a pinned call
    by where it goes. ``markets`` are the worst prices of orders that name none.
    """

    sha256: str
    keys: Mapping[str, KeyPolicy]
    assets: Mapping[str, Asset]
    calls: Mapping[Place, PinnedCall]
    markets: Markets = field(default_factory=dict)


class Request(Struct, frozen=True):
    """What the rules look at.

    ``moved`` sums each asset, fees included, and ``paid`` each asset by destination,
    without fees; ``assets`` and ``destinations``
    are those of the transfers that need a grant, which fees do not.
    """

    facts: Facts
    caller: str
    address: str | None
    moved: dict[str, int]
    paid: dict[str, dict[str, int]]
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
    """Everything that moves is granted; nothing moves exactly where no asset is granted."""
    if bool(request.assets) == bool(grant.assets) and grant.assets.issuperset(request.assets):
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


def order(grant: Grant, request: Request) -> Reason | None:
    """It trades where, what and how the grant names; no grant names nothing."""
    facts = request.facts
    if facts.venue not in grant.venues:
        return _not_traded(grant, "venues", facts.venue)
    if facts.symbol not in grant.symbols:
        return _not_traded(grant, "symbols", facts.symbol)
    if facts.side not in grant.sides:
        return _not_traded(grant, "sides", facts.side)
    if facts.order_type not in grant.order_types:
        return _not_traded(grant, "order_types", facts.order_type)
    return None


def _not_traded(grant: Grant, field: str, found: str | None) -> Reason:
    return _fail(Code.ORDER_NOT_ALLOWED, grant, field, f"{found} is not listed")


def price(grant: Grant, request: Request) -> Reason | None:
    """A buy costs at most, a sale brings at least what the grant names for it."""
    if grant.worst_price is None:
        if request.facts.receives is None:
            return None
        detail = "a swap brings what its price says, and none is bounded"
        return _fail(Code.PRICE_NOT_ALLOWED, grant, "worst_price", detail)
    side, text = request.facts.side, request.facts.price
    worst = None if side is None else grant.worst_price.get(side)
    if worst is None or text is None:
        detail = f"{side} at {text}: nothing to compare"
        return _fail(Code.PRICE_NOT_ALLOWED, grant, "worst_price", detail)
    found = amounts.parse(text, PRICE_DECIMALS)
    if found <= worst if side is Side.BUY else found >= worst:
        return None
    bound = amounts.to_text(worst, PRICE_DECIMALS)
    return _fail(Code.PRICE_NOT_ALLOWED, grant, "worst_price", f"{side} at {text}, not {bound}")


def session(grant: Grant, request: Request) -> Reason | None:
    """A logon opens whatever the venue allows, so that it is granted by name."""
    if request.facts.session in grant.session:
        return None
    return _fail(Code.SESSION_NOT_ALLOWED, grant, "session", "the payload opens a session")


def network(grant: Grant, request: Request) -> Reason | None:
    """The caller is where the grant expects it."""
    if grant.networks is None or networks.contain(grant.networks, request.address):
        return None
    return _fail(Code.NETWORK_NOT_ALLOWED, grant, "networks", f"{request.address} is in none")


def in_force(grant: Grant, request: Request) -> Reason | None:
    """The grant has begun and has not ended."""
    now_ms, end_ms = request.now_ms, grant.expires_ms
    if now_ms < grant.not_before_ms:
        return _fail(Code.GRANT_NOT_IN_FORCE, grant, "not_before", f"not yet at {now_ms} ms")
    if end_ms is not None and now_ms >= end_ms:
        return _fail(Code.GRANT_NOT_IN_FORCE, grant, "expires", f"no longer at {now_ms} ms")
    return None


def lifetime(grant: Grant, request: Request) -> Reason | None:
    """It is not good for longer than the grant lets signatures be."""
    expires_at = request.facts.expires_at
    if expires_at is None or grant.lifetime_ms is None:
        return None
    ahead_ms = expires_at * 1000 - request.now_ms
    if ahead_ms <= grant.lifetime_ms:
        return None
    detail = f"expires in {ahead_ms} ms, not within {grant.lifetime_ms} ms"
    return _fail(Code.EXPIRY_NOT_ALLOWED, grant, "lifetime", detail)


def hours(grant: Grant, request: Request) -> Reason | None:
    """The grant is open now."""
    if grant.hours is None or any(item.contains(request.now_ms) for item in grant.hours):
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


RULES = (
    action,
    chain,
    assets,
    destinations,
    source,
    order,
    price,
    session,
    network,
    in_force,
    lifetime,
    hours,
    approval,
)


def failures(grant: Grant, request: Request) -> list[Reason]:
    """Return why the grant does not allow the request: every rule that fails."""
    return [reason for rule in RULES if (reason := rule(grant, request))]


def _unlisted(found: Sequence[str | None], listed: frozenset[str]) -> str:
    bad = sorted({str(item) for item in found if item not in listed})
    return f"{', '.join(bad)} is not listed" if bad else ""


def _fail(code: Code, grant: Grant, field: str, detail: str) -> Reason:
    return Reason(code, f"{grant.path}.{field}", detail)
