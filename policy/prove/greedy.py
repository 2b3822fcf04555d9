"""Spends as much as the engine lets pass, as early as it does."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from itertools import islice

from msgspec.structs import replace

from policy import amounts
from policy.assets import Asset
from policy.engine import decide, read
from policy.markets import PRICE_DECIMALS
from policy.model import Ask, Counter, Facts, Role, Transfer, Used
from policy.prove import scope, shapes
from policy.prove.answer import Step
from policy.prove.payloads import restated
from policy.prove.questions import Question
from policy.prove.scope import LISTED
from policy.prove.shapes import Shape
from policy.rules import Grant, KeyPolicy, Policy
from policy.windows import Window

_MOST_STEPS = 2000
_MOST_TIMES = 5000
_MOST_PLACES = 20
_HOUR_MS = 3_600_000


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
            for step in self._spend():
                steps.append(step)
                sum_ += 1 if self._counting else self._moved(step)
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

    def _moved(self, step: Step) -> int:
        request, _ = read(self._policy, step.ask, step.at_ms, step.approved_by)
        return request.moved.get(self._asset, -1)

    def _spend(self) -> Iterator[Step]:
        for key in self._keys():
            callers = set(scope.callers(key, self._question))
            for grant in scope.grants(key, self._question):
                for caller in sorted(grant.callers & callers):
                    for facts in self._facts(key, grant):
                        yield from self._until_refused(key, grant, caller, facts)

    def _until_refused(
        self, key: KeyPolicy, grant: Grant, caller: str, facts: Facts
    ) -> Iterator[Step]:
        while True:
            amount = 1 if self._counting else self._room(self._step(key, grant, caller, facts, 1))
            step = self._step(key, grant, caller, facts, amount)
            if step is None or amount < 1:
                return
            decision = decide(self._policy, step.ask, self, self._now, step.approved_by)
            if not decision.allowed or self._moved(step) != amount:
                return
            for charge in decision.charges:
                window = self._windows.setdefault(charge.counter, Window(charge.counter.span_ms))
                window.charge(self._now, charge.amount, charge.requests)
            yield step

    def _room(self, probe: Step | None) -> int:
        """Return how much one more request may move."""
        if probe is None:
            return 0
        decision = decide(self._policy, probe.ask, self, self._now, probe.approved_by)
        left = [
            state.max_total - state.before.total
            for state in decision.limits
            if state.counter.asset == self._asset and state.max_total is not None
        ]
        return min([self._policy.keys[probe.ask.key].limits[self._asset].per_request, *left])

    def _step(
        self, key: KeyPolicy, grant: Grant, caller: str, facts: Facts, amount: int
    ) -> Step | None:
        """Return a request that moves so much; None where no payload says it."""
        *before, last = facts.transfers
        facts = replace(facts, transfers=(*before, replace(last, amount=amount)))
        approvers = grant.approval.approvers if grant.approval else frozenset[str]()
        ask = Ask(key.name, scope.form(key, grant.action), caller, facts, scope.address(grant))
        return restated(self._policy, Step(ask, self._now, approvers - {caller}))

    def _facts(self, key: KeyPolicy, grant: Grant) -> Iterator[Facts]:
        """Yield ways to move the asset, by the last transfer: a payment, or else a fee."""
        shape, asset = shapes.of(self._policy, key, grant.action), key.limits[self._asset].asset
        payments = list(islice(_payments(key, grant, shape, {asset.name}), _MOST_PLACES))
        ways: list[tuple[Transfer, ...]] = [(payment,) for payment in payments]
        if not payments:
            others = {
                name
                for name in grant.assets
                if shape is None or shape.at(key.limits[name].asset) == asset.chain_id
            }
            beside = islice(_payments(key, grant, shape, others), 1)
            ways = [(*beside, Transfer(asset.ref, 0, None, Role.FEE))]
        for transfers in ways:
            yield from _saying(grant, shape, Facts(grant.action, transfers), asset)


def _payments(
    key: KeyPolicy, grant: Grant, shape: Shape | None, assets: AbstractSet[str]
) -> Iterator[Transfer]:
    """Yield payments of nothing that the grant and some payload let pass."""
    for name in sorted(grant.assets & assets):
        asset = key.limits[name].asset
        for place in sorted(grant.destinations):
            if shape is None or shape.pays(asset, place):
                yield Transfer(asset.ref, 0, place)


def _saying(grant: Grant, shape: Shape | None, facts: Facts, asset: Asset) -> Iterator[Facts]:
    """Say what the grant lists, and that the funds are of any kind that payloads move."""
    listed = {fact: min(getattr(grant, field), key=str) for fact, field in LISTED.items()}
    if grant.worst_price:
        side, worst = min(grant.worst_price.items())
        listed |= {"side": side, "price": amounts.to_text(worst, PRICE_DECIMALS)}
    if shape is None:
        yield replace(facts, **listed)
        return
    listed["chain_id"] = shape.at(asset)
    for source in (None, *shapes.accounts(grant.sources)[:1]):
        if source in grant.sources and (source is None) in shape.gas:
            yield replace(facts, **(listed | {"source": source}))
