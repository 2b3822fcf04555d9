"""The worst payloads cost time and memory in proportion to their size."""

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest

from policy.payloads import MAX_BYTES, decode
from policy.payloads.ethereum import message, rlp, transaction, typed_data
from policy.reasons import PayloadError
from tests.policy.payloads.examples import USDC, dynamic_fee, intent
from tests.policy.payloads.typed_examples import document, edited, safe_call, written
from tests.policy.payloads_bitcoin import drafts

LARGEST = {
    "bitcoin.psbt": MAX_BYTES,
    "ethereum.message": message.MAX_BYTES,
    "ethereum.transaction": transaction.MAX_BYTES,
    "ethereum.typed-data": typed_data.MAX_BYTES,
    "intent": MAX_BYTES,
}
# Sixteen times the size may cost sixteen times the time, and twice that on a noisy machine;
# what is quadratic costs 256 times as much.
MOST = 64


def _keys(size: int) -> bytes:
    return dynamic_fee(access_list=[[USDC, [b"\1" * 32] * (size // 34)]])


def _entries(size: int) -> bytes:
    entries: list[rlp.Item] = [[USDC, []]] * (size // 24)
    return dynamic_fee(access_list=entries)


def _members(size: int) -> bytes:
    return b"{" + b",".join(b'"%06d":1' % at for at in range(size // 11)) + b"}"


def _previous_outputs(size: int) -> bytes:
    return _spending(drafts.previous([(1, drafts.P2WPKH)] * (size // 31), 1))


def _previous_witness(size: int) -> bytes:
    raw = drafts.previous([(1, drafts.P2WPKH)] * 2, 1, witness=True)
    end = raw[-4:]
    return _spending(raw[: -4 - 107] + drafts.length(size) + bytes(size) + end)


def _spending(raw: bytes) -> bytes:
    made = drafts.draft(count=1)
    made.inputs[0].txid = drafts.txid(raw)
    made.inputs[0].fields = {b"\x00": raw}
    made.outputs = [drafts.Out(0, drafts.ELSEWHERE)]
    return made.payload()


def _psbt_fields(size: int) -> bytes:
    made = drafts.draft()
    keys = (b"\x06\x02" + at.to_bytes(32) for at in range(size // 44))
    made.outputs[0].fields = {}
    made.inputs[0].fields |= dict.fromkeys(keys, bytes(8))
    return made.payload()


def _legacy_inputs(size: int) -> bytes:
    made = drafts.draft("P2PKH", count=min(100, size // 350))
    extra = min(498, size // 700)
    made.outputs += [drafts.Out(0, drafts.P2PKH)] * extra
    return made.payload()


def _typed(name: str = "n", **changes: object) -> bytes:
    return written(edited(document("Permit", **changes), "domain.name", name))


WORST: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "RLP: empty items": ("ethereum.transaction", lambda size: rlp.encode([b""] * size)),
    "RLP: empty lists": ("ethereum.transaction", lambda size: rlp.encode([[]] * size)),
    "RLP: a long string": ("ethereum.transaction", lambda size: dynamic_fee(data=b"\1" * size)),
    "RLP: a long number": ("ethereum.transaction", lambda size: dynamic_fee(value=b"\1" * size)),
    "RLP: many storage keys": ("ethereum.transaction", _keys),
    "RLP: many entries": ("ethereum.transaction", _entries),
    "text: letters": ("ethereum.message", lambda size: b"a " * (size // 2)),
    "text: marks": ("ethereum.message", lambda size: ("a" + "\u0301" * (size // 2)).encode()),
    "text: a long word": ("ethereum.message", lambda size: b"a" * size),
    "typed data: a long name": ("ethereum.typed-data", lambda size: _typed("n" * size)),
    "typed data: a long number": ("ethereum.typed-data", lambda size: _typed(value="9" * size)),
    "typed data: long calldata": (
        "ethereum.typed-data",
        lambda size: written(safe_call("0x" + "00" * (size // 2))),
    ),
    "JSON: a long string": ("intent", lambda size: intent(nonce="n" * size)),
    "JSON: a long escape": ("intent", lambda size: intent(nonce="\n" * (size // 2))),
    "JSON: many members": ("intent", _members),
    "JSON: spaces": ("intent", lambda size: b" " * size + intent()),
    "JSON: brackets": ("intent", lambda size: b"[" * size),
    "JSON: digits": ("intent", lambda size: intent(expiry=1)[:-1] + b"9" * size),
    "JSON: a long number": ("intent", lambda size: b'{"a":' + b"9" * size + b"}"),
    "JSON: many numbers": ("intent", lambda size: b'{"a":[' + b"9999," * (size // 5)),
    "PSBT: many previous outputs": ("bitcoin.psbt", _previous_outputs),
    "PSBT: a previous witness": ("bitcoin.psbt", _previous_witness),
    "PSBT: many fields": ("bitcoin.psbt", _psbt_fields),
    "PSBT: many inputs and outputs": ("bitcoin.psbt", _legacy_inputs),
    "PSBT: a count": ("bitcoin.psbt", lambda size: b"psbt\xff\x01\x04\xff" + b"\xff" * size),
    "JSON: a member's long name": ("intent", lambda size: intent(**{"n" * size: 1})),
}


def _pair(name: str) -> tuple[str, bytes, bytes]:
    """Return a format's tag, and a payload that is sixteen times as large as another."""
    tag, build = WORST[name]
    # Room for what stands around the part that grows.
    size = LARGEST[tag] - (1024 if tag != "ethereum.typed-data" else 2048)
    small, large = build(size // 16), build(size)
    assert len(large) <= LARGEST[tag]
    return tag, small, large


def _seconds(tag: str, payload: bytes) -> float:
    """Return the least time of five: noise only adds."""
    times = []
    for _ in range(5):
        start = time.process_time()
        with suppress(PayloadError):
            decode(tag, payload)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", WORST)
def test_time_grows_with_size_alone(name: str) -> None:
    """Sixteen times the bytes never cost more than a multiple of sixteen times the time."""
    tag, small, large = _pair(name)
    floor = 0.0002  # below this a clock tells nothing
    assert _seconds(tag, large) <= MOST * max(_seconds(tag, small), floor)


def _peak_bytes(tag: str, payload: bytes) -> int:
    tracemalloc.start()
    try:
        with suppress(PayloadError):
            decode(tag, payload)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", WORST)
def test_memory_grows_with_size_alone(name: str) -> None:
    """Sixteen times the bytes take about sixteen times the memory: no 100 times their own."""
    tag, small, large = _pair(name)
    floor = 64 * 1024  # what a decoder takes for the smallest
    peak = _peak_bytes(tag, large)
    assert peak <= 24 * max(_peak_bytes(tag, small), floor)
    assert peak <= 100 * len(large) + floor
