"""Where transactions end: the last type that is read, and the last fee that could be paid."""

import pytest

from policy.payloads.ethereum import rlp
from policy.reasons import Code
from tests.policy.payloads.examples import BUILDERS, facts, legacy, refusal

TAG = "ethereum.transaction"
OTHER_TYPES = [kind for kind in range(rlp.LIST) if kind not in {1, 2, 3, 4}]


@pytest.mark.parametrize("body", BUILDERS)
def test_every_other_type_is_refused_whatever_its_body(body: str) -> None:
    """A type that is not read stays unread, even around the items of one that is (EIP-2718)."""
    payload = BUILDERS[body]()
    items = payload if payload[0] >= rlp.LIST else payload[1:]
    for kind in OTHER_TYPES:
        reason = refusal(TAG, bytes((kind,)) + items)
        assert (reason.code, reason.rule) == (Code.PAYLOAD_UNSUPPORTED, "transaction.type")


def test_a_fee_of_one_unit_too_many_is_refused() -> None:
    """The largest fee that fits 256 bits is told in full; one unit more is nobody's to pay."""
    largest = facts(TAG, legacy(gas_limit=1, gas_price=2**256 - 1))
    assert largest.transfers[-1].amount == 2**256 - 1
    reason = refusal(TAG, legacy(gas_limit=2, gas_price=2**255))
    assert (reason.code, reason.rule) == (Code.PAYLOAD_MALFORMED, "transaction.gas_limit")
