"""Typed data: published hashes come out, facts are told, and another implementation agrees."""

import json
import os
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.algorithms import Digest
from policy.keccak import keccak256
from policy.model import Decoded, Facts, Role, Side, Transfer
from policy.payloads import decode, ethereum
from policy.payloads.ethereum import eip712
from policy.payloads.ethereum.eip712 import Struct
from policy.payloads.ethereum.typed_data import SCHEMAS
from policy.payloads.ethereum.typed_data import TAG as FORMAT_TAG
from tests.policy.payloads.typed_examples import (
    ALLOWED,
    KINDS,
    PAID,
    SOON,
    TAG,
    VALID,
    Tree,
    document,
    edited,
    safe_call,
    written,
)

EXAMPLES = int(os.environ.get("SIGNGATE_FUZZ_EXAMPLES", "10"))
KEY = Account.from_key(b"\x46" * 32)
OWNER = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
SPENDER = "0x1111111111111111111111111111111111111111"
USDC = "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "eip155:1/erc20:0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
SAFE = "0x5a5A5a5a5A5a5a5a5a5A5a5A5A5a5a5A5A5A5A5A"
NONCE = "07" * 32

# What the contracts and the specifications publish as their type hashes.
TYPE_HASHES = {
    "Permit": "6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9",
    "TransferWithAuthorization": "7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267",
    "ReceiveWithAuthorization": "d099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8",
    "PermitSingle": "f3841cd1ff0085026a6327b620b67997ce40f282c88a8e905a7a5626e310f3d0",
    "PermitBatch": "af1b0d30d2cab0380e68f0689007e3254993c596f2fdd0aaa7f4d04f79440863",
    "PermitTransferFrom": "939c21a48a8dbe3a9a2404a1d46691e4d39f6583d6ec6b35714604c986d80106",
    "PermitBatchTransferFrom": "fcf35f5ac6a2c28868dc44c302166470266239195f02b0ee408334829333b766",
    "SafeTx": "bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8",
    "Order": "d5a25ba2e97094ad7d83dc28a6572da797d6b3e7fc6663bd93efb789fc17e489",
    "LimitOrder": "ce918627cb55462ddbb85e73de69a8b322f2bc88f4507c52fcad6d4c33c29d49",
}
# The domain separators of these contracts on the main network.
SEPARATORS = {
    "Permit": "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335",
    "PermitSingle": "866a5aba21966af95d6c7ab78eb2b2fc913915c28be3b9aa07cc04ff903e3f28",
    "Order": "c078f884a2676e1345748b1feace7b0abee5d00ecadb6e574dcdd109a63e8943",
}


def _decoded(tree: Tree) -> Decoded:
    return decode(TAG, written(tree))


def test_the_worked_example_of_eip_712_comes_out() -> None:
    """Type hash, struct hash, domain separator and signature are those of EIP-712's "Mail"."""
    person = Struct("Person", "string name,address wallet")
    mail = Struct("Mail", "Person from,Person to,string contents", (person,))
    domain = eip712.domain_type(
        "string name,string version,uint256 chainId,address verifyingContract"
    )
    assert mail.encode_type() == (
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    )
    assert mail.type_hash.hex() == (
        "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2"
    )
    _, struct_hash = mail.read(
        {
            "from": {"name": "Cow", "wallet": "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826"},
            "to": {"name": "Bob", "wallet": "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
            "contents": "Hello, Bob!",
        },
        "$",
    )
    assert struct_hash.hex() == "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    _, separator = domain.read(
        {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xcccccccccccccccccccccccccccccccccccccccc",
        },
        "$",
    )
    assert separator.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
    digest = keccak256(eip712.message(separator, struct_hash))
    assert digest.hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    signed = Account.from_key(keccak256(b"cow")).unsafe_sign_hash(digest)
    assert (f"{signed.r:x}", signed.v) == (
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d",
        28,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_published_type_hashes(kind: str) -> None:
    """Each pinned type has the hash that its contracts compare with."""
    assert SCHEMAS[kind].primary.type_hash.hex() == TYPE_HASHES[kind]


@pytest.mark.parametrize("kind", SEPARATORS)
def test_published_domain_separators(kind: str) -> None:
    """The domains of real contracts have their published separators."""
    assert _decoded(document(kind)).message[2:34].hex() == SEPARATORS[kind]


def _token(amount: int, role: Role = Role.ALLOWANCE, asset: str = USDC) -> Transfer:
    return Transfer(asset, amount, SPENDER, role)


def _authorized(action: str) -> Facts:
    transfers = (_token(5_000_000, Role.PAYMENT),)
    return Facts(action, transfers, 1, OWNER, expires_at=SOON, nonce=NONCE)


def _sold(action: str, destination: str, **more: Any) -> Facts:
    return Facts(
        action,
        (Transfer(USDC, 3_000_000_000, destination),),
        1,
        expires_at=SOON,
        venue=action.partition(".")[0],
        side=Side.SELL,
        order_type="limit",
        receives=Transfer(WETH, 10**18, destination),
        **more,
    )


FACTS: dict[str, tuple[Tree, Facts]] = {
    "Permit": (
        document("Permit"),
        Facts("erc20.permit", (_token(1_500_000),), 1, OWNER, expires_at=SOON, nonce="2"),
    ),
    "Permit without end": (
        document("Permit", value=str(2**256 - 1), deadline=str(2**256 - 1)),
        Facts("erc20.permit", (_token(2**256 - 1),), 1, OWNER, expires_at=2**256 - 1, nonce="2"),
    ),
    "TransferWithAuthorization": (
        document("TransferWithAuthorization"),
        _authorized("erc20.transferWithAuthorization"),
    ),
    "ReceiveWithAuthorization": (
        document("ReceiveWithAuthorization"),
        _authorized("erc20.receiveWithAuthorization"),
    ),
    "PermitSingle: the allowance outlives its signature": (
        document("PermitSingle"),
        Facts("permit2.permit", (_token(7),), 1, expires_at=SOON + 60, nonce="4"),
    ),
    "PermitSingle: the signature outlives the allowance": (
        document("PermitSingle", sigDeadline=str(SOON + 90)),
        Facts("permit2.permit", (_token(7),), 1, expires_at=SOON + 90, nonce="4"),
    ),
    "PermitBatch": (
        document("PermitBatch"),
        Facts(
            "permit2.permitBatch",
            (_token(7), _token(8, asset=WETH)),
            1,
            expires_at=SOON + 60,
            nonce="4 4",
        ),
    ),
    "PermitTransferFrom": (
        document("PermitTransferFrom"),
        Facts("permit2.transferFrom", (_token(7),), 1, expires_at=SOON, nonce="3"),
    ),
    "PermitBatchTransferFrom": (
        document("PermitBatchTransferFrom"),
        Facts(
            "permit2.batchTransferFrom",
            (_token(7), _token(8, asset=WETH)),
            1,
            expires_at=SOON,
            nonce="3",
        ),
    ),
    "SafeTx: coins": (
        document("SafeTx"),
        Facts(
            "safe.native.transfer",
            (Transfer("eip155:1/slip44:60", 9, SPENDER),),
            1,
            SAFE,
            nonce="12",
        ),
    ),
    "SafeTx: a token": (
        safe_call(PAID),
        Facts("safe.erc20.transfer", (_token(5, Role.PAYMENT),), 1, SAFE, nonce="12"),
    ),
    "SafeTx: an allowance": (
        safe_call(ALLOWED),
        Facts("safe.erc20.approve", (_token(5),), 1, SAFE, nonce="12"),
    ),
    "Order": (document("Order"), _sold("cow.order", OWNER)),
    "Order: the fee is sold too": (
        document("Order", sellAmount="2999999999", feeAmount="1", kind="buy"),
        _sold("cow.order", OWNER),
    ),
    "Order: to whoever signs": (
        document("Order", receiver="0x" + "0" * 40),
        _sold("cow.order", "0x9008D19f58AAbD9eD0D60971565AA8510560ab41"),
    ),
    "LimitOrder": (
        document("LimitOrder"),
        _sold(
            "0x.limitOrder",
            "0xDef1C0ded9bec7F1a1670819833240f027b25EfF",
            source=OWNER,
            nonce="77",
        ),
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_are_told(name: str) -> None:
    """Each kind says what leaves, to whom, whose it is and until when."""
    tree, facts = FACTS[name]
    decoded = _decoded(tree)
    assert decoded.facts == facts
    assert (len(decoded.message), decoded.digest) == (66, Digest.KECCAK256)


def test_an_order_for_coins_brings_the_chains_own() -> None:
    """The usual stand-in for the coin is the coin, as decoders of transactions call it."""
    tree = document("Order", buyToken="0x" + "ee" * 20)
    receives = _decoded(tree).facts.receives
    assert receives is not None
    assert receives.asset == "eip155:1/slip44:60"


def test_a_token_without_a_version_has_its_own_domain() -> None:
    """Tokens may leave the version out of their domain, and then it is not hashed."""
    tree = edited(document("Permit"), "domain.version", None)
    tree = edited(tree, "types.EIP712Domain.1", None)
    assert _decoded(tree).facts == _decoded(document("Permit")).facts
    assert _decoded(tree).message == _oracle(tree)


def _oracle(tree: Tree) -> bytes:
    """Return what eth-account would hash."""
    signable = encode_typed_data(full_message=json.loads(json.dumps(tree)))
    return b"\x19" + signable.version + signable.header + signable.body


@pytest.mark.parametrize("payload", VALID)
def test_the_oracle_recovers_the_signer(payload: bytes) -> None:
    """A signature over our hash is, to the oracle, one of its own reading of the document."""
    message = decode(TAG, payload).message
    signed = KEY.unsafe_sign_hash(ethereum.signing_hash(message))
    signable = encode_typed_data(full_message=json.loads(payload))
    assert Account.recover_message(signable, signature=signed.signature) == KEY.address


def _values(kind: str) -> st.SearchStrategy[Any]:
    """Return any value of a type, in the one form that is taken."""
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1).map(str)
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        "bytes32": st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
        "bool": st.booleans(),
    }
    return by_type[kind]


SOLD = "0x" + "99" * 20
# What only certain values of are taken, kind by kind.
_CHOSEN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "SafeTx": {
        name: st.just(value)
        for name, value in document("SafeTx")["message"].items()
        if name not in {"value", "nonce"}
    },
    "Order": {
        "sellToken": st.just(SOLD),
        "kind": st.sampled_from(["sell", "buy"]),
        "sellAmount": st.integers(1, 2**255).map(str),
        "feeAmount": st.integers(0, 2**255).map(str),
        "sellTokenBalance": st.just("erc20"),
        "buyTokenBalance": st.just("erc20"),
    },
    "LimitOrder": {
        "makerToken": st.just(SOLD),
        "makerAmount": st.integers(1, 2**128 - 1).map(str),
    },
}


def _members(types: Tree, struct: str, chosen: Tree) -> st.SearchStrategy[Any]:
    members = {}
    for member in types[struct]:
        name, kind = member["name"], member["type"]
        if name in chosen:
            members[name] = chosen[name]
        elif kind.removesuffix("[]") in types:
            inner = _members(types, kind.removesuffix("[]"), {})
            members[name] = st.lists(inner, min_size=1, max_size=3) if "[]" in kind else inner
        else:
            members[name] = _values(kind)
    return st.fixed_dictionaries(members)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(data=st.data())
def test_generated_documents_hash_like_the_oracle(kind: str, data: st.DataObject) -> None:
    """Any values of a kind give the oracle's message, and amounts that the document names."""
    tree = document(kind)
    tree["message"] = data.draw(_members(tree["types"], kind, _CHOSEN.get(kind, {})))
    tree["domain"]["chainId"] = data.draw(st.integers(1, 2**53 - 1))
    decoded = _decoded(tree)
    assert decoded.message == _oracle(tree)
    amounts = [str(moved.amount) for moved in decoded.facts.transfers]
    said = written(tree).decode()
    if kind != "Order":  # which adds its fee
        assert all(f'"{amount}"' in said for amount in amounts)


@pytest.mark.parametrize("name", ["name", "version"])
def test_a_domain_is_called_by_one_line(name: str) -> None:
    """A name or version of 64 characters, of no matter which script, is read as it is."""
    tree = edited(document("Permit"), f"domain.{name}", "ü" * 64)
    assert _decoded(tree).message == _oracle(tree)


def test_the_tag_is_stable() -> None:
    """The tag stands in policies and records."""
    assert FORMAT_TAG == TAG == "ethereum.typed-data"
