"""Transfer intents: what they say, and what the published schema says of them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import policy
from policy.algorithms import Algorithm, Digest
from policy.model import Facts, Transfer
from policy.payloads import FORMATS, decode
from policy.reasons import Code
from tests.policy.payloads.examples import OMNIBUS_TEXT, document, facts, intent, refusal

SCHEMA = json.loads((Path(policy.__file__).parent / "schemas/intent.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

Changes = Mapping[str, object]

ACCEPTED: Mapping[str, Changes] = {
    "as it is": {},
    "an asset without a chain": {"asset": "USD"},
    "one base unit": {"amount": "1"},
    "the largest amount": {"amount": str(2**256 - 1)},
    "a bank account": {"destination": "DE02120300000000202051"},
    "the longest destination": {"destination": "~" * 128},
    "an address of another chain": {"destination": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"},
    "the longest nonce": {"nonce": "n" * 64},
    "the longest asset": {"asset": "A" * 100},
    "the first second": {"expiry": 1},
    "the last second": {"expiry": 253_402_300_799},
}

MALFORMED: Mapping[str, Changes] = {
    "amount: a number": {"amount": 1000},
    "amount: true": {"amount": True},
    "amount: a list": {"amount": ["1"]},
    "amount: an object": {"amount": {"value": "1"}},
    "amount: empty": {"amount": ""},
    "amount: zero": {"amount": "0"},
    "amount: a leading zero": {"amount": "01"},
    "amount: negative": {"amount": "-1"},
    "amount: a plus sign": {"amount": "+1"},
    "amount: a fraction": {"amount": "1.5"},
    "amount: a whole fraction": {"amount": "1.0"},
    "amount: an exponent": {"amount": "1e6"},
    "amount: hexadecimal": {"amount": "0x10"},
    "amount: an underscore": {"amount": "1_000"},
    "amount: a thousands separator": {"amount": "1,000"},
    "amount: a space before": {"amount": " 1"},
    "amount: a space after": {"amount": "1 "},
    "amount: a line end after": {"amount": "1\n"},
    "amount: Arabic-Indic digits": {"amount": "١٢٣"},
    "amount: full-width digits": {"amount": "１２３"},
    "amount: a superscript": {"amount": "1²"},
    "amount: 300 digits": {"amount": "9" * 300},
    "amount: NaN": {"amount": "NaN"},
    "amount: missing": {"amount": None},
    "asset: empty": {"asset": ""},
    "asset: too long": {"asset": "A" * 101},
    "asset: a space": {"asset": "US D"},
    "asset: a line end after": {"asset": "USD\n"},
    "asset: a Cyrillic letter": {"asset": "USDС"},
    "asset: a zero-width space": {"asset": "USD\u200b"},
    "asset: a number": {"asset": 1},
    "asset: missing": {"asset": None},
    "destination: empty": {"destination": ""},
    "destination: too long": {"destination": "~" * 129},
    "destination: a space within": {"destination": "acme ltd"},
    "destination: a line end after": {"destination": "acme\n"},
    "destination: a NUL": {"destination": "acme\0"},
    "destination: a right-to-left mark": {"destination": "acme\u200f"},
    "destination: a list": {"destination": ["acme"]},
    "destination: missing": {"destination": None},
    "nonce: empty": {"nonce": ""},
    "nonce: too long": {"nonce": "n" * 65},
    "nonce: a slash": {"nonce": "a/b"},
    "nonce: a line end after": {"nonce": "a\n"},
    "nonce: a number": {"nonce": 7},
    "nonce: missing": {"nonce": None},
    "expiry: a string": {"expiry": "1790000000"},
    "expiry: true": {"expiry": True},
    "expiry: zero": {"expiry": 0},
    "expiry: negative": {"expiry": -1},
    "expiry: after the year 9999": {"expiry": 253_402_300_800},
    "expiry: a list": {"expiry": [1]},
    "expiry: missing": {"expiry": None},
    "an extra member": {"memo": "hello"},
    "an extra member that sorts first": {"Amount": "1"},
    "an extra member without a name": {"": 1},
    "a misspelt member": {"expiry": None, "expires": 1_790_000_000},
}

UNSUPPORTED: Mapping[str, Changes] = {
    "the next version": {"schema": "signgate.intent/2"},
    "no version": {"schema": "signgate.intent"},
    "other case": {"schema": "Signgate.intent/1"},
    "a space after": {"schema": "signgate.intent/1 "},
    "a list": {"schema": ["signgate.intent/1"]},
    "a number": {"schema": 1},
    "missing": {"schema": None},
}

# The schema cannot say these: it has no checksums, and no numbers as long as 2^256.
BEYOND_THE_SCHEMA: Mapping[str, tuple[Changes, Code]] = {
    "lower case": ({"destination": "0x" + "ab" * 20}, Code.PAYLOAD_NOT_CANONICAL),
    "upper case": ({"destination": "0x" + "AB" * 20}, Code.PAYLOAD_NOT_CANONICAL),
    "an upper-case X": ({"destination": "0X" + "1" * 40}, Code.PAYLOAD_NOT_CANONICAL),
    "39 digits": ({"destination": "0x" + "1" * 39}, Code.PAYLOAD_NOT_CANONICAL),
    "41 digits": ({"destination": "0x" + "1" * 41}, Code.PAYLOAD_NOT_CANONICAL),
    "not hexadecimal": ({"destination": "0x" + "g" * 40}, Code.PAYLOAD_NOT_CANONICAL),
    "one above the largest amount": ({"amount": str(2**256)}, Code.PAYLOAD_MALFORMED),
    "an amount of 78 nines": ({"amount": "9" * 78}, Code.PAYLOAD_MALFORMED),
}
# Python's $ also matches before a last line end; in ECMA-262, which the schema means, it does not.
_LINE_END = tuple(name for name in MALFORMED if "line end after" in name)


def test_an_intent_says_what_it_moves() -> None:
    """All facts come from the document, and the signature covers its bytes."""
    payload = intent()
    decoded = decode("intent", payload)
    assert decoded.facts == Facts(
        action="intent.transfer",
        transfers=(Transfer("USDC@eip155:1", 1_000_000, OMNIBUS_TEXT),),
        expires_at=1_790_000_000,
        nonce="run-7.1",
    )
    assert (decoded.message, decoded.digest) == (payload, Digest.NATIVE)


def test_any_key_may_sign_intents() -> None:
    """No algorithm is shut out, and there is one action."""
    assert FORMATS["intent"].algorithms == set(Algorithm)
    assert FORMATS["intent"].actions == {"intent.transfer"}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_grammar_allows_is_accepted(name: str) -> None:
    """The edges of every member's grammar are inside, for decoder and schema alike."""
    members = document(**ACCEPTED[name])
    moved = facts("intent", intent(**ACCEPTED[name])).transfers[0]
    assert (moved.asset, moved.destination) == (members["asset"], members["destination"])
    assert str(moved.amount) == members["amount"]
    assert VALIDATOR.is_valid(members)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_the_grammar_forbids_is_refused(name: str) -> None:
    """A member of the wrong type, spelling, size or name is refused."""
    assert refusal("intent", intent(**MALFORMED[name])).code is Code.PAYLOAD_MALFORMED


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_document_of_another_schema_is_refused(name: str) -> None:
    """Only this schema's name makes a document an intent."""
    reason = refusal("intent", intent(**UNSUPPORTED[name]))
    assert (reason.code, reason.rule) == (Code.PAYLOAD_UNSUPPORTED, "$.schema")


@pytest.mark.parametrize("name", BEYOND_THE_SCHEMA)
def test_a_destination_or_amount_has_one_spelling(name: str) -> None:
    """What only the decoder can check is refused though the schema allows it."""
    changes, code = BEYOND_THE_SCHEMA[name]
    assert refusal("intent", intent(**changes)).code is code
    assert VALIDATOR.is_valid(document(**changes))


@pytest.mark.parametrize("name", sorted({*MALFORMED, *UNSUPPORTED} - {*_LINE_END}))
def test_the_schema_agrees_with_the_decoder(name: str) -> None:
    """Whatever the decoder refuses for its members, the published schema refuses too."""
    changes = MALFORMED.get(name) or UNSUPPORTED[name]
    assert not VALIDATOR.is_valid(document(**changes))


def test_the_schema_is_one() -> None:
    """The published file is itself valid by draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "payload",
    [
        intent().replace(b'"amount"', b'"amount":"1","amount"'),
        intent().replace(b'"nonce"', rb'"n\u006fnce"'),
        intent().replace(b":1790000000", b":1790000000.0"),
        intent().replace(b":1790000000", b":179e7"),
        intent()[:-1],
        intent() + b"\n",
        b"\xef\xbb\xbf" + intent(),
        b"[" + intent() + b"]",
    ],
)
def test_an_intent_has_one_encoding(payload: bytes) -> None:
    """A valid intent in another spelling is refused."""
    code = refusal("intent", payload).code
    assert code in {Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL}


def test_a_refusal_names_the_member() -> None:
    """The audit log learns which member was wrong, and what would be right."""
    reason = refusal("intent", intent(amount="1.5"))
    assert reason.rule == "$.amount"
    assert "base units" in reason.detail
    assert refusal("intent", intent(memo="x")).detail == "'memo' is not a member of an intent"
    assert refusal("intent", intent(nonce=None)).detail == "'nonce' is missing"
