"""A pool of switched tokens: one signature, its health, and a fault that holds it up."""

import threading
import time

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.hsm import Pool
from signer.hsm.health import SessionState, SlotState
from tests.support.signing import approval

P256 = Algorithm.ECDSA_P256


def sign_once(pool: Pool, mint: Mint, seconds: float = 5) -> bytes:
    """Sign with the key on P-256, within some time."""
    return pool.sign(mint.issue(approval(P256)), time.monotonic() + seconds)


def is_up(pool: Pool) -> bool:
    """Whether every session of every slot is ready."""
    return pool.is_ready and all(
        status.state is SlotState.UP
        and status.sessions[SessionState.READY] == sum(status.sessions.values())
        for status in pool.status()
    )


class Gate:
    """A fault that holds every signature until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, signature: bytes) -> bytes:
        """Wait."""
        self.entered.set()
        assert self.opened.wait(10)
        return signature
