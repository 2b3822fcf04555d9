"""Generated Hyperliquid orders and transfers, hashed and signed by other implementations."""

from typing import Any

import msgpack
import rfc8785
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from policy.keccak import keccak256
from policy.payloads import decode
from policy.payloads.hyperliquid import action, transfer
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_exchanges import made_up

KEY = Account.from_key(b"\x46" * 32)
WIRE_ORDER = "abpsrtc"  # which MessagePack keeps
ZERO = "0x" + "0" * 40
Tree = dict[str, Any]

_times = st.integers(10**12, 10**13 - 1)
_wires = st.fixed_dictionaries(
    {
        "a": st.integers(0, 9999),
        "b": st.booleans(),
        "p": made_up.decimals,
        "s": made_up.decimals,
        "r": st.booleans(),
        "t": st.sampled_from(["Alo", "Gtc", "Ioc"]).map(lambda tif: {"limit": {"tif": tif}}),
    },
    optional={"c": st.binary(min_size=16, max_size=16).map(lambda raw: f"0x{raw.hex()}")},
)


def _recovered(payload: bytes, typed: Any, tag: str) -> None:
    """Sign our message; the oracle sees the key as the signer of its own typed data."""
    decoded = decode(tag, payload)
    signature = KEY.unsafe_sign_hash(keccak256(decoded.message)).signature
    assert decoded.message == b"\x19" + typed.version + typed.header + typed.body
    assert Account.recover_message(typed, signature=signature) == KEY.address


@oracle
@given(_wires, _times, st.sampled_from(["a", "b"]), st.none() | _times)
def test_an_orders_typed_data_is_the_oracles(
    wire: Tree, nonce: int, source: str, expires: int | None
) -> None:
    """MessagePack, Keccak and EIP-712 of other libraries give our message."""
    ordered = {name: wire[name] for name in WIRE_ORDER if name in wire}
    order: Tree = {"type": "order", "orders": [ordered], "grouping": "na"}
    packed = msgpack.packb(order) + nonce.to_bytes(8, "big") + b"\0"
    document: Tree = {"action": order, "nonce": nonce, "source": source}
    if expires is not None:
        packed += b"\0" + expires.to_bytes(8, "big")
        document["expiresAfter"] = expires
    typed = encode_typed_data(
        {"name": "Exchange", "version": "1", "chainId": 1337, "verifyingContract": ZERO},
        {
            "Agent": [
                {"name": "source", "type": "string"},
                {"name": "connectionId", "type": "bytes32"},
            ]
        },
        {"source": source, "connectionId": keccak256(packed)},
    )
    _recovered(rfc8785.dumps(document), typed, action.TAG)


@oracle
@given(
    st.sampled_from([("usdSend", "UsdSend"), ("withdraw3", "Withdraw")]),
    st.sampled_from(["Mainnet", "Testnet"]),
    st.sampled_from(["0x66eee", "0xa4b1"]),
    st.binary(min_size=20, max_size=20),
    made_up.decimals,
    _times,
)
def test_a_transfers_typed_data_is_the_oracles(
    kind: tuple[str, str], network: str, chain: str, to: bytes, amount: str, time: int
) -> None:
    """A transfer's members are hashed as its pinned type has them."""
    members: Tree = {
        "hyperliquidChain": network,
        "destination": f"0x{to.hex()}",
        "amount": amount,
        "time": time,
    }
    typed = encode_typed_data(
        {
            "name": "HyperliquidSignTransaction",
            "version": "1",
            "chainId": int(chain, 16),
            "verifyingContract": ZERO,
        },
        {
            f"HyperliquidTransaction:{kind[1]}": [
                {"name": "hyperliquidChain", "type": "string"},
                {"name": "destination", "type": "string"},
                {"name": "amount", "type": "string"},
                {"name": "time", "type": "uint64"},
            ]
        },
        members,
    )
    payload = rfc8785.dumps(members | {"type": kind[0], "signatureChainId": chain})
    _recovered(payload, typed, transfer.TAG)
