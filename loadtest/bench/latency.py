"""How long one call takes when there is no other: medians, side by side."""

import statistics
from collections.abc import Sequence

from loadtest.bench.ratios import ONE, Bench
from loadtest.bench.sample import Sample
from loadtest.bench.subjects import SUBJECTS
from loadtest.bench.verdict import Figure

BOUND = 2.0  # of the echo's, the token's and one sync of the disk together

Times = dict[str, float]
"""Medians in seconds by ``SUBJECT/WHAT``, and of ``sync``."""


def one_round(bench: Bench, repeats: int) -> Times:
    """Measure everything, turn by turn."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        found.setdefault("sync", []).extend(bench.alone.call("sync", bench.directory))
        for subject in SUBJECTS:
            name = subject.name
            token: Sample = bench.raw.call(subject, "sign", 1, 0.1)
            found.setdefault(f"{name}/token", []).append(token.seconds / token.count)
            for method in ("echo", "unary"):
                load = bench.load_of(subject, method, ONE)
                found.setdefault(f"{name}/{method}", []).extend(bench.alone.call("call", load))
    return {name: statistics.median(times) for name, times in found.items()}


def figures(rounds: Sequence[Times]) -> list[Figure]:
    """Return the signer's medians over what they are made of at least."""
    found = []
    for subject in SUBJECTS:
        values = tuple(
            times[f"{subject.name}/unary"]
            / (times[f"{subject.name}/echo"] + times[f"{subject.name}/token"] + times["sync"])
            for times in rounds
        )
        name = f"{subject.name}: latency alone over echo + token + sync"
        found.append(Figure(name, values, BOUND, rising=False))
    return found
