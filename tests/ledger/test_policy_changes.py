"""A change of policy in the middle of a window: what was spent before still counts.

Whatever the policies and whenever they change, no request is granted that takes any
window of the policy in force beyond its bound, counted over all that was ever granted.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from signer.ledger import Ledger
from signer.model import Caller, Granted, Outcome
from tests.support.ledgers import HOUR, OFFICER, Bench, code, granted, one, pay

CALLERS = {name: Caller(f"spiffe://firm.example/{name}", "aa" * 32, "") for name in ("x", "y")}
KEYS = ("pay", "spare")
DESTINATIONS = ("bob", "carol")
SPANS = {"1h": HOUR, "3h": 3 * HOUR, "1d": 24 * HOUR}

HEAD = """
schema = 1
[assets.USD]
decimals = 2
"""
KEY = """
[keys.{key}]
algorithm = "ed25519"
payloads = ["intent"]
[[keys.{key}.grants]]
id = "all"
callers = ["spiffe://firm.example/x", "spiffe://firm.example/y"]
action = "intent.transfer"
assets = ["USD"]
destinations = ["bob", "carol"]
[[keys.{key}.limits]]
asset = "USD"
per_request = "100"
windows = [{windows}]
"""
GROUP = """
[groups.all]
keys = ["pay", "spare"]
[[groups.all.limits]]
asset = "USD"
windows = [{windows}]
"""


class Window(NamedTuple):
    """One window of a policy; ``per`` is key, caller or destination."""

    span: str
    per: str
    total: int

    def __str__(self) -> str:
        """Return it as a document has it."""
        per = "" if self.per == "key" else f', per = "{self.per}"'
        return f'{{ span = "{self.span}", total = "{self.total}"{per} }}'


class Spent(NamedTuple):
    """One request that was granted."""

    at_ms: int
    key: str
    caller: str
    destination: str
    amount: int


@dataclass(frozen=True)
class Windows:
    """A policy: the windows of both keys, and of their group."""

    pay: tuple[Window, ...]
    spare: tuple[Window, ...]
    group: tuple[Window, ...]

    def document(self) -> str:
        """Return the policy."""
        keys = "".join(
            KEY.format(key=key, windows=", ".join(map(str, getattr(self, key)))) for key in KEYS
        )
        shared = GROUP.format(windows=", ".join(map(str, self.group))) if self.group else ""
        return HEAD + keys + shared

    def exceeded(self, history: list[Spent], new: Spent) -> list[Window]:
        """Return every window that a granted request took beyond its bound."""
        own = [(window, {new.key}) for window in getattr(self, new.key)]
        shared = [(window, set(KEYS)) for window in self.group]
        return [
            window
            for window, keys in own + shared
            if 100 * window.total < sum(_counted(window, keys, history, new))
        ]


def _counted(window: Window, keys: set[str], history: list[Spent], new: Spent) -> list[int]:
    since = new.at_ms - SPANS[window.span]
    return [
        one.amount
        for one in history
        if one.at_ms > since
        and one.key in keys
        and (window.per == "key" or getattr(one, window.per) == getattr(new, window.per))
    ]


class Pay(NamedTuple):
    """Somebody asks for cents."""

    key: str
    caller: str
    destination: str
    amount: int


class Wait(NamedTuple):
    """Time passes."""

    ms: int


class Fail(NamedTuple):
    """The HSM refuses what was granted last, for certain."""


Step = Pay | Wait | Fail | Windows


def _windows(pers: tuple[str, ...]) -> st.SearchStrategy[tuple[Window, ...]]:
    one_ = st.builds(
        Window, st.sampled_from(list(SPANS)), st.sampled_from(pers), st.sampled_from([150, 300])
    )
    unique = st.lists(one_, min_size=1, max_size=3, unique_by=lambda window: window[:2])
    return unique.map(tuple)


PERS = ("key", "caller", "destination")
POLICIES = st.builds(Windows, _windows(PERS), _windows(PERS), st.just(()) | _windows(PERS))
STEPS = st.one_of(
    st.builds(
        Pay,
        st.sampled_from(KEYS),
        st.sampled_from(list(CALLERS)),
        st.sampled_from(DESTINATIONS),
        st.sampled_from([5_000, 10_000]),
    ),
    st.builds(Wait, st.sampled_from([1, HOUR // 2, HOUR, 5 * HOUR])),
    st.just(Fail()),
    POLICIES,
)


def run(ledger: Ledger, bench: Bench, first: Windows, steps: list[Step]) -> int:
    """Do the steps and check every grant; return how many there were."""
    policy, history, last, grants = first, list[Spent](), None, 0
    ledger.activate_policy(policy.document(), OFFICER)
    for number, step in enumerate(steps):
        match step:
            case Wait():
                bench.clock.now += step.ms
            case Windows():
                policy = step
                ledger.activate_policy(policy.document(), OFFICER)
            case Fail() if last is not None:
                ledger.settle([Outcome(last.approval, None, refused=True)])
                history.pop()
                last = None
            case Pay():
                request = pay(
                    step.amount,
                    id=str(number),
                    to=step.destination,
                    caller=CALLERS[step.caller],
                    key=step.key,
                )
                verdict = one(ledger, request)
                if isinstance(verdict, Granted):
                    last, grants = verdict, grants + 1
                    history.append(Spent(bench.clock.now, *step))
                    assert policy.exceeded(history, history[-1]) == [], (policy, history)
    return grants


KEY_LIMIT = Windows((Window("1d", "key", 150),), (Window("1d", "key", 150),), ())
SHARED = replace(
    KEY_LIMIT,
    pay=(Window("1d", "destination", 300),),
    spare=(Window("1d", "destination", 300),),
    group=(Window("1d", "key", 300),),
)
BOTH_SPENT: list[Step] = [
    Pay("pay", "x", "bob", 10_000),
    Pay("spare", "x", "bob", 10_000),
    Pay("pay", "y", "carol", 5_000),
]


@pytest.mark.timeout(600)  # each step is a flush to a disk that others use, too
@settings(max_examples=20)
@example(first=KEY_LIMIT, steps=[*BOTH_SPENT, SHARED, *BOTH_SPENT])
@given(first=POLICIES, steps=st.lists(STEPS, min_size=4, max_size=16))
def test_no_change_lets_more_through(first: Windows, steps: list[Step]) -> None:
    """Every grant fits the policy in force, counted over all that was granted before."""
    with TemporaryDirectory() as directory:
        bench = Bench(Path(directory) / "ledger.db")
        try:
            run(bench.open(policy=None), bench, first, steps)
        finally:
            bench.close()


def test_a_new_scope_starts_with_what_was_spent_in_it(bench: Bench) -> None:
    """A group's new window counts what its keys spent, a destination's what it got; no more."""
    ledger = bench.open(policy=None)
    assert run(ledger, bench, KEY_LIMIT, BOTH_SPENT) == 3
    ledger.activate_policy(SHARED.document(), OFFICER)
    last_unit = pay(5_000, id="fits", to="carol", caller=CALLERS["x"])
    granted(ledger, last_unit)
    over = pay(1, id="over", to="carol", caller=CALLERS["x"], key="spare")
    assert code(one(ledger, over)) == "LIMIT_WINDOW_TOTAL"
    bench.clock.now += 24 * HOUR
    granted(ledger, structs.replace(over, request_id="a day later"))


def test_another_process_takes_over_what_was_seeded(bench: Bench) -> None:
    """New windows are in the ledger, not in the memory of whoever changed the policy."""
    ledger = bench.open(policy=None)
    other = bench.open(policy=None)
    run(ledger, bench, KEY_LIMIT, BOTH_SPENT)
    granted(other, pay(1, id="other", caller=CALLERS["x"], key="spare"))
    ledger.activate_policy(SHARED.document(), OFFICER)
    late = pay(5_000, id="late", to="carol", caller=CALLERS["x"])
    assert code(one(other, late)) == "LIMIT_WINDOW_TOTAL"


def test_an_attempt_that_was_resumed_is_not_given_back(bench: Bench) -> None:
    """What may have been signed counts in new windows, too, whatever the first attempt says."""
    ledger = bench.open(policy=None)
    ledger.activate_policy(KEY_LIMIT.document(), OFFICER)
    request = pay(10_000, id="twice", caller=CALLERS["x"])
    first = granted(ledger, request)
    bench.clock.now += 20_000
    granted(ledger, request)
    ledger.settle([Outcome(first.approval, None, refused=True)])
    ledger.activate_policy(SHARED.document(), OFFICER)
    for number in (1, 2):
        granted(ledger, pay(10_000, id=f"more-{number}", to="carol", caller=CALLERS["x"]))
    last = pay(1, id="over", to="carol", caller=CALLERS["x"], key="spare")
    assert code(one(ledger, last)) == "LIMIT_WINDOW_TOTAL"
