"""What tests of every part share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from signer.ledger import Ledger
from tests.support.ledgers import Bench
from tests.support.softhsm import SoftHsm, make_softhsm

SPARE_TOKENS = ("signgate-scratch", "signgate-pin", "signgate-twin", "signgate-twin")

# A script's background ignores Ctrl-C, and so would whatever the tests start and interrupt there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a shared machine an example may take any time; what is slow shows in a benchmark.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# A mutant is killed by the first example that fails: nothing is shrunk, kept or drawn anew.
settings.register_profile(
    "mutants",
    settings.get_profile("shared"),
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile(os.environ.get("SIGNGATE_PROFILE", "shared"))


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """One store for the whole run: this process loads the module with it and no other.

    Name keys after the test file that makes them, so that tests stay apart; what
    leaves a token broken belongs on the spare ones.
    """
    made = make_softhsm(tmp_path_factory.mktemp("softhsm"), "signgate-test", *SPARE_TOKENS)
    before = dict(os.environ)
    os.environ.update(made.environment)
    yield made
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A place for a ledger of its own, with a clock that is set by hand."""
    made = Bench(tmp_path / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def ledger(bench: Bench) -> Ledger:
    """A ledger with the usual policy."""
    return bench.open()
