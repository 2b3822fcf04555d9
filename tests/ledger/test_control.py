"""Policies, and how what officers change reaches every process."""

from hashlib import sha256

import pytest

from policy.problems import PolicyError
from signer.ledger import Ledger
from signer.model import Limited
from tests.support.ledgers import (
    ALICE,
    MALLORY,
    OFFICER,
    POLICY,
    Bench,
    code,
    freeze,
    granted,
    last,
    one,
    pay,
    spent,
    thaw,
)

TIGHTER = POLICY.replace('"100"', '"50"')


def test_activation_is_recorded(ledger: Ledger) -> None:
    """A new document is a new version, with a leaf that names it and the officer."""
    assert ledger.activate_policy(TIGHTER, OFFICER) == 2
    digest = sha256(TIGHTER.encode()).hexdigest()
    record = last(ledger)
    assert record["event"] == "policy.activated"
    assert (record["policy"], record["by"]) == ({"version": 2, "sha256": digest}, OFFICER)
    assert code(one(ledger, pay(5001))) == "LIMIT_PER_REQUEST"
    policy = ledger.policy()
    assert policy is not None
    assert policy.sha256 == digest


def test_the_active_document_is_no_new_version(ledger: Ledger) -> None:
    """Activating what is active changes and records nothing; an older one is a new version."""
    size = ledger.size()
    assert ledger.activate_policy(POLICY, OFFICER) == 1
    assert ledger.size() == size
    ledger.activate_policy(TIGHTER, OFFICER)
    assert ledger.activate_policy(POLICY, OFFICER) == 3


def test_a_bootstrap_is_for_empty_ledgers(ledger: Ledger) -> None:
    """A ledger that has a policy ignores the one that it would start with."""
    assert ledger.bootstrap_policy(TIGHTER, "bootstrap") == 1
    granted(ledger, pay(10_000))


@pytest.mark.parametrize("name", ["activate_policy", "bootstrap_policy"])
def test_a_bad_document_changes_nothing(bench: Bench, name: str) -> None:
    """A document with errors is refused as a whole."""
    ledger = bench.open(policy=None)
    size = ledger.size()
    with pytest.raises(PolicyError):
        getattr(ledger, name)("schema = 2", OFFICER)
    assert (ledger.policy(), ledger.size()) == (None, size)


def test_another_process_sees_everything_at_once(bench: Bench, ledger: Ledger) -> None:
    """Usage, policy and freezes of one writer hold in the next transaction of the other."""
    other = bench.open()
    granted(ledger, pay(10_000, id="a"))
    assert spent(other) == 10_000
    granted(other, pay(10_000, id="b"))
    assert spent(ledger) == 20_000
    assert code(one(other, pay(1, id="a"))) == "REQUEST_ID_REUSED"
    freeze(other, "key", "pay", OFFICER)
    assert code(one(ledger, pay(id="c"))) == "FROZEN"
    thaw(ledger, "key", "pay")
    ledger.activate_policy(TIGHTER, OFFICER)
    assert code(one(other, pay(10_000, id="d"))) == "LIMIT_PER_REQUEST"
    assert other.policy() == ledger.policy()
    assert other.head() == ledger.head()


def test_waiting_for_leaves(bench: Bench, ledger: Ledger) -> None:
    """A reader wakes for the commits of any process, on interruption, and in time."""
    size = ledger.size()
    assert ledger.wait(size, 0.01) == size
    assert ledger.wait(size - 1, 5.0) == size
    bench.open()
    assert ledger.wait(size, 5.0) == size + 1
    assert [index for index, _ in ledger.leaves(1, 100)] == list(range(1, size + 1))
    assert len(ledger.leaves(0, 1)) == 1


def test_a_checkpoint_can_be_signed_once(bench: Bench, ledger: Ledger) -> None:
    """The approval names the audit key and the ledger's own head, and nothing else."""
    approved = ledger.approve_checkpoint()
    assert approved is not None
    approval, text = approved
    assert text == ledger.checkpoint_text()
    assert text.startswith(b"signgate.test/log\n2\n")
    assert (approval.message, approval.subject) == (text, ("checkpoint", "2"))
    assert approval.key_version == "keys/signgate-audit/versions/1"
    bench.mint.redeem(approval)


def test_refusals_are_recorded_by_caller(ledger: Ledger) -> None:
    """One leaf for each caller says how many were refused, and by what."""
    size = ledger.size()
    ledger.limited(
        {
            Limited(MALLORY.san, "key pay"): 1,
            Limited(ALICE.san, "share"): 3,
            Limited(ALICE.san, "caller"): 700,
        }
    )
    assert ledger.size() == size + 2
    record = last(ledger)
    assert (record["event"], record["caller"]["san"]) == ("rate.limited", MALLORY.san)
    assert record["detail"] == "key pay: 1"
    assert b"caller: 700, share: 3" in ledger.leaves(size, 1)[0][1]
