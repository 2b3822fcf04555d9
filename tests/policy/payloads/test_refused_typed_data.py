"""Typed data that must be refused: one form of one document, or none."""

from collections.abc import Mapping
from typing import Any

import pytest

from policy.payloads import decode
from policy.payloads.ethereum.typed_data import MAX_BYTES
from policy.reasons import Code, PayloadError
from tests.policy.payloads.examples import refusal
from tests.policy.payloads.typed_examples import (
    ALLOWED,
    KINDS,
    OTHER,
    OWNER,
    PAID,
    SAFE,
    SPENDER,
    TAG,
    USDC,
    VALID,
    ZERO,
    Tree,
    document,
    edited,
    safe_call,
    written,
)

MALFORMED, NOT_CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED, TOO_LARGE = Code.PAYLOAD_UNSUPPORTED, Code.PAYLOAD_TOO_LARGE
PERMIT, SINGLE, BATCH = document("Permit"), document("PermitSingle"), document("PermitBatch")
ORDER, SAFE_TX = document("Order"), document("SafeTx")
FROM_ANOTHER = "0x23b872dd" + OWNER[2:].rjust(64, "0") + SPENDER[2:].rjust(64, "0") + f"{5:064x}"

# What stands for a number of tokens and is another text of it, or none.
NUMBERS: Mapping[str, tuple[Any, Code]] = {
    "a number": (1500000, MALFORMED),
    "true": (True, MALFORMED),
    "null": ([], MALFORMED),
    "an object": ({}, MALFORMED),
    "hexadecimal": ("0x16e360", NOT_CANONICAL),
    "a leading zero": ("01500000", NOT_CANONICAL),
    "a plus sign": ("+1500000", NOT_CANONICAL),
    "a minus sign": ("-1500000", NOT_CANONICAL),
    "minus zero": ("-0", NOT_CANONICAL),
    "a fraction": ("1500000.0", NOT_CANONICAL),
    "an exponent": ("15e5", NOT_CANONICAL),
    "underscores": ("1_500_000", NOT_CANONICAL),
    "commas": ("1,500,000", NOT_CANONICAL),
    "a space before": (" 1500000", NOT_CANONICAL),
    "a line end": ("1500000\n", NOT_CANONICAL),
    "digits of another script": ("١٥٠٠٠٠٠", NOT_CANONICAL),
    "wide digits": ("１５０００００", NOT_CANONICAL),
    "empty": ("", NOT_CANONICAL),
    "NaN": ("NaN", NOT_CANONICAL),
    "infinity": ("Infinity", NOT_CANONICAL),
    "257 bits": (str(2**256), MALFORMED),
    "79 digits": ("1" + "0" * 78, NOT_CANONICAL),
    "thousands of digits": ("9" * 5000, NOT_CANONICAL),
}
ADDRESSES: Mapping[str, tuple[Any, Code]] = {
    "a checksum": ("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", NOT_CANONICAL),
    "capitals": ("0x" + OWNER[2:].upper(), NOT_CANONICAL),
    "0X": ("0X" + OWNER[2:], NOT_CANONICAL),
    "no prefix": (OWNER[2:], NOT_CANONICAL),
    "39 digits": (OWNER[:-1], NOT_CANONICAL),
    "41 digits": (OWNER + "0", NOT_CANONICAL),
    "a word": ("0x" + OWNER[2:].rjust(64, "0"), NOT_CANONICAL),
    "a name": ("vitalik.eth", NOT_CANONICAL),
    "a line end": (OWNER + "\n", NOT_CANONICAL),
    "a look-alike letter": (OWNER.replace("c", "с"), NOT_CANONICAL),
    "a number": (0xCD2A, MALFORMED),
    "a list": ([OWNER], MALFORMED),
}

# Edits of a document, what is told, and where.
EDITS: Mapping[str, tuple[Tree, str, Any, Code, str]] = {
    "no chain id": (PERMIT, "domain.chainId", None, MALFORMED, "$.domain"),
    "chain id as text": (PERMIT, "domain.chainId", "1", MALFORMED, "$.domain.chainId"),
    "chain id in hexadecimal": (PERMIT, "domain.chainId", "0x1", MALFORMED, "$.domain.chainId"),
    "chain id zero": (PERMIT, "domain.chainId", 0, MALFORMED, "$.domain.chainId"),
    "chain id negative": (PERMIT, "domain.chainId", -1, MALFORMED, "$.domain.chainId"),
    "chain id true": (PERMIT, "domain.chainId", True, MALFORMED, "$.domain.chainId"),
    "no contract": (PERMIT, "domain.verifyingContract", None, MALFORMED, "$.domain"),
    "no name": (PERMIT, "domain.name", None, MALFORMED, "$.domain"),
    "a salt": (PERMIT, "domain.salt", "0x" + "0" * 64, MALFORMED, "$.domain"),
    "a name with a bidi mark": (PERMIT, "domain.name", "USD\u202eCoin", NOT_CANONICAL, "$.domain"),
    "a name without width": (PERMIT, "domain.name", "USD\u200bCoin", NOT_CANONICAL, "$.domain"),
    "a name of two lines": (PERMIT, "domain.name", "USD\nCoin", NOT_CANONICAL, "$.domain"),
    "an endless name": (PERMIT, "domain.name", "U" * 65, NOT_CANONICAL, "$.domain"),
    "a name not normalised": (PERMIT, "domain.name", "Cafe\u0301", NOT_CANONICAL, "$.domain"),
    "a version without width": (PERMIT, "domain.version", "1\u200b", NOT_CANONICAL, "$.domain"),
    "a version of two lines": (PERMIT, "domain.version", "1\n2", NOT_CANONICAL, "$.domain"),
    "an endless version": (PERMIT, "domain.version", "1" * 65, NOT_CANONICAL, "$.domain"),
    "a version that is a number": (PERMIT, "domain.version", 2, MALFORMED, "$.domain.version"),
    "a domain that is a list": (PERMIT, "domain", [], MALFORMED, "$.domain"),
    "no domain": (PERMIT, "domain", None, MALFORMED, "$"),
    "no message": (PERMIT, "message", None, MALFORMED, "$"),
    "no types": (PERMIT, "types", None, MALFORMED, "$"),
    "no primary type": (PERMIT, "primaryType", None, MALFORMED, "$"),
    "a member more": (PERMIT, "hash", "0x" + "0" * 64, MALFORMED, "$"),
    "another primary type": (PERMIT, "primaryType", "Mail", UNSUPPORTED, "$.primaryType"),
    "a primary type of a small letter": (
        *(PERMIT, "primaryType", "permit"),
        *(UNSUPPORTED, "$.primaryType"),
    ),
    "a look-alike primary type": (
        *(PERMIT, "primaryType", "Реrmit"),
        *(UNSUPPORTED, "$.primaryType"),
    ),
    "a list as primary type": (PERMIT, "primaryType", ["Permit"], UNSUPPORTED, "$.primaryType"),
    "the domain as primary type": (
        *(PERMIT, "primaryType", "EIP712Domain"),
        *(UNSUPPORTED, "$.primaryType"),
    ),
    "another kind's primary type": (PERMIT, "primaryType", "SafeTx", UNSUPPORTED, "$.types"),
    "the domain's type left out": (PERMIT, "types.EIP712Domain", None, UNSUPPORTED, "$.types"),
    "the domain's type empty": (PERMIT, "types.EIP712Domain", [], UNSUPPORTED, "$.types"),
    "the domain without its chain": (
        *(PERMIT, "types.EIP712Domain.2", None),
        *(UNSUPPORTED, "$.types"),
    ),
    "an unused type": (PERMIT, "types.Mail", [], UNSUPPORTED, "$.types"),
    "a type's member more": (
        *(PERMIT, "types.Permit.5", {"name": "x", "type": "bool"}),
        *(UNSUPPORTED, "$.types"),
    ),
    "a type's member less": (PERMIT, "types.Permit.4", None, UNSUPPORTED, "$.types"),
    "a shorter number": (PERMIT, "types.Permit.2.type", "uint128", UNSUPPORTED, "$.types"),
    "a number by its alias": (PERMIT, "types.Permit.2.type", "uint", UNSUPPORTED, "$.types"),
    "a signed number": (PERMIT, "types.Permit.2.type", "int256", UNSUPPORTED, "$.types"),
    "a renamed member": (PERMIT, "types.Permit.2.name", "amount", UNSUPPORTED, "$.types"),
    "a comment in the types": (PERMIT, "types.Permit.2.comment", "x", UNSUPPORTED, "$.types"),
    "types that are a list": (PERMIT, "types", [], UNSUPPORTED, "$.types"),
    "types that are a number": (PERMIT, "types", 1, UNSUPPORTED, "$.types"),
    "a message that is a list": (PERMIT, "message", [], MALFORMED, "$.message"),
    "a message that is a hash": (PERMIT, "message", "0x" + "0" * 64, MALFORMED, "$.message"),
    "another member": (PERMIT, "message.memo", "hi", MALFORMED, "$.message"),
    "DAI's permit": (PERMIT, "message.allowed", True, MALFORMED, "$.message"),
    "Permit2: another name": (SINGLE, "domain.name", "Permit 2", UNSUPPORTED, "$.domain.name"),
    "Permit2: another contract": (
        *(SINGLE, "domain.verifyingContract", USDC),
        *(UNSUPPORTED, "$.domain.verifyingContract"),
    ),
    "Permit2: a version": (SINGLE, "domain.version", "1", MALFORMED, "$.domain"),
    "Permit2: 161 bits": (
        *(SINGLE, "message.details.amount", str(2**160)),
        *(MALFORMED, "$.message.details.amount"),
    ),
    "Permit2: an expiry of 49 bits": (
        *(SINGLE, "message.details.expiration", str(2**48)),
        *(MALFORMED, "$.message.details.expiration"),
    ),
    "Permit2: details in a list": (
        *(SINGLE, "message.details", [SINGLE["message"]["details"]]),
        *(MALFORMED, "$.message.details"),
    ),
    "Permit2: a detail more": (
        *(SINGLE, "message.details.spender", OTHER),
        *(MALFORMED, "$.message.details"),
    ),
    "Permit2: an empty batch": (BATCH, "message.details", [], MALFORMED, "$.message.details"),
    "Permit2: a batch of one object": (
        *(BATCH, "message.details", SINGLE["message"]["details"]),
        *(MALFORMED, "$.message.details"),
    ),
    "Permit2: the second detail": (
        *(BATCH, "message.details.1.token", "0x0"),
        *(NOT_CANONICAL, "$.message.details[1].token"),
    ),
    "Permit2: 65 details": (
        *(BATCH, "message.details", [SINGLE["message"]["details"]] * 65),
        *(MALFORMED, "$.message.details"),
    ),
    "ERC-3009: a short nonce": (
        *(document("TransferWithAuthorization"), "message.nonce", "0x07"),
        *(NOT_CANONICAL, "$.message.nonce"),
    ),
    "ERC-3009: a nonce in capitals": (
        *(document("TransferWithAuthorization"), "message.nonce", "0x" + "AB" * 32),
        *(NOT_CANONICAL, "$.message.nonce"),
    ),
    "Safe: a delegate call": (
        *(SAFE_TX, "message.operation", "1"),
        *(UNSUPPORTED, "$.message.operation"),
    ),
    "Safe: gas for it": (SAFE_TX, "message.safeTxGas", "1", UNSUPPORTED, "$.message.safeTxGas"),
    "Safe: gas beside it": (SAFE_TX, "message.baseGas", "1", UNSUPPORTED, "$.message.baseGas"),
    "Safe: a refund": (SAFE_TX, "message.gasPrice", "1", UNSUPPORTED, "$.message.gasPrice"),
    "Safe: a refund in a token": (
        *(SAFE_TX, "message.gasToken", USDC),
        *(UNSUPPORTED, "$.message.gasToken"),
    ),
    "Safe: a refund to somebody": (
        *(SAFE_TX, "message.refundReceiver", OTHER),
        *(UNSUPPORTED, "$.message.refundReceiver"),
    ),
    "Safe: to nobody": (SAFE_TX, "message.to", ZERO, UNSUPPORTED, "$.message.to"),
    "Safe: odd data": (SAFE_TX, "message.data", "0x0", NOT_CANONICAL, "$.message.data"),
    "Safe: data in capitals": (SAFE_TX, "message.data", "0xAB", NOT_CANONICAL, "$.message.data"),
    "Safe: data without 0x": (SAFE_TX, "message.data", "", NOT_CANONICAL, "$.message.data"),
    "Safe: a version": (SAFE_TX, "domain.version", "1.3.0", MALFORMED, "$.domain"),
    "Safe: value beside a token": (
        *(safe_call(PAID), "message.value", "1"),
        *(UNSUPPORTED, "$.message.value"),
    ),
    "Safe: a call of itself": (
        *(safe_call(PAID), "message.to", SAFE),
        *(UNSUPPORTED, "$.message.to"),
    ),
    "Safe: somebody else's tokens": (
        *(SAFE_TX | {"message": SAFE_TX["message"] | {"value": "0"}}, "message.data", FROM_ANOTHER),
        *(UNSUPPORTED, "$.message.data"),
    ),
    "Safe: a batch": (
        *(safe_call(PAID), "message.data", "0x8d80ff0a" + "00" * 33),
        *(UNSUPPORTED, "$.message.data"),
    ),
    "Safe: dirty calldata": (
        *(safe_call(ALLOWED), "message.data", ALLOWED[:10] + "01" + ALLOWED[12:]),
        *(NOT_CANONICAL, "$.message.data"),
    ),
    "CoW: another name": (ORDER, "domain.name", "CoW Protocol", UNSUPPORTED, "$.domain.name"),
    "CoW: another version": (ORDER, "domain.version", "v1", UNSUPPORTED, "$.domain.version"),
    "CoW: another contract": (
        *(ORDER, "domain.verifyingContract", OTHER),
        *(UNSUPPORTED, "$.domain.verifyingContract"),
    ),
    "CoW: neither sell nor buy": (ORDER, "message.kind", "SELL", UNSUPPORTED, "$.message.kind"),
    "CoW: a vault's balance": (
        *(ORDER, "message.sellTokenBalance", "internal"),
        *(UNSUPPORTED, "$.message.sellTokenBalance"),
    ),
    "CoW: to a vault's balance": (
        *(ORDER, "message.buyTokenBalance", "internal"),
        *(UNSUPPORTED, "$.message.buyTokenBalance"),
    ),
    "CoW: nothing is sold": (ORDER, "message.sellAmount", "0", UNSUPPORTED, "$.message.amount"),
    "CoW: coins are sold": (
        *(ORDER, "message.sellToken", "0x" + "ee" * 20),
        *(UNSUPPORTED, "$.message.sellToken"),
    ),
    "CoW: for itself": (ORDER, "message.buyToken", USDC, UNSUPPORTED, "$.message.token"),
    "CoW: to the contract": (
        *(ORDER, "message.receiver", ORDER["domain"]["verifyingContract"]),
        *(UNSUPPORTED, "$.message.receiver"),
    ),
    "CoW: an expiry of 33 bits": (
        *(ORDER, "message.validTo", str(2**32)),
        *(MALFORMED, "$.message.validTo"),
    ),
    "CoW: an expiry as a number": (
        *(ORDER, "message.validTo", 2**31),
        *(MALFORMED, "$.message.validTo"),
    ),
    "CoW: partly, as text": (
        *(ORDER, "message.partiallyFillable", "false"),
        *(MALFORMED, "$.message.partiallyFillable"),
    ),
    "CoW: partly, as a number": (
        *(ORDER, "message.partiallyFillable", 0),
        *(MALFORMED, "$.message.partiallyFillable"),
    ),
    "0x: another contract": (
        *(document("LimitOrder"), "domain.verifyingContract", OTHER),
        *(UNSUPPORTED, "$.domain.verifyingContract"),
    ),
    **{
        f"value: {name}": (PERMIT, "message.value", value, code, "$.message.value")
        for name, (value, code) in NUMBERS.items()
    },
    **{
        f"owner: {name}": (PERMIT, "message.owner", value, code, "$.message.owner")
        for name, (value, code) in ADDRESSES.items()
    },
    **{
        f"contract: {name}": (
            *(PERMIT, "domain.verifyingContract", value),
            *(code, "$.domain.verifyingContract"),
        )
        for name, (value, code) in ADDRESSES.items()
    },
}
TEXT = written(PERMIT)
SWAPPED = edited(
    edited(PERMIT, "types.Permit.0", PERMIT["types"]["Permit"][1]),
    "types.Permit.1",
    PERMIT["types"]["Permit"][0],
)
PAYLOADS: Mapping[str, tuple[bytes, Code]] = {
    "nothing": (b"", MALFORMED),
    "a digest": (b"\x8a" * 32, MALFORMED),
    "a digest in hexadecimal": (b"0x" + b"8a" * 32, MALFORMED),
    "what is hashed": (b"\x19\x01" + bytes(64), MALFORMED),
    "a list": (b"[]", MALFORMED),
    "an empty object": (b"{}", MALFORMED),
    "a list around it": (b"[" + TEXT + b"]", MALFORMED),
    "a string around it": (b'"' + TEXT.replace(b'"', b'\\"') + b'"', MALFORMED),
    "a line end": (TEXT + b"\n", NOT_CANONICAL),
    "a space before": (b" " + TEXT, NOT_CANONICAL),
    "something after": (TEXT + b"{}", MALFORMED),
    "a byte order mark": (b"\xef\xbb\xbf" + TEXT, MALFORMED),
    "UTF-16": (TEXT.decode().encode("utf-16"), MALFORMED),
    "spaces": (TEXT.replace(b":", b": "), NOT_CANONICAL),
    "a doubled member": (TEXT.replace(b'"nonce":"2"', b'"nonce":"2","nonce":"2"'), MALFORMED),
    "a doubled member, escaped": (
        TEXT.replace(b'"nonce":"2"', b'"nonce":"2","\\u006eonce":"2"'),
        MALFORMED,
    ),
    "a doubled domain": (TEXT.replace(b'{"domain"', b'{"domain":{},"domain"'), MALFORMED),
    "an escaped letter": (TEXT.replace(b'"USD Coin"', b'"\\u0055SD Coin"'), NOT_CANONICAL),
    "members in another order": (
        TEXT.replace(b'"nonce":"2","owner"', b'"owner"', 1).replace(
            b'"value"', b'"nonce":"2","value"', 1
        ),
        NOT_CANONICAL,
    ),
    "a chain id with a fraction": (TEXT.replace(b'"chainId":1', b'"chainId":1.0'), MALFORMED),
    "a chain id with an exponent": (TEXT.replace(b'"chainId":1', b'"chainId":1e0'), MALFORMED),
    "a chain id beyond 53 bits": (
        TEXT.replace(b'"chainId":1', b'"chainId":9007199254740993'),
        MALFORMED,
    ),
    "a lone surrogate": (TEXT.replace(b"USD Coin", b"\\ud800"), MALFORMED),
    "NaN": (TEXT.replace(b'"chainId":1', b'"chainId":NaN'), MALFORMED),
    "types in another order": (written(SWAPPED), UNSUPPORTED),
    "deep": (b'{"a":' * 300 + b"1" + b"}" * 300, MALFORMED),
    "too long": (b" " * (MAX_BYTES + 1), TOO_LARGE),
}


@pytest.mark.parametrize("name", EDITS)
def test_another_document_is_refused(name: str) -> None:
    """Whatever is more, less or otherwise than pinned is refused, with its place."""
    tree, where, value, code, rule = EDITS[name]
    reason = refusal(TAG, written(edited(tree, where, value)))
    assert (reason.code, reason.rule) == (code, rule)


@pytest.mark.parametrize("name", PAYLOADS)
def test_another_text_is_refused(name: str) -> None:
    """A document has one text, and nothing else is a document."""
    payload, code = PAYLOADS[name]
    assert refusal(TAG, payload).code is code


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_is_needed_and_none_is_too_many(kind: str) -> None:
    """A message, a domain and a type without one of their members are refused."""
    tree = document(kind)
    for place in ("message", "domain"):
        for name in tree[place]:
            reason = refusal(TAG, written(edited(tree, f"{place}.{name}", None)))
            assert (reason.code, reason.rule) == (MALFORMED, f"$.{place}")
        reason = refusal(TAG, written(edited(tree, f"{place}.x", "1")))
        assert (reason.code, reason.rule) == (MALFORMED, f"$.{place}")
    for name in tree["types"]:
        reason = refusal(TAG, written(edited(tree, f"types.{name}.0", None)))
        assert reason.rule == "$.types"


@pytest.mark.parametrize("payload", VALID)
def test_every_member_is_signed(payload: bytes) -> None:
    """A digit of a document that may be another gives another message, or a refusal."""
    message = decode(TAG, payload).message
    for at in range(len(payload)):
        if payload[at : at + 1].isdigit():
            other = payload[:at] + (b"2" if payload[at : at + 1] != b"2" else b"3")
            other += payload[at + 1 :]
            _differs(other, message)


def _differs(payload: bytes, message: bytes) -> None:
    try:
        assert decode(TAG, payload).message != message
    except PayloadError:
        return
