"""Logons: what is signed is what the venues document, and only a session is granted."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.document import load
from policy.engine import Unused, decide
from policy.model import Ask, Facts
from policy.payloads import FORMATS, decode
from policy.payloads.logon import TAG
from policy.reasons import Code, PayloadError, Reason

OKX = b"okx\n1538054050"
BYBIT = b"bybit\n1711010121452"
BITMEX = b"bitmex\n1518064238"
BINANCE = b"binance\nvmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv\n1649729878532"
DERIBIT = b"deribit\n1554883365000\nfdbmmz79"
FIX = b"binance-fix\nEXAMPLE\nSPOT\n1\n20240627-11:17:25.223"
ACCEPTED = (OKX, BYBIT, BITMEX, BINANCE, DERIBIT, FIX)

_POLICY = """
schema = 1
[assets.USD]
decimals = 2
[keys.stream]
algorithm = "hmac-sha256"
payloads = ["venue.logon"]
[[keys.stream.grants]]
id = "desk"
callers = ["spiffe://firm.example/oms"]
action = "venue.logon"
venues = ["okx"]
{session}
[[keys.stream.limits]]
asset = "USD"
per_request = "1"
windows = [{{ span = "24h", total = "1" }}]
"""


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (OKX, b"1538054050GET/users/self/verify"),
        (BYBIT, b"GET/realtime1711010121452"),
        (BITMEX, b"GET/realtime1518064238"),
        (BINANCE, b"apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv&timestamp=1649729878532"),
        (DERIBIT, b"1554883365000\nfdbmmz79\n"),
        (FIX, b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"),
    ],
)
def test_the_message_is_the_venues(payload: bytes, message: bytes) -> None:
    """Each venue's logon signs what it documents."""
    assert decode(TAG, payload).message == message


@pytest.mark.parametrize(
    ("payload", "secret", "signature"),
    [
        (DERIBIT, b"ABCD", "e20c9cd5639d41f8bbc88f4d699c4baf94a4f0ee320e9a116b72743c449eb994"),
        (
            b"deribit\n1576074319000\n1iqt2wls",
            b"AMANDASECRECT",
            "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1",
        ),
    ],
)
def test_the_official_hmac_examples(payload: bytes, secret: bytes, signature: str) -> None:
    """Deribit's documented signatures are those over our message."""
    assert hmac.new(secret, decode(TAG, payload).message, hashlib.sha256).hexdigest() == signature


def test_the_official_ed25519_example() -> None:
    """Binance's documented FIX signature is the one over our message."""
    encoded = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
    key = load_der_private_key(base64.b64decode(encoded), None)
    assert isinstance(key, Ed25519PrivateKey)
    assert base64.b64encode(key.sign(decode(TAG, FIX).message)) == (
        b"4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )


@pytest.mark.parametrize(
    ("payload", "venue", "timestamp", "nonce"),
    [
        (OKX, "okx", 1_538_054_050_000, None),
        (BYBIT, "bybit", 1_711_010_121_452, None),
        (BITMEX, "bitmex", 1_518_064_238_000, None),
        (BINANCE, "binance", 1_649_729_878_532, None),
        (DERIBIT, "deribit", 1_554_883_365_000, "fdbmmz79"),
        (FIX, "binance", 1_719_487_045_223, None),
    ],
)
def test_a_logon_is_a_session(
    payload: bytes, venue: str, timestamp: int, nonce: str | None
) -> None:
    """The facts say whose session it is and when, and that nothing bounds it."""
    assert decode(TAG, payload).facts == Facts(
        "venue.logon",
        (),
        expires_at=timestamp // 1000 + 30,
        nonce=nonce,
        venue=venue,
        timestamp=timestamp,
        session=True,
    )


@pytest.mark.parametrize(
    ("payload", "session", "codes"),
    [
        (OKX, "session = true", []),
        (OKX, "", [Code.SESSION_NOT_ALLOWED]),
        (b"bybit\n1538054050000", "session = true", [Code.ORDER_NOT_ALLOWED]),
    ],
)
def test_a_grant_names_sessions(payload: bytes, session: str, codes: list[Code]) -> None:
    """Only a grant that says so lets a caller log on, and only at its venues."""
    policy = load(_POLICY.format(session=session), FORMATS)
    facts = decode(TAG, payload).facts
    ask = Ask("stream", TAG, "spiffe://firm.example/oms", facts)
    decision = decide(policy, ask, Unused(), 1_538_054_050_000)
    assert [reason.code for reason in decision.reasons] == codes


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "venue only": (b"okx", Code.PAYLOAD_MALFORMED),
    "bitmex in milliseconds": (BITMEX + b"000", Code.PAYLOAD_MALFORMED),
    "unknown venue": (b"mtgox\n1538054050", Code.PAYLOAD_UNSUPPORTED),
    "venue in capitals": (b"OKX\n1538054050", Code.PAYLOAD_UNSUPPORTED),
    "look-alike venue": ("оkx\n1538054050".encode(), Code.PAYLOAD_MALFORMED),
    "line feed after": (OKX + b"\n", Code.PAYLOAD_MALFORMED),
    "a line too many": (OKX + b"\n1", Code.PAYLOAD_MALFORMED),
    "carriage return": (OKX + b"\r", Code.PAYLOAD_MALFORMED),
    "milliseconds for seconds": (OKX + b"000", Code.PAYLOAD_MALFORMED),
    "seconds for milliseconds": (BYBIT[:-3], Code.PAYLOAD_MALFORMED),
    "fraction of a second": (OKX + b".5", Code.PAYLOAD_MALFORMED),
    "Arabic digits": ("okx\n١٢٣٤٥٦٧٨٩٠".encode(), Code.PAYLOAD_MALFORMED),
    "another request within": (
        b"binance\nAAAAAAAA&symbol=BTCUSDT\n1649729878532",
        Code.PAYLOAD_MALFORMED,
    ),
    "another request as a nonce": (
        b"deribit\n1554883365000\na\nGET\n/api/v2/private/withdraw",
        Code.PAYLOAD_MALFORMED,
    ),
    "separator within": (FIX.replace(b"EXAMPLE", b"EXAM\x01PLE"), Code.PAYLOAD_MALFORMED),
    "another target": (FIX.replace(b"SPOT", b"DROP"), Code.PAYLOAD_MALFORMED),
    "another sequence": (FIX.replace(b"\n1\n", b"\n2\n"), Code.PAYLOAD_MALFORMED),
    "no such day": (FIX.replace(b"0627", b"0231"), Code.PAYLOAD_MALFORMED),
    "too long": (OKX + b"0" * 5000, Code.PAYLOAD_TOO_LARGE),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], payload: bytes, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, payload).code is code


@settings(deadline=None)
@given(st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(payload: bytes, data: st.DataObject) -> None:
    """Any bytes give a session or the one error, and no two the same message."""
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 2))
    changed = payload[:at] + data.draw(st.binary(max_size=2)) + payload[at + cut :]
    try:
        decoded = decode(TAG, changed)
    except PayloadError:
        return
    assert decoded.facts.session
    assert (decoded.message == decode(TAG, payload).message) == (changed == payload)
