"""The long run of properties of whole policies: ``python -m tests.policy.campaign PAIRS [FIRST]``.

Every seed makes a policy, edits of it, a tighter one and a shuffled one, and asks all of
them about the same requests. ``make test`` runs a few hundred, ``make prove-long`` a million.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from policy.compare import compare, is_looser
from policy.document import load
from policy.engine import decide
from policy.model import Decision
from policy.payloads import FORMATS
from policy.problems import PolicyError
from policy.rules import Policy
from tests.policy import whole
from tests.policy.generated import Case
from tests.policy.writing import toml

STEP = 10  # seeds between two looks at the tally
EDITS = 12  # of each policy
REQUESTS = 24  # for each of them


@dataclass
class Tally:
    """What a run has seen.

    ``broken`` names the property and the seed, ``unproven`` the seeds of edits that some request
    shows to be looser, while the comparison found no witness of its own.
    """

    pairs: int = 0
    allowed: int = 0
    disproven: int = 0
    looser: int = 0
    tightened: int = 0
    unproven: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.pairs} pairs, {self.allowed} requests allowed; edits that some request shows"
            f" to be looser: {self.disproven}, all called so: {self.looser},"
            f" without a witness: {self.unproven or 'none'};"
            f" tighter policies: {self.tightened}; broken: {self.broken or 'none'}"
        )


def run(seeds: Iterable[int], tally: Tally | None = None) -> Tally:
    """Check every seed that makes a policy and an edit of it."""
    tally = tally or Tally()
    for seed in seeds:
        _check(seed, tally)
    return tally


def _check(seed: int, tally: Tally) -> None:
    random = Random(seed)
    tree = whole.document(random)
    old = _policy(tree)
    if old is None:
        return
    trees = [whole.edited(random, tree) for _ in range(EDITS)]
    cases = list(whole.requests(random, REQUESTS, [tree, *trees]))
    before = [_decided(old, case) for case in cases]
    tally.allowed += sum(decision.allowed for decision in before)
    for new in filter(None, map(_policy, trees)):
        tally.pairs += 1
        compared(seed, old, new, disproven=_some_more(before, new, cases), tally=tally)
    tighter = _policy(whole.tightened(random, tree))
    if tighter is not None:
        tally.tightened += 1
        if _some_more(before, tighter, cases):
            tally.broken.append(f"{seed}: less is granted, and more is allowed")
    mixed = _policy(whole.shuffled(random, tree))
    if mixed is None or [_decided(mixed, case) for case in cases] != before:
        tally.broken.append(f"{seed}: order matters")


def compared(seed: int, old: Policy, new: Policy, *, disproven: bool, tally: Tally) -> None:
    """A change that some request disproves is looser; no other could be called wrongly."""
    if disproven:
        tally.disproven += 1
        changes = compare(old, new)
        if is_looser(changes):
            tally.looser += 1
            if not any(change.witness for change in changes):
                tally.unproven.append(seed)
        else:
            tally.broken.append(f"{seed}: called tighter, and a request disproves it")


def _policy(tree: dict[str, Any]) -> Policy | None:
    try:
        return load(toml(tree), FORMATS)
    except PolicyError:  # a quorum that nobody can reach, an emptied list
        return None


def _decided(policy: Policy, case: Case) -> Decision:
    return decide(policy, case.ask, case.usage, case.now_ms, case.approved_by)


def _some_more(before: list[Decision], policy: Policy, cases: list[Case]) -> bool:
    """Whether a policy allows a request that was denied before."""
    denied = (case for case, was in zip(cases, before, strict=True) if not was.allowed)
    return any(_decided(policy, case).allowed for case in denied)


def main(arguments: list[str]) -> int:
    """Run, print the tally now and then, and return 1 if a property was broken."""
    pairs = int(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    tally = Tally()
    while tally.pairs < pairs and not tally.broken:
        run(range(seed, seed + STEP), tally)
        seed += STEP
        if seed % 200 == 0:
            print(f"seed {seed}: {tally}", flush=True)
    print(tally)
    return int(bool(tally.broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
