"""PSBTs: what they pay, what returns, what is signed; read by btclib as by us."""

import hashlib
from pathlib import Path

import pytest
from bitcoin.core.script import CScript
from bitcoin.wallet import CBitcoinAddress
from btclib_wallet.psbt import Psbt, ecdsa_sig_hash

import policy
from policy import bech32
from policy.algorithms import Digest
from policy.assets import BTC as BTC_ASSET
from policy.document import load
from policy.model import Facts, Role, Transfer
from policy.payloads import FORMATS, decode
from policy.payloads.bitcoin import TAG, address_of, psbt
from policy.problems import PolicyError
from tests.policy.payloads_bitcoin.drafts import (
    ACCEPTED,
    BTC,
    ELSEWHERE,
    KEY,
    LOCKS,
    ONE_OF_TWO,
    P2PKH,
    P2SH,
    P2TR,
    P2WPKH,
    TWO_OF_TWO,
    Draft,
    Out,
    draft,
    hash160,
    number,
    output,
    p2wsh,
    spend,
)

COIN = "bip122:000000000019d6689c085ae165831e93/slip44:0"
XPUB = b"\x01" + bytes.fromhex("0488b21e") + bytes(74)
OWN = bech32.encode(0, P2WPKH[2:])
THEIRS = bech32.encode(0, ELSEWHERE[2:])


@pytest.mark.parametrize("version", [0, 2])
def test_a_payment_is_read(version: int) -> None:
    """What leaves is a transfer, what returns to the inputs' script is none, the rest is fee."""
    assert decode(TAG, draft(version=version).payload()).facts == Facts(
        "bitcoin.transfer",
        (
            Transfer(COIN, BTC // 2, THEIRS, decimals=8),
            Transfer(COIN, 1000, None, Role.FEE, 8),
        ),
        source=OWN,
    )


def test_a_consolidation_is_read() -> None:
    """Where everything returns only the fee is spent, and the action says so."""
    inputs = [spend(LOCKS["P2WPKH"], BTC, salt) for salt in (1, 2, 3)]
    payload = Draft(0, inputs, [Out(3 * BTC - 700, P2WPKH)]).payload()
    decoded = decode(TAG, payload)
    assert decoded.facts.action == "bitcoin.consolidation"
    assert decoded.facts.transfers == (Transfer(COIN, 700, None, Role.FEE, 8),)
    assert len(decoded.further) == 2


@pytest.mark.parametrize(
    ("script", "address"),
    [
        (P2PKH, str(CBitcoinAddress.from_scriptPubKey(CScript(P2PKH)))),
        (P2SH, str(CBitcoinAddress.from_scriptPubKey(CScript(P2SH)))),
        # BIP-173 and BIP-350, "Test vectors".
        (
            bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6"),
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (
            bytes.fromhex("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ),
    ],
)
def test_destinations_have_their_address(script: bytes, address: str) -> None:
    """Every kind of output that has an address can be paid."""
    made = draft()
    made.outputs[0].script = script
    facts = decode(TAG, made.payload()).facts
    assert facts.transfers[0].destination == address


def test_a_key_has_an_address() -> None:
    """A compressed key's P2WPKH address is the one that its inputs have."""
    assert address_of(KEY) == OWN == decode(TAG, draft().payload()).facts.source


def test_several_payments_are_all_transfers() -> None:
    """Each output that leaves counts, twice to the same address too, and one of nothing."""
    made = draft()
    made.outputs = [Out(5, ELSEWHERE), Out(6, ELSEWHERE), Out(0, P2TR), Out(7, P2WPKH)]
    facts = decode(TAG, made.payload()).facts
    assert [item.amount for item in facts.transfers] == [5, 6, 0, 2 * BTC - 18]


def test_an_address_of_another_kind_is_no_change() -> None:
    """The same key behind another kind of script is a payment like any other."""
    made = draft()
    made.outputs[1].script = P2PKH
    facts = decode(TAG, made.payload()).facts
    assert [item.amount for item in facts.transfers] == [BTC // 2, 3 * BTC // 2 - 1000, 1000]


@pytest.mark.parametrize("payload", ACCEPTED)
def test_another_library_reads_the_same(payload: bytes) -> None:
    """Btclib writes the same bytes, adds up the same amounts and signs the same hashes."""
    oracle, decoded = Psbt.parse(payload), decode(TAG, payload)
    assert oracle.serialize() == payload == psbt.write(psbt.read(payload))
    hashes = [hashlib.sha256(hashlib.sha256(text).digest()).digest() for text in decoded.messages]
    assert hashes == [ecdsa_sig_hash(oracle, at) for at in range(len(oracle.inputs))]
    assert decoded.digest is Digest.SHA256D
    spent = oracle.inputs[0].witness_utxo
    own = spent.script_pub_key.script if spent else P2PKH
    paid = [out.value for out in oracle.tx.vout if out.script_pub_key.script != own]
    assert [item.amount for item in decoded.facts.transfers][:-1] == paid


def test_what_changes_no_spending_is_taken() -> None:
    """Key origins, extended keys, the default sighash type and other signers' signatures pass."""
    made = draft("P2WSH of 2 of 2")
    plain = decode(TAG, made.payload())
    origin = bytes(4) + number(84 + 2**31)
    made.globals[XPUB] = origin
    for item in made.inputs:
        item.fields[b"\x03"] = number(1)
        item.fields[b"\x06" + TWO_OF_TWO[2:35]] = origin
        item.fields[b"\x02" + TWO_OF_TWO[36:69]] = b"\x30" + bytes(69) + b"\x01"
    made.outputs[1].fields = {b"\x01": TWO_OF_TWO, b"\x02" + TWO_OF_TWO[2:35]: origin}
    assert decode(TAG, made.payload()) == plain


def test_what_is_said_of_an_output_is_checked() -> None:
    """Redeem and witness scripts of an output are its own."""
    made = draft()
    nested = p2wsh(ONE_OF_TWO)
    made.outputs[0] = Out(5, b"\xa9\x14" + hash160(nested) + b"\x87")
    made.outputs[0].fields = {b"\x00": nested, b"\x01": ONE_OF_TWO}
    assert decode(TAG, made.payload()).facts.transfers[0].amount == 5


def test_previous_transactions_with_witnesses_have_their_id_without() -> None:
    """An id leaves the witnesses out, so that a previous transaction may have them."""
    made = draft()
    made.inputs[0] = spend(LOCKS["P2WPKH"], BTC, 9, witness=True)
    assert decode(TAG, made.payload()).facts.transfers[-1].amount == 1000


def test_one_input_alone_needs_no_previous_transaction() -> None:
    """A witness signature over the only input commits to its amount."""
    made = draft(count=1)
    del made.inputs[0].fields[b"\x00"]
    assert decode(TAG, made.payload()).facts.transfers[-1].amount == 1000
    made.inputs[0].fields[b"\x01"] = output(2 * BTC, P2WPKH)
    lied = decode(TAG, made.payload())
    honest = decode(TAG, draft(count=1).payload())
    assert lied.facts.transfers[-1].amount == BTC + 1000
    assert lied.message != honest.message  # which the network does not take


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_of_transactions(version: int) -> None:
    """The versions that nodes relay are taken."""
    made = draft()
    made.tx_version = version
    assert decode(TAG, made.payload()).message[:4] == number(version)


def test_the_lock_time_is_signed() -> None:
    """Lock time and sequences are in what is signed."""
    made = draft()
    made.locktime, made.inputs[0].sequence = 800_000, 5
    message = decode(TAG, made.payload()).message
    assert message[-8:-4] == number(800_000)
    assert message[-44:-40] == number(5)


_HEADER = """
schema = 1
[addresses.customers]
"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq" = "a customer"
[keys.hot-btc]
algorithm = "ecdsa-secp256k1"
payloads = ["bitcoin.psbt"]
"""


def _documented() -> str:
    page = (Path(policy.__file__).parent / "payloads/docs/bitcoin.psbt.md").read_text()
    return _HEADER + page.split("```toml\n")[1].split("```")[0]


def test_a_grant_without_the_keys_address_is_a_problem() -> None:
    """A grant that could never allow anything is found when the policy is checked."""
    lines = [line for line in _documented().splitlines() if not line.startswith("sources")]
    with pytest.raises(PolicyError) as caught:
        load("\n".join(lines), FORMATS)
    [problem] = caught.value.problems
    assert problem.path == "keys.hot-btc.grants[0].sources"
    assert problem.message == "is required for bitcoin.transfer; list the key's own address"


def test_the_documented_grant_is_valid() -> None:
    """The page's grant and limit make a policy, of the asset that the decoder names."""
    found = load(_documented(), FORMATS)
    assert found.assets[COIN] is found.keys["hot-btc"].limits[BTC_ASSET.name].asset
    assert found.keys["hot-btc"].grants[0].sources == {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}
