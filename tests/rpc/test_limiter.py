"""Token buckets: what they let through, what they refuse, and to whom they keep room."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from policy.rules import Policy
from signer.config import Rate, Rates
from signer.errors import LedgerUnavailableError, RateLimitedError
from signer.model import Limited
from signer.rpc.limiter import Bucket, Limiter
from tests.support.ledgers import ALICE, MALLORY, POLICY, load_policy

BOTH = POLICY.replace(f'"{ALICE.san}"]\naction', f'"{ALICE.san}", "{MALLORY.san}"]\naction')
TEN = Rate(per_second=10, burst=20)


@dataclass
class Gate:
    """A limiter with a clock and a policy that are set by hand."""

    rates: Rates
    policy: Policy | None = field(default_factory=lambda: load_policy(BOTH))
    now: float = 100.0

    def __post_init__(self) -> None:
        self.refused: Counter[Limited] = Counter()
        self.limiter = Limiter(self.rates, lambda: self.policy, lambda: self.now, self.note)

    def note(self, refused: Limited) -> None:
        """Count a refusal."""
        self.refused[refused] += 1

    def let(self, caller: str = ALICE.san, key: str = "pay", tries: int = 1000) -> int:
        """Ask until it is refused, and return how often it was let through."""
        for number in range(tries):
            try:
                self.limiter.admit(caller, key)
            except RateLimitedError:
                return number
        return tries


def test_without_rates_everything_passes() -> None:
    """Nothing is limited that is not configured."""
    assert Gate(Rates()).let() == 1000


def test_a_burst_and_then_a_rate() -> None:
    """After a pause a burst passes, then so many a second; the clock going back gives nothing."""
    gate = Gate(Rates(caller=TEN))
    assert gate.let() == 20
    gate.now -= 50
    assert gate.let() == 0
    gate.now += 50.5
    assert gate.let() == 5
    gate.now += 3600
    assert gate.let() == 20
    assert gate.refused == {Limited(ALICE.san, "caller"): 4}


def test_a_refusal_says_how_long_to_wait() -> None:
    """After exactly that long there is room for one."""
    gate = Gate(Rates(caller=TEN))
    gate.let()
    with pytest.raises(RateLimitedError, match="too many requests of this caller") as caught:
        gate.limiter.admit(ALICE.san, "pay")
    assert caught.value.seconds == pytest.approx(0.1)
    gate.now += caught.value.seconds + 1e-9
    assert gate.let() == 1


def test_callers_have_buckets_of_their_own() -> None:
    """One caller's burst leaves the other its own; a single caller may have another rate."""
    slow = Rate(per_second=1, burst=2)
    gate = Gate(Rates(caller=TEN, callers={MALLORY.san: slow}))
    assert gate.let() == 20
    assert gate.let(MALLORY.san) == 2


def test_half_of_a_key_is_kept_for_its_callers() -> None:
    """One caller takes its part and the shared half; the other still finds its own part."""
    gate = Gate(Rates(key=TEN))
    assert gate.let(ALICE.san) == 5 + 10
    assert gate.let(MALLORY.san) == 5
    gate.now += 1
    assert gate.let(MALLORY.san) + gate.let(ALICE.san) == 9  # two halves of 2.5 and one of 5
    assert gate.refused[Limited(ALICE.san, "key pay")] == 2


def test_a_key_of_one_caller_is_all_its_own() -> None:
    """Nothing of a rate is lost where nobody shares it."""
    gate = Gate(Rates(keys={"pay": TEN}), load_policy(POLICY))
    assert gate.let(ALICE.san) == 20


@pytest.mark.parametrize(
    ("caller", "key"), [("spiffe://firm.example/eve", "pay"), (ALICE.san, "none"), (ALICE.san, "")]
)
def test_who_may_not_use_a_key_cannot_use_its_rate_up(caller: str, key: str) -> None:
    """Requests that the policy refuses take nothing from those that it allows."""
    gate = Gate(Rates(key=TEN))
    assert gate.let(caller, key) == 1000
    assert gate.let(ALICE.san) == 15


def test_a_new_policy_shares_anew() -> None:
    """Within a second of a policy change its callers share the key's rate."""
    gate = Gate(Rates(key=TEN), None)
    assert gate.let() == 1000
    gate.policy = load_policy(BOTH)
    gate.now += 1
    assert gate.let() == 15
    gate.policy = load_policy(POLICY)
    gate.now += 0.9
    gate.let()
    gate.now += 0.1
    assert gate.let() == 20


def test_a_limiter_that_fails_denies() -> None:
    """Whatever goes wrong in it is an error of the request, not a way through."""

    def down() -> Policy | None:
        raise LedgerUnavailableError("the ledger cannot be read")

    limiter = Limiter(Rates(key=TEN), down, lambda: 0.0, lambda _refused: None)
    with pytest.raises(LedgerUnavailableError):
        limiter.admit(ALICE.san, "pay")


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """However long the pause, no more than the burst passes at once."""
    bucket = Bucket(rate=1e6, burst=3, now=0)
    assert [bucket.take(1e9) == 0 for _ in range(4)] == [True, True, True, False]
