"""Which windows a policy counts for the first time, and what history puts into them."""

import pytest

from policy.model import Ask, Counter, Facts, Transfer, Used
from policy.recount import Recount
from policy.replay import Asked, Kind, Settled
from tests.support.ledgers import HOUR, POLICY, START_MS, load_policy

HOURLY = 'windows = [{ span = "1h", total = "1000" }]'
DAY = 24 * HOUR
ALICE = "spiffe://firm.example/alice"
GROUP = """
[groups.g]
keys = ["pay"]
[[groups.g.limits]]
asset = "USD"
windows = [{ span = "2h", total = "1" }]
"""


def windows(*more: str) -> str:
    """Return the policy with these windows."""
    assert POLICY.count(HOURLY) == 1
    return POLICY.replace(HOURLY, f"windows = [{', '.join(more)}]")


ONE = '{ span = "1h", total = "1000" }'
SHORTER = '{ span = "59m", total = "1" }'
LONGER = '{ span = "24h", total = "1" }'
CALLER = '{ span = "1h", total = "1", per = "caller" }'
DESTINATION = '{ span = "1h", count = 1, per = "destination" }'


@pytest.mark.parametrize(
    ("old", "new", "span_ms"),
    [
        (POLICY, POLICY, 0),
        (POLICY, POLICY.replace('"1000"', '"9"'), 0),
        (POLICY, windows(SHORTER), 0),
        (POLICY, windows(LONGER), DAY),
        (windows(LONGER), POLICY, 0),
        (POLICY, windows(ONE, CALLER), HOUR),
        (windows(ONE, CALLER), windows(ONE, DESTINATION), HOUR),
        (windows(CALLER), windows(CALLER), 0),
        (POLICY, POLICY + GROUP, 2 * HOUR),
        (POLICY + GROUP, POLICY + GROUP, 0),
        (POLICY, POLICY.replace("decimals = 2", "decimals = 3"), HOUR),
        (POLICY, POLICY.replace("USD", "DOLLAR"), HOUR),
        (POLICY, POLICY.replace("keys.pay", "keys.other"), HOUR),
        (None, POLICY, HOUR),
    ],
)
def test_how_far_back_history_matters(old: str | None, new: str, span_ms: int) -> None:
    """As far as the longest window whose scope, asset or span was not counted before."""
    before = None if old is None else load_policy(old)
    assert Recount(before, load_policy(new)).span_ms == span_ms


def asked(index: int, amount: int, kind: Kind = Kind.NEW) -> Asked:
    """Return a decision that allowed a payment to bob."""
    facts = Facts("intent.transfer", (Transfer("USD", amount, "bob"),))
    ask = Ask("pay", "intent", ALICE, facts)
    return Asked(index, START_MS + index, ask, f"r-{index}", kind, ())


def test_history_is_charged_to_new_windows_only() -> None:
    """Each scope gets its part under its own name, and what was given back is not in it."""
    new = load_policy(windows(ONE, CALLER, DESTINATION) + GROUP)
    recount = Recount(load_policy(POLICY), new)
    for event in (asked(1, 500), asked(2, 70), Settled(2, "r-2", returned=True), asked(3, 1)):
        recount.step(event)
    recount.step(asked(4, 9999, Kind.VALIDATED))
    found = {name: window.used(START_MS + 4) for name, window in recount.windows().items()}
    assert found == {
        Counter(f"pay caller {ALICE}", "USD", HOUR): Used(501, 2),
        Counter("pay destination bob", "USD", HOUR): Used(501, 2),
        Counter("group g", "USD", 2 * HOUR): Used(501, 2),
    }
