"""What the policy in force, freezes, rates and approvals make of one request."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from policy import engine, explain, freezes, networks, rates, reading
from policy.explain import Explanation
from policy.model import Ask, Decision, Decoded, Usage
from policy.reasons import Code, PayloadError, Reason
from policy.rules import KeyPolicy, Policy
from signer.ledger import holding
from signer.ledger.holds import Hold
from signer.ledger.transaction import Transaction
from signer.model import SignRequest


class Permit(Struct, frozen=True):
    """What is needed to sign."""

    key: KeyPolicy
    decoded: Decoded


class Judgement(Struct, frozen=True):
    """A decision; the permit is there exactly when it is allowed.

    ``hold`` is what its approvals come from, or what it waits for.
    """

    decision: Decision
    permit: Permit | None = None
    hold: Hold | None = None


class _Read(Struct, frozen=True):
    """A request whose key the caller may use, and whose payload could be read."""

    policy: Policy
    permit: Permit
    ask: Ask


def judge(
    tx: Transaction, request: SignRequest, usage: Usage, *, resumed: bool = False
) -> Judgement:
    """Decide a request; one that lacks only approvals is held for them.

    Whoever has no grant on the key learns nothing else, not even whether the
    payload could be read: an unknown and a forbidden key look the same.
    """
    read = _read(tx, request)
    if isinstance(read, Reason):
        return Judgement(Decision((read,)))
    decision = _decide(tx, read, usage)
    if not decision.reasons:
        return Judgement(decision, read.permit)
    if Code.APPROVAL_REQUIRED in _codes(decision.reasons):
        return _with_approvals(tx, request, read, usage, resumed=resumed)
    return Judgement(decision)


def validate(tx: Transaction, request: SignRequest) -> Explanation | Reason:
    """Explain what would become of a request; a reason where the caller may not know."""
    if tx.policy is None:
        return Reason(Code.KEY_DENIED, "policy", "no policy is active")
    policy, caller = tx.policy.policy, request.caller.san
    refusal = engine.untold(policy, request.key, caller)
    if refusal is not None:
        return refusal
    read = _read(tx, request)
    if isinstance(read, Reason):
        return Explanation(Decision((read,)))
    explanation = explain.explain(policy, read.ask, tx.windows, tx.now_ms)
    return replace(explanation, decision=_decide(tx, read, tx.windows))


def _read(tx: Transaction, request: SignRequest) -> _Read | Reason:
    if tx.policy is None:
        return Reason(Code.KEY_DENIED, "policy", "no policy is active")
    policy, caller = tx.policy.policy, request.caller.san
    refusal = engine.denied(policy, request.key, caller)
    if refusal is not None:
        return refusal
    key = policy.keys[request.key]
    if request.version not in {None, key.version}:
        detail = f"version {request.version} is asked for; {key.version} signs"
        return Reason(Code.KEY_DENIED, f"keys.{key.name}.version", detail)
    if isinstance(request.decoded, PayloadError):
        return request.decoded.reason
    address = networks.host(request.caller.address)
    facts, _ = reading.read(policy, request.decoded.facts)
    ask = Ask(key.name, request.format, caller, facts, address)
    return _Read(policy, Permit(key, request.decoded), ask)


def _decide(
    tx: Transaction, read: _Read, usage: Usage, approved_by: frozenset[str] = frozenset()
) -> Decision:
    decision = engine.decide(read.policy, read.ask, usage, tx.now_ms, approved_by)
    if not (tx.stopped.frozen or tx.stopped.rates):
        return decision
    frozen = freezes.frozen(tx.stopped.frozen, read.ask, read.policy)
    slowed = rates.slowed(tx.stopped.rates, read.ask, read.policy, usage)
    if not (frozen or slowed.limits):
        return decision
    reasons = (*frozen, *decision.reasons, *slowed.reasons)
    charges = () if reasons else (*decision.charges, *slowed.charges)
    limits = (*decision.limits, *slowed.limits)
    return replace(decision, reasons=reasons, charges=charges, limits=limits)


def _with_approvals(
    tx: Transaction, request: SignRequest, read: _Read, usage: Usage, *, resumed: bool
) -> Judgement:
    hold = holding.find(tx, request, read.ask, read.policy)
    decision = _decide(tx, read, usage, holding.given(tx, hold, resumed=resumed))
    if decision.allowed:
        return Judgement(decision, read.permit, hold)
    stopped = _codes(decision.reasons) & {Code.FROZEN, Code.EMERGENCY_RATE}
    kept = None if stopped or resumed else holding.keep(tx, request, read.ask, usage, hold)
    if isinstance(kept, Reason):
        return Judgement(replace(decision, reasons=(kept, *decision.reasons)))
    return Judgement(decision, hold=kept)


def _codes(reasons: Iterable[Reason]) -> set[Code]:
    return {reason.code for reason in reasons}
