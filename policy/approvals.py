"""Requests that wait for people: what they lack, and whose agreement counts."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from policy import engine, rules
from policy.model import Ask, Usage
from policy.reasons import Code
from policy.rules import Approval, Grant, KeyPolicy, Policy


class Tally(NamedTuple):
    """How far a request has come: who may agree, who has, and how many it takes."""

    approvers: frozenset[str]
    given: frozenset[str]
    quorum: int

    @property
    def reached(self) -> bool:
        """Whether enough have agreed."""
        return len(self.given) >= self.quorum


def lacking(policy: Policy, ask: Ask, usage: Usage, now_ms: int) -> tuple[str, ...]:
    """Return the ids of the grants that lack nothing but approvals.

    Empty where anything else stands in the way, limits included: then it is no use
    to ask anybody.
    """
    grants = policy.keys[ask.key].callers[ask.caller]
    everyone = frozenset[str]().union(*(wanted.approvers for wanted in _wanted(grants)))
    if not engine.decide(policy, ask, usage, now_ms, everyone).allowed:
        return ()
    request, _ = engine.read(policy, ask, now_ms, frozenset())
    return tuple(grant.id for grant in grants if _lacks_approval(grant, request))


def tallies(
    key: KeyPolicy | None, grants: Collection[str], caller: str, given: Iterable[str]
) -> list[Tally]:
    """Count the approvals of each of the grants, the one nearest to its quorum first.

    What counts is the policy in force: whoever is no longer an approver does not, and
    the caller never does.
    """
    mine = key.callers.get(caller, ()) if key else ()
    wanted = _wanted(grant for grant in mine if grant.id in grants)
    people = frozenset(given)
    return sorted((_tally(approval, caller, people) for approval in wanted), key=_missing)


def _lacks_approval(grant: Grant, request: rules.Request) -> bool:
    return [reason.code for reason in rules.failures(grant, request)] == [Code.APPROVAL_REQUIRED]


def _wanted(grants: Iterable[Grant]) -> list[Approval]:
    return [grant.approval for grant in grants if grant.approval is not None]


def _tally(approval: Approval, caller: str, given: frozenset[str]) -> Tally:
    approvers = approval.approvers - {caller}
    return Tally(approvers, approvers & given, approval.quorum)


def _missing(tally: Tally) -> int:
    return tally.quorum - len(tally.given)
