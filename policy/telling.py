"""Requests, what they meet and spans of time, in the words of whoever reads a policy."""

from collections.abc import Iterator

from policy.compare.change import Witness
from policy.model import Ask, Facts, Transfer
from policy.words import utc

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


def witnessed(witness: Witness) -> Iterator[str]:
    """Say which request shows a loosening, and in what state; each line stands for itself."""
    yield f"e.g. {asked(witness.ask, witness.at_ms)}"
    if witness.approved_by:
        yield f"approved by {', '.join(sorted(witness.approved_by))}"
    for counter, used in sorted(witness.spent.items()):
        held = f"{used.total} base units in {used.requests} requests"
        yield f"when the last {span(counter.span_ms)} of {counter.asset} hold {held}"


def asked(ask: Ask, at_ms: int) -> str:
    """Say who asks for what, and when, on one line."""
    said = ", ".join(_said(ask.facts))
    return f"{ask.caller} does {ask.facts.action} with {ask.key} at {utc(at_ms)}: {said}"


def _said(facts: Facts) -> Iterator[str]:
    for item in facts.transfers:
        yield f"{item.role} of {item.amount} base units of {item.asset}{_to(item)}"
    if facts.source is not None:
        yield f"funds of {facts.source}"
    if facts.side is not None:
        price = "without a price" if facts.price is None else f"at {facts.price}"
        yield f"{facts.side} {facts.quantity or 'for that'} {price}"
    if facts.call is not None:
        coins = f" and {facts.call.value} base units of coins" if facts.call.value else ""
        yield f"call of {facts.call.contract} with 0x{facts.call.data}{coins}"


def _to(item: Transfer) -> str:
    return "" if item.destination is None else f" to {item.destination}"


def span(span_ms: int) -> str:
    """Return a window's length as a policy writes it, in the largest unit that fits."""
    fits = (f"{span_ms // size}{unit}" for unit, size in _UNITS if span_ms % size == 0)
    return next(fits)
