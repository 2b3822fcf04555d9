"""Spends as much as the engine lets pass, as early as it does."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

from msgspec.structs import replace

from policy import amounts
from policy.engine import decide
from policy.markets import PRICE_DECIMALS
from policy.model import Ask, Counter, Facts, Role, Transfer, Used
from policy.prove import scope
from policy.prove.answer import Step
from policy.prove.questions import Question
from policy.prove.scope import LISTED
from policy.rules import Grant, KeyPolicy, Policy
from policy.windows import Window

_MOST_STEPS = 2000
_MOST_TIMES = 5000
_MOST_PLACES = 20
_HOUR_MS = 3_600_000


Shape = tuple[tuple[Transfer, ...], Transfer]  # what else a request moves, and the asset


class Greedy:
    """Requests that move the asset in question, over real windows that begin empty."""

    def __init__(self, policy: Policy, question: Question, span_ms: int, *, counting: bool) -> None:
        self._policy, self._question = policy, question
        self._asset = policy.assets[question.asset or ""].name
        self._span = span_ms
        self._counting = counting

    def run(self, start_ms: int, most: int) -> tuple[Step, ...]:
        """Return requests within one span from a time that together exceed ``most``.

        Empty where there are none.
        """
        self._windows: dict[Counter, Window] = {}
        steps: list[Step] = []
        sum_ = 0
        for now_ms in islice(self._times(start_ms), _MOST_TIMES):
            self._now = now_ms
            for step, amount in self._spend():
                steps.append(step)
                sum_ += 1 if self._counting else amount
                if sum_ > most:
                    return tuple(steps)
                if len(steps) == _MOST_STEPS:
                    return ()
        return ()

    def used(self, counter: Counter) -> Used:
        """Return what the counter's window holds now."""
        window = self._windows.get(counter)
        return Used(0, 0) if window is None else window.used(self._now)

    def _times(self, start_ms: int) -> Iterator[int]:
        """Yield when windows may have room again, and when a grant may have opened."""
        spans = {
            window.counter.span_ms
            for key in self._keys()
            for window in key.limits[self._asset].windows
        }
        if any(grant.hours for key in self._keys() for grant in key.grants):
            spans.add(_HOUR_MS)
        queue, seen = [start_ms], {start_ms}
        while queue:
            at_ms = heappop(queue)
            yield at_ms
            for later in (at_ms + span_ms for span_ms in spans):
                if later < start_ms + self._span and later not in seen:
                    seen.add(later)
                    heappush(queue, later)

    def _keys(self) -> list[KeyPolicy]:
        keys = scope.keys(self._policy, self._question)
        return [key for key in keys if self._asset in key.limits]

    def _spend(self) -> Iterator[tuple[Step, int]]:
        for key in self._keys():
            callers = set(scope.callers(key, self._question))
            for grant in scope.grants(key, self._question):
                for caller in sorted(grant.callers & callers):
                    for before, last in self._shapes(key, grant):
                        yield from self._until_refused(key, grant, caller, (before, last))

    def _until_refused(
        self, key: KeyPolicy, grant: Grant, caller: str, shape: Shape
    ) -> Iterator[tuple[Step, int]]:
        while True:
            amount = (
                1 if self._counting else self._room(_step(key, grant, caller, shape, 1, self._now))
            )
            step = _step(key, grant, caller, shape, amount, self._now)
            decision = decide(self._policy, step.ask, self, self._now, step.approved_by)
            if amount < 1 or not decision.allowed:
                return
            for charge in decision.charges:
                window = self._windows.setdefault(charge.counter, Window(charge.counter.span_ms))
                window.charge(self._now, charge.amount, charge.requests)
            yield step, amount

    def _room(self, probe: Step) -> int:
        """Return how much one more request may move."""
        decision = decide(self._policy, probe.ask, self, self._now, probe.approved_by)
        left = [
            state.max_total - state.before.total
            for state in decision.limits
            if state.counter.asset == self._asset and state.max_total is not None
        ]
        return min([self._policy.keys[probe.ask.key].limits[self._asset].per_request, *left])

    def _shapes(self, key: KeyPolicy, grant: Grant) -> Iterator[Shape]:
        """Yield ways to move the asset: a payment to each destination, or else a fee."""
        limits, places = key.limits, sorted(grant.destinations)
        if self._asset in grant.assets:
            for place in places[:_MOST_PLACES]:
                yield (), Transfer(limits[self._asset].asset.ref, 0, place)
            return
        paid = [limits[asset].asset.ref for asset in sorted(grant.assets)[:1]]
        before = tuple(Transfer(ref, 0, places[0]) for ref in paid)
        yield before, Transfer(limits[self._asset].asset.ref, 0, None, Role.FEE)


def _step(key: KeyPolicy, grant: Grant, caller: str, shape: Shape, amount: int, at_ms: int) -> Step:
    before, last = shape
    approvers = grant.approval.approvers if grant.approval else frozenset[str]()
    facts = Facts(
        grant.action,
        (*before, replace(last, amount=amount)),
        **{fact: min(getattr(grant, field), key=str) for fact, field in LISTED.items()},
    )
    if grant.worst_price:
        side, worst = min(grant.worst_price.items())
        facts = replace(facts, side=side, price=amounts.to_text(worst, PRICE_DECIMALS))
    ask = Ask(key.name, min(key.formats), caller, facts, scope.address(grant))
    return Step(ask, at_ms, approvers - {caller})
