"""Writes PSBTs that the service signed for the JavaScript peer, one a line of JSON.

The same at every call: all that are fixed in the tests, and as many made up from a seed.
"""

import hashlib
import json
import random
import sys
from collections.abc import Iterator

from tests.policy.payloads_bitcoin.drafts import (
    BTC,
    ELSEWHERE,
    LOCKS,
    OTHER,
    P2PKH,
    P2SH,
    P2TR,
    P2WPKH,
    Draft,
    Out,
    draft,
    p2wsh,
    spend,
)
from tests.policy.payloads_bitcoin.test_psbt_signed import sign

MADE_UP = 200
SEQUENCES = (0, 1, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF)
SCRIPTS = (ELSEWHERE, P2PKH, P2SH, P2TR, P2WPKH, p2wsh(b"\x51"))


def drafts() -> Iterator[tuple[str, Draft]]:
    """Return PSBTs of version 0, which is all that the peer reads, with their locks' names."""
    for lock in LOCKS:
        yield lock, draft(lock)
    alone = spend(LOCKS["P2WPKH"], BTC, 1, proven=False)
    yield "P2WPKH", Draft(0, [alone], [Out(BTC - 1, P2WPKH)])
    source = random.Random(174)
    for _ in range(MADE_UP):
        lock = source.choice(sorted(LOCKS))
        yield lock, _made_up(source, lock)


def _made_up(source: random.Random, lock: str) -> Draft:
    inputs = []
    spent = [source.randint(1, 10 ** source.randint(1, 14)) for _ in range(source.randint(1, 4))]
    for salt, amount in enumerate(spent, 1):
        item = spend(LOCKS[lock], amount, salt, witness=source.random() < 1 / 2)
        item.sequence = source.choice(SEQUENCES)
        inputs.append(item)
    left, outputs = sum(spent), []
    for _ in range(source.randint(1, 5)):
        amount = source.randint(0, left)
        left -= amount
        outputs.append(Out(amount, source.choice((*SCRIPTS, LOCKS[lock][0]))))
    return Draft(0, inputs, outputs, source.choice((1, 2)), source.randrange(2**32))


def signed(lock: str, payload: bytes) -> bytes:
    """Return the PSBT with the signatures of everybody that it takes."""
    psbt = sign(payload).psbt
    return sign(psbt, OTHER).psbt if lock == "P2WSH of 2 of 2" else psbt


def name(payload: bytes) -> str:
    """Return what stands for a payload in what is recorded."""
    return hashlib.sha256(payload).hexdigest()


def main() -> None:
    """Write them."""
    for lock, made in drafts():
        payload = made.payload()
        line = {"payload": name(payload), "signed": signed(lock, payload).hex()}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
