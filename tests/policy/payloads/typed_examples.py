"""Typed data to take apart: a valid document of each pinned kind, written by hand.

The types are spelt out here and not taken from the decoder, so that a change of one shows.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]
TAG = "ethereum.typed-data"

OWNER = "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826"
SPENDER = "0x" + "11" * 20
OTHER = "0x" + "22" * 20
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SAFE = "0x" + "5a" * 20
ZERO = "0x" + "00" * 20
SOON = 1_795_000_000  # seconds since the epoch
WORD = "0x" + "07" * 32

_NAME, _VERSION = ("name", "string"), ("version", "string")
_CHAIN, _CONTRACT = ("chainId", "uint256"), ("verifyingContract", "address")
_TOKEN_DOMAIN = {"name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": USDC}
_PERMIT2_DOMAIN = {
    "name": "Permit2",
    "chainId": 1,
    "verifyingContract": "0x000000000022d473030f116ddee9f6b43ac78ba3",
}
_AUTHORIZATION = (
    ("from", "address", OWNER),
    ("to", "address", SPENDER),
    ("value", "uint256", "5000000"),
    ("validAfter", "uint256", "0"),
    ("validBefore", "uint256", str(SOON)),
    ("nonce", "bytes32", WORD),
)
_DETAILS = {
    "PermitDetails": (
        ("token", "address"),
        ("amount", "uint160"),
        ("expiration", "uint48"),
        ("nonce", "uint48"),
    )
}
_PERMITTED = {"TokenPermissions": (("token", "address"), ("amount", "uint256"))}
_SPENT = (
    ("spender", "address", SPENDER),
    ("nonce", "uint256", "3"),
    ("deadline", "uint256", str(SOON)),
)


def _detail(token: str, amount: int) -> Tree:
    return {"token": token, "amount": str(amount), "expiration": str(SOON + 60), "nonce": "4"}


def _permitted(token: str, amount: int) -> Tree:
    return {"token": token, "amount": str(amount)}


# By primary type: the domain, the members with types and values, the structs they name.
_KINDS: Mapping[str, tuple[Tree, tuple[tuple[str, str, Any], ...], Tree]] = {
    "Permit": (
        _TOKEN_DOMAIN,
        (
            ("owner", "address", OWNER),
            ("spender", "address", SPENDER),
            ("value", "uint256", "1500000"),
            ("nonce", "uint256", "2"),
            ("deadline", "uint256", str(SOON)),
        ),
        {},
    ),
    "TransferWithAuthorization": (_TOKEN_DOMAIN, _AUTHORIZATION, {}),
    "ReceiveWithAuthorization": (_TOKEN_DOMAIN, _AUTHORIZATION, {}),
    "PermitSingle": (
        _PERMIT2_DOMAIN,
        (
            ("details", "PermitDetails", _detail(USDC, 7)),
            ("spender", "address", SPENDER),
            ("sigDeadline", "uint256", str(SOON)),
        ),
        _DETAILS,
    ),
    "PermitBatch": (
        _PERMIT2_DOMAIN,
        (
            ("details", "PermitDetails[]", [_detail(USDC, 7), _detail(WETH, 8)]),
            ("spender", "address", SPENDER),
            ("sigDeadline", "uint256", str(SOON)),
        ),
        _DETAILS,
    ),
    "PermitTransferFrom": (
        _PERMIT2_DOMAIN,
        (("permitted", "TokenPermissions", _permitted(USDC, 7)), *_SPENT),
        _PERMITTED,
    ),
    "PermitBatchTransferFrom": (
        _PERMIT2_DOMAIN,
        (
            ("permitted", "TokenPermissions[]", [_permitted(USDC, 7), _permitted(WETH, 8)]),
            *_SPENT,
        ),
        _PERMITTED,
    ),
    "SafeTx": (
        {"chainId": 1, "verifyingContract": SAFE},
        (
            ("to", "address", SPENDER),
            ("value", "uint256", "9"),
            ("data", "bytes", "0x"),
            ("operation", "uint8", "0"),
            ("safeTxGas", "uint256", "0"),
            ("baseGas", "uint256", "0"),
            ("gasPrice", "uint256", "0"),
            ("gasToken", "address", ZERO),
            ("refundReceiver", "address", ZERO),
            ("nonce", "uint256", "12"),
        ),
        {},
    ),
    "Order": (
        {
            "name": "Gnosis Protocol",
            "version": "v2",
            "chainId": 1,
            "verifyingContract": "0x9008d19f58aabd9ed0d60971565aa8510560ab41",
        },
        (
            ("sellToken", "address", USDC),
            ("buyToken", "address", WETH),
            ("receiver", "address", OWNER),
            ("sellAmount", "uint256", "3000000000"),
            ("buyAmount", "uint256", "1000000000000000000"),
            ("validTo", "uint32", str(SOON)),
            ("appData", "bytes32", WORD),
            ("feeAmount", "uint256", "0"),
            ("kind", "string", "sell"),
            ("partiallyFillable", "bool", False),
            ("sellTokenBalance", "string", "erc20"),
            ("buyTokenBalance", "string", "erc20"),
        ),
        {},
    ),
    "LimitOrder": (
        {
            "name": "ZeroEx",
            "version": "1.0.0",
            "chainId": 1,
            "verifyingContract": "0xdef1c0ded9bec7f1a1670819833240f027b25eff",
        },
        (
            ("makerToken", "address", USDC),
            ("takerToken", "address", WETH),
            ("makerAmount", "uint128", "3000000000"),
            ("takerAmount", "uint128", "1000000000000000000"),
            ("takerTokenFeeAmount", "uint128", "0"),
            ("maker", "address", OWNER),
            ("taker", "address", ZERO),
            ("sender", "address", ZERO),
            ("feeRecipient", "address", ZERO),
            ("pool", "bytes32", WORD),
            ("expiry", "uint64", str(SOON)),
            ("salt", "uint256", "77"),
        ),
        {},
    ),
}
KINDS = tuple(_KINDS)
_DOMAIN_MEMBERS = (_NAME, _VERSION, _CHAIN, _CONTRACT)


def document(kind: str, /, **message: object) -> Tree:
    """Return the document of a kind, some members of its message changed."""
    domain, members, structs = copy.deepcopy(_KINDS[kind])
    named = {
        "EIP712Domain": [pair for pair in _DOMAIN_MEMBERS if pair[0] in domain],
        kind: [(name, type_) for name, type_, _ in members],
        **structs,
    }
    return {
        "domain": domain,
        "message": {name: value for name, _, value in members} | message,
        "primaryType": kind,
        "types": {
            name: [{"name": member, "type": type_} for member, type_ in pairs]
            for name, pairs in named.items()
        },
    }


def edited(tree: Tree, where: str, value: object) -> Tree:
    """Return a copy with another value at ``message.details.0.amount``; None takes it out."""
    copied = copy.deepcopy(tree)
    *parents, last = (int(part) if part.isdigit() else part for part in where.split("."))
    place: Any = copied
    for part in parents:
        place = place[part]
    if value is None:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return copied


def written(tree: object) -> bytes:
    """Write a document as RFC 8785 does where every name is ASCII."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def safe_call(data: str, to: str = USDC) -> Tree:
    """Return a Safe's transaction that calls a contract."""
    return document("SafeTx", to=to, value="0", data=data)


PAID = "0xa9059cbb" + SPENDER[2:].rjust(64, "0") + f"{5:064x}"
ALLOWED = "0x095ea7b3" + SPENDER[2:].rjust(64, "0") + f"{5:064x}"
VALID = (
    *(written(document(kind)) for kind in KINDS),
    written(safe_call(PAID)),
    written(safe_call(ALLOWED)),
)
