"""Generated logons as each venue's client sends them and the venue verifies them.

Both sides follow the venues' documentation with ``json`` and ``hmac`` alone; FIX messages
are written and read by simplefix. The venue sees the frame and nothing else.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simplefix import FixMessage, FixParser

from policy.algorithms import Algorithm
from policy.payloads import decode
from policy.payloads.logon import LOGONS, TAG
from tests.policy.payloads.examples import oracle
from tests.policy.payloads.stock_keys import ED25519, SECRET, SIGN
from tests.policy.payloads_exchanges import made_up

API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv"
Lines = Sequence[str]


class Read(NamedTuple):
    """What a venue takes from a logon that it accepts: milliseconds, and a nonce."""

    timestamp: int
    nonce: str | None = None


class Venue(NamedTuple):
    """A venue: the lines of its logons, what its client sends of them, what it accepts."""

    lines: st.SearchStrategy[Lines]
    algorithm: Algorithm
    send: Callable[[Lines, bytes], bytes]
    accept: Callable[[bytes], Read]


def _mac(text: str) -> bytes:
    return hmac.new(SECRET, text.encode(), hashlib.sha256).digest()


def _okx_send(lines: Lines, signature: bytes) -> bytes:
    sign = base64.b64encode(signature).decode()
    login = {"apiKey": API_KEY, "passphrase": "p", "timestamp": lines[0], "sign": sign}
    return json.dumps({"op": "login", "args": [login]}).encode()


def _okx_accept(frame: bytes) -> Read:
    (login,) = json.loads(frame)["args"]
    time = login["timestamp"]
    assert base64.b64decode(login["sign"]) == _mac(f"{time}GET/users/self/verify")
    return Read(1000 * int(time))


def _realtime_send(operation: str) -> Callable[[Lines, bytes], bytes]:
    def send(lines: Lines, signature: bytes) -> bytes:
        args = [API_KEY, int(lines[0]), signature.hex()]
        return json.dumps({"op": operation, "args": args}).encode()

    return send


def _realtime_accept(milliseconds: int) -> Callable[[bytes], Read]:
    """Accept what Bybit and BitMEX do: the expiry in units of so many milliseconds."""

    def accept(frame: bytes) -> Read:
        _, expires, signature = json.loads(frame)["args"]
        assert bytes.fromhex(signature) == _mac(f"GET/realtime{expires}")
        return Read(milliseconds * expires)

    return accept


def _binance_send(lines: Lines, signature: bytes) -> bytes:
    key, time = lines
    sign = base64.b64encode(signature).decode()
    params = {"apiKey": key, "signature": sign, "timestamp": int(time)}
    return json.dumps({"id": "1", "method": "session.logon", "params": params}).encode()


def _binance_accept(frame: bytes) -> Read:
    params = json.loads(frame)["params"]
    signature = base64.b64decode(params.pop("signature"))
    signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
    ED25519.public_key().verify(signature, signed.encode())
    return Read(params["timestamp"])


def _deribit_send(lines: Lines, signature: bytes) -> bytes:
    time, nonce = lines
    params = {
        "grant_type": "client_signature",
        "client_id": API_KEY,
        "timestamp": int(time),
        "nonce": nonce,
        "data": "",
        "signature": signature.hex(),
    }
    return json.dumps({"jsonrpc": "2.0", "method": "public/auth", "params": params}).encode()


def _deribit_accept(frame: bytes) -> Read:
    params = json.loads(frame)["params"]
    signed = "\n".join((str(params["timestamp"]), params["nonce"], params["data"]))
    assert bytes.fromhex(params["signature"]) == _mac(signed)
    return Read(params["timestamp"], params["nonce"])


def _fix_send(lines: Lines, signature: bytes) -> bytes:
    sender, target, sequence, time = lines
    raw = base64.b64encode(signature)
    message = FixMessage()
    message.append_pair(8, "FIX.4.4", header=True)
    message.append_pair(35, "A", header=True)
    message.append_pair(49, sender, header=True)
    message.append_pair(56, target, header=True)
    message.append_pair(34, sequence, header=True)
    message.append_pair(52, time, header=True)
    message.append_pair(108, 30)
    message.append_data(95, 96, raw)
    message.append_pair(141, "Y")
    message.append_pair(553, API_KEY)
    encoded: bytes = message.encode()
    return encoded


def _fix_accept(frame: bytes) -> Read:
    parser = FixParser()
    parser.append_buffer(frame)
    message = parser.get_message()
    signed = b"\x01".join(message.get(tag) for tag in (35, 49, 56, 34, 52))
    ED25519.public_key().verify(base64.b64decode(message.get(96)), signed)
    day, clock = message.get(52).decode().split("-")
    hour, minute, second = clock.split(":")
    whole, fraction = map(int, second.split("."))
    date = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), tzinfo=UTC)
    seconds = int(date.timestamp()) + (int(hour) * 60 + int(minute)) * 60 + whole
    return Read(1000 * seconds + fraction)


_keys = st.from_regex(r"[A-Za-z0-9]{8,64}", fullmatch=True)
_companies = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
_sending = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(  # noqa: DTZ001 - UTC
    lambda moment: f"{moment:%Y%m%d-%H:%M:%S}.{moment.microsecond // 1000:03}"
)

VENUES = {
    "okx": Venue(st.tuples(made_up.seconds), Algorithm.HMAC_SHA256, _okx_send, _okx_accept),
    "bybit": Venue(
        st.tuples(made_up.milliseconds),
        Algorithm.HMAC_SHA256,
        _realtime_send("auth"),
        _realtime_accept(1),
    ),
    "bitmex": Venue(
        st.tuples(made_up.seconds),
        Algorithm.HMAC_SHA256,
        _realtime_send("authKeyExpires"),
        _realtime_accept(1000),
    ),
    "binance": Venue(
        st.tuples(_keys, made_up.milliseconds), Algorithm.ED25519, _binance_send, _binance_accept
    ),
    "deribit": Venue(
        st.tuples(made_up.milliseconds, made_up.ids),
        Algorithm.HMAC_SHA256,
        _deribit_send,
        _deribit_accept,
    ),
    "binance-fix": Venue(
        st.tuples(_companies, st.just("SPOT"), st.just("1"), _sending),
        Algorithm.ED25519,
        _fix_send,
        _fix_accept,
    ),
}


@pytest.mark.parametrize("name", VENUES)
@oracle
@given(data=st.data())
def test_the_venue_accepts_the_logon_and_reads_the_same(name: str, data: st.DataObject) -> None:
    """The frame with our signature opens a session, at the time that the facts say."""
    venue = VENUES[name]
    lines = data.draw(venue.lines)
    decoded = decode(TAG, "\n".join((name, *lines)).encode())
    read = venue.accept(venue.send(lines, SIGN[venue.algorithm](decoded.message)))
    facts = decoded.facts
    assert (facts.timestamp, facts.nonce) == read
    assert facts.expires_at == read.timestamp // 1000 + 30
    assert facts.venue == name.removesuffix("-fix")
    assert (facts.action, facts.session, facts.transfers) == ("venue.logon", True, ())


def test_every_venue_is_asked() -> None:
    """No logon is without its venue's own reading."""
    assert VENUES.keys() == LOGONS.keys()
