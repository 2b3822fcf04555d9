"""``bitcoin.psbt``: a transaction of the Bitcoin network (``docs/bitcoin.psbt.md``).

Invariant: any bytes give facts or ``PayloadError``, nothing else, and ``psbt.write``
of what was read gives the payload.
"""

from policy.algorithms import Algorithm, Digest
from policy.assets import BTC
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads.bitcoin import fields, psbt, spending
from policy.payloads.bitcoin.fields import Map
from policy.payloads.bitcoin.psbt import Psbt
from policy.payloads.bitcoin.script import address, pays_script
from policy.payloads.bitcoin.transaction import Output
from policy.reasons import Code, PayloadError

TAG = "bitcoin.psbt"
TRANSFER, CONSOLIDATION = "bitcoin.transfer", "bitcoin.consolidation"
VERSIONS = range(1, 4)  # of transactions: what nodes relay


def decode(payload: bytes) -> Decoded:
    """Read a PSBT; there is a message for each of its inputs.

    Raises:
        PayloadError: it is not one, not canonical, not proven, or does what is not supported.
    """
    found = psbt.read(payload)
    _check_transaction(found)
    outputs, opened = spending.spent(found)
    own = outputs[0].script
    paid = _payments(found, own)
    fee = _fee(outputs, found.transaction.outputs)
    facts = Facts(
        TRANSFER if paid else CONSOLIDATION,
        (*paid, Transfer(BTC.ref, fee, None, Role.FEE, BTC.decimals)),
        source=address(own, "psbt.input"),
    )
    first, *others = spending.messages(found.transaction, outputs, opened)
    return Decoded(facts, first, Digest.SHA256D, tuple(others))


def _check_transaction(found: Psbt) -> None:
    transaction = found.transaction
    version = int.from_bytes(transaction.version, "little")
    if version not in VERSIONS:
        detail = f"is of version {version}; {VERSIONS.start} to {VERSIONS.stop - 1} are taken"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "psbt.tx", detail)
    outpoints = {item.outpoint for item in transaction.inputs}
    if len(outpoints) != len(transaction.inputs):
        raise PayloadError(Code.PAYLOAD_MALFORMED, "psbt.tx", "spends an output twice")


def _payments(found: Psbt, own: bytes) -> tuple[Transfer, ...]:
    """Return what leaves; what returns to the script that all inputs have is change."""
    paid = []
    for at, (output, item) in enumerate(zip(found.transaction.outputs, found.outputs, strict=True)):
        where = f"psbt.output[{at}]"
        _check_scripts(item, output, where)
        if output.script != own:
            destination = address(output.script, where)
            paid.append(Transfer(BTC.ref, output.amount, destination, decimals=BTC.decimals))
    return tuple(paid)


def _check_scripts(found: Map, output: Output, where: str) -> None:
    """What a PSBT says of an output's inside is the output's own."""
    redeem = found.get(fields.OUT_REDEEM_SCRIPT)
    witness = found.get(fields.OUT_WITNESS_SCRIPT)
    if not pays_script(output.script, redeem, witness):
        detail = "has a redeem or witness script of another output"
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


def _fee(spent: tuple[Output, ...], outputs: tuple[Output, ...]) -> int:
    fee = sum(item.amount for item in spent) - sum(item.amount for item in outputs)
    if fee < 0:
        detail = f"pays {-fee} satoshi more than it spends"
        raise PayloadError(Code.PAYLOAD_MALFORMED, "psbt.tx", detail)
    return fee


FORMAT: Format = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({TRANSFER, CONSOLIDATION}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
    names_source=True,
)
