"""What decoding costs: ``python -m loadtest.bench_decode``.

Each format's valid payloads beside what eth-account takes to read a signed transaction,
in turn, in one run: the ratio says more than the time. The exit code is 1 if a format
costs more than its bound.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from policy.payloads import decode
from tests.policy.payloads.examples import OMNIBUS, TRANSFER, call, token
from tests.policy.payloads.seeds import SEEDS

ORACLE_US = 92  # what eth-account took where the bounds were set
EXCHANGE_US = 30
BOUNDS_US = {  # microseconds there; formats without a bound of their own have an exchange's
    "ethereum.transaction": 15,
    "ethereum.typed-data": 50,  # its types alone are a kilobyte of JSON
    **dict.fromkeys(("intent", "intent.cose", "intent.jws"), 25),
    "solana.message": 20,
    "bitcoin.psbt": 400,
}
ROUNDS, CALLS = 15, 200
ERC20 = token(call(TRANSFER, OMNIBUS, 10**6))


@dataclass(frozen=True, slots=True)
class Row:
    """A payload's cost in microseconds and as a share of the oracle's, and its bound."""

    tag: str
    size: int
    micros: float
    ratio: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the cost is within the bound."""
        return self.ratio <= self.bound


def measure(rounds: int = ROUNDS, calls: int = CALLS) -> Iterator[Row]:
    """Measure the slowest payload of every format, paired with the oracle."""
    for tag, payloads in sorted(SEEDS.items()):
        wanted = (ERC20,) if tag == "ethereum.transaction" else payloads
        yield max((_row(tag, item, rounds, calls) for item in wanted), key=lambda row: row.micros)


def _row(tag: str, payload: bytes, rounds: int, calls: int) -> Row:
    raw = _signed()
    pairs = [
        (
            _micros(lambda: decode(tag, payload), calls),
            _micros(lambda: TypedTransaction.from_bytes(raw), calls),
        )
        for _ in range(rounds)
    ]
    ratio = median(ours / theirs for ours, theirs in pairs)
    bound = BOUNDS_US.get(tag, EXCHANGE_US) / ORACLE_US
    return Row(tag, len(payload), median(ours for ours, _ in pairs), ratio, bound)


def _micros(work: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        work()
    return 1e6 * (time.process_time() - began) / calls


def _signed() -> HexBytes:
    """Return the same transfer, signed, which is what eth-account reads."""
    fields = {
        "type": 2,
        "chainId": 1,
        "nonce": 7,
        "maxPriorityFeePerGas": 10**9,
        "maxFeePerGas": 30 * 10**9,
        "gas": 65_000,
        "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        "value": 0,
        "data": call(TRANSFER, OMNIBUS, 10**6),
    }
    return HexBytes(Account.from_key(b"\x46" * 32).sign_transaction(fields).raw_transaction)


def report(rows: Iterable[Row]) -> bool:
    """Print a line for each row; returns whether all hold."""
    held = True
    for row in rows:
        held &= row.holds
        verdict = "ok" if row.holds else "TOO SLOW"
        sys.stdout.write(
            f"{row.tag:24} {row.size:5} bytes {row.micros:7.1f} us"
            f" {row.ratio:6.3f} of eth-account's, at most {row.bound:.3f}: {verdict}\n"
        )
    return held


if __name__ == "__main__":
    sys.exit(0 if report(measure()) else 1)
