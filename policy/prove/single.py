"""Claims on each single request: Z3 looks for one that the policy allows and that breaks it."""

from policy.engine import Unused, decide, read
from policy.prove import scope
from policy.prove.answer import Answer, Disproven, NotProven, Proven, Step
from policy.prove.payloads import restated
from policy.prove.questions import Question
from policy.prove.request import Model
from policy.rules import KeyPolicy, Policy


def answer(policy: Policy, question: Question) -> Answer:
    """Ask about one key after the other."""
    unsure: Answer = Proven()
    for key in scope.keys(policy, question):
        found = _about(policy, key, question)
        if isinstance(found, Disproven):
            return found
        if isinstance(found, NotProven):
            unsure = found
    return unsure


def _about(policy: Policy, key: KeyPolicy, question: Question) -> Answer:
    model = Model(policy, key, question)
    if not model.broken():
        return Proven()
    said = (said for step in model.requests() if (said := restated(policy, step)))
    steps = (step for step in said if _allows(policy, step))
    found = next((step for step in steps if breaks(policy, question, step)), None)
    if found is not None:
        return Disproven((found,))
    return NotProven(f"{key.name}: the engine refuses whatever payload was tried, as at any hour")


def _allows(policy: Policy, step: Step) -> bool:
    return decide(policy, step.ask, Unused(), step.at_ms, step.approved_by).allowed


def breaks(policy: Policy, question: Question, step: Step) -> bool:
    """Whether a request is one in question and breaks the claim, as the engine reads it."""
    ask = step.ask
    request, _ = read(policy, ask, step.at_ms, step.approved_by)
    if question.callers and ask.caller not in question.callers:
        return False
    if question.actions and request.facts.action not in question.actions:
        return False
    asset = policy.assets[question.asset] if question.asset else None
    moved, paid = request.moved, request.paid
    if asset is not None:
        moved = {name: amount for name, amount in moved.items() if name == asset.name}
        paid = {name: shares for name, shares in paid.items() if name == asset.name}
    total = sum(moved.values())
    if question.per_request:
        return total > question.base_units(policy, question.per_request)
    if question.approvals:
        above = question.base_units(policy, question.approvals.above)
        others = len(step.approved_by - {ask.caller})
        return total > above and others < question.approvals.quorum
    if question.destinations:
        places = {place for shares in paid.values() for place in shares}
        return not places <= set(question.destinations)
    return bool(moved) or asset is None
