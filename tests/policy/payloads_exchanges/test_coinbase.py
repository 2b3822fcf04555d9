"""Coinbase tokens: what another implementation makes of them, and the ways round."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Facts
from policy.payloads import decode
from policy.payloads.coinbase import TAG
from policy.reasons import Code, PayloadError, Reason

Tree = dict[str, Any]

KEY = "organizations/e4b7a3f0/apiKeys/9c1d2b34"
HEADER: Tree = {"alg": "ES256", "kid": KEY, "nonce": "16a8f2d9c4b70e35", "typ": "JWT"}
CLAIMS: Tree = {
    "exp": 1_700_000_120,
    "iss": "cdp",
    "nbf": 1_700_000_000,
    "sub": KEY,
    "uri": "POST api.coinbase.com/api/v3/brokerage/orders",
}


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _token(header: Tree | None = None, claims: Tree | None = None) -> bytes:
    parts = (rfc8785.dumps(HEADER | (header or {})), rfc8785.dumps(CLAIMS | (claims or {})))
    return b".".join(map(_part, parts))


def test_a_token_is_a_session() -> None:
    """A token for orders bounds neither their number nor their size; its bytes are signed."""
    decoded = decode(TAG, _token())
    assert decoded.message == _token()
    assert decoded.facts == Facts(
        "coinbase.session",
        (),
        expires_at=1_700_000_120,
        nonce="16a8f2d9c4b70e35",
        venue="coinbase",
        timestamp=1_700_000_000_000,
        session=True,
    )


def test_reading_has_its_own_action() -> None:
    """A token for a GET request can do no more than read."""
    uri = "GET api.coinbase.com/api/v3/brokerage/accounts"
    facts = decode(TAG, _token({"alg": "EdDSA"}, {"uri": uri, "exp": 1_700_000_001})).facts
    assert (facts.action, facts.session) == ("coinbase.read", True)


def _without(name: str, *, header: bool = False) -> bytes:
    trees = [dict(HEADER), dict(CLAIMS)]
    del trees[not header][name]
    return b".".join(_part(rfc8785.dumps(tree)) for tree in trees)


TOKEN = _token()
ACCEPTED = (
    TOKEN,
    _token({"alg": "EdDSA"}, {"uri": "GET api.coinbase.com/api/v3/brokerage/accounts"}),
)
HOSTILE = {
    "empty": (b"", Code.PAYLOAD_MALFORMED),
    "no point": (TOKEN.replace(b".", b""), Code.PAYLOAD_MALFORMED),
    "signed already": (TOKEN + b".c2ln", Code.PAYLOAD_MALFORMED),
    "padding": (TOKEN + b"=", Code.PAYLOAD_NOT_CANONICAL),
    "another alphabet": (TOKEN[:4] + b"+/" + TOKEN[6:], Code.PAYLOAD_NOT_CANONICAL),
    "line feed": (TOKEN + b"\n", Code.PAYLOAD_MALFORMED),
    "half a byte": (TOKEN + b"abcde", Code.PAYLOAD_MALFORMED),
    "not ASCII": (TOKEN + "é".encode(), Code.PAYLOAD_MALFORMED),
    "not canonical": (
        _part(json.dumps(HEADER).encode()) + b"." + TOKEN.partition(b".")[2],
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "no algorithm": (_token({"alg": "none"}), Code.PAYLOAD_MALFORMED),
    "shared secret": (_token({"alg": "HS256"}), Code.PAYLOAD_MALFORMED),
    "algorithm is a list": (_token({"alg": ["ES256"]}), Code.PAYLOAD_MALFORMED),
    "another type": (_token({"typ": "JWE"}), Code.PAYLOAD_MALFORMED),
    "foreign key": (_token({"jwk": "x"}), Code.PAYLOAD_MALFORMED),
    "critical": (_token({"crit": ["b64"]}), Code.PAYLOAD_MALFORMED),
    "no nonce": (_without("nonce", header=True), Code.PAYLOAD_MALFORMED),
    "short nonce": (_token({"nonce": "1"}), Code.PAYLOAD_MALFORMED),
    "nonce as number": (_token({"nonce": 1}), Code.PAYLOAD_MALFORMED),
    "name of a key with spaces": (_token({"kid": "a b"}, {"sub": "a b"}), Code.PAYLOAD_MALFORMED),
    "two keys": (_token({}, {"sub": "other"}), Code.PAYLOAD_MALFORMED),
    "another issuer": (_token({}, {"iss": "coinbase-cloud"}), Code.PAYLOAD_MALFORMED),
    "any endpoint": (_without("uri"), Code.PAYLOAD_MALFORMED),
    "several endpoints": (_token({}, {"uris": ["GET a/b"]}), Code.PAYLOAD_MALFORMED),
    "another host": (_token({}, {"uri": "GET api.cdp.coinbase.com/x"}), Code.PAYLOAD_MALFORMED),
    "host's look-alike": (_token({}, {"uri": "GET apixcoinbase.com/x"}), Code.PAYLOAD_MALFORMED),
    "path tricks": (_token({}, {"uri": "GET api.coinbase.com/a/../b"}), Code.PAYLOAD_MALFORMED),
    "parameters": (_token({}, {"uri": "GET api.coinbase.com/a?b=c"}), Code.PAYLOAD_MALFORMED),
    "method in lower case": (_token({}, {"uri": "get api.coinbase.com/a"}), Code.PAYLOAD_MALFORMED),
    "line feed in the endpoint": (
        _token({}, {"uri": "GET api.coinbase.com/a\n"}),
        Code.PAYLOAD_MALFORMED,
    ),
    "lives too long": (_token({}, {"exp": 1_700_000_121}), Code.PAYLOAD_MALFORMED),
    "never lives": (_token({}, {"exp": 1_700_000_000}), Code.PAYLOAD_MALFORMED),
    "times as text": (_token({}, {"exp": "1700000120"}), Code.PAYLOAD_MALFORMED),
    "begins as a boolean": (_token({}, {"nbf": True, "exp": 2}), Code.PAYLOAD_MALFORMED),
    "milliseconds": (
        _token({}, {"nbf": 1_700_000_000_000, "exp": 1_700_000_000_120}),
        Code.PAYLOAD_MALFORMED,
    ),
    "extra claim": (_token({}, {"aud": "x"}), Code.PAYLOAD_MALFORMED),
    "too long": (TOKEN + b"a" * 5000, Code.PAYLOAD_TOO_LARGE),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], payload: bytes, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, payload).code is code


@settings(deadline=None)
@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    """Any bytes give a session or the one error; what is accepted has one spelling."""
    at = data.draw(st.integers(0, len(TOKEN)))
    cut = data.draw(st.integers(0, 2))
    new = data.draw(st.binary(max_size=2) | st.sampled_from([b".", b"=", b"A"]))
    changed = TOKEN[:at] + new + TOKEN[at + cut :]
    try:
        decoded = decode(TAG, changed)
    except PayloadError:
        return
    assert decoded.facts.session
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + b"===")) for part in changed.split(b".")
    )
    assert b".".join((_part(rfc8785.dumps(header)), _part(rfc8785.dumps(claims)))) == changed
