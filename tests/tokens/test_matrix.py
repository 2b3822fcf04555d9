"""The pool on every kind of token that can be had, with the mechanisms that each has.

Of the tokens, NSS stores no data objects, so it can't hold the known answer that an HMAC
key needs; p11-kit's protocol carries no Ed25519; opencryptoki 3.8 has no elliptic curves
without IBM's hardware.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from policy.algorithms import Algorithm
from tests.support.hsms import CamlCrush, TwoByKit, needs_root, nss, opencryptoki, softhsm
from tests.support.pools import Hsm, pool_process, start_error

P256 = frozenset({Algorithm.ECDSA_P256})
ECDSA = P256 | {Algorithm.ECDSA_SECP256K1}
RSA = frozenset({Algorithm.RSA_PKCS1_SHA256, Algorithm.RSA_PSS_SHA256})
HMAC = frozenset(algorithm for algorithm in Algorithm if algorithm.is_mac)
ALL = ECDSA | {Algorithm.ED25519} | RSA | HMAC
# One key for each algorithm; the RSA key serves both paddings.
KEYS = [algorithm.value for algorithm in Algorithm if algorithm is not Algorithm.RSA_PSS_SHA256]
WITHOUT_ED25519 = [name for name in KEYS if name != Algorithm.ED25519]


@contextmanager
def _caml_crush(directory: Path) -> Iterator[Hsm]:
    crush = CamlCrush(directory)
    crush.start()
    try:
        yield crush.hsm
    finally:
        crush.daemon.kill()


@contextmanager
def _p11_kit(directory: Path, keys: list[str] = WITHOUT_ED25519) -> Iterator[Hsm]:
    kit = TwoByKit(directory, keys)
    for number in range(2):
        kit.start(number)
    try:
        yield kit.hsm
    finally:
        for daemon in kit.daemons:
            daemon.kill()


@contextmanager
def _softhsm(directory: Path) -> Iterator[Hsm]:
    yield softhsm(directory)


@contextmanager
def _nss(directory: Path) -> Iterator[Hsm]:
    yield nss(directory)


@contextmanager
def _opencryptoki(directory: Path) -> Iterator[Hsm]:
    yield opencryptoki(directory)


Rig = Callable[[Path], AbstractContextManager[Hsm]]
TOKENS: dict[str, tuple[Rig, list[str], frozenset[Algorithm]]] = {
    "softhsm2": (_softhsm, KEYS, ALL),
    "caml-crush": (_caml_crush, KEYS, ALL),
    "p11-kit": (_p11_kit, WITHOUT_ED25519, ECDSA | RSA | HMAC),
    "nss": (_nss, KEYS, P256 | RSA),
    "opencryptoki": (_opencryptoki, KEYS, RSA | HMAC),
}


def _cases() -> Iterator[Any]:
    for name, case in TOKENS.items():
        marks = [] if name in {"softhsm2", "caml-crush"} else [needs_root]
        yield pytest.param(*case, id=name, marks=marks)


@pytest.mark.parametrize(("rig", "keys", "can"), list(_cases()))
def test_every_mechanism(
    tmp_path: Path, rig: Rig, keys: list[str], can: frozenset[Algorithm]
) -> None:
    """A token signs by each mechanism that it has, and makes no key for the others."""
    with rig(tmp_path) as hsm, pool_process(hsm, keys) as pool:
        assert pool.ask("sign") == {
            f"{'rsa-pkcs1-sha256' if algorithm in RSA else algorithm} {algorithm}": "signed"
            for algorithm in can
        }
        assert set(pool.refused) == set(keys) - can


@needs_root
def test_a_key_that_the_token_cannot_serve(tmp_path: Path) -> None:
    """A key that is on a token but that it can't use stops the start, by name."""
    with _p11_kit(tmp_path, ["ecdsa-p256", "ed25519"]) as hsm:
        error = start_error(hsm)
    assert error == "keys/ed25519/versions/1: token 'hsm-a' has no mechanism for ed25519"
