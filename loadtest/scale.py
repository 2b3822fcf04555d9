"""Axes of a plot: from values to pixels, and where the ticks are."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from ``low`` to ``high`` onto ``start`` to ``end``, evenly or by decades."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls, values: Iterable[float], start: float, end: float, *, log: bool = False
    ) -> Self:
        """Return a scale that holds all values: from 0, or by whole steps of 1, 2, 5."""
        found = [value for value in values if value > 0 or not log]
        if log:
            low, high = min(found, default=1.0), max(found, default=10.0)
            return cls(_round(low, up=False), _round(high * 1.02, up=True), start, end, log=True)
        top = max(found, default=1.0) or 1.0
        return cls(0.0, top * 1.02, start, end)

    def at(self, value: float) -> float:
        """Return the pixel of a value; what lies outside is drawn on the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the values to label."""
        if not self.log:
            step = _step(self.high)
            return [step * number for number in range(int(self.high / step) + 1)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        digits = (1, 2, 5) if last - first <= 3 else (1,)  # noqa: PLR2004 - else too many
        ticks = (digit * 10.0**decade for decade in range(first, last + 1) for digit in digits)
        return [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]


def _step(top: float) -> float:
    """Return the round number of which four to five make up ``top``."""
    rough = top / 4
    decade = 10.0 ** math.floor(math.log10(rough))
    return decade * next(step for step in STEPS if step * decade >= rough * 0.999)


def _round(value: float, *, up: bool) -> float:
    decade = 10.0 ** math.floor(math.log10(value))
    digits = [digit for digit in (1, 2, 5, 10) if (digit * decade >= value) == up]
    return decade * (min(digits) if up else max(digits, default=1))


def text(value: float) -> str:
    """Return a number as an axis shows it: 1,500 or 0.25 or 2M."""
    if value >= 1e6:  # noqa: PLR2004 - the unit
        return f"{value / 1e6:g}M"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:g}"  # noqa: PLR2004 - two digits
