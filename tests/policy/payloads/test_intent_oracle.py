"""Generated intents, written by another RFC 8785 and checked by the published schema."""

import json
from pathlib import Path

import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import policy
from policy.model import Transfer
from policy.payloads import decode
from tests.policy.payloads.examples import oracle

SCHEMA = Path(policy.__file__).parent / "schemas/intent.schema.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

_intents = st.fixed_dictionaries(
    {
        "amount": st.integers(1, 2**256 - 1).map(str),
        "asset": st.from_regex(r"[A-Za-z0-9@:._/-]{1,100}", fullmatch=True),
        # What looks like an address of Ethereum or a witness program has to be one.
        "destination": st.from_regex(r"(?!0[xX]|[bB][cC]1)[!-~]{1,128}", fullmatch=True),
        "expiry": st.integers(1, 253_402_300_799),
        "nonce": st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
        "schema": st.just("signgate.intent/1"),
    }
)


@oracle
@given(_intents)
def test_the_oracle_writes_the_same_intent(intent: dict[str, str | int]) -> None:
    """What the schema takes and the other library writes says what its members say."""
    VALIDATOR.validate(intent)
    payload = rfc8785.dumps(intent)
    decoded = decode("intent", payload)
    moved = Transfer(str(intent["asset"]), int(intent["amount"]), str(intent["destination"]))
    assert decoded.message == payload
    assert decoded.facts.transfers == (moved,)
    assert (decoded.facts.nonce, decoded.facts.expires_at) == (intent["nonce"], intent["expiry"])
