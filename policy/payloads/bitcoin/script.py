"""Scripts: how an output is locked, its address, and what a signature must open."""

import hashlib
from typing import NamedTuple

from policy import base58, bech32
from policy.payloads.bitcoin.wire import hash160, sha256d
from policy.reasons import Code, PayloadError

KEY_BYTES = 33  # a compressed public key (SEC 1, section 2.3.3)
NO_TAPROOT = "is taproot: PKCS#11 tokens make no BIP-340 signatures"

_CHECKSIG, _CHECKMULTISIG = 0xAC, 0xAE
_OP_0, _OP_1, _OP_16 = 0x00, 0x51, 0x60
_P2PKH = (b"\x76\xa9\x14", b"\x88\xac")  # DUP HASH160 <20> … EQUALVERIFY CHECKSIG
_P2SH = (b"\xa9\x14", b"\x87")  # HASH160 <20> … EQUAL
_P2PKH_BYTES, _P2SH_BYTES = 25, 23
_VERSION_P2PKH, _VERSION_P2SH = b"\x00", b"\x05"  # the main network's
_HASH, _SCRIPT_HASH = 20, 32


class Lock(NamedTuple):
    """What opens an output.

    ``code`` is the script that a signature commits to; ``witness`` tells whether what
    opens it goes into the witness. It takes ``threshold`` signatures of ``keys``, with
    ``code`` beside them (P2WSH), or one of the key whose hash is ``key_hash``.
    """

    code: bytes
    witness: bool
    threshold: int = 1
    keys: tuple[bytes, ...] = ()
    key_hash: bytes = b""

    @property
    def is_multisig(self) -> bool:
        """Whether the script counts signatures, even if one is enough."""
        return bool(self.keys) and self.code[-1] == _CHECKMULTISIG

    def takes(self, key: bytes) -> bool:
        """Whether a compressed public key is one of those that open it."""
        return key in self.keys or (bool(self.key_hash) and hash160(key) == self.key_hash)


def address(script: bytes, where: str) -> str:
    """Return a script's address on the main network.

    Raises:
        PayloadError: it has none.
    """
    if _is(script, *_P2PKH, _P2PKH_BYTES):
        return _base58(_VERSION_P2PKH + script[3:-2])
    if _is(script, *_P2SH, _P2SH_BYTES):
        return _base58(_VERSION_P2SH + script[2:-1])
    version, program = _program(script)
    if version == 0 and len(program) in {_HASH, _SCRIPT_HASH}:
        return bech32.encode(0, program)
    if version == 1 and len(program) == _SCRIPT_HASH:
        return bech32.encode(1, program)
    detail = f"{script[:40].hex()} has no address: neither P2PKH, P2SH, P2WPKH, P2WSH nor P2TR"
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


def address_of(key: bytes) -> str:
    """Return the P2WPKH address of a compressed public key on the main network."""
    return bech32.encode(0, hash160(key))


def pays_script(script: bytes, redeem: bytes | None, witness: bytes | None) -> bool:
    """Whether a redeem and a witness script, where given, are what an output is locked to."""
    if redeem is not None:
        if script != _P2SH[0] + hash160(redeem) + _P2SH[1]:
            return False
        script = redeem
    return witness is None or script == _witness_program(witness)


def _witness_program(script: bytes) -> bytes:
    return bytes((_OP_0, _SCRIPT_HASH)) + hashlib.sha256(script).digest()


def lock(script: bytes, witness_script: bytes | None, where: str) -> Lock:
    """Return what opens an output that is to be spent.

    Raises:
        PayloadError: its kind is not supported, or the witness script is not its own.
    """
    version, program = _program(script)
    if version == 0 and len(program) == _SCRIPT_HASH:
        return _script_hash(program, witness_script, where)
    if witness_script is not None:
        raise _malformed(where, "has a witness script and is no P2WSH")
    if version == 0 and len(program) == _HASH:
        return Lock(_P2PKH[0] + program + _P2PKH[1], witness=True, key_hash=program)
    if _is(script, *_P2PKH, _P2PKH_BYTES):
        return Lock(script, witness=False, key_hash=script[3:-2])
    if version == 1:
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, NO_TAPROOT)
    detail = "P2SH" if _is(script, *_P2SH, _P2SH_BYTES) else script[:40].hex()
    detail += " is neither P2WPKH, P2WSH nor P2PKH"
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


def _script_hash(program: bytes, witness_script: bytes | None, where: str) -> Lock:
    if witness_script is None:
        raise _malformed(where, "is P2WSH and has no witness script")
    if hashlib.sha256(witness_script).digest() != program:
        raise _malformed(where, "has the witness script of another output")
    threshold, keys = _signers(witness_script, where)
    return Lock(witness_script, witness=True, threshold=threshold, keys=keys)


def _signers(script: bytes, where: str) -> tuple[int, tuple[bytes, ...]]:
    """Return how many keys, and which, open a witness script of one or several keys."""
    if len(script) == KEY_BYTES + 2 and script[0] == KEY_BYTES and script[-1] == _CHECKSIG:
        return 1, (_key(script[1:-1], where),)
    count, rest = divmod(len(script) - 3, KEY_BYTES + 1)
    pushes = [script[at : at + KEY_BYTES + 1] for at in range(1, len(script) - 2, KEY_BYTES + 1)]
    if not rest and 1 <= count <= _OP_16 - _OP_1 + 1 and script[-1] == _CHECKMULTISIG:
        threshold = script[0] - _OP_1 + 1
        well_formed = all(push[0] == KEY_BYTES for push in pushes)
        if well_formed and script[-2] == _OP_1 - 1 + count and 1 <= threshold <= count:
            return threshold, tuple(_key(push[1:], where) for push in pushes)
    detail = "has a witness script that is neither <key> CHECKSIG nor m <keys> n CHECKMULTISIG"
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


def _key(data: bytes, where: str) -> bytes:
    if data[0] not in {2, 3}:
        raise _malformed(where, "has a key in its script that is not compressed")
    return data


def _program(script: bytes) -> tuple[int | None, bytes]:
    """Return version and program of a witness program (BIP-141); None where it is none."""
    if len(script) < 2 or script[1] != len(script) - 2:  # noqa: PLR2004 - version and length
        return None, b""
    if script[0] == _OP_0:
        return 0, script[2:]
    return (script[0] - _OP_1 + 1 if _OP_1 <= script[0] <= _OP_16 else None), script[2:]


def _is(script: bytes, start: bytes, end: bytes, size: int) -> bool:
    return len(script) == size and script.startswith(start) and script.endswith(end)


def _base58(data: bytes) -> str:
    return base58.encode(data + sha256d(data)[:4])


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
