"""What tests of every part share."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.softhsm import SoftHsm, make_softhsm

SPARE_TOKENS = ("signgate-scratch", "signgate-pin", "signgate-twin", "signgate-twin")

# On a shared machine an example may take any time; what is slow shows in a benchmark.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("shared")


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
