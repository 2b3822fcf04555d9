"""A canary is approved by the ledger, recorded as what it is, and is no payload of anything."""

import json
from contextlib import suppress
from typing import Any

import pytest

from policy.algorithms import Algorithm
from policy.payloads import FORMATS, decode
from policy.reasons import PayloadError
from signer.approval import ApprovalInvalidError
from signer.audit.history import event
from signer.ledger import Ledger
from signer.ledger.canaries import PREFIX, CanaryKey
from tests.policy.payloads.seeds import SEEDS
from tests.support.ledgers import ORIGIN, Bench, freeze, granted, last, pay, spent

KEY = CanaryKey("signgate-canary", 1, Algorithm.ECDSA_P256)


def test_a_canary_signs_once_what_the_ledger_wrote(bench: Bench, ledger: Ledger) -> None:
    """The approval is outstanding once, names its own record, and no two are the same."""
    size = ledger.size()
    first, second = (ledger.canaries.approve(KEY, "hsm-a") for _ in range(2))
    assert first
    assert second
    assert first.message == PREFIX + f"{ORIGIN}\n{size}\n".encode()
    assert (first.decision, second.decision) == (size, size + 1)
    assert first.message != second.message
    bench.mint.redeem(first)
    with pytest.raises(ApprovalInvalidError):
        bench.mint.redeem(first)


@pytest.mark.parametrize(
    ("outcome", "signature"), [("signed", b"s" * 64), ("refused", b""), ("unknown", b"")]
)
def test_a_canary_is_recorded_as_one(ledger: Ledger, outcome: str, signature: bytes) -> None:
    """Approval and outcome are records of their own kind, which replays of history pass over."""
    approval = ledger.canaries.approve(KEY, "hsm-a")
    assert approval
    expected: dict[str, Any] = {
        "event": "canary.decision",
        "outcome": "granted",
        "key_version": "keys/signgate-canary/versions/1",
        "detail": "slot hsm-a",
        "by": "canary",
    }
    assert expected.items() <= last(ledger).items()
    ledger.canaries.record(approval, outcome, signature, "slot hsm-a")
    record = last(ledger)
    expected |= {"event": "canary.outcome", "outcome": outcome, "decision": approval.decision}
    assert expected.items() <= record.items()
    assert ("signature_sha256" in record) == bool(signature)
    assert event(json.dumps(record).encode()) is None


def test_a_canary_charges_nothing(ledger: Ledger) -> None:
    """With the key of a policy, too, the windows hold what they held."""
    granted(ledger, pay(100))
    approval = ledger.canaries.approve(CanaryKey("pay", 1, Algorithm.ED25519), "hsm-a")
    assert approval
    ledger.canaries.record(approval, "signed", b"s", "")
    assert spent(ledger) == 100


@pytest.mark.parametrize(
    ("scope", "name", "stops"),
    [("all", "", True), ("key", "signgate-canary", True), ("key", "pay", False)],
)
def test_a_freeze_stops_canaries(ledger: Ledger, scope: str, name: str, *, stops: bool) -> None:
    """While its key or everything is frozen nothing is approved, and the record says why."""
    freeze(ledger, scope, name)
    assert (ledger.canaries.approve(KEY, "hsm-a") is None) == stops
    record = last(ledger)
    assert record["outcome"] == ("refused" if stops else "granted")
    assert [reason["code"] for reason in record.get("reasons", [])] == ["FROZEN"] * stops


def test_no_policy_no_canary(bench: Bench) -> None:
    """Before there is a policy nothing is signed, canaries included."""
    empty = bench.open(policy=None)
    assert empty.canaries.approve(KEY, "hsm-a") is None
    assert [reason["code"] for reason in last(empty)["reasons"]] == ["KEY_DENIED"]


@pytest.mark.parametrize("tag", FORMATS)
def test_a_canary_is_no_payload(tag: str) -> None:
    """No decoder takes a canary's message, so that no caller could have had it signed."""
    for message in (PREFIX, PREFIX + f"{ORIGIN}\n17\n".encode()):
        with pytest.raises(PayloadError):
            decode(tag, message)


def test_no_payload_is_signed_as_a_canary() -> None:
    """Nothing that a decoder has signed begins as a canary does, in whatever format."""
    for tag, payloads in SEEDS.items():
        decoded = []
        for payload in payloads:
            with suppress(PayloadError):
                decoded.append(decode(tag, payload))
        assert decoded, tag
        messages = [message for item in decoded for message in (item.message, *item.further)]
        assert not any(message.startswith(PREFIX) for message in messages)
