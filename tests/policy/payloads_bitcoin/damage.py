"""Ways to spoil a draft of a PSBT."""

from collections.abc import Callable

from tests.policy.payloads_bitcoin.drafts import (
    BTC,
    ELSEWHERE,
    LOCKS,
    P2TR,
    P2WPKH,
    Draft,
    Out,
    draft,
    number,
    output,
    pair,
    previous,
    spend,
)

RAW = previous([(1, P2TR), (BTC, P2WPKH)], 1)
WITNESSED = previous([(1, P2TR), (BTC, P2WPKH)], 1, witness=True)


def changed(change: Callable[[Draft], object], made: Draft | None = None) -> bytes:
    """Return a changed draft's payload."""
    made = made or draft()
    change(made)
    return made.payload()


def edited(old: bytes, new: bytes, made: Draft | None = None, count: int = 1) -> bytes:
    """Return a draft's payload with bytes replaced."""
    payload = (made or draft()).payload()
    assert old in payload
    return payload.replace(old, new, count)


def with_global(key: str, value: bytes = b"", version: int = 0) -> bytes:
    """Add a global field."""
    field = {bytes.fromhex(key): value}
    return changed(lambda made: made.globals.update(field), draft(version=version))


def with_input(key: str, value: bytes = b"", version: int = 0, lock: str = "P2WPKH") -> bytes:
    """Add a field to the first input."""
    field = {bytes.fromhex(key): value}
    return changed(lambda made: made.inputs[0].fields.update(field), draft(lock, version))


def with_output(key: str, value: bytes = b"", version: int = 0) -> bytes:
    """Add a field to the first output."""
    field = {bytes.fromhex(key): value}
    return changed(lambda made: made.outputs[0].fields.update(field), draft(version=version))


def without_input(key: str, version: int = 0, lock: str = "P2WPKH") -> bytes:
    """Take a field of the first input out."""
    return changed(lambda made: made.inputs[0].fields.pop(bytes.fromhex(key)), draft(lock, version))


def cut_input_2(key: str) -> bytes:
    """Leave out a field that version 2 needs, which drafts write by themselves."""
    made = draft(version=2, count=1)
    item = made.inputs[0]
    values = {"0e": item.txid, "0f": number(item.index)}
    return edited(pair(bytes.fromhex(key), values[key]), b"", made)


def paying(script: bytes) -> bytes:
    """Pay a script."""
    return changed(lambda made: setattr(made.outputs[0], "script", script))


def spending(script: bytes, witness_script: bytes | None = None, version: int = 0) -> bytes:
    """Spend two outputs with the same script."""
    inputs = [spend((script, witness_script), BTC, salt) for salt in (1, 2)]
    return Draft(version, inputs, [Out(BTC, ELSEWHERE)]).payload()


def mixed(*locks: str) -> bytes:
    """Spend outputs of several kinds."""
    inputs = [spend(LOCKS[lock], BTC, salt) for salt, lock in enumerate(locks, 1)]
    return Draft(0, inputs, [Out(BTC, ELSEWHERE)]).payload()


def lied_amount(made: Draft) -> None:
    """Say another amount than the one that is spent."""
    made.inputs[1].fields[b"\x01"] = output(2 * BTC, P2WPKH)


def unproven(made: Draft) -> None:
    """Take the previous transactions away."""
    for item in made.inputs:
        del item.fields[b"\x00"]


def wrong_previous(made: Draft) -> None:
    """Give an input the previous transaction of the other, which has the same output."""
    made.inputs[0].fields[b"\x00"] = made.inputs[1].fields[b"\x00"]


def spending_from(raw: bytes) -> bytes:
    """Spend from bytes that may be no transaction, under the id that they would have."""
    made = draft()
    made.inputs[0].fields[b"\x00"] = raw
    return made.payload()


def required(*required: tuple[str, int]) -> bytes:
    """Require lock times."""
    made = draft(version=2)
    for item, (key, value) in zip(made.inputs, required, strict=False):
        item.fields[bytes.fromhex(key)] = number(value)
    return made.payload()
