"""Busy windows, whose charges share buckets: each charge leaves on time in every process."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Charge, Counter, Used
from policy.windows import Window
from signer.ledger.sqlite import SqliteStore
from signer.ledger.store import Changes
from signer.ledger.windows import Windows
from tests.support.ledgers import HOUR, START_MS

EXACT = 2
WIDTH = HOUR // 1024
HOURLY = Counter("pay", "USD", HOUR)
SHORTER = HOURLY._replace(span_ms=HOUR // 2)


class Process:
    """The windows of one process on a ledger file, a transaction at a time."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)
        self._seq = -1
        self._counters = {HOURLY}

    def begin(self, now_ms: int) -> Windows:
        """Start what ``commit`` ends."""
        self._transaction = self.store.transaction()
        self._transaction.__enter__()
        self._before = self.store.state()
        if self._seq < 0:
            self._windows = Windows(self.store, EXACT)
        elif self._seq != self._before.seq:
            self._windows.catch_up(self._seq)
        self.now = max(now_ms, self._before.clock_ms)
        self._windows.begin(self.now)
        return self._windows

    def commit(self) -> None:
        """Write everything."""
        windows, before = self._windows, self._before
        windows.sweep()
        after = before._replace(seq=before.seq + 1, clock_ms=self.now)
        written = windows.changed.values(), windows.expired, windows.instants()
        self.store.write(before, after, Changes((), (), (), *written))
        self._transaction.__exit__(None, None, None)
        self._seq = after.seq

    def forget(self) -> None:
        """Start again."""
        self._seq = -1

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""
        [(count,)] = self.store._all(f"SELECT count(*) FROM {table}", ())
        return int(count)


class Event(NamedTuple):
    """A jump of the clock, and what one of the processes does then."""

    jump: int
    place: int
    amount: int
    action: str
    which: int


_jumps = st.one_of(
    st.integers(0, 3),
    st.integers(0, WIDTH),
    st.integers(HOUR // 2 - 2 * WIDTH, HOUR // 2 + WIDTH),
    st.integers(HOUR - 2 * WIDTH, HOUR + WIDTH),
    st.integers(-2 * HOUR, 2 * HOUR),
)
_events = st.builds(
    Event,
    _jumps,
    st.integers(0, 1),
    st.integers(0, 2**70),
    st.sampled_from(["charge"] * 6 + ["refund", "restart", "shorter", "seed", "drop"]),
    st.integers(0, 5),
)


LOOK = Event(0, 0, 0, "look", 0)


class _Model:
    """Every charge that stands, held against what the windows say."""

    def __init__(self) -> None:
        self.charged: list[tuple[int, Charge]] = []
        self.counters = {HOURLY}

    def held(self, counter: Counter, now_ms: int) -> Used:
        """Return what a window must hold."""
        young = [charge for at, charge in self.charged if at > now_ms - counter.span_ms]
        return Used(sum(charge.amount for charge in young), len(young))

    def recounted(self) -> Window:
        """Return the hour's window, from all that was ever charged."""
        window = Window(HOUR, EXACT)
        for at, charge in self.charged:
            window.charge(at, charge.amount)
        return window

    def do(self, event: Event, windows: Windows, now: int) -> None:
        """Do what an event says, in the windows and here."""
        if event.action == "refund" and self.charged:
            at, charge = self.charged.pop(-1 - event.which % len(self.charged))
            for counter in self.counters:
                windows.refund(Charge(counter, charge.amount), at)
        elif event.action == "seed":
            windows.seed(HOURLY, self.recounted())
        elif event.action == "shorter":
            self.counters.add(SHORTER)
        elif event.action == "drop":
            windows.drop_expired()
        for counter in self.counters:
            assert windows.used(counter) == self.held(counter, now)
        if event.action == "charge":
            for _ in range(1 + event.which % 2):
                self.charged.append((now, Charge(HOURLY, event.amount)))
                for counter in self.counters:
                    windows.charge(Charge(counter, event.amount))


@settings(max_examples=60, deadline=None)
@given(st.lists(_events, min_size=10, max_size=40))
def test_every_charge_leaves_on_time_in_every_process(events: list[Event]) -> None:
    """Against a plain list of charges, to the millisecond, whatever processes do and when.

    Also where a policy brings a shorter window or counts one again, and after a restart.
    """
    with TemporaryDirectory() as directory:
        processes = [Process(Path(directory) / "ledger.db") for _ in range(2)]
        model, clock = _Model(), START_MS
        for event in events:
            clock += event.jump
            if event.action == "restart":
                processes[event.place].forget()
            _step(processes[event.place], model, event, clock)
            if event.action in {"seed", "shorter"}:  # comes with a policy: all begin again
                for process in processes:
                    process.forget()
        spans = [counter.span_ms for counter in model.counters]
        ends = sorted({at + span_ms for at, _ in model.charged for span_ms in spans})
        for number, end in enumerate(ends):
            for clock in (end - 1, end):
                _step(processes[number % 2], model, LOOK, clock)
        for process in processes:
            process.store.close()


def _step(process: Process, model: _Model, event: Event, clock: int) -> None:
    windows = process.begin(clock)
    model.do(event, windows, process.now)
    process.commit()


def test_instants_that_have_left_are_forgotten(tmp_path: Path) -> None:
    """Some with each transaction, however many left at once, and those of nobody, too."""
    process, other = Process(tmp_path / "ledger.db"), HOURLY._replace(key="other")
    for number in range(700):
        windows = process.begin(START_MS + number)
        for counter in (HOURLY, other):
            windows.charge(Charge(counter, 1))
        process.commit()
    assert process.rows("instants") == 2 * 699
    process.forget()
    process.begin(START_MS + 699 + HOUR).used(HOURLY)
    process.commit()
    assert process.rows("buckets") == 2
    assert 2 * 699 - 150 < process.rows("instants") < 2 * 699
    process.forget()
    for _ in range(12):
        process.begin(START_MS + 699 + HOUR).drop_expired()
        process.commit()
    assert (process.rows("buckets"), process.rows("instants")) == (0, 0)
    process.store.close()


def test_a_window_that_begins_as_another_one_in_its_transaction(tmp_path: Path) -> None:
    """It knows at once of which instants a shared bucket is, also of this transaction's."""
    process = Process(tmp_path / "ledger.db")
    for at in (1, 2):
        process.begin(START_MS + at).charge(Charge(HOURLY, at))
        process.commit()
    windows = process.begin(START_MS + 3)
    windows.charge(Charge(HOURLY, 4))
    assert windows.used(SHORTER) == Used(7, 3)
    windows.charge(Charge(SHORTER, 8))
    process.commit()
    for after, held in ((1, Used(14, 3)), (2, Used(12, 2)), (3, Used(0, 0))):
        assert process.begin(START_MS + after + SHORTER.span_ms).used(SHORTER) == held
        process.commit()
    process.store.close()


def test_a_window_that_is_counted_again_keeps_its_instants(tmp_path: Path) -> None:
    """What of the window before it is still to be forgotten is no part of it."""
    process = Process(tmp_path / "ledger.db")
    for at in (0, 1, 9):
        process.begin(START_MS + at).charge(Charge(HOURLY, 1))
        process.commit()
    windows, counted = process.begin(START_MS + 10 + HOUR), Window(HOUR, exact=0)
    assert windows.used(HOURLY) == Used(0, 0)
    for at in (5, 3000):
        counted.charge(START_MS + at, at)
    windows.seed(HOURLY, counted)
    process.commit()
    process.forget()
    assert process.begin(START_MS + 10 + HOUR).used(HOURLY) == Used(3000, 1)
    process.commit()
    process.store.close()
