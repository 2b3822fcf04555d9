"""Decides recorded history again under another policy: which answers would change?

Until ``since_ms`` history is taken as it was recorded, and fills the candidate's
windows. From then on the candidate decides, and its windows hold what it would have
allowed itself. Freezes are no part of a policy, so they hold as they held then.

A request is taken to have left the key's version to the policy, unless it was refused
for the version that it asked for.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from policy import engine, freezes
from policy.freezes import Freeze
from policy.model import Ask, Charge, Counter, Decision, Used
from policy.reasons import CONTROL, Reason
from policy.rules import Policy
from policy.windows import Window


class Kind(StrEnum):
    """What a recorded decision did to the windows."""

    NEW = "new"  # it was charged if it was allowed
    RESUMED = "resumed"  # what it needs was charged before
    VALIDATED = "validated"  # it was asked for its answer only


@dataclass(frozen=True, slots=True)
class Asked:
    """A recorded decision: who asked for what, when, and what came of it.

    ``index`` is its place in the log, ``request`` names the request over all its
    attempts, ``version`` is the key's version that it is known to have asked for.
    ``reasons`` is empty exactly where it was allowed.
    """

    index: int
    at_ms: int
    ask: Ask
    request: Hashable
    kind: Kind
    reasons: tuple[Reason, ...]
    approved_by: frozenset[str] = frozenset()
    version: int | None = None


class Settled(NamedTuple):
    """How a decision's signing ended; ``returned`` if its charges were given back."""

    decision: int
    request: Hashable
    returned: bool


class Frozen(NamedTuple):
    """A freeze that began or ended."""

    what: Freeze
    begins: bool


Event = Asked | Settled | Frozen


@dataclass(frozen=True, slots=True)
class Change:
    """A recorded decision that the candidate would not have made."""

    asked: Asked
    decision: Decision


class _Booking(NamedTuple):
    decision: int
    at_ms: int
    charges: tuple[Charge, ...]
    resumed: bool = False


class Replay:
    """One candidate over one history, event by event in the order of the log."""

    def __init__(self, policy: Policy, since_ms: int = 0) -> None:
        self._policy = policy
        self._since = since_ms
        self._now = 0
        self._windows: dict[Counter, Window] = {}
        self._booked: dict[Hashable, _Booking] = {}  # allowed by the candidate, not ended
        self._early: set[Hashable] = set()  # allowed by the candidate, refused in history
        self._freezes: frozenset[Freeze] = frozenset()
        self.decided = 0

    def used(self, counter: Counter) -> Used:
        """Return what a window of the candidate would hold."""
        return self._window(counter).used(self._now)

    @property
    def windows(self) -> Mapping[Counter, Window]:
        """The candidate's windows that something was charged to."""
        return self._windows

    def step(self, event: Event) -> Change | None:
        """Take the next event; return a decision that would change."""
        if isinstance(event, Asked):
            self._now = event.at_ms
            return self._asked(event)
        if isinstance(event, Settled):
            self._settle(event)
        elif event.begins:
            self._freezes |= {event.what}
        else:
            self._freezes -= {event.what}
        return None

    def _asked(self, asked: Asked) -> Change | None:
        if asked.at_ms < self._since:
            self._take_over(asked)
            return None
        self.decided += 1
        if asked.kind is not Kind.VALIDATED and asked.request in self._early:
            return None  # it would be given the result of the attempt that was allowed
        decision = self._decide(asked)
        return Change(asked, decision) if _differs(asked, decision) else None

    def _take_over(self, asked: Asked) -> None:
        """Charge what was allowed, whatever the candidate thinks of it."""
        key = self._policy.keys.get(asked.ask.key)
        if asked.kind is Kind.RESUMED:
            self._resume(asked)
        elif asked.kind is Kind.NEW and not asked.reasons and key is not None:
            request, _ = engine.read(self._policy, asked.ask, asked.at_ms, asked.approved_by)
            charges, _, _ = engine.limited(key, request, self)
            self._book(asked, charges)

    def _decide(self, asked: Asked) -> Decision:
        decision = self._judge(asked)
        if asked.kind is Kind.VALIDATED or not decision.allowed:
            return decision
        if asked.kind is not Kind.RESUMED or not self._resume(asked):
            self._book(asked, decision.charges)
        if asked.reasons:
            self._early.add(asked.request)
        return decision

    def _judge(self, asked: Asked) -> Decision:
        key = self._policy.keys.get(asked.ask.key)
        if key is not None and asked.version not in {None, key.version}:
            return Decision(asked.reasons)
        if asked.kind is Kind.VALIDATED:
            refusal = engine.untold(self._policy, asked.ask.key, asked.ask.caller)
            if refusal is not None:
                return Decision((refusal,))
        resumed = asked.kind is Kind.RESUMED and asked.request in self._booked
        usage = engine.Unused() if resumed else self
        policy, ask = self._policy, asked.ask
        decision = engine.decide(policy, ask, usage, asked.at_ms, asked.approved_by)
        if engine.denied(policy, ask.key, ask.caller):  # who learns nothing else
            return decision
        reasons = _with_people(asked, freezes.frozen(self._freezes, ask, policy), decision.reasons)
        return replace(decision, reasons=reasons, charges=() if reasons else decision.charges)

    def _resume(self, asked: Asked) -> bool:
        """Note a second attempt, which nothing is given back after; False without a first."""
        booking = self._booked.get(asked.request)
        if booking is None:
            return False
        self._booked[asked.request] = booking._replace(resumed=True)
        return True

    def _book(self, asked: Asked, charges: tuple[Charge, ...]) -> None:
        for charge in charges:
            self._window(charge.counter).charge(asked.at_ms, charge.amount, charge.requests)
        self._booked[asked.request] = _Booking(asked.index, asked.at_ms, charges)

    def _settle(self, settled: Settled) -> None:
        """Give back what a certain failure gives back: the charges of an only attempt."""
        booking = self._booked.get(settled.request)
        if booking is None or booking.resumed or booking.decision != settled.decision:
            return
        if settled.returned:
            for charge in booking.charges:
                window = self._window(charge.counter)
                window.refund(booking.at_ms, charge.amount, charge.requests)
        del self._booked[settled.request]

    def _window(self, counter: Counter) -> Window:
        if counter not in self._windows:
            self._windows[counter] = Window(counter.span_ms)
        window = self._windows[counter]
        window.roll(self._now)
        return window


def _with_people(
    asked: Asked, frozen: tuple[Reason, ...], judged: tuple[Reason, ...]
) -> tuple[Reason, ...]:
    """Add what people said then to what the candidate says, first where it came first."""
    said = tuple(item for item in asked.reasons if item.code in CONTROL and item not in frozen)
    first = bool(asked.reasons) and asked.reasons[0].code in CONTROL
    return (*frozen, *said, *judged) if first else (*frozen, *judged, *said)


def _differs(asked: Asked, decision: Decision) -> bool:
    """Whether the caller would be told something else: allowed, or the first reason's code."""
    told = [reasons[0].code if reasons else None for reasons in (asked.reasons, decision.reasons)]
    return told[0] != told[1]
