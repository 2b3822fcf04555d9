"""Windows in a real ledger against a plain list of events, with the clock jumping both ways."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from signer.audit.history import time_ms
from signer.ledger import Ledger
from signer.model import Granted, Outcome
from tests.support.ledgers import HOUR, Bench, code, last, one, pay

LIMIT = 100_000  # cents in an hour, as the policy has it
WIDTH = HOUR // 1024  # how much longer a charge may stay than it must
_jumps = st.one_of(
    st.integers(0, 3),
    st.integers(0, 2 * WIDTH),
    st.integers(HOUR - WIDTH, HOUR + WIDTH),
    st.integers(-2 * HOUR, 2 * HOUR),
)
_events = st.tuples(
    _jumps, st.integers(1, 10_000), st.sampled_from(["keep", "keep", "keep", "return", "restart"])
)


class _Model:
    """Every charge that stands, with the ledger's time of it."""

    def __init__(self) -> None:
        self.charged: list[tuple[int, int]] = []

    def since(self, after_ms: int) -> int:
        """Return the sum of what was charged after a time."""
        return sum(amount for at_ms, amount in self.charged if at_ms > after_ms)

    def worst(self) -> int:
        """Return the largest sum in any half-open interval of the window's length."""
        starts = [at_ms for at_ms, _ in self.charged]
        return max(
            (sum(a for t, a in self.charged if start <= t < start + HOUR) for start in starts),
            default=0,
        )


def _pay(ledger: Ledger, model: _Model, number: int, amount: int, then: str) -> None:
    verdict = one(ledger, pay(amount, id=f"r-{number}"))
    now_ms = time_ms(last(ledger)["time"])
    if isinstance(verdict, Granted):
        if then == "return":
            ledger.settle([Outcome(verdict.approval, None, refused=True)])
        else:
            model.charged.append((now_ms, amount))
    else:
        assert code(verdict) == "LIMIT_WINDOW_TOTAL"
        assert model.since(now_ms - HOUR - WIDTH) + amount > LIMIT


@settings(max_examples=12, deadline=None)
@given(st.lists(_events, max_size=40), st.integers(8_000, 10_000))
def test_no_interval_holds_more_and_budget_comes_back(
    events: list[tuple[int, int, str]], large: int
) -> None:
    """Never over the limit in any hour of the ledger's time; refused only while it is full.

    What was spent is free again one hour and one bucket later at most.
    """
    with TemporaryDirectory() as directory:
        bench, model = Bench(Path(directory) / "ledger.db"), _Model()
        ledger = bench.open()
        for number in range(11):  # begin nearly full, or all of it would fit
            _pay(ledger, model, -1 - number, large, "keep")
        for number, (jump, amount, then) in enumerate(events):
            bench.clock.now = max(0, bench.clock.now + jump)
            if then == "restart":
                bench.close()
                ledger = bench.open()
            _pay(ledger, model, number, amount, then)
            assert model.worst() <= LIMIT
        bench.clock.now = max(bench.clock.now, time_ms(last(ledger)["time"])) + HOUR + WIDTH
        for number in range(10):
            _pay(ledger, model, len(events) + number, 10_000, "keep")
        assert model.since(bench.clock.now - 1) == LIMIT
        bench.close()
