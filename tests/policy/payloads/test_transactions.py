"""Ethereum transactions: what the accepted ones say, byte by byte and field by field."""

import coincurve
import pytest

from policy.algorithms import Algorithm, Digest
from policy.model import Facts, Role, Transfer
from policy.payloads import FORMATS, decode, ethereum
from policy.payloads.ethereum import rlp
from tests.policy.payloads.examples import (
    APPROVE,
    BUILDERS,
    GWEI,
    OMNIBUS,
    OMNIBUS_TEXT,
    TRANSFER,
    TRANSFER_FROM,
    USDC,
    USDC_TEXT,
    blob,
    call,
    dynamic_fee,
    facts,
    legacy,
    set_code,
    token,
)

TAG = "ethereum.transaction"
TOKEN = f"eip155:1/erc20:{USDC_TEXT}"
COIN = "eip155:1/slip44:60"
DYNAMIC_FEE = Transfer(COIN, 65_000 * 30 * GWEI, None, Role.FEE)
FEES = {"legacy": 20 * GWEI, "access list": 20 * GWEI, "dynamic fee": 30 * GWEI}


@pytest.mark.parametrize("kind", FEES)
def test_a_plain_transfer_moves_value_and_fee(kind: str) -> None:
    """Every type gives the same facts; the fee is the gas limit at the highest price."""
    fee = Transfer(COIN, 65_000 * FEES[kind], None, Role.FEE)
    payload = BUILDERS[kind]()
    decoded = decode(TAG, payload)
    assert decoded.facts == Facts(
        action="native.transfer",
        transfers=(Transfer(COIN, 10**18, OMNIBUS_TEXT), fee),
        chain_id=1,
        nonce="7",
    )
    assert (decoded.message, decoded.digest) == (payload, Digest.KECCAK256)


def test_a_token_transfer_moves_the_token() -> None:
    """The asset is the token at ``to``, the destination is the one in the call."""
    assert facts(TAG, token(call(TRANSFER, OMNIBUS, 5))) == Facts(
        action="erc20.transfer",
        transfers=(Transfer(TOKEN, 5, OMNIBUS_TEXT), DYNAMIC_FEE),
        chain_id=1,
        nonce="7",
    )


def test_an_unlimited_approval_is_spending_all_of_it() -> None:
    """An allowance counts in full, and its spender is the destination."""
    assert facts(TAG, token(call(APPROVE, OMNIBUS, 2**256 - 1))) == Facts(
        action="erc20.approve",
        transfers=(Transfer(TOKEN, 2**256 - 1, OMNIBUS_TEXT, Role.ALLOWANCE), DYNAMIC_FEE),
        chain_id=1,
        nonce="7",
    )


def test_transfer_from_names_whose_funds_move() -> None:
    """The owner is the source, so that a policy can tell them from the key's own."""
    moved = facts(TAG, token(call(TRANSFER_FROM, USDC, OMNIBUS, 5)))
    assert moved == Facts(
        action="erc20.transferFrom",
        transfers=(Transfer(TOKEN, 5, OMNIBUS_TEXT), DYNAMIC_FEE),
        chain_id=1,
        source=USDC_TEXT,
        nonce="7",
    )


def test_a_token_is_named_with_its_chain_and_contract() -> None:
    """The right call on another contract or chain moves another asset."""
    moved = facts(TAG, token(call(TRANSFER, OMNIBUS, 5), to=OMNIBUS, chain_id=137))
    assert moved.chain_id == 137
    assert [transfer.asset for transfer in moved.transfers] == [
        f"eip155:137/erc20:{OMNIBUS_TEXT}",
        "eip155:137/slip44:60",
    ]


@pytest.mark.parametrize("free", [{"gas_limit": 0}, {"max_fee": 0, "priority_fee": 0}])
def test_no_fee_is_no_transfer(free: dict[str, int]) -> None:
    """A fee of zero is left out; any other stands in the facts, however large."""
    assert len(facts(TAG, dynamic_fee(**free)).transfers) == 1


def test_a_fee_larger_than_the_payment_is_told() -> None:
    """Burning more than is paid is for the policy to see, so it is in the facts in full."""
    payment, fee = facts(TAG, dynamic_fee(value=1, max_fee=10**30)).transfers
    assert (payment.amount, fee.amount) == (1, 65_000 * 10**30)


EDGES: dict[str, dict[str, int]] = {
    "the last nonce (EIP-2681)": {"nonce": 2**64 - 2},
    "the first nonce": {"nonce": 0},
    "the most value": {"value": 2**256 - 1},
    "no value": {"value": 0},
    "the most gas": {"gas_limit": 2**64 - 1},
    "the most gas price": {"gas_price": 2**256 - 1, "gas_limit": 1},
    "the last chain": {"chain_id": 2**63 - 19},
}


@pytest.mark.parametrize("name", EDGES)
def test_the_edges_of_the_fields_are_inside(name: str) -> None:
    """The largest and smallest values that the specifications allow are decoded."""
    assert facts(TAG, legacy(**EDGES[name])).action == "native.transfer"


def test_a_priority_fee_may_be_the_whole_fee() -> None:
    """EIP-1559 asks for no more than: max priority fee at most max fee."""
    assert facts(TAG, dynamic_fee(priority_fee=GWEI, max_fee=GWEI)).transfers[1].amount


def test_an_access_list_changes_no_fact() -> None:
    """Access lists move nothing: doubled entries and empty key lists are allowed (EIP-2930)."""
    entries: list[rlp.Item] = [[USDC, [b"\1" * 32, b"\1" * 32]], [USDC, []]]
    assert facts(TAG, dynamic_fee(access_list=entries)) == facts(TAG, dynamic_fee())


def test_only_secp256k1_signs_transactions() -> None:
    """The format takes one algorithm and names its actions."""
    form = FORMATS[TAG]
    assert form.algorithms == {Algorithm.ECDSA_SECP256K1}
    erc20 = {"erc20.transfer", "erc20.transferFrom", "erc20.approve"}
    others = {"native.transfer", "ethereum.blob", "ethereum.set-code"}
    assert form.actions == others | erc20


def test_the_worked_example_of_eip_155_comes_out() -> None:
    """From the fields to the signed transaction, every figure is that of EIP-155."""
    payload = legacy(nonce=9, gas_price=20 * GWEI, gas_limit=21_000, to=b"\x35" * 20, value=10**18)
    assert payload.hex() == (
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
    )
    expected_hash = "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert ethereum.signing_hash(decode(TAG, payload).message).hex() == expected_hash
    signature = coincurve.PrivateKey(b"\x46" * 32).sign_recoverable(
        ethereum.signing_hash(payload), hasher=None
    )
    raw = ethereum.assemble(payload, signature[:64], signature[64])
    assert raw.hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025"
        "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


@pytest.mark.parametrize(
    ("size", "y_parity"), [(63, 0), (65, 0), (0, 1), (64, 2), (64, -1), (64, 27)]
)
def test_a_wrong_signature_is_not_assembled(size: int, y_parity: int) -> None:
    """What no node would take is refused where it is made."""
    with pytest.raises(ValueError, match="64 bytes"):
        ethereum.assemble(legacy(), bytes(size), y_parity)


def test_short_scalars_of_a_signature_lose_their_zeros() -> None:
    """The r and s of a signed transaction are scalars: no leading zeros (Yellow Paper, 4.2)."""
    r, s = bytes(1) + b"\1" * 31, bytes(31) + b"\2"
    raw = rlp.decode(ethereum.assemble(dynamic_fee(), r + s, 1)[1:], "raw")
    assert raw[-3:] == [b"\1", b"\1" * 31, b"\2"]


def test_blobs_are_paid_for_beside_the_gas() -> None:
    """A blob transaction moves coins by an action of its own; blob gas counts as fee."""
    found = facts(TAG, blob(blob_hashes=[b"\1" + b"\x0b" * 31] * 3, blob_fee=5))
    fee = 65_000 * 30 * GWEI + 3 * 2**17 * 5  # EIP-4844: 2^17 gas a blob
    assert found == Facts(
        action="ethereum.blob",
        transfers=(Transfer(COIN, 10**18, OMNIBUS_TEXT), Transfer(COIN, fee, None, Role.FEE)),
        chain_id=1,
        nonce="7",
    )


def test_every_contract_that_accounts_take_on_is_a_destination() -> None:
    """An authorisation moves nothing by itself, but a grant must list its contract."""
    signed: list[rlp.Item] = [b"\5", b"\1", b"\x28" * 32, b"\x67" * 32]
    authorizations: list[rlp.Item] = [[b"\1", USDC, *signed], [b"\1", bytes(20), *signed]]
    found = facts(TAG, set_code(value=0, authorizations=authorizations))
    assert found.action == "ethereum.set-code"
    assert found.transfers == (
        Transfer(COIN, 0, OMNIBUS_TEXT),
        Transfer(COIN, 0, USDC_TEXT, Role.ALLOWANCE),
        Transfer(COIN, 0, "0x" + "0" * 40, Role.ALLOWANCE),
        DYNAMIC_FEE,
    )


@pytest.mark.parametrize("y_parity", [0, 1])
def test_a_signature_is_put_in_as_scalars(y_parity: int) -> None:
    """EIP-155: v has the chain and the parity; r and s lose the zeros in front alone."""
    r, s = b"\0XX" + b"\1" * 29, b"\0\0X" + b"\2" * 29
    raw = ethereum.assemble(legacy(), r + s, y_parity)
    assert rlp.decode(raw, "here")[6:] == [bytes((37 + y_parity,)), r[1:], s[2:]]
