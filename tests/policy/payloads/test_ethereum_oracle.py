"""Generated transactions, signed and read by an implementation nobody here wrote."""

from typing import Any

from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Role
from policy.payloads import decode, ethereum
from policy.payloads.ethereum import address, rlp
from tests.policy.payloads.examples import (
    APPROVE,
    BUILDERS,
    TRANSFER,
    TRANSFER_FROM,
    call,
    oracle,
)

TAG = "ethereum.transaction"
KEY = Account.from_key(b"\x46" * 32)
FEE_CAP = 2**128  # far above any fee, and a gas limit of 64 bits times it is still payable

_addresses = st.binary(min_size=20, max_size=20).filter(any)
_common = {
    "chain_id": st.integers(1, 2**63 - 19),
    "nonce": st.integers(0, 2**64 - 2),
    "gas_limit": st.integers(21_000, 2**64 - 1),
    "to": _addresses,
}
_prices = st.integers(0, FEE_CAP)
_entries = st.lists(
    st.tuples(_addresses, st.lists(st.binary(min_size=32, max_size=32), max_size=3)), max_size=3
)
_amounts = st.integers(0, 2**256 - 1)
_calls = st.one_of(
    st.builds(call, st.sampled_from([TRANSFER, APPROVE]), _addresses, _amounts),
    st.builds(call, st.just(TRANSFER_FROM), _addresses, _addresses, _amounts),
)
_coins = st.fixed_dictionaries({"value": _amounts, "data": st.just(b"")})
_moves = st.one_of(_coins, st.fixed_dictionaries({"value": st.just(0), "data": _calls}))
_hashes = st.binary(min_size=31, max_size=31).map(lambda tail: b"\1" + tail)
# An authorisation's contract, nonce and signature; its chain is that of the transaction.
_authorizations = st.lists(
    st.tuples(
        _addresses,
        st.integers(0, 2**64 - 2),
        st.integers(0, 1),
        st.integers(1, 2**255),
        st.integers(1, 2**254),
    ),
    min_size=1,
    max_size=3,
)
Fields = dict[str, Any]


def _sorted_fees(fees: list[int]) -> Fields:
    return {"priority_fee": min(fees), "max_fee": max(fees)}


_fees = st.lists(_prices, min_size=2, max_size=2).map(_sorted_fees)
_FIELDS = {
    "legacy": st.fixed_dictionaries({**_common, "gas_price": _prices}),
    "access list": st.fixed_dictionaries(
        {**_common, "gas_price": _prices, "access_list": _entries}
    ),
    "dynamic fee": st.builds(
        lambda fields, fees: {**fields, **fees},
        st.fixed_dictionaries({**_common, "access_list": _entries}),
        _fees,
    ),
    "blob": st.builds(
        lambda fields, fees: {**fields, **fees},
        st.fixed_dictionaries(
            {
                **_common,
                "access_list": _entries,
                "blob_fee": st.integers(0, 2**64),
                "blob_hashes": st.lists(_hashes, min_size=1, max_size=6),
            }
        ),
        _fees,
    ),
    "set code": st.builds(
        lambda fields, fees: {**fields, **fees},
        st.fixed_dictionaries(
            {**_common, "access_list": _entries, "authorizations": _authorizations}
        ),
        _fees,
    ),
}
_ALONE = {"blob", "set code"}  # no call stands beside these
_transactions = st.sampled_from(sorted(_FIELDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), _FIELDS[kind], _coins if kind in _ALONE else _moves)
)
_NAMES = {
    "chain_id": "chainId",
    "nonce": "nonce",
    "gas_limit": "gas",
    "gas_price": "gasPrice",
    "priority_fee": "maxPriorityFeePerGas",
    "max_fee": "maxFeePerGas",
    "value": "value",
    "blob_fee": "maxFeePerBlobGas",
}


def _payload(kind: str, fields: Fields) -> bytes:
    entries = [[account, keys] for account, keys in fields.get("access_list", [])]
    written = fields | {"access_list": entries} if "access_list" in fields else fields
    if "authorizations" in fields:
        chain = rlp.scalar(fields["chain_id"])
        written = written | {
            "authorizations": [
                [chain, contract, *map(rlp.scalar, scalars)]
                for contract, *scalars in fields["authorizations"]
            ]
        }
    return BUILDERS[kind](**written)


def _authorized(fields: Fields) -> list[Fields]:
    names = ("nonce", "yParity", "r", "s")
    return [
        {"chainId": fields["chain_id"], "address": address.text(contract)}
        | dict(zip(names, scalars, strict=True))
        for contract, *scalars in fields["authorizations"]
    ]


def _json_rpc(fields: Fields) -> Fields:
    """Return the transaction as JSON-RPC names its fields, which is what the oracle takes."""
    named: Fields = {_NAMES[name]: value for name, value in fields.items() if name in _NAMES}
    named |= {"to": address.text(fields["to"]), "data": fields["data"]}
    if "access_list" in fields:
        named["accessList"] = [
            {"address": address.text(account), "storageKeys": ["0x" + key.hex() for key in keys]}
            for account, keys in fields["access_list"]
        ]
        named["type"] = 2 if "max_fee" in fields else 1
    if "blob_hashes" in fields:
        named["type"] = 3
        named["blobVersionedHashes"] = ["0x" + item.hex() for item in fields["blob_hashes"]]
    if "authorizations" in fields:
        named["type"] = 4
        named["authorizationList"] = _authorized(fields)
    return named


@oracle
@given(_transactions)
def test_the_oracle_signs_the_same_transaction(transaction: tuple[str, Fields, Fields]) -> None:
    """Given its signature, the assembled transaction is the oracle's, byte for byte."""
    kind, fields, move = transaction
    payload = _payload(kind, fields | move)
    signed = KEY.sign_transaction(_json_rpc(fields | move))
    y_parity = (signed.v - 35) % 2 if kind == "legacy" else signed.v
    signature = signed.r.to_bytes(32) + signed.s.to_bytes(32)
    raw = ethereum.assemble(decode(TAG, payload).message, signature, y_parity)
    assert raw == signed.raw_transaction
    assert ethereum.transaction_hash(raw) == signed.hash


@oracle
@given(_transactions)
def test_the_oracle_recovers_the_signer(transaction: tuple[str, Fields, Fields]) -> None:
    """A signature over the message's hash makes the oracle see our key as the sender."""
    kind, fields, move = transaction
    message = decode(TAG, _payload(kind, fields | move)).message
    signed = KEY.unsafe_sign_hash(ethereum.signing_hash(message))
    signature = signed.r.to_bytes(32) + signed.s.to_bytes(32)
    raw = ethereum.assemble(message, signature, signed.v - 27)
    assert Account.recover_transaction(raw) == KEY.address


@oracle
@given(_transactions)
def test_the_facts_are_the_oracles_fields(transaction: tuple[str, Fields, Fields]) -> None:
    """What the facts say is what the transaction of the same bytes was made of."""
    kind, fields, move = transaction
    facts = decode(TAG, _payload(kind, fields | move)).facts
    price = fields.get("max_fee", fields.get("gas_price"))
    fees = [moved.amount for moved in facts.transfers if moved.role is Role.FEE]
    paid = facts.transfers[0]
    assert (facts.chain_id, facts.nonce) == (fields["chain_id"], str(fields["nonce"]))
    blobs = 2**17 * fields.get("blob_fee", 0) * len(fields.get("blob_hashes", ()))
    assert sum(fees) == fields["gas_limit"] * price + blobs
    delegates = [address.text(contract) for contract, *_ in fields.get("authorizations", ())]
    allowed = [moved.destination for moved in facts.transfers if moved.role is Role.ALLOWANCE]
    assert not delegates or allowed == delegates
    if move["data"]:
        asset = f"eip155:{facts.chain_id}/erc20:{address.text(fields['to'])}"
        words = move["data"][4:]
        assert (paid.asset, paid.amount) == (asset, int.from_bytes(words[-32:]))
        assert paid.destination == address.text(words[-52:-32])
        assert facts.source == (address.text(words[12:32]) if len(words) == 96 else None)
    else:
        assert (paid.asset, paid.amount) == (f"eip155:{facts.chain_id}/slip44:60", move["value"])
        assert paid.destination == address.text(fields["to"])


def test_the_oracle_is_asked_about_every_type() -> None:
    """The builders make the types 0 to 4, and each has a strategy."""
    firsts = [BUILDERS[kind]()[0] for kind in _FIELDS]
    assert [first for first in firsts if first < rlp.LIST] == [1, 2, 3, 4]
    assert _FIELDS.keys() == BUILDERS.keys()
