"""Signals, however many and however fast."""

import signal
import subprocess

import pytest

from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from tests.end_to_end.test_kills import killed

__all__ = ["killed"]  # the fixture: an installation of its own


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_many_signals_drain_once(killed: Environment, number: signal.Signals) -> None:
    """A signal that comes while another is being handled does not stop the drain."""
    server = Serving(killed)
    for _ in range(2000):
        server.process.send_signal(number)
    try:
        assert server.stop(20) == 0
    except subprocess.TimeoutExpired:
        server.kill()
        raise
