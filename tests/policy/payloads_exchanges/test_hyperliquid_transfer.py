"""Hyperliquid transfers: published signatures, facts, and the ways round."""

from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.algorithms import Digest
from policy.keccak import keccak256
from policy.model import Facts, Transfer
from policy.payloads import decode
from policy.payloads.hyperliquid.transfer import TAG
from policy.reasons import Code, PayloadError, Reason

Tree = dict[str, Any]

SEND: Tree = {
    "type": "usdSend",
    "hyperliquidChain": "Testnet",
    "signatureChainId": "0x66eee",
    "destination": "0x5e9ee1089755c3435139848e47e6635505d5a13a",
    "amount": "1",
    "time": 1687816341423,
}
ACCEPTED = (SEND, SEND | {"type": "withdraw3", "hyperliquidChain": "Mainnet", "amount": "1250.5"})
SECRET = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")


@pytest.mark.parametrize(
    ("kind", "r", "s", "v"),
    [
        (
            "usdSend",
            "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073",
            "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7",
            27,
        ),
        (
            "withdraw3",
            "0x8363524c799e90ce9bc41022f7c39b4e9bdba786e5f9c72b20e43e1462c37cf9",
            "0x58b1411a775938b83e29182e8ef74975f9054c8e97ebf5ec2dc8d51bfc893881",
            28,
        ),
    ],
)
def test_published_signatures(kind: str, r: str, s: str, v: int) -> None:
    """The published key gives the published signatures over our message."""
    decoded = decode(TAG, rfc8785.dumps(SEND | {"type": kind}))
    assert decoded.digest is Digest.KECCAK256
    signature = PrivateKey(SECRET).sign_msg_hash(keccak256(decoded.message))
    assert (f"{signature.r:#x}", f"{signature.s:#x}", 27 + signature.v) == (r, s, v)


def test_typed_data_matches_an_oracle() -> None:
    """Another implementation of EIP-712 makes the same message."""
    tree = SEND | {"hyperliquidChain": "Mainnet", "signatureChainId": "0xa4b1", "amount": "0.5"}
    names = ("hyperliquidChain", "destination", "amount")
    oracle = encode_typed_data(
        {
            "name": "HyperliquidSignTransaction",
            "version": "1",
            "chainId": 42161,
            "verifyingContract": "0x" + "0" * 40,
        },
        {
            "HyperliquidTransaction:UsdSend": [
                *({"name": name, "type": "string"} for name in names),
                {"name": "time", "type": "uint64"},
            ]
        },
        {name: tree[name] for name in (*names, "time")},
    )
    expected = b"\x19" + oracle.version + oracle.header + oracle.body
    assert decode(TAG, rfc8785.dumps(tree)).message == expected


def test_a_withdrawal_is_read() -> None:
    """A withdrawal moves USDC to an address, which has its checksum in the facts."""
    tree = SEND | {"type": "withdraw3", "hyperliquidChain": "Mainnet", "amount": "1250.5"}
    assert decode(TAG, rfc8785.dumps(tree)).facts == Facts(
        "hyperliquid.withdrawal",
        (
            Transfer(
                "USDC@hyperliq:perp",
                12505 * 10**35,
                "0x5E9EE1089755C3435139848e47e6635505D5a13A",
                decimals=36,
            ),
        ),
        nonce="1687816341423",
        venue="hyperliquid",
        timestamp=1687816341423,
    )


HOSTILE = {
    "another action": ({"type": "approveAgent"}, Code.PAYLOAD_MALFORMED),
    "type is a list": ({"type": ["usdSend"]}, Code.PAYLOAD_MALFORMED),
    "another network": ({"hyperliquidChain": "mainnet"}, Code.PAYLOAD_MALFORMED),
    "another domain": ({"signatureChainId": "0x1"}, Code.PAYLOAD_MALFORMED),
    "domain with a zero": ({"signatureChainId": "0x0a4b1"}, Code.PAYLOAD_MALFORMED),
    "amount as number": ({"amount": 1}, Code.PAYLOAD_MALFORMED),
    "amount with a zero": ({"amount": "1.0"}, Code.PAYLOAD_MALFORMED),
    "exponent": ({"amount": "1e6"}, Code.PAYLOAD_MALFORMED),
    "nothing": ({"amount": "0"}, Code.PAYLOAD_MALFORMED),
    "seconds": ({"time": 1687816341}, Code.PAYLOAD_MALFORMED),
    "time as text": ({"time": "1687816341423"}, Code.PAYLOAD_MALFORMED),
    "destination with capitals": (
        {"destination": "0x5E9EE1089755C3435139848e47e6635505D5a13A"},
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "short destination": ({"destination": "0x5e9e"}, Code.PAYLOAD_NOT_CANONICAL),
    "long destination": ({"destination": "0x" + "1" * 41}, Code.PAYLOAD_NOT_CANONICAL),
    "destination is null": ({"destination": None}, Code.PAYLOAD_NOT_CANONICAL),
    "extra member": ({"nonce": 1}, Code.PAYLOAD_MALFORMED),
}


@pytest.mark.parametrize(("changes", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], changes: Tree, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, rfc8785.dumps(SEND | changes)).code is code


@pytest.mark.parametrize("name", SEND)
def test_every_member_is_needed_and_signed(
    refusal: Callable[[str, bytes], Reason], name: str
) -> None:
    """Without a member there is no transfer, and with another value another message."""
    less = {key: value for key, value in SEND.items() if key != name}
    assert refusal(TAG, rfc8785.dumps(less)).code is Code.PAYLOAD_MALFORMED
    other = {
        "type": "withdraw3",
        "hyperliquidChain": "Mainnet",
        "signatureChainId": "0xa4b1",
        "destination": "0x" + "1" * 40,
        "amount": "2",
        "time": 1687816341424,
    }
    changed = SEND | {name: other[name]}
    assert decode(TAG, rfc8785.dumps(changed)).message != decode(TAG, rfc8785.dumps(SEND)).message


@settings(deadline=None)
@given(
    st.sampled_from(list(SEND)),
    st.none() | st.booleans() | st.integers(0, 10**13) | st.text() | st.lists(st.text()),
)
def test_any_member(name: str, value: object) -> None:
    """Any value of any member gives facts or the one error."""
    try:
        decoded = decode(TAG, rfc8785.dumps(SEND | {name: value}))
    except (PayloadError, rfc8785.CanonicalizationError):
        return
    assert decoded.facts.transfers
