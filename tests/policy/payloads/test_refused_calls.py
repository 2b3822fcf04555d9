"""Token calls that must be refused: calldata has one reading or none."""

from collections.abc import Mapping

import pytest

from policy.document import load
from policy.engine import Unused, decide
from policy.model import CONTRACT_CALL, Ask, ContractCall, Role
from policy.payloads import FORMATS
from policy.payloads.ethereum import calls
from policy.reasons import Code, PayloadError
from tests.policy.payloads.examples import (
    APPROVE,
    OMNIBUS,
    OMNIBUS_TEXT,
    TRANSFER,
    TRANSFER_FROM,
    USDC,
    USDC_TEXT,
    call,
    facts,
    refusal,
    token,
)

TAG = "ethereum.transaction"
MALFORMED, NOT_CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED = Code.PAYLOAD_UNSUPPORTED
PAID = call(TRANSFER, OMNIBUS, 10**6)
DIRTY = b"\1" + bytes(11) + OMNIBUS
NEARLY_CLEAN = bytes(11) + b"\1" + OMNIBUS

CALLS: Mapping[str, tuple[bytes, Code]] = {
    "one byte": (b"\xa9", UNSUPPORTED),
    "three bytes of a selector": (PAID[:3], UNSUPPORTED),
    "a selector alone": (PAID[:4], MALFORMED),
    "one word": (PAID[:36], MALFORMED),
    "a byte short": (PAID[:-1], MALFORMED),
    "a short address": (PAID[:35] + PAID[36:], MALFORMED),
    "a byte long": (PAID + b"\0", MALFORMED),
    "a word long": (PAID + bytes(32), MALFORMED),
    "ten kilobytes long": (PAID + bytes(10_000), MALFORMED),
    "a tracking suffix": (PAID + bytes.fromhex("8021ab1e"), MALFORMED),
    "a selector in hexadecimal": (b"a9059cbb" + PAID[4:], UNSUPPORTED),
    "a zero in front": (b"\0" + PAID, UNSUPPORTED),
    "transfer: dirty address": (call(TRANSFER, DIRTY, 1), NOT_CANONICAL),
    "transfer: nearly clean address": (call(TRANSFER, NEARLY_CLEAN, 1), NOT_CANONICAL),
    "transfer: address to the left": (call(TRANSFER, OMNIBUS + bytes(12), 1), NOT_CANONICAL),
    "transfer: the zero address": (call(TRANSFER, 0, 1), UNSUPPORTED),
    "transfer: the zero address, dirty": (call(TRANSFER, 2**160, 1), NOT_CANONICAL),
    "transfer: arguments exchanged": (call(TRANSFER, 2**255, OMNIBUS), NOT_CANONICAL),
    "transfer: three words": (call(TRANSFER, USDC, OMNIBUS, 1), MALFORMED),
    "transferFrom: two words": (call(TRANSFER_FROM, OMNIBUS, 1), MALFORMED),
    "transferFrom: four words": (call(TRANSFER_FROM, USDC, OMNIBUS, 1, 0), MALFORMED),
    "transferFrom: dirty owner": (call(TRANSFER_FROM, DIRTY, OMNIBUS, 1), NOT_CANONICAL),
    "transferFrom: dirty destination": (call(TRANSFER_FROM, USDC, DIRTY, 1), NOT_CANONICAL),
    "transferFrom: from nobody": (call(TRANSFER_FROM, 0, OMNIBUS, 1), UNSUPPORTED),
    "transferFrom: to nobody": (call(TRANSFER_FROM, USDC, 0, 1), UNSUPPORTED),
    "approve: dirty spender": (call(APPROVE, DIRTY, 1), NOT_CANONICAL),
    "approve: no spender": (call(APPROVE, 0, 1), UNSUPPORTED),
    "approve: one word": (call(APPROVE, OMNIBUS), MALFORMED),
    "approve: three words": (call(APPROVE, OMNIBUS, 0, 1), MALFORMED),
}

# A policy that allows whatever it can name to be done with USDC.
CALLER = "wallet.firm.example"
_ACTIONS = ("native.transfer", "erc20.transfer", "erc20.transferFrom", "erc20.approve")
GENEROUS = load(
    f"""
schema = 1
[assets."USDC@eip155:1"]
contract = "{USDC_TEXT}"
decimals = 6
[keys.k]
algorithm = "ecdsa-secp256k1"
payloads = ["{TAG}"]
"""
    + "".join(
        f"""
[[keys.k.grants]]
id = "g{index}"
callers = ["{CALLER}"]
action = "{action}"
chain_ids = [1]
assets = ["USDC@eip155:1", "ETH@eip155:1"]
destinations = ["{OMNIBUS_TEXT}", "{USDC_TEXT}"]
sources = ["{USDC_TEXT}"]
"""
        for index, action in enumerate(_ACTIONS)
    )
    + "".join(
        f"""
[[keys.k.limits]]
asset = "{asset}"
per_request = "1000000000"
windows = [{{ span = "1h", total = "1000000000" }}]
"""
        for asset in ("USDC@eip155:1", "ETH@eip155:1")
    ),
    FORMATS,
)

# What would move value in a way that these decoders do not read.
SELECTORS = {
    "increaseAllowance": "39509351",
    "decreaseAllowance": "a457c2d7",
    "permit (EIP-2612)": "d505accf",
    "permit of DAI": "8fcbaf0c",
    "permit (Permit2)": "2b67b570",
    "transferFrom (Permit2)": "36c78516",
    "approve (Permit2)": "87517c45",
    "transferAndCall (ERC-1363)": "4000aea0",
    "approveAndCall (ERC-1363)": "3177029f",
    "send (ERC-777)": "9bd9bbc6",
    "authorizeOperator (ERC-777)": "959b8c3f",
    "safeTransferFrom (ERC-721)": "42842e0e",
    "setApprovalForAll (ERC-721)": "a22cb465",
    "transferWithAuthorization (EIP-3009)": "e3ee160e",
    "mint": "40c10f19",
    "burn": "42966c68",
    "deposit (WETH)": "d0e30db0",
    "withdraw (WETH)": "2e1a7d4d",
    "transferOwnership": "f2fde38b",
    "upgradeTo": "3659cfe6",
    "multicall": "ac9650d8",
    "multicall with a deadline": "5ae401dc",
    "aggregate (Multicall3)": "252dba42",
    "aggregate3 (Multicall3)": "82ad56cb",
    "execTransaction (Safe)": "6a761202",
    "multiSend (Safe)": "8d80ff0a",
    "execute (ERC-4337)": "b61d27f6",
    "executeBatch (ERC-4337)": "47e1da2a",
    "execute (universal router)": "3593564c",
    "zero": "00000000",
    "transfer's next neighbour": "a9059cbc",
}


@pytest.mark.parametrize("name", CALLS)
def test_calldata_has_one_reading_or_none(name: str) -> None:
    """Short, long, dirty and misdirected calls are refused, at the data."""
    data, code = CALLS[name]
    reason = refusal(TAG, token(data))
    assert (reason.code, reason.rule) == (code, "transaction.data")


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("words", [0, 2, 3, 9])
def test_other_methods_are_left_to_the_policy(name: str, words: int) -> None:
    """A method that is not one of the three moves nothing that is known, and so is denied."""
    arguments: tuple[int | bytes, ...] = (OMNIBUS, 10**6, USDC, 0, 64, 1, 2, 3, 4)
    data = call(SELECTORS[name], *arguments[:words])
    found = facts(TAG, token(data, value=3))
    assert found.call == ContractCall(USDC_TEXT, 3, data.hex())
    assert found.action == CONTRACT_CALL
    assert [moved.role for moved in found.transfers] == [Role.FEE]
    ask = Ask("k", TAG, CALLER, found)
    reasons = decide(GENEROUS, ask, Unused(), now_ms=0).reasons
    assert reasons[0].code is Code.CALL_NOT_PINNED


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("ac9650d8") + bytes(31),
        bytes.fromhex("ac9650d8") + bytes(33),
        bytes.fromhex("ac9650d8") + bytes(17 * 32),
        b"\xac\x96\x50",
    ],
)
def test_what_is_no_call_of_static_arguments_is_refused(data: bytes) -> None:
    """A part of a word, too many words and a part of a selector have no reading at all."""
    reason = refusal(TAG, token(data))
    assert (reason.code, reason.rule) == (UNSUPPORTED, "transaction.data")


@pytest.mark.parametrize(
    "data", [PAID, call(APPROVE, OMNIBUS, 1), call(TRANSFER_FROM, USDC, OMNIBUS, 1)]
)
@pytest.mark.parametrize("value", [1, 10**18, 2**256 - 1])
def test_value_beside_a_call_is_refused(data: bytes, value: int) -> None:
    """A token method takes no coins: beside one they would be lost or do something else."""
    reason = refusal(TAG, token(data, value=value))
    assert (reason.code, reason.rule) == (UNSUPPORTED, "transaction.value")


def test_a_memo_beside_a_plain_transfer_is_refused() -> None:
    """A transfer of coins has no data: whoever receives it may be a contract that reads it."""
    assert refusal(TAG, token(b"hello", value=1)).code is UNSUPPORTED


def test_a_call_wrapped_in_another_is_refused() -> None:
    """A transfer inside a Safe's execTransaction is not read, so it is not signed."""
    inner = PAID.ljust(96, b"\0")
    data = call("6a761202", USDC, 0, 320, 0, 0, 0, 0, 0, 0, 448, len(PAID)) + inner + bytes(32)
    ask = Ask("k", TAG, CALLER, facts(TAG, token(data)))
    assert decide(GENEROUS, ask, Unused(), now_ms=0).reasons[0].code is Code.CALL_NOT_PINNED


def test_every_upper_byte_of_an_address_counts() -> None:
    """None of the twelve bytes above an address may be anything but zero."""
    for at in range(4, 16):
        dirty = PAID[:at] + b"\1" + PAID[at + 1 :]
        assert refusal(TAG, token(dirty)).code is NOT_CANONICAL


def test_a_call_of_sixteen_words_is_left_to_the_policy() -> None:
    """As many static arguments are read; one more is refused, and so is half a word."""
    longest = b"\x12\x34\x56\x78" + bytes(16 * 32)
    assert calls.effect(1, USDC, 0, longest, "here").action == CONTRACT_CALL
    for data in (longest + bytes(32), longest + bytes(16)):
        with pytest.raises(PayloadError, match="up to 16 words"):
            calls.effect(1, USDC, 0, data, "here")
