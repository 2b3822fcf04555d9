"""Claims on intervals: how much can ever leave within a span, in however many requests?

Every request is a point on a grid of time whose step divides all spans, since moving each
request to the start of its step keeps every window as full as it was. Where the grid is too
fine, one step stands for the whole interval, and a window holds what it could let pass in
it: that is more than the policy allows, so that a proof holds all the same.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from math import gcd
from typing import Any, NamedTuple

from policy import fields
from policy.prove import scope
from policy.prove.answer import Answer, Disproven, NotProven, Proven
from policy.prove.greedy import Greedy
from policy.prove.questions import Question, Window
from policy.rules import KeyPolicy, Limit, Per, Policy, WindowLimit

_MOST_POINTS = 600  # of the grid, over all lanes
_SOLVER_MS = 20_000
_STARTS = 3  # times at which a sequence is begun


class Lane(NamedTuple):
    """A caller's requests with a key."""

    key: KeyPolicy
    caller: str
    limit: Limit


class Claim(NamedTuple):
    """What is asked: the interval, and how much may leave in it, or how many requests."""

    span_ms: int
    most: int
    counting: bool


def answer(policy: Policy, question: Question, window: Window) -> Answer:
    """Look for a proof, then for requests that break the claim."""
    counting = window.total is None
    most = window.count or question.base_units(policy, window.total or "0")
    claim = Claim(fields.span_ms(window.span), most, counting)
    lanes = list(_lanes(policy, question))
    if any(_holds(lanes, claim, step_ms) for step_ms in _steps(lanes, claim)):
        return Proven()
    spending = Greedy(policy, question, claim.span_ms, counting=counting)
    for start_ms in islice(_starts(policy, question), _STARTS):
        steps = spending.run(start_ms, most)
        if steps:
            return Disproven(steps)
    return NotProven("the windows leave room for more, but no requests were found that take it")


def _lanes(policy: Policy, question: Question) -> Iterator[Lane]:
    asset = policy.assets[question.asset or ""].name
    for key in scope.keys(policy, question):
        limit = key.limits.get(asset)
        if limit is not None:
            yield from (Lane(key, caller, limit) for caller in scope.callers(key, question))


def _starts(policy: Policy, question: Question) -> Iterator[int]:
    opens = {
        at_ms
        for key in scope.keys(policy, question)
        for grant in scope.grants(key, question)
        for at_ms in islice(scope.openings(grant), _STARTS)
    }
    yield from sorted(opens)


def _steps(lanes: list[Lane], claim: Claim) -> Iterator[int]:
    """Yield the whole interval, then the grid's step if that is not too fine."""
    yield claim.span_ms
    spans = (window.counter.span_ms for lane in lanes for window in lane.limit.windows)
    step_ms = gcd(claim.span_ms, *spans)
    if step_ms < claim.span_ms and len(lanes) * claim.span_ms // step_ms <= _MOST_POINTS:
        yield step_ms


def _holds(lanes: list[Lane], claim: Claim, step_ms: int) -> bool:
    """Whether no requests on the grid break the claim."""
    import z3  # noqa: PLC0415 - the extra; nothing else needs it

    solver = z3.Solver()
    solver.set("timeout", _SOLVER_MS)
    points = [
        (lane, at, z3.Int(f"amount {n} {at}"), z3.Int(f"requests {n} {at}"))
        for n, lane in enumerate(lanes)
        for at in range(claim.span_ms // step_ms)
    ]
    for lane, _, amount, requests in points:
        solver.add(amount >= 0, requests >= 0, amount <= requests * lane.limit.per_request)
    for window, members in _windows(lanes):
        inside = [point for point in points if point[0] in members]
        solver.add(*_within(z3, window, inside, claim.span_ms, step_ms))
    sums = (requests if claim.counting else amount for _, _, amount, requests in points)
    solver.add(z3.Sum([*sums]) > claim.most)
    return bool(solver.check() == z3.unsat)


def _windows(lanes: list[Lane]) -> Iterator[tuple[WindowLimit, list[Lane]]]:
    """Yield each window with the lanes that it counts together; destinations are left out."""
    seen: dict[tuple[object, ...], tuple[WindowLimit, list[Lane]]] = {}
    for lane in lanes:
        for window in lane.limit.windows:
            if window.per is not Per.DESTINATION:
                caller = lane.caller if window.per is Per.CALLER else None
                _, members = seen.setdefault((window.counter, window.per, caller), (window, []))
                members.append(lane)
    yield from seen.values()


def _within(
    z3: Any, window: WindowLimit, points: Iterable[Any], interval_ms: int, step_ms: int
) -> Iterator[Any]:
    """Every run of steps as long as the window holds what it lets pass."""
    points, span_ms = list(points), window.counter.span_ms
    whole = step_ms == interval_ms
    steps = 1 if whole else span_ms // step_ms
    times = -(-interval_ms // span_ms) if whole else 1
    for first in range(max(1, interval_ms // step_ms - steps + 1)):
        inside = [point for point in points if first <= point[1] < first + steps]
        if window.max_total is not None:
            yield z3.Sum([amount for _, _, amount, _ in inside]) <= window.max_total * times
        if window.max_requests is not None:
            yield z3.Sum([requests for *_, requests in inside]) <= window.max_requests * times
