"""Logins with an Ethereum account: one form, one place, and no text beside it."""

from collections.abc import Mapping

import pytest
from eth_account.messages import encode_defunct

from policy.model import Facts
from policy.payloads import decode
from policy.reasons import Code
from tests.policy.payloads.examples import LOGIN, refusal

TAG = "ethereum.message"
MALFORMED, UNSUPPORTED = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_UNSUPPORTED
ISSUED_MS = 1_633_019_124_000  # 2021-09-30T16:25:24Z


def _facts(text: str) -> Facts:
    return decode(TAG, text.encode()).facts


def test_the_example_of_eip_4361_is_read() -> None:
    """The domain is the venue, and the message is that of any text."""
    assert _facts(LOGIN) == Facts(
        "ethereum.sign-in",
        (),
        nonce="32891756",
        venue="example.com",
        timestamp=ISSUED_MS,
        session=True,
        text=LOGIN,
    )
    signable = encode_defunct(text=LOGIN)
    expected = b"\x19" + signable.version + signable.header + signable.body
    assert decode(TAG, LOGIN.encode()).message == expected


def test_a_login_may_say_when_it_ends() -> None:
    """Expiry, beginning and request id are taken in their order; there may be no statement."""
    text = LOGIN + (
        "\nExpiration Time: 2021-09-30T17:25:24.500Z\nNot Before: 2021-09-30T16:25:24Z"
        "\nRequest ID: 7"
    )
    statement = "I accept the ExampleOrg Terms of Service: https://example.com/tos\n"
    found = _facts(text.replace(statement, ""))
    assert (found.expires_at, found.timestamp) == (ISSUED_MS // 1000 + 3600, ISSUED_MS)
    assert _facts(LOGIN.replace("24Z", "24.250Z")).timestamp == ISSUED_MS + 250
    other = LOGIN.replace("example.com wants", "example.com:8443 wants").replace(
        "URI: https://example.com/", "URI: https://example.com:8443/"
    )
    assert _facts(other).venue == "example.com:8443"


HOSTILE: Mapping[str, tuple[str, Code]] = {
    "another URI": (
        LOGIN.replace("URI: https://example.com", "URI: https://evil.com"),
        UNSUPPORTED,
    ),
    "a URI that begins alike": (
        LOGIN.replace("URI: https://example.com", "URI: https://example.com.evil.com"),
        UNSUPPORTED,
    ),
    "a URI with a user": (
        LOGIN.replace("URI: https://example.com", "URI: https://example.com@evil.com"),
        UNSUPPORTED,
    ),
    "a URI without TLS": (LOGIN.replace("URI: https", "URI: http"), UNSUPPORTED),
    "a domain in capitals": (LOGIN.replace("example.com wants", "Example.com wants"), UNSUPPORTED),
    "a look-alike domain": (LOGIN.replace("example.com wants", "ехample.com wants"), UNSUPPORTED),
    "a scheme": ("https://" + LOGIN, UNSUPPORTED),
    "a text before": ("Hello\n" + LOGIN, UNSUPPORTED),
    "a text after": (LOGIN + "\nHello", UNSUPPORTED),
    "a line end": (LOGIN + "\n", UNSUPPORTED),
    "resources": (LOGIN + "\nResources:\n- https://example.com/all", UNSUPPORTED),
    "a second login as its statement": (
        LOGIN.replace("I accept", "evil.com wants you to sign in with your Ethereum account: I"),
        UNSUPPORTED,
    ),
    "the phrase alone": ("evil.com wants you to sign in with your Ethereum account", UNSUPPORTED),
    "two statements": (LOGIN.replace("I accept", "One\nTwo"), UNSUPPORTED),
    "another version": (LOGIN.replace("Version: 1", "Version: 2"), UNSUPPORTED),
    "no chain": (LOGIN.replace("Chain ID: 1\n", ""), UNSUPPORTED),
    "chain zero": (LOGIN.replace("Chain ID: 1", "Chain ID: 0"), UNSUPPORTED),
    "a short nonce": (LOGIN.replace("32891756", "3289175"), UNSUPPORTED),
    "another zone": (LOGIN.replace("24Z", "24+01:00"), UNSUPPORTED),
    "fields in another order": (
        LOGIN + "\nNot Before: 2021-09-30T16:25:24Z\nExpiration Time: 2021-09-30T16:25:24Z",
        UNSUPPORTED,
    ),
    "an address without its checksum": (LOGIN.replace("0xC02aaA", "0xc02aaA"), MALFORMED),
    "long ago": (LOGIN.replace("2021-", "1969-"), UNSUPPORTED),
    "no such month": (LOGIN.replace("2021-09", "2021-13"), MALFORMED),
    "no such end": (LOGIN + "\nExpiration Time: 2021-02-30T16:25:24Z", MALFORMED),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_only_looks_like_a_login_is_refused(name: str) -> None:
    """Another form, another place and anything beside it have their reasons."""
    text, code = HOSTILE[name]
    reason = refusal(TAG, text.encode())
    assert (reason.code, reason.rule) == (code, "message")
