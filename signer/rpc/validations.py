"""What would become of a request, as a message for whoever may know it."""

from collections.abc import Iterator

from policy.explain import Considered, Explanation
from policy.model import LimitState
from policy.reasons import Reason
from signer.v1 import signing_service_pb2 as pb


def validation(explanation: Explanation) -> pb.Validation:
    """Return everything that a decision came from."""
    decision = explanation.decision
    return pb.Validation(
        allowed=decision.allowed,
        failures=map(_failed, decision.reasons),
        grant=decision.grant or "" if decision.allowed else "",
        grants=map(_grant, explanation.grants),
        amounts=_amounts(explanation),
        windows=map(_window, decision.limits),
    )


def _failed(reason: Reason) -> pb.FailedRule:
    return pb.FailedRule(reason=reason.code, rule=reason.rule, detail=reason.detail)


def _grant(grant: Considered) -> pb.GrantValidation:
    rules = [
        pb.RuleValidation(name=check.rule, failure=_failed(check.failed) if check.failed else None)
        for check in grant.checks or ()
    ]
    applies = grant.checks is not None
    return pb.GrantValidation(id=grant.grant, applies=applies, matches=grant.matches, rules=rules)


def _amounts(explanation: Explanation) -> Iterator[pb.AmountValidation]:
    for moved in explanation.moved:
        most = "" if moved.limit is None else str(moved.limit.per_request)
        yield pb.AmountValidation(asset=moved.asset, amount=str(moved.amount), max_per_request=most)


def _window(state: LimitState) -> pb.WindowValidation:
    message = pb.WindowValidation(
        counts=state.counter.key,
        asset=state.counter.asset,
        span_ms=state.counter.span_ms,
        used_total=str(state.before.total),
        used_requests=state.before.requests,
    )
    if state.max_total is not None:
        message.max_total = str(state.max_total)
        message.left_total = str(max(0, state.max_total - state.before.total))
    if state.max_requests is not None:
        message.max_requests = state.max_requests
        message.left_requests = max(0, state.max_requests - state.before.requests)
    return message
