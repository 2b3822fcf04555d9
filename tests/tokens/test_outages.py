"""Tokens in the network that freeze, die and come back, under a load that goes on."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.hsms import CamlCrush, TwoByKit, needs_root
from tests.support.pools import Load, PoolProcess, pool_process

KEYS = ["ecdsa-p256", "hmac-sha256"]
PATIENCE = 0.5
LOAD = Load(patience=PATIENCE, pause=0.01)
AWAY_SECONDS = float(os.environ.get("SIGNGATE_AWAY_SECONDS", "4"))
FAIL_OVER_SECONDS = 1.0
RETURN_SECONDS = 10.0
SLACK = 1.0  # what a busy machine may add to a deadline, seconds
UNAVAILABLE = {"HsmUnavailableError", "OutcomeUnknownError"}


@pytest.fixture
def crush(tmp_path: Path) -> Iterator[CamlCrush]:
    """An HSM in the network."""
    made = CamlCrush(tmp_path)
    made.start()
    yield made
    made.daemon.kill()


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[TwoByKit]:
    """Two HSMs in one process."""
    made = TwoByKit(tmp_path, KEYS)
    for number in range(2):
        made.start(number)
    yield made
    for daemon in made.daemons:
        daemon.kill()


def _outage(pool: PoolProcess, begin: Callable[[], object], end: Callable[[], object]) -> Any:
    """Let a token be away under load; returns the load, once all is well again."""
    load = pool.load(AWAY_SECONDS, begin)
    end()
    until = time.monotonic() + RETURN_SECONDS
    pool.heal(RETURN_SECONDS)
    while (after := pool.load(0.4))["errors"]:
        assert time.monotonic() < until, after
    return load


@pytest.mark.parametrize("how", ["freeze", "kill"])
def test_the_only_token_is_away(crush: CamlCrush, how: str) -> None:
    """Callers hear so within their deadlines, and the token is used again once it is back."""
    with pool_process(crush.hsm, KEYS, load=LOAD) as pool:
        begin = getattr(crush.daemon, how)
        load = _outage(pool, begin, crush.daemon.thaw if how == "freeze" else crush.start)
        assert load["wrong"] == 0
        assert load["slowest"] < PATIENCE + SLACK
        assert load["errors"].keys() <= UNAVAILABLE
        assert load["last_signed"] < 2


@needs_root
@pytest.mark.parametrize("how", ["freeze", "kill"])
def test_one_of_two_tokens_is_away(kit: TwoByKit, how: str) -> None:
    """The other one goes on signing within a second, and both sign once it is back."""
    with pool_process(kit.hsm, load=LOAD) as pool:
        daemon = kit.daemons[0]
        end = daemon.thaw if how == "freeze" else lambda: kit.start(0)
        load = _outage(pool, getattr(daemon, how), end)
        assert load["wrong"] == 0
        assert load["slowest"] < PATIENCE + SLACK
        assert load["longest_gap"] < FAIL_OVER_SECONDS
        assert load["last_signed"] > AWAY_SECONDS - 1


@needs_root
def test_tokens_of_two_modules(tmp_path: Path, kit: TwoByKit) -> None:
    """A token that is lost and loaded again disturbs none of another module."""
    store = kit.stores[0]
    crush = CamlCrush(tmp_path, store)
    crush.start()
    both = replace(kit.hsm, tokens=(*crush.hsm.tokens, kit.hsm.tokens[1]))
    hsm = replace(both, environment=crush.hsm.environment)
    try:
        with pool_process(hsm, load=LOAD) as pool:
            load = _outage(pool, crush.daemon.kill, crush.start)
            assert load["wrong"] == 0
            assert load["longest_gap"] < FAIL_OVER_SECONDS
            assert load["last_signed"] > AWAY_SECONDS - 1
            lost, other = pool.ask("status")["slots"]
            assert lost["generation"] > 1
            assert other["generation"] == 1
    finally:
        crush.daemon.kill()
