"""The canary: every slot signs at its pace, and one that fails must prove itself again."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from pkcs11 import exceptions

from policy.algorithms import Algorithm
from signer.canary import Canary
from signer.hsm import Pool, Token
from signer.hsm.errors import Ckr
from signer.hsm.health import SlotState
from signer.ledger import Ledger
from signer.ledger.canaries import CanaryKey
from tests.support.ledgers import Bench, freeze
from tests.support.switched import SwitchedToken, fails, wait_for

KEY = CanaryKey("ecdsa-p256", 1, Algorithm.ECDSA_P256)


class Seen(Counter[tuple[str, str]]):
    """Counts what it is told."""

    def canary(self, slot: str, outcome: str) -> None:
        """Count it."""
        self[slot, outcome] += 1


@pytest.fixture
def tokens(token: Token) -> tuple[SwitchedToken, SwitchedToken]:
    """Two slots with the same keys, and the same label."""
    return SwitchedToken(token, label="twin"), SwitchedToken(token, label="twin")


@pytest.fixture
def pool(tokens: tuple[SwitchedToken, SwitchedToken], bench: Bench) -> Iterator[Pool]:
    """A pool over both, which takes the ledger's approvals."""
    both = (token.as_token() for token in tokens)
    with closing(Pool(*both, sessions=1, redeem=bench.mint.redeem)) as made:
        yield made


@contextmanager
def singing(ledger: Ledger, pool: Pool) -> Iterator[Seen]:
    """Run a canary at a quick pace."""
    seen = Seen()
    with closing(Canary(ledger.canaries, pool, KEY, 0.05, seen)) as canary:
        canary.start()
        yield seen


def test_every_slot_signs(
    ledger: Ledger, pool: Pool, tokens: tuple[SwitchedToken, SwitchedToken]
) -> None:
    """Each slot by itself makes signatures, and goes on; equal labels are told apart."""
    before = [token.switch.signed for token in tokens]
    with singing(ledger, pool) as seen:
        wait_for(lambda: min(seen["twin#1", "signed"], seen["twin#2", "signed"]) >= 2, 20)
    after = [token.switch.signed for token in tokens]
    for number, place in enumerate(("twin#1", "twin#2")):
        assert after[number] - before[number] == seen[place, "signed"]
    assert set(seen) == {("twin#1", "signed"), ("twin#2", "signed")}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(Ckr.GENERAL_ERROR, "unknown"), (Ckr.DATA_INVALID, "refused"), (None, "unknown")],
    ids=["unknown", "refused", "lies"],
)
def test_a_slot_that_fails_must_prove_itself(
    ledger: Ledger,
    pool: Pool,
    tokens: tuple[SwitchedToken, SwitchedToken],
    code: Ckr | None,
    outcome: str,
) -> None:
    """After two failures in a row it is down until it has shown every key; the other goes on."""
    tokens[1].switch.fault = (lambda _: bytes(64)) if code is None else fails(code)
    with singing(ledger, pool) as seen:
        wait_for(lambda: pool.status()[1].generation >= 2, 20)  # it went down
        tokens[1].switch.fault = None
        wait_for(lambda: seen["twin#2", "signed"] >= 1, 20)
    assert pool.status()[0].generation == 1
    assert seen["twin#2", outcome] >= 2
    assert {name for name in seen if name[0] == "twin#1"} == {("twin#1", "signed")}
    wait_for(lambda: all(slot.state is SlotState.UP for slot in pool.status()))


def test_a_slot_that_is_down_fails_at_once(
    ledger: Ledger, pool: Pool, tokens: tuple[SwitchedToken, SwitchedToken]
) -> None:
    """Nobody waits for a slot without sessions; its canary counts as refused."""
    tokens[0].switch.open_error = exceptions.TokenNotPresent()
    pool.distrust("twin#1")
    with singing(ledger, pool) as seen:
        wait_for(lambda: seen["twin#1", "refused"] >= 4, 5)
    tokens[0].switch.open_error = None


def test_a_freeze_silences_it(ledger: Ledger, pool: Pool) -> None:
    """While all is frozen nothing signs, and no slot is blamed."""
    freeze(ledger, "all", "")
    with singing(ledger, pool) as seen:
        wait_for(lambda: seen["twin#1", "frozen"] >= 2)
    assert {outcome for _, outcome in seen} == {"frozen"}
    assert all(slot.state is SlotState.UP for slot in pool.status())


def test_no_ledger_no_canary(bench: Bench, ledger: Ledger, pool: Pool) -> None:
    """Nothing is signed that nobody recorded; the canary goes on trying."""
    bench.close()
    with singing(ledger, pool) as seen:
        wait_for(lambda: seen["twin#2", "failed"] >= 2)
    assert {outcome for _, outcome in seen} == {"failed"}
