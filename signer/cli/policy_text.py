"""Requests and times in the words of whoever reads a policy."""

from collections.abc import Iterator

from policy.model import Ask, Transfer
from policy.words import utc

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


def asked(ask: Ask, at_ms: int) -> str:
    """Say who asks for what, and when, on one line."""
    moved = ", ".join(_moved(ask))
    return f"{ask.caller} does {ask.facts.action} with {ask.key} at {utc(at_ms)}: {moved}"


def _moved(ask: Ask) -> Iterator[str]:
    for item in ask.facts.transfers:
        yield f"{item.role} of {item.amount} base units of {item.asset}{_to(item)}"
    if ask.facts.source is not None:
        yield f"funds of {ask.facts.source}"


def _to(item: Transfer) -> str:
    return "" if item.destination is None else f" to {item.destination}"


def span(span_ms: int) -> str:
    """Return a window's length as a policy writes it, in the largest unit that fits."""
    fits = (f"{span_ms // size}{unit}" for unit, size in _UNITS if span_ms % size == 0)
    return next(fits)
