"""Emergency rates: one officer lets no more than so many signatures a minute through.

Like a freeze, a rate outranks every grant and lives outside the policy document. It
counts what is granted in any 60 seconds, over everything that its scope touches.
"""

from collections.abc import Mapping
from typing import NamedTuple

from policy.freezes import touched
from policy.model import Ask, Charge, Counter, LimitState, Usage, Used
from policy.reasons import Code, Reason
from policy.rules import Policy

SPAN_MS = 60_000
_NO_ASSET = ""  # requests are counted; no asset has this name


class Slowed(NamedTuple):
    """What the rates make of a request: why it must wait, or what it counts in."""

    reasons: tuple[Reason, ...] = ()
    charges: tuple[Charge, ...] = ()
    limits: tuple[LimitState, ...] = ()


def slowed(rates: Mapping[tuple[str, str], int], ask: Ask, policy: Policy, usage: Usage) -> Slowed:
    """Hold a request against the rates in force, by scope and name, in requests a minute."""
    if not rates:
        return Slowed()
    found = sorted(rates.keys() & touched(ask, policy))
    limits = [_state(scope, name, rates[scope, name], usage) for scope, name in found]
    reasons = tuple(
        Reason(Code.EMERGENCY_RATE, f"rates.{scope}", _over(name, rates[scope, name]))
        for (scope, name), state in zip(found, limits, strict=True)
        if state.after.requests > rates[scope, name]
    )
    charges = tuple(Charge(state.counter, 0) for state in limits)
    return Slowed(reasons, charges, tuple(limits))


def _state(scope: str, name: str, most: int, usage: Usage) -> LimitState:
    counter = Counter(f"rate {scope} {name}", _NO_ASSET, SPAN_MS)
    before = usage.used(counter)
    return LimitState(counter, before, Used(before.total, before.requests + 1), None, most)


def _over(name: str, most: int) -> str:
    return f"{name or 'everything'} is slowed to {most} requests a minute"
