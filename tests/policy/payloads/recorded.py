"""What becomes of each payload, on record: ``python -m tests.policy.payloads.recorded``.

``record.jsonl`` has a payload for every kind of refusal, with its words, and for every kind
of what is accepted, with its facts and what is signed. A change shows there in review; the
command writes anew what becomes of the payloads on record.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import fields

from policy.model import Facts
from policy.payloads import decode
from policy.reasons import PayloadError

RECORD = Path(__file__).with_name("record.jsonl")


class Recorded(NamedTuple):
    """A payload, and what its decoder makes of it."""

    format: str
    payload: bytes
    outcome: str


def read() -> list[Recorded]:
    """Read the record."""
    lines = map(json.loads, RECORD.read_text("ascii").splitlines())
    return [Recorded(tag, _bytes(payload), outcome) for tag, payload, outcome in lines]


def write(items: Iterable[Recorded]) -> None:
    """Write the record, a line each."""
    lines = sorted((tag, _text(payload), outcome) for tag, payload, outcome in items)
    RECORD.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "ascii")


def outcome(tag: str, payload: bytes) -> str:
    """Return the code, place and detail of a refusal, or the facts and what is signed."""
    try:
        decoded = decode(tag, payload)
    except PayloadError as error:
        return f"{error.reason.code} {error}"
    signed = sha256(b"".join(sha256(message).digest() for message in decoded.messages))
    return f"{_facts(decoded.facts)} signs {decoded.digest} {signed.hexdigest()[:16]}"


def _facts(facts: Facts) -> str:
    told = ((field, getattr(facts, field.name)) for field in fields(Facts))
    return ", ".join(f"{field.name}={value!r}" for field, value in told if value != field.default)


def _text(payload: bytes) -> str:
    """Write text as it is, and anything else in hexadecimal."""
    if payload.isascii() and payload.strip(b"0123456789abcdef"):
        return payload.decode("ascii")
    return payload.hex()


def _bytes(text: str) -> bytes:
    return text.encode("ascii") if text.strip("0123456789abcdef") else bytes.fromhex(text)


if __name__ == "__main__":
    write(item._replace(outcome=outcome(item.format, item.payload)) for item in read())
