"""Figures and the bounds that they must hold."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Two-sided 95 % points of Student's t, by the number of values minus one.
STUDENT = (math.inf, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio that a release must hold.

    Attributes:
        values: of each round; all of one round were measured within seconds.
        bound: what it must reach, or must not pass; None where it is only to be compared.
        rising: whether more is better, so that ``bound`` is the least.
        unit: of the values, empty for a plain ratio.
    """

    name: str
    values: tuple[float, ...]
    bound: float | None
    rising: bool
    unit: str = ""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def held(self) -> bool:
        """Whether the median holds the bound, if there is one."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.rising else self.value <= self.bound

    @property
    def spread(self) -> float:
        """The factor by which chance alone may move the mean, at 95 %."""
        return spread(self.values)


def spread(values: Sequence[float]) -> float:
    """Return the factor by which chance alone may move a mean of logarithms, at 95 %."""
    logs = [math.log(value) for value in values if value > 0]
    if len(logs) < 2:  # noqa: PLR2004 - one value shows no noise
        return math.inf
    student = STUDENT[min(len(logs), len(STUDENT)) - 1]
    return math.exp(student * statistics.stdev(logs) / math.sqrt(len(logs)))
