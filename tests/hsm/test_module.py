"""A module is initialised again when nobody is inside, once an era."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from signer.hsm.cryptoki import Cryptoki
from signer.hsm.module import Module, load
from tests.support.softhsm import SoftHsm


class CountedCryptoki(Cryptoki):
    """Counts initialisations and does none: the whole run shares the module."""

    initialised = 0
    inside = 0

    def finalize(self) -> int:
        """Do nothing."""
        return 0

    def initialize(self) -> int:
        """Count, unless somebody is inside."""
        assert not self.inside
        self.initialised += 1
        return 0


@pytest.fixture
def cryptoki(softhsm: SoftHsm) -> CountedCryptoki:
    """The functions, of which the first two do nothing."""
    return CountedCryptoki(load(softhsm.module).cryptoki.table)


@pytest.fixture
def module(softhsm: SoftHsm, cryptoki: CountedCryptoki) -> Module:
    """The shared module's library with those functions."""
    return Module(load(softhsm.module).library, cryptoki)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Other guests."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def _stay(module: Module, cryptoki: CountedCryptoki, left: threading.Event) -> None:
    with module.guest():
        cryptoki.inside += 1
        assert left.wait(10)
        cryptoki.inside -= 1


def test_guests_leave_first(
    module: Module, cryptoki: CountedCryptoki, threads: ThreadPoolExecutor
) -> None:
    """Who is inside is asked to leave, and who comes meanwhile waits."""
    left = threading.Event()
    guest = threads.submit(_stay, module, cryptoki, left)
    while not cryptoki.inside:
        pass
    late = threading.Event()
    late.set()
    waiting = []

    def let_go() -> None:
        waiting.append(threads.submit(_stay, module, cryptoki, late))
        left.set()

    with module.guest():
        module.revive(module.era, let_go)
    for other in (guest, *waiting):
        other.result(10)
    assert (cryptoki.initialised, module.era) == (1, 2)


def test_a_guest_that_stays(
    module: Module, cryptoki: CountedCryptoki, threads: ThreadPoolExecutor
) -> None:
    """While a call hangs inside, nothing is initialised under it; later it can be."""
    left = threading.Event()
    guest = threads.submit(_stay, module, cryptoki, left)
    while not cryptoki.inside:
        pass
    with module.guest():
        module.revive(module.era)
    assert (cryptoki.initialised, module.era) == (0, 1)
    left.set()
    guest.result(10)
    with module.guest():
        module.revive(module.era)
    assert (cryptoki.initialised, module.era) == (1, 2)


def test_an_era_ends_once(module: Module, cryptoki: CountedCryptoki) -> None:
    """Two slots that both found the module lost have it initialised once."""
    seen = module.era
    for _ in range(2):
        with module.guest():
            module.revive(seen)
    assert cryptoki.initialised == 1
