"""Signs by two threads on a pool of two sessions; a program of its own.

Run as ``two_threads.py MODULE TOKEN PIN_FILE COUNT MODE``. With the mode ``locking``
the module is loaded as the service does it, with ``plain`` as python-pkcs11 does.
Prints how many signatures were released, all of which the pool has verified.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import cast

import pkcs11
from pkcs11 import _pkcs11

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.hsm import Pool
from signer.hsm.cryptoki import Cryptoki
from signer.hsm.module import Library, Module, function_list, load
from signer.hsm.token import log_in
from signer.pin import FilePin
from tests.support.signing import approval

THREADS = 2
KEY = "threads"


def _module(path: Path, mode: str) -> Module:
    return load(path) if mode == "locking" else _plain(pkcs11.lib(str(path)))


def _plain(library: _pkcs11.lib) -> Module:
    return Module(cast("Library", library), Cryptoki(function_list(library)))


def _sign(pool: Pool, mint: Mint, count: int, number: int) -> int:
    signatures = {
        pool.sign(
            mint.issue(approval(Algorithm.ECDSA_P256, b"%d/%d" % (number, index), key=KEY)),
            time.monotonic() + 10,
        )
        for index in range(count)
    }
    return len(signatures)


def main(module: str, label: str, pin_file: str, count: str, mode: str) -> None:
    """Sign."""
    mint = Mint()
    with (
        closing(log_in(_module(Path(module), mode), label, FilePin(Path(pin_file)))) as token,
        closing(Pool(token, sessions=THREADS, redeem=mint.redeem)) as pool,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        work = partial(_sign, pool, mint, int(count) // THREADS)
        sys.stdout.write(f"{sum(threads.map(work, range(THREADS)))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
