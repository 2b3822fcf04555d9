"""The data of pinned calls that move what is wanted: ``PinnedCall.read``, backwards."""

from collections.abc import Iterator

from policy import abi, fields
from policy.contracts import PinnedCall
from policy.model import Transfer

_FREE = (bytes(abi.WORD), bytes(abi.WORD - 1) + b"\1", b"\1" + bytes(abi.WORD - 1))


def written(call: PinnedCall, moved: Transfer | None) -> Iterator[bytes]:
    """Return the call's data, with nothing and with something in its free parameters.

    What a parameter cannot say is not looked at: whoever reads the call finds out.
    """
    for free in _FREE:
        words = [
            call.fixed.get(index, free if item.is_clean(free) else bytes(abi.WORD))
            for index, item in enumerate(call.method.parameters)
        ]
        if moved is not None:
            _fill(words, call, moved)
        yield call.method.selector + b"".join(words)


def _fill(words: list[bytes], call: PinnedCall, moved: Transfer) -> None:
    """Write what moves into the parameters that say so."""
    if call.amount is not None:
        words[call.amount] = moved.amount.to_bytes(abi.WORD)
    if call.destination is not None:
        words[call.destination] = address(str(moved.destination))
    if call.asset_from is not None:
        words[call.asset_from] = address(moved.asset.rpartition(":")[2])


def address(text: str) -> bytes:
    """Return an address's word; what is none can't be said in a call."""
    return bytes.fromhex(text[2:] if fields.is_ethereum(text) else "").rjust(abi.WORD, b"\0")
