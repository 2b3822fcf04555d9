"""Signed notes and checkpoints, against the specifications' own examples."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.audit.note import Checkpoint, NoteError, Verifier, open_note, sign_note

# The example of golang.org/x/mod/sumdb/note, from which signed-note was taken.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = Verifier("log.example/a", KEY.public_key().public_bytes_raw())
HEAD = Checkpoint("log.example/a", 12, bytes(range(32)))


def signed(text: bytes = HEAD.text) -> bytes:
    """Return a note of the log."""
    return sign_note(text, LOG, KEY.sign(text))


def test_the_published_example() -> None:
    """A note that others signed opens with their verifier key."""
    verifier = Verifier.from_vkey(VKEY)
    assert (verifier.name, verifier.vkey) == ("PeterNeumann", VKEY)
    assert open_note(NOTE, verifier) == NOTE[: NOTE.index(b"\n\n") + 1]


def test_checkpoint_bytes() -> None:
    """A checkpoint's text is origin, size and root, and is read back."""
    text = b"log.example/a\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert HEAD.text == text
    assert Checkpoint.from_text(open_note(signed(), LOG)) == HEAD


def test_every_byte_of_a_note_counts() -> None:
    """No bit of a note can be changed without being noticed."""
    note = signed()
    for position in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[position] ^= 1 << bit
            with pytest.raises(NoteError):
                open_note(bytes(changed), LOG)


def test_other_signers_are_ignored() -> None:
    """A witness's line beside the log's changes nothing (signed-note, verifying)."""
    witness = "— witness.example " + b64encode(bytes(76)).decode() + "\n"
    assert open_note(signed() + witness.encode(), LOG) == HEAD.text


def test_two_signatures_of_one_key_must_both_be_right() -> None:
    """A wrong signature beside a right one is refused."""
    note = signed()
    line = "— log.example/a " + b64encode(LOG.key_id + bytes(64)).decode() + "\n"
    with pytest.raises(NoteError, match="is wrong"):
        open_note(note + line.encode(), LOG)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- log.example/a AAAA\n",
        b"text\n\n\xff\n",
        signed()[:-1],
        signed() + b"\n",
        signed().replace(LOG.name.encode() + b" ", b"log.example/b "),
        signed().replace(b"=\n", b"\n"),
    ],
)
def test_malformed_notes(note: bytes) -> None:
    """What is not a note by this log is refused."""
    with pytest.raises(NoteError):
        open_note(note, LOG)


def test_a_wrong_signature_makes_no_note() -> None:
    """A signature is checked before a note is put together."""
    with pytest.raises(NoteError, match=r"signature of log\.example/a is wrong"):
        sign_note(HEAD.text, LOG, bytes(64))


@pytest.mark.parametrize(
    "text",
    [
        b"log\n12\n",
        b"\n12\n" + b64encode(bytes(32)) + b"\n",
        b"log\n12\n" + b64encode(bytes(31)) + b"\n",
        b"log\n012\n" + b64encode(bytes(32)) + b"\n",
        b"log\n-1\n" + b64encode(bytes(32)) + b"\n",
        "log\n\u0661\n".encode() + b64encode(bytes(32)) + b"\n",
        b"log\n12\n" + b64encode(bytes(32)),
        b"log\n12\n" + b64encode(bytes(32)) + b"\nextension\n",
        b"log\n12\n" + b64encode(bytes(32))[:-2] + b"B=\n",
        b"log\n12\n!!!!\n",
        b"\xff\n12\n" + b64encode(bytes(32)) + b"\n",
    ],
)
def test_malformed_checkpoints(text: bytes) -> None:
    """Only the canonical encoding of a checkpoint is read."""
    with pytest.raises(NoteError):
        Checkpoint.from_text(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("Peter", "Paul"),
        VKEY[:-4],
        "name+00000000+" + b64encode(b"\x02" + bytes(32)).decode(),
    ],
)
def test_malformed_verifier_keys(vkey: str) -> None:
    """A verifier key is read only in its one encoding, and for Ed25519 only."""
    with pytest.raises(NoteError):
        Verifier.from_vkey(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b"])
def test_malformed_names(name: str) -> None:
    """A key name holds no spaces and no plus sign (signed-note, format)."""
    with pytest.raises(NoteError, match="key name"):
        Verifier(name, b64decode(b64encode(bytes(32))))
