"""Every payload is counted by what came of it, also when nothing could be decided."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.errors import LedgerUnavailableError
from signer.metrics.families import PAYLOADS
from signer.metrics.meter import Meter
from signer.metrics.outcomes import CountedSigning
from signer.metrics.samples import Number
from tests.signing.test_signing_outcomes import Token
from tests.support.ledgers import Bench, pay


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A ledger's directory."""
    made = Bench(tmp_path / "ledger.db")
    yield made
    made.close()


def counted(meter: Meter) -> dict[str, float]:
    """Return how many payloads of the key had which outcome."""
    return {
        sample.labels[1]: sample.value
        for sample in meter.snapshot()
        if isinstance(sample, Number) and sample.name == PAYLOADS.name
    }


def test_outcomes(bench: Bench) -> None:
    """Signed, replayed, validated and refused payloads of one call each count as that."""
    meter = Meter()
    meter.know(["pay"])
    signing = CountedSigning(bench.open(), Token(bench.mint.redeem), meter)
    wanted = [pay(1, id="a"), pay(1, id="b", validate_only=True), pay(10**9, id="c")]
    signing.sign(wanted, 0)
    signing.sign([pay(1, id="a")], 0)
    assert counted(meter) == {"SIGNED": 1, "REPLAYED": 1, "VALIDATED": 1, "LIMIT_PER_REQUEST": 1}


def test_without_a_ledger(bench: Bench) -> None:
    """Where nothing can be decided, all payloads of the call count as that."""
    meter = Meter()
    signing = CountedSigning(bench.open(), Token(bench.mint.redeem), meter)
    bench.close()
    with pytest.raises(LedgerUnavailableError):
        signing.sign([pay(1, id="a"), pay(1, id="b")], 0)
    assert counted(meter) == {"LEDGER_UNAVAILABLE": 2}
