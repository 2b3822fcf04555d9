"""Why a request is allowed or denied: every rule of every grant, every limit.

The decision is the engine's own; what stands beside it is how it came about.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Struct

from policy import engine
from policy.model import Ask, Decision, Usage
from policy.reasons import Reason
from policy.rules import RULES, Grant, KeyPolicy, Limit, Policy, Request


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of a grant, and why it fails; None where it holds."""

    rule: str
    failed: Reason | None


@dataclass(frozen=True, slots=True)
class Considered:
    """A grant and what its rules say; they are not asked if it is for other callers."""

    grant: str
    checks: tuple[Check, ...] | None

    @property
    def matches(self) -> bool:
        """Whether it allows the request, within the limits."""
        return self.checks is not None and not any(check.failed for check in self.checks)


@dataclass(frozen=True, slots=True)
class Moved:
    """The sum of an asset that would leave, in base units, and the key's limit on it."""

    asset: str
    amount: int
    limit: Limit | None


class Explanation(Struct, frozen=True):
    """A decision and how it came about; nothing beside it if the key is denied."""

    decision: Decision
    grants: tuple[Considered, ...] = ()
    moved: tuple[Moved, ...] = ()


def explain(
    policy: Policy,
    ask: Ask,
    usage: Usage,
    now_ms: int,
    approved_by: frozenset[str] = frozenset(),
) -> Explanation:
    """Decide like ``engine.decide``, and say what every rule made of the request."""
    decision = engine.decide(policy, ask, usage, now_ms, approved_by)
    if engine.denied(policy, ask.key, ask.caller):
        return Explanation(decision)
    key = policy.keys[ask.key]
    request, _ = engine.read(policy, ask, now_ms, approved_by)
    grants = tuple(_considered(grant, request) for grant in key.grants)
    return Explanation(decision, grants, tuple(_moved(key, request)))


def _considered(grant: Grant, request: Request) -> Considered:
    if request.caller not in grant.callers:
        return Considered(grant.id, None)
    return Considered(grant.id, tuple(Check(rule.__name__, rule(grant, request)) for rule in RULES))


def _moved(key: KeyPolicy, request: Request) -> Iterator[Moved]:
    for asset, amount in sorted(request.moved.items()):
        yield Moved(asset, amount, key.limits.get(asset))
