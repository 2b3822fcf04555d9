"""A snapshot of one process's metrics, and its bytes on the way to another process."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from signer.metrics.families import Family


class Number(Struct, frozen=True, array_like=True, tag="n"):
    """A counter's or gauge's value; labels in the order of its family."""

    name: str
    labels: tuple[str, ...]
    value: float


class Spread(Struct, frozen=True, array_like=True, tag="h"):
    """A histogram: how many fell into each bucket, the last one without a bound; their sum."""

    name: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    sum: float


Sample = Number | Spread
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(tuple[Sample, ...]).decode


def number(family: Family, value: float, *labels: str) -> Number:
    """Return a sample of a counter or gauge."""
    return Number(family.name, labels, float(value))


def one_of(family: Family, states: Iterable[str], state: str, *labels: str) -> list[Number]:
    """Return a sample for each state: 1 for the one that it is in, 0 for the others."""
    return [number(family, each == state, *labels, each) for each in states]
