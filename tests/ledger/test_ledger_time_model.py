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
WIDTH = HOUR // 1024  # of a bucket that close charges share
Event = tuple[int, int, int, str]

_jumps = st.one_of(
    st.integers(0, WIDTH),
    st.integers(0, WIDTH),
    st.integers(HOUR - 2 * WIDTH, HOUR + WIDTH),
    st.integers(-2 * HOUR, 2 * HOUR),
)
_events = st.tuples(  # a jump, so many payments, of so much, and what becomes of them
    _jumps,
    st.integers(1, 6),
    st.integers(7_000, 10_000),
    st.sampled_from(["keep", "keep", "keep", "return", "restart"]),
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


def _pay(ledger: Ledger, model: _Model, name: str, amount: int, then: str) -> None:
    verdict = one(ledger, pay(amount, id=name))
    now_ms = time_ms(last(ledger)["time"])
    if isinstance(verdict, Granted):
        if then == "return":
            ledger.settle([Outcome(verdict.approval, None, refused=True)])
        else:
            model.charged.append((now_ms, amount))
    else:
        assert code(verdict) == "LIMIT_WINDOW_TOTAL"
        assert model.since(now_ms - HOUR) + amount > LIMIT


_FULL = 10_000, "keep"
# An hour's budget in two halves within one bucket, and the moment when the first is free.
_edges = st.tuples(st.integers(1, WIDTH - 1), st.integers(0, WIDTH)).map(
    lambda offsets: [
        (0, 5, *_FULL),
        (offsets[0], 5, *_FULL),
        (HOUR - offsets[1], 6, *_FULL),
    ]
)


@settings(max_examples=20, deadline=None)
@given(st.lists(_events, max_size=3), _edges, st.lists(_events, max_size=8))
def test_no_interval_holds_more_and_budget_comes_back(
    before: list[Event], edges: list[Event], after: list[Event]
) -> None:
    """Never over the limit in any hour of the ledger's time; refused only while it is full.

    What was spent is free again one hour later at most.
    """
    with TemporaryDirectory() as directory:
        bench, model = Bench(Path(directory) / "ledger.db"), _Model()
        ledger = bench.open()
        for event, (jump, count, amount, then) in enumerate([*before, *edges, *after]):
            bench.clock.now = max(0, bench.clock.now + jump)
            if then == "restart":
                bench.close()
                ledger = bench.open()
            for number in range(count):
                _pay(ledger, model, f"{event}-{number}", amount, then)
            assert model.worst() <= LIMIT
        bench.clock.now = max(bench.clock.now, time_ms(last(ledger)["time"])) + HOUR
        for number in range(10):
            _pay(ledger, model, f"end-{number}", 10_000, "keep")
        assert model.since(bench.clock.now - 1) == LIMIT
        bench.close()
