"""Hyperliquid actions: the hash against published vectors, facts, and the ways round."""

import copy
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
from policy.model import Facts, Side, Transfer
from policy.payloads import decode
from policy.payloads.hyperliquid import typed_data
from policy.payloads.hyperliquid.action import TAG
from policy.reasons import Code, PayloadError, Reason

Tree = dict[str, Any]

ORDER: Tree = {
    "action": {
        "type": "order",
        "grouping": "na",
        "orders": [
            {
                "a": 4,
                "b": True,
                "p": "1670.1",
                "s": "0.0147",
                "r": False,
                "t": {"limit": {"tif": "Ioc"}},
            }
        ],
    },
    "nonce": 1677777606040,
    "source": "a",
}
CANCEL: Tree = {
    "action": {"type": "cancel", "cancels": [{"a": 4, "o": 91490942}]},
    "nonce": 1677777606040,
    "source": "b",
}
CLIENT_ID = "0x00000000000000000000000000000001"
CANCEL_BY_ID: Tree = {
    "action": {"type": "cancelByCloid", "cancels": [{"asset": 4, "cloid": CLIENT_ID}]},
    "nonce": 1677777606040,
    "source": "a",
}
VAULT = "0x1719884eb866CB12B2287399b15f7dB5E7d775EA"
ONE = 10**36
GONE = object()


def _edited(tree: Tree, where: str, value: object) -> Tree:
    """Set the member at a place like ``action.orders.0.p``; GONE takes it out."""
    edited = copy.deepcopy(tree)
    *parents, last = (int(part) if part.isdigit() else part for part in where.split("."))
    place: Any = edited
    for part in parents:
        place = place[part]
    if value is GONE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return edited


FULL = _edited(
    _edited(
        _edited(_edited(ORDER, "vaultAddress", VAULT), "expiresAfter", 1677777666999),
        "action.orders.0.c",
        CLIENT_ID,
    ),
    "action.orders.0.b",
    value=False,
)
ACCEPTED = (ORDER, CANCEL, CANCEL_BY_ID, FULL)


def _signed(action: Tree, source: str, vault: str | None = None) -> tuple[str, str, int]:
    secret = PrivateKey(
        bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")
    )
    message = typed_data.message(typed_data.action_hash(action, 0, vault, None), source)
    signature = secret.sign_msg_hash(keccak256(message))
    return f"{signature.r:#x}", f"{signature.s:#x}", 27 + signature.v


def _hundred(**more: object) -> Tree:
    wire = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}
    return {"type": "order", "orders": [wire | more], "grouping": "na"}


@pytest.mark.parametrize(
    ("action", "source", "vault", "signature"),
    [
        (
            _hundred(),
            "a",
            None,
            (
                "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
                "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
                28,
            ),
        ),
        (
            _hundred(),
            "b",
            None,
            (
                "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
                "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
                27,
            ),
        ),
        (
            _hundred(c=CLIENT_ID),
            "a",
            None,
            (
                "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
                "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
                27,
            ),
        ),
        (
            {"type": "dummy", "num": 100000000000},
            "a",
            VAULT,
            (
                "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
                "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
                28,
            ),
        ),
    ],
)
def test_published_signatures(
    action: Tree, source: str, vault: str | None, signature: tuple[str, str, int]
) -> None:
    """The published key gives the published signatures over our message."""
    assert _signed(action, source, vault) == signature


def test_the_published_connection_id() -> None:
    """The order of the published production example decodes to the published hash."""
    decoded = decode(TAG, rfc8785.dumps(ORDER))
    connection_id = bytes.fromhex(
        "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    )
    assert decoded.message == typed_data.message(connection_id, "a")
    assert decoded.digest is Digest.KECCAK256


@pytest.mark.parametrize("source", ["a", "b"])
def test_typed_data_matches_an_oracle(source: str) -> None:
    """Another implementation of EIP-712 makes the same message of a hash."""
    connection_id = bytes(range(32))
    oracle = encode_typed_data(
        {"name": "Exchange", "version": "1", "chainId": 1337, "verifyingContract": "0x" + "0" * 40},
        {
            "Agent": [
                {"name": "source", "type": "string"},
                {"name": "connectionId", "type": "bytes32"},
            ]
        },
        {"source": source, "connectionId": connection_id},
    )
    expected = b"\x19" + oracle.version + oracle.header + oracle.body
    assert typed_data.message(connection_id, source) == expected


def test_an_order_is_read() -> None:
    """A buy gives away price times size of the collateral."""
    assert decode(TAG, rfc8785.dumps(ORDER)).facts == Facts(
        "hyperliquid.order",
        (
            Transfer(
                "USDC@hyperliq:perp",
                16701 * 147 * ONE // 10**5,
                "hyperliq:perp/4",
                decimals=36,
            ),
        ),
        nonce="1677777606040",
        venue="hyperliquid",
        symbol="4",
        side=Side.BUY,
        order_type="Ioc",
        quantity="0.0147",
        price="1670.1",
        timestamp=1677777606040,
    )


def test_a_sell_for_a_vault_is_read() -> None:
    """A sell counts its size; the vault is whose funds move; the expiry is in seconds."""
    facts = decode(TAG, rfc8785.dumps(FULL)).facts
    assert facts.transfers[0].asset == "4@hyperliq:perp"
    assert facts.transfers[0].amount == 147 * ONE // 10**4
    assert (facts.source, facts.expires_at, facts.side) == (VAULT, 1677777666, Side.SELL)


@pytest.mark.parametrize("tree", [CANCEL, CANCEL_BY_ID])
def test_a_cancellation_moves_nothing(tree: Tree) -> None:
    """A cancellation names its market, has no transfer, and expires like an order."""
    facts = decode(TAG, rfc8785.dumps(tree)).facts
    assert (facts.action, facts.transfers, facts.symbol) == ("hyperliquid.cancel", (), "4")
    assert facts.expires_at is None
    until = rfc8785.dumps(tree | {"expiresAfter": 1677777666999})
    assert decode(TAG, until).facts.expires_at == 1677777666


def test_every_member_is_signed() -> None:
    """Changing any one member changes the message."""
    changes = {
        "source": "b",
        "nonce": 1677777606041,
        "expiresAfter": 1677777666998,
        "vaultAddress": "0x1111111111111111111111111111111111111111",
        "action.orders.0.a": 5,
        "action.orders.0.b": True,
        "action.orders.0.p": "1670.2",
        "action.orders.0.s": "0.0148",
        "action.orders.0.r": True,
        "action.orders.0.t.limit.tif": "Alo",
        "action.orders.0.c": CLIENT_ID.replace("1", "2"),
    }
    trees = [FULL, *(_edited(FULL, where, value) for where, value in changes.items())]
    optional = ("expiresAfter", "vaultAddress", "action.orders.0.c")
    trees += [_edited(FULL, where, GONE) for where in optional]
    messages = {decode(TAG, rfc8785.dumps(tree)).message for tree in trees}
    assert len(messages) == len(trees)


FIRST = "action.orders.0."
HOSTILE = {
    "no action": (_edited(ORDER, "action", GONE), Code.PAYLOAD_MALFORMED),
    "action is text": (_edited(ORDER, "action", "order"), Code.PAYLOAD_UNSUPPORTED),
    "type is a list": (_edited(ORDER, "action.type", ["order"]), Code.PAYLOAD_UNSUPPORTED),
    "no source": (_edited(ORDER, "source", GONE), Code.PAYLOAD_MALFORMED),
    "other source": (_edited(ORDER, "source", "c"), Code.PAYLOAD_MALFORMED),
    "source is a list": (_edited(ORDER, "source", ["a"]), Code.PAYLOAD_MALFORMED),
    "extra member": (_edited(ORDER, "signature", "0x"), Code.PAYLOAD_MALFORMED),
    "extra in action": (_edited(ORDER, "action.builder", {"f": 9}), Code.PAYLOAD_MALFORMED),
    "extra in order": (_edited(ORDER, FIRST + "x", 1), Code.PAYLOAD_MALFORMED),
    "extra in type": (_edited(ORDER, FIRST + "t.trigger", {}), Code.PAYLOAD_MALFORMED),
    "extra in limit": (_edited(ORDER, FIRST + "t.limit.x", 1), Code.PAYLOAD_MALFORMED),
    "batch": (
        _edited(ORDER, "action.orders.1", ORDER["action"]["orders"][0]),
        Code.PAYLOAD_MALFORMED,
    ),
    "no order": (_edited(ORDER, "action.orders", []), Code.PAYLOAD_MALFORMED),
    "orders is an object": (_edited(ORDER, "action.orders", {}), Code.PAYLOAD_MALFORMED),
    "order is a list": (_edited(ORDER, "action.orders", [[]]), Code.PAYLOAD_MALFORMED),
    "cancels is a batch": (
        _edited(CANCEL, "action.cancels.1", {"a": 1, "o": 1}),
        Code.PAYLOAD_MALFORMED,
    ),
    "grouping": (_edited(ORDER, "action.grouping", "normalTpsl"), Code.PAYLOAD_MALFORMED),
    "trigger": (
        _edited(
            ORDER, FIRST + "t", {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}
        ),
        Code.PAYLOAD_MALFORMED,
    ),
    "market front end": (
        _edited(ORDER, FIRST + "t.limit.tif", "FrontendMarket"),
        Code.PAYLOAD_MALFORMED,
    ),
    "spot pair": (_edited(ORDER, FIRST + "a", 10000), Code.PAYLOAD_MALFORMED),
    "negative market": (_edited(ORDER, FIRST + "a", -1), Code.PAYLOAD_MALFORMED),
    "market as text": (_edited(ORDER, FIRST + "a", "4"), Code.PAYLOAD_MALFORMED),
    "market as boolean": (_edited(ORDER, FIRST + "a", value=True), Code.PAYLOAD_MALFORMED),
    "side as number": (_edited(ORDER, FIRST + "b", 1), Code.PAYLOAD_MALFORMED),
    "price as number": (_edited(ORDER, FIRST + "p", 1670), Code.PAYLOAD_MALFORMED),
    "price with needless zero": (_edited(ORDER, FIRST + "p", "1670.10"), Code.PAYLOAD_MALFORMED),
    "price with exponent": (_edited(ORDER, FIRST + "p", "1e3"), Code.PAYLOAD_MALFORMED),
    "no price": (_edited(ORDER, FIRST + "p", GONE), Code.PAYLOAD_MALFORMED),
    "price of zero": (_edited(ORDER, FIRST + "p", "0"), Code.PAYLOAD_MALFORMED),
    "negative size": (_edited(ORDER, FIRST + "s", "-1"), Code.PAYLOAD_MALFORMED),
    "Arabic size": (_edited(ORDER, FIRST + "s", "٣"), Code.PAYLOAD_MALFORMED),
    "client id in capitals": (_edited(ORDER, FIRST + "c", "0x" + "A" * 32), Code.PAYLOAD_MALFORMED),
    "client id is null": (
        _edited(ORDER, FIRST + "c", None),
        Code.PAYLOAD_MALFORMED,
    ),
    "nonce in seconds": (_edited(ORDER, "nonce", 1677777606), Code.PAYLOAD_MALFORMED),
    "nonce as text": (_edited(ORDER, "nonce", "1677777606040"), Code.PAYLOAD_MALFORMED),
    "nonce as boolean": (_edited(ORDER, "nonce", value=True), Code.PAYLOAD_MALFORMED),
    "far nonce": (_edited(ORDER, "nonce", 10**13), Code.PAYLOAD_MALFORMED),
    "far expiry": (_edited(ORDER, "expiresAfter", 10**15), Code.PAYLOAD_MALFORMED),
    "vault without checksum": (
        _edited(ORDER, "vaultAddress", VAULT.lower()),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "vault is a number": (_edited(ORDER, "vaultAddress", 1), Code.PAYLOAD_NOT_CANONICAL),
    **{
        f"action {kind}": (_edited(ORDER, "action.type", kind), Code.PAYLOAD_UNSUPPORTED)
        for kind in (
            "modify",
            "batchModify",
            "usdSend",
            "withdraw3",
            "spotSend",
            "approveAgent",
            "vaultTransfer",
            "subAccountTransfer",
            "updateLeverage",
            "twapOrder",
            "scheduleCancel",
            "setReferrer",
            "multiSig",
            "Order",
            "order ",
        )
    },
}


@pytest.mark.parametrize(("tree", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], tree: Tree, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, rfc8785.dumps(tree)).code is code


def test_only_canonical_json_is_taken(refusal: Callable[[str, bytes], Reason]) -> None:
    """Spaces, another order of members and doubled members are refused."""
    payload = rfc8785.dumps(ORDER)
    for other in (
        payload + b"\n",
        payload.replace(b":", b": "),
        payload.replace(b'"p":"1670.1","r":false', b'"r":false,"p":"1670.1"'),
        payload.replace(b'"p":"1670.1"', b'"p":"1670.1","p":"1"'),
        payload.replace(b'"p"', b'"\\u0070"'),
    ):
        assert refusal(TAG, other).code in {Code.PAYLOAD_NOT_CANONICAL, Code.PAYLOAD_MALFORMED}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**13) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.sampled_from(ACCEPTED), st.data())
def test_any_document(tree: Tree, data: st.DataObject) -> None:
    """Any value anywhere gives facts or the one error."""
    places = ["action", "nonce", "source", "expiresAfter", "vaultAddress", "action.type"]
    places += [FIRST + name for name in "abpsrtc"] if "orders" in tree["action"] else []
    where, value = data.draw(st.sampled_from(places)), data.draw(_JSON)
    edited = _edited(tree, where, value)
    try:
        decode(TAG, rfc8785.dumps(edited))
    except PayloadError:
        return
    assert isinstance(value, bool | int | str)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes(payload: bytes) -> None:
    """Any bytes are refused with the one error unless they are an action."""
    with pytest.raises(PayloadError):
        decode(TAG, payload)


def test_the_reason_for_a_bad_vault_stays_short(refusal: Callable[[str, bytes], Reason]) -> None:
    """However long and however unprintable an address is, its refusal fits the audit log."""
    for text in ("\x7f" * 300, "\U0001f600" * 300):
        reason = refusal(TAG, rfc8785.dumps(ORDER | {"vaultAddress": text}))
        assert reason.detail.isascii()
        assert len(reason.detail) < 500
