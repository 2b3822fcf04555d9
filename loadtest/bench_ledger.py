"""What the ledger alone costs a request: ``python -m loadtest.bench_ledger``.

CPU time of deciding and of recording the outcome, with full durability, by how many
requests share a transaction and by whether their ids come in order. Loads take turns;
compare within one run.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from loadtest.bench import prefill
from loadtest.bench.ledgers import Opened

SIZES = (64, 16, 8, 4, 1)
RECORDS = 1000
_ORDERS: dict[str, Callable[[int], str]] = {
    "in order": "{:016x}".format,
    "in no order": prefill.request_id,
}


class Row(NamedTuple):
    """What a request costs, in microseconds of CPU."""

    order: str
    size: int
    cpu_us: float


def measure(rounds: int, requests: int, records: int = RECORDS) -> list[Row]:
    """Measure batches of each size so often, in ledgers that hold so many records already."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="signgate-bench-")))
        opened = {}
        for order, request_id in _ORDERS.items():
            (place := directory / order).mkdir()
            ledger = Opened(place, ("records", records), request_id)
            opened[order] = stack.enter_context(closing(ledger))
        taken: dict[tuple[str, int], list[float]] = {}
        for number in range(rounds + 1):  # the first one warms up
            for size in SIZES:
                for order, ledger in opened.items():
                    cpu_us = ledger.measure(max(1, requests // size), size).cpu_us
                    taken.setdefault((order, size), []).extend([cpu_us] if number else [])
    return [Row(*place, median(found)) for place, found in taken.items()]


def report(rows: Sequence[Row]) -> str:
    """Return a line for each size."""
    found = {(row.order, row.size): row.cpu_us for row in rows}
    return "\n".join(
        f"batches of {size:2}: "
        + ", ".join(f"{found[order, size]:6.1f} us with ids {order}" for order in _ORDERS)
        for size in SIZES
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--records", type=int, default=RECORDS, help="in the ledger already")
    parser.add_argument("--requests", type=int, default=1024, help="of each size in a round")
    given = parser.parse_args(arguments)
    sys.stdout.write(f"{report(measure(given.rounds, given.requests, given.records))}\n")


if __name__ == "__main__":
    main()
