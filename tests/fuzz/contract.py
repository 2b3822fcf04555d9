"""What must hold of any bytes, whatever the format."""

from policy.model import CONTRACT_CALL, Decoded
from policy.payloads import FORMATS, decode
from policy.reasons import PayloadError, Reason
from tests.policy.payloads.written_again import WRITTEN_AGAIN

MAX_DETAIL = 500


def check(tag: str, payload: bytes) -> Decoded | None:
    """Decode: any bytes give facts or ``PayloadError``, and facts have one encoding.

    Returns:
        what was decoded; None where it was refused.
    """
    try:
        decoded = decode(tag, payload)
    except PayloadError as error:
        _explained(error.reason)
        return None
    hold(tag, payload, decoded)
    return decoded


def hold(tag: str, payload: bytes, decoded: Decoded) -> None:
    """Hold what a decoder accepted to the contract."""
    amounts = [moved.amount for moved in decoded.facts.transfers]
    calls = {CONTRACT_CALL} if FORMATS[tag].calls else set()
    assert decoded.facts.action in FORMATS[tag].actions | calls
    assert all(type(amount) is int and amount >= 0 for amount in amounts)
    assert WRITTEN_AGAIN[tag](payload) == payload, f"{payload!r} has another encoding"


def _explained(reason: Reason) -> None:
    """Check that a refusal can stand in the audit log: short, and in ASCII."""
    assert reason.rule
    assert reason.detail.isascii()
    assert len(reason.detail) < MAX_DETAIL
