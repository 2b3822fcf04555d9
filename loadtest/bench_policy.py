"""Figures of large policies: ``python -m loadtest.bench_policy``.

How long a document of 10,000 keys with 20 grants each takes to load, in seconds of CPU and
beside what the standard library takes only to parse it; and what a decision costs beside
one under a policy of 10 keys. Run it on a quiet machine.
"""

import argparse
import gc
import time
import tomllib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from policy.document import load
from policy.engine import Unused, decide
from policy.model import Ask, Facts, Transfer
from policy.payloads import FORMATS
from policy.rules import Policy

_T = TypeVar("_T")

GRANTS = 20
FEW_KEYS = 10
MOST_SECONDS = 5.0
MOST_RATIO = 1.1
_DECISIONS = 2000
_ROUNDS = 40
_HEAD = """\
schema = 1

[assets.USD]
decimals = 2

[addresses.friends]
"bob" = "a friend"
"carol" = "another"
"""
_KEY = """
[keys.k{key}]
algorithm = "ed25519"
payloads = ["intent"]

[[keys.k{key}.limits]]
asset = "USD"
per_request = "100"
windows = [{{ span = "1h", total = "1000" }}]
"""
_GRANT = """
[[keys.k{key}.grants]]
id = "g{grant}"
callers = ["spiffe://firm.example/k{key}/c{grant}"]
action = "intent.transfer"
assets = ["USD"]
destinations = ["@friends"]
"""


class Figures(NamedTuple):
    """What was measured; times are CPU."""

    keys: int
    load_s: float
    parse_s: float  # tomllib alone
    few_us: float  # a decision under few keys
    many_us: float

    @property
    def ratio(self) -> float:
        """What a decision costs beside one under few keys."""
        return self.many_us / self.few_us


def document(keys: int) -> str:
    """Return a document with so many keys."""
    parts = [_HEAD]
    for key in range(keys):
        parts.append(_KEY.format(key=key))
        parts += [_GRANT.format(key=key, grant=grant) for grant in range(GRANTS)]
    return "".join(parts)


def measure(keys: int, rounds: int = _ROUNDS) -> Figures:
    """Load a policy of so many keys and decide under it, and under one of few."""
    text = document(keys)
    many, load_s = _timed(lambda: load(text, FORMATS))
    _, parse_s = _timed(lambda: tomllib.loads(text))
    few = load(document(FEW_KEYS), FORMATS)
    gc.freeze()  # the service is not collected while it decides either
    try:
        few_s, many_s = _decisions((few, many), rounds)
    finally:
        gc.unfreeze()
    return Figures(keys, load_s, parse_s, few_s * 1e6, many_s * 1e6)


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def _decisions(policies: Sequence[Policy], rounds: int) -> list[float]:
    """Return the CPU seconds of a decision under each, at best, taking turns.

    Each asks for as many different keys, spread over the whole policy.
    """
    asks = [_asks(policy) for policy in policies]
    best = [float("inf")] * len(policies)
    for _ in range(rounds):
        for index, policy in enumerate(policies):
            best[index] = min(best[index], _once(policy, asks[index]))
    return best


def _asks(policy: Policy) -> list[Ask]:
    names = sorted(policy.keys)
    step = max(1, len(names) // FEW_KEYS)
    facts = Facts("intent.transfer", (Transfer("USD", 100, "bob"),))
    keys = [policy.keys[name] for name in names[::step][:FEW_KEYS]]
    return [Ask(key.name, "intent", min(key.callers), facts) for key in keys]


def _once(policy: Policy, asks: list[Ask]) -> float:
    usage, count = Unused(), len(asks)
    start = time.process_time()
    for number in range(_DECISIONS):
        decide(policy, asks[number % count], usage, 0)
    return (time.process_time() - start) / _DECISIONS


def report(figures: Figures) -> str:
    """Return the figures in words."""
    return (
        f"{figures.keys} keys, {GRANTS} grants each: loaded in {figures.load_s:.2f} s of CPU,"
        f" {figures.load_s / figures.parse_s:.2f} times what tomllib takes to parse it\n"
        f"a decision: {figures.many_us:.2f} us, {figures.ratio:.2f} times the"
        f" {figures.few_us:.2f} us under {FEW_KEYS} keys"
    )


def verdict(figures: Figures) -> int:
    """Return 1 if a bound does not hold, else 0."""
    return int(figures.load_s > MOST_SECONDS or figures.ratio > MOST_RATIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    figures = measure(parser.parse_args(arguments).keys)
    print(report(figures))  # noqa: T201 - a program for a terminal
    return verdict(figures)


if __name__ == "__main__":
    raise SystemExit(main())
