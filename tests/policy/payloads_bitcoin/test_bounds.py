"""Where PSBTs end to be taken: the last that is, and the first that is not."""

import pytest

from policy.payloads import decode
from policy.payloads.bitcoin import TAG, psbt
from policy.payloads.bitcoin.transaction import MAX_MONEY
from tests.policy.payloads.examples import refusal
from tests.policy.payloads_bitcoin.drafts import (
    BTC,
    ELSEWHERE,
    KEY,
    LOCKS,
    OTHER_KEY,
    Draft,
    Out,
    draft,
    multisig,
    number,
    p2wsh,
    pair,
    spend,
)

FIRST_TIME = 500_000_000  # from here a lock time is a time (BIP-65)
TIME, HEIGHT = b"\x11", b"\x12"  # of an input, BIP-370


def _pays(amount: int, version: int = 0, spent: int = BTC) -> bytes:
    return Draft(version, [spend(LOCKS["P2WPKH"], spent, 1)], [Out(amount, ELSEWHERE)]).payload()


@pytest.mark.parametrize("version", [0, 2])
def test_all_bitcoin_is_the_most(version: int) -> None:
    """An output may hold all the satoshi there are, and no more."""
    facts = decode(TAG, _pays(MAX_MONEY, version, MAX_MONEY)).facts
    assert [item.amount for item in facts.transfers] == [MAX_MONEY, 0]
    assert "more than all bitcoin" in refusal(TAG, _pays(MAX_MONEY + 1, version, MAX_MONEY)).detail


def test_a_fee_may_be_nothing_and_not_less() -> None:
    """Outputs spend what inputs hold, to the satoshi."""
    assert [item.amount for item in decode(TAG, _pays(BTC)).facts.transfers] == [BTC, 0]
    assert refusal(TAG, _pays(BTC + 1)).rule.startswith("psbt")


@pytest.mark.parametrize(("keys", "taken"), [(1, True), (2, True), (16, True), (17, False)])
def test_a_witness_script_has_1_to_16_keys(keys: int, taken: bool) -> None:  # noqa: FBT001 — a table
    """A count beyond OP_16 is another opcode."""
    script = multisig(1, *(KEY if at % 2 else OTHER_KEY for at in range(keys)))
    payload = Draft(0, [spend((p2wsh(script), script), BTC, 1)], [Out(BTC, ELSEWHERE)]).payload()
    if taken:
        assert decode(TAG, payload).facts.transfers[0].amount == BTC
    else:
        assert "neither <key> CHECKSIG nor m <keys> n" in refusal(TAG, payload).detail


LOCKTIMES: dict[str, tuple[list[dict[bytes, int]], int]] = {
    "nothing is required": ([{}, {}], 77),
    "the first height": ([{HEIGHT: 1}, {}], 1),
    "the last height": ([{HEIGHT: FIRST_TIME - 1}, {}], FIRST_TIME - 1),
    "the first time": ([{TIME: FIRST_TIME}, {}], FIRST_TIME),
    "the greatest of two heights": ([{HEIGHT: 5}, {HEIGHT: 9}], 9),
    "the greatest of two times": ([{TIME: FIRST_TIME + 9}, {TIME: FIRST_TIME + 5}], FIRST_TIME + 9),
    "a height where both are given": ([{HEIGHT: 5, TIME: FIRST_TIME + 7}, {HEIGHT: 6}], 6),
    "a height first where all have both": (
        [{HEIGHT: 5, TIME: FIRST_TIME + 7}, {HEIGHT: 6, TIME: FIRST_TIME}],
        6,
    ),
    "a time where one has no height": (
        [{HEIGHT: 5, TIME: FIRST_TIME + 7}, {TIME: FIRST_TIME + 8}],
        FIRST_TIME + 8,
    ),
}


def _locked(required: list[dict[bytes, int]]) -> bytes:
    made = draft(version=2)
    made.locktime = 77
    for item, fields in zip(made.inputs, required, strict=True):
        item.fields |= {key: number(value) for key, value in fields.items()}
    return made.payload()


@pytest.mark.parametrize("case", LOCKTIMES)
def test_the_lock_time_is_what_the_inputs_require(case: str) -> None:
    """As BIP-370 determines it, and the fallback where no input requires any."""
    required, locktime = LOCKTIMES[case]
    assert psbt.read(_locked(required)).transaction.locktime == number(locktime)


@pytest.mark.parametrize(
    ("required", "words"),
    [
        ([{HEIGHT: 0}, {}], "requires a height that is not 1 to 499999999"),
        ([{HEIGHT: FIRST_TIME}, {}], "requires a height that is not 1 to 499999999"),
        ([{TIME: FIRST_TIME - 1}, {}], "requires a time before 500000000"),
        ([{HEIGHT: 1}, {TIME: FIRST_TIME}], "requires a height beside an input that requires a"),
    ],
)
def test_lock_times_that_no_transaction_has(required: list[dict[bytes, int]], words: str) -> None:
    """A time is none where a height is due, nor can one transaction have both."""
    reason = refusal(TAG, _locked(required))
    assert (reason.rule, words in reason.detail) == ("psbt.input", True)


MADE = draft(version=2, count=1)
NEEDED = {
    "version of the transaction": (b"\x02", number(2), "psbt.global"),
    "count of inputs": (b"\x04", b"\1", "psbt.global"),
    "count of outputs": (b"\x05", b"\2", "psbt.global"),
    "previous id": (b"\x0e", MADE.inputs[0].txid, "psbt.input[0]"),
    "output index": (b"\x0f", number(1), "psbt.input[0]"),
    "amount": (b"\x03", number(BTC // 2, 8), "psbt.output[0]"),
    "script": (b"\x04", ELSEWHERE, "psbt.output[0]"),
}


@pytest.mark.parametrize(("key", "value", "where"), NEEDED.values(), ids=NEEDED)
def test_what_lacks_is_named_where_it_lacks(key: bytes, value: bytes, where: str) -> None:
    """Version 2 says in fields what version 0 says in a transaction, and needs each."""
    whole = MADE.payload()
    cut = whole.replace(pair(key, value), b"", 1)
    assert len(cut) == len(whole) - len(pair(key, value))
    reason = refusal(TAG, cut)
    assert (reason.rule, reason.detail) == (where, f"lacks the field {key[0]:#04x}")
