"""Whether this release lost against the last one, by ratios that each run took within itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.bench.verdict import Figure

LOSS = 0.15


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of both runs; ``gain`` above 1 is better, whichever way the figure goes.

    ``chance`` is the factor by which the rounds' own spread may move the gain, at 95 %:
    infinite where a run had a single round.
    """

    name: str
    gain: float
    chance: float

    @property
    def lost(self) -> bool:
        """Whether more is lost than is allowed, and not by chance."""
        return self.gain < 1 - LOSS and self.gain * self.chance < 1

    @property
    def verdict(self) -> str:
        """What to call it: lost, unsure, better, or same."""
        if self.lost:
            return "lost"
        if self.gain < 1 - LOSS:
            return "unsure"
        return "better" if self.gain / self.chance > 1 else "same"


def compare(before: Sequence[Figure], now: Sequence[Figure]) -> list[Change]:
    """Return the changes of all figures that both runs have and that are not zero."""
    earlier = {figure.name: figure for figure in before}
    return [
        _change(earlier[figure.name], figure)
        for figure in now
        if figure.name in earlier and figure.value > 0 and earlier[figure.name].value > 0
    ]


def _change(before: Figure, now: Figure) -> Change:
    ratio = now.value / before.value
    spreads = [math.log(figure.spread) for figure in (before, now)]
    return Change(now.name, ratio if now.rising else 1 / ratio, math.exp(math.hypot(*spreads)))
