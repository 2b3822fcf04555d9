"""The decision: may this caller have this payload signed with this key, now?

Grants are OR: one grant whose rules all pass is enough. Limits are AND over
everything that moves, whichever grant allowed it, so that no grant can get
round a limit. A refusal names every rule that failed; its first reason is the
one that helps the caller most: what is wrong with the payload, then what the
grant that came nearest misses, then the limits.
"""

from policy import amounts, reading, rules
from policy.assets import Asset
from policy.model import Ask, Charge, Counter, Decision, Facts, LimitState, Role, Usage, Used
from policy.reasons import Code, Reason
from policy.rules import KeyPolicy, Limit, Policy, Request, WindowLimit

# How far a payload's own clock may be off, either way: what is dated later could be
# kept and sent then.
MAX_SKEW_MS = 60_000
_NOTHING = Used(0, 0)
_FEE = Role.FEE  # an enum's member is slow to find


class Unused:
    """Usage of windows that hold nothing, for what has been charged before."""

    def used(self, counter: Counter) -> Used:  # noqa: ARG002 — the protocol's argument
        """Return zero."""
        return _NOTHING


def denied(policy: Policy, key: str, caller: str) -> Reason | None:
    """Say why the caller may not use the key at all; None when some grant names it.

    An unknown key and a forbidden one have the same code; only the audit log
    sees the detail.
    """
    found = policy.keys.get(key)
    if found is not None and caller in found.callers:
        return None
    detail = "no such key" if found is None else f"no grant names {caller}"
    return Reason(Code.KEY_DENIED, f"keys.{key}", detail)


def untold(policy: Policy, key: str, caller: str) -> Reason | None:
    """Say why the caller may not ask what would become of a request; None for validators."""
    found = policy.keys.get(key)
    if found is not None and caller in found.validators:
        return None
    detail = f"{caller} is not one of the validators"
    return denied(policy, key, caller) or Reason(
        Code.VALIDATION_NOT_ALLOWED, f"keys.{key}.validators", detail
    )


def decide(
    policy: Policy,
    ask: Ask,
    usage: Usage,
    now_ms: int,
    approved_by: frozenset[str] = frozenset(),
) -> Decision:
    """Decide one request at ``now_ms``, in milliseconds since the epoch.

    ``approved_by`` are the SANs of those who approved this very request. The
    decision's charges are for the caller to book; they are empty on a refusal.
    A request whose charges are booked already is decided again with ``Unused()``.
    """
    refusal = denied(policy, ask.key, ask.caller)
    if refusal:
        return Decision((refusal,))
    key = policy.keys[ask.key]
    request, unknown = read(policy, ask, now_ms, approved_by)
    payload = [*_payload(key, ask, now_ms), *unknown]
    grant, missing = _match(key, request)
    charges, limits, exceeded = limited(key, request, usage)
    reasons = (*payload, *missing, *exceeded)
    if reasons:
        return Decision(reasons, limits=limits)
    return Decision((), grant, charges, limits)


def read(
    policy: Policy, ask: Ask, now_ms: int, approved_by: frozenset[str]
) -> tuple[Request, list[Reason]]:
    """Return what the rules look at, and a reason for each thing that is not known."""
    facts, unknown = reading.read(policy, ask.facts)
    moved: dict[str, int] = {}
    paid: dict[str, dict[str, int]] = {}
    assets: list[str] = []
    destinations: list[str | None] = []
    for transfer in facts.transfers:
        name, amount = transfer.asset, transfer.amount
        if amount < 0:
            raise ValueError(f"a decoder gave a negative amount: {transfer}")
        asset = policy.assets.get(name)
        if asset is None:
            unknown.append(Reason(Code.ASSET_UNKNOWN, "assets", f"no asset {name}"))
        else:
            name = asset.name
            amount = amounts.rescale(amount, transfer.decimals, asset.decimals)
        moved[name] = moved.get(name, 0) + amount
        if transfer.role is not _FEE:
            assets.append(name)
            destinations.append(transfer.destination)
            shares = paid.setdefault(name, {})
            place = transfer.destination or ""  # which no grant lets pass
            shares[place] = shares.get(place, 0) + amount
    return Request(
        facts, ask.caller, ask.address, moved, paid, assets, destinations, now_ms, approved_by
    ), unknown


def _payload(key: KeyPolicy, ask: Ask, now_ms: int) -> list[Reason]:
    reasons = []
    if ask.format not in key.formats:
        detail = f"{ask.format} is not listed"
        reasons.append(Reason(Code.FORMAT_NOT_ALLOWED, f"keys.{key.name}.payloads", detail))
    expires_at = ask.facts.expires_at
    if expires_at is not None and expires_at * 1000 < now_ms:
        detail = f"expired at {expires_at} s; it is {now_ms} ms"
        reasons.append(Reason(Code.PAYLOAD_EXPIRED, "payload.expires_at", detail))
    timestamp = ask.facts.timestamp
    if timestamp is not None and abs(timestamp - now_ms) > MAX_SKEW_MS:
        detail = f"dated {timestamp} ms; it is {now_ms} ms"
        reasons.append(Reason(Code.PAYLOAD_TIMESTAMP, "payload.timestamp", detail))
    return reasons + _signer(key, ask.facts)


def _signer(key: KeyPolicy, facts: Facts) -> list[Reason]:
    """A payload that says who signs it is signed by no other key version or algorithm."""
    reasons = []
    if facts.algorithm is not None and facts.algorithm != key.algorithm:
        detail = f"names {facts.algorithm}; the key signs {key.algorithm}"
        reasons.append(Reason(Code.PAYLOAD_SIGNER, "payload.algorithm", detail))
    if facts.key_version is None:
        return reasons
    right = f"keys/{key.name}/versions/{key.version}"
    if facts.key_version != right:
        detail = f"names {facts.key_version}; {right} signs"
        reasons.append(Reason(Code.PAYLOAD_SIGNER, "payload.key_version", detail))
    return reasons


def _match(key: KeyPolicy, request: Request) -> tuple[str | None, list[Reason]]:
    refusals = []
    for grant in key.callers[request.caller]:
        failed = rules.failures(grant, request)
        if not failed:
            return grant.id, []
        refusals.append(failed)
    refusals.sort(key=_distance)
    return None, [reason for failed in refusals for reason in failed]


def _distance(failed: list[Reason]) -> tuple[int, bool]:
    """Order refusals by what is missing; an approval is nearer than any other rule."""
    return len(failed), failed[0].code is not Code.APPROVAL_REQUIRED


def limited(
    key: KeyPolicy, request: Request, usage: Usage
) -> tuple[tuple[Charge, ...], tuple[LimitState, ...], list[Reason]]:
    """Return what a request adds to each window, the windows with it, and what is exceeded."""
    states: list[LimitState] = []
    charges: list[Charge] = []
    reasons: list[Reason] = []
    for name, amount in sorted(request.moved.items()):
        limit = key.limits.get(name)
        if limit is None:
            detail = f"{name} has no limit on this key"
            reasons.append(Reason(Code.NO_LIMIT_FOR_ASSET, f"keys.{key.name}.limits", detail))
            continue
        if amount > limit.per_request:
            reasons.append(_too_much(limit, amount))
        paid = request.paid.get(name, {})
        for window in limit.windows:
            most, count = window.max_total, window.max_requests
            for counter, share in window.shares(request.caller, amount, paid):
                before = usage.used(counter)
                after = Used(before.total + share, before.requests + 1)
                charges.append(Charge(counter, share))
                states.append(LimitState(counter, before, after, most, count))
                if (most is not None and after.total > most) or (
                    count is not None and after.requests > count
                ):
                    reasons += _exceeded(limit.asset, window, after)
    return tuple(charges), tuple(states), reasons


def _too_much(limit: Limit, amount: int) -> Reason:
    detail = f"{_text(limit.asset, amount)} is more than {_text(limit.asset, limit.per_request)}"
    return Reason(Code.LIMIT_PER_REQUEST, f"{limit.path}.per_request", detail)


def _exceeded(asset: Asset, window: WindowLimit, after: Used) -> list[Reason]:
    reasons = []
    if window.max_total is not None and after.total > window.max_total:
        detail = f"would be {_text(asset, after.total)} of {_text(asset, window.max_total)}"
        reasons.append(Reason(Code.LIMIT_WINDOW_TOTAL, f"{window.path}.total", detail))
    if window.max_requests is not None and after.requests > window.max_requests:
        detail = f"would be {after.requests} requests of {window.max_requests}"
        reasons.append(Reason(Code.LIMIT_WINDOW_COUNT, f"{window.path}.count", detail))
    return reasons


def _text(asset: Asset, amount: int) -> str:
    return f"{amounts.to_text(amount, asset.decimals)} {asset.name}"
