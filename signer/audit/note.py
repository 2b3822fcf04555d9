"""Signed notes and checkpoints: C2SP signed-note, C2SP tlog-checkpoint.

A note is text that ends in a newline, an empty line, and signature lines. A
checkpoint is the note whose text is the log's origin, its size and its root.
Only the canonical encoding is read: decimal sizes without leading zeros, base64
that encodes back to itself.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signer.audit.merkle import HASH_BYTES

ED25519 = b"\x01"  # signed-note, signature types
KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) (\S+)")


class NoteError(ValueError):
    """A note, checkpoint or verifier key is malformed, or its signature is wrong."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A log's name and its Ed25519 public key, 32 bytes."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteError(f"a key name holds no spaces and no '+': {self.name!r}")
        if len(self.public_key) != HASH_BYTES:
            raise NoteError("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes that find the key's signature (signed-note, signatures)."""
        named = self.name.encode() + b"\n" + ED25519 + self.public_key
        return sha256(named).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as one line of text (signed-note, verifier keys)."""
        key = b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def from_vkey(cls, vkey: str) -> "Verifier":
        """Read what ``vkey`` wrote.

        Raises:
            NoteError: it is not a verifier key for Ed25519 in its one encoding.
        """
        name, _, rest = vkey.partition("+")
        key = _base64(rest.partition("+")[2])
        if key[:1] != ED25519:
            raise NoteError("only Ed25519 verifier keys (type 0x01) are known")
        verifier = cls(name, key[1:])
        if verifier.vkey != vkey:
            raise NoteError("the verifier key's id does not fit its name and key")
        return verifier

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check one signature over a note's text.

        Raises:
            NoteError: it is wrong.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except InvalidSignature:
            raise NoteError(f"the signature of {self.name} is wrong") from None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's origin, its number of entries and its root hash."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The note's text (tlog-checkpoint, note text)."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    @classmethod
    def from_text(cls, text: bytes) -> "Checkpoint":
        """Read a checkpoint without extension lines.

        Raises:
            NoteError: it is not one, or not in its one encoding.
        """
        lines = _utf8(text).split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:  # noqa: PLR2004 - three lines and an end
            raise NoteError("a checkpoint is three lines: origin, size, root")
        if not _SIZE.fullmatch(lines[1]):
            raise NoteError(f"not a tree size: {lines[1]!r}")
        root = _base64(lines[2])
        if len(root) != HASH_BYTES:
            raise NoteError("a root hash has 32 bytes")
        return cls(lines[0], int(lines[1]), root)


def sign_note(text: bytes, verifier: Verifier, signature: bytes) -> bytes:
    """Put a note together from its text and its signature, which is verified.

    Raises:
        NoteError: the signature is wrong.
    """
    verifier.verify(text, signature)
    encoded = b64encode(verifier.key_id + signature).decode()
    return text + f"\n— {verifier.name} {encoded}\n".encode()


def open_note(note: bytes, verifier: Verifier) -> bytes:
    """Return the text of a note that ``verifier`` signed (signed-note, verifying).

    Raises:
        NoteError: the note is malformed, not signed by it, or wrongly signed.
    """
    text, separator, signatures = note.rpartition(b"\n\n")
    if not separator or not signatures.endswith(b"\n"):
        raise NoteError("not a signed note: text, an empty line, signature lines")
    found = [_signature(line) for line in _utf8(signatures[:-1]).split("\n")]
    text += b"\n"
    known = [raw[KEY_ID_BYTES:] for name, raw in found if _is_by(verifier, name, raw)]
    if not known:
        raise NoteError(f"no signature by {verifier.name} with key id {verifier.key_id.hex()}")
    for signature in known:
        verifier.verify(text, signature)
    return text


def _is_by(verifier: Verifier, name: str, raw: bytes) -> bool:
    return name == verifier.name and raw[:KEY_ID_BYTES] == verifier.key_id


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise NoteError(f"not a signature line: {line!r}")
    return match[1], _base64(match[2])


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NoteError("not UTF-8") from None


def _base64(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise NoteError(f"not base64: {text!r}") from None
    if b64encode(raw).decode() != text:
        raise NoteError(f"not the canonical base64: {text!r}")
    return raw
