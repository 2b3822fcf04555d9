"""``venue.logon``: what opens a session at an exchange (``docs/venue.logon.md``).

Whoever holds the signature may then do whatever the venue lets the key do, unseen:
no limit holds within a session. So the facts say that it is one, and nothing else.

The payload is the venue's name and the fields of its logon, on a line each.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and the lines,
joined again, are the payload.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format
from policy.payloads.exchange import grammar, request
from policy.payloads.exchange.request import Parameter
from policy.reasons import Code, PayloadError

TAG = "venue.logon"
ACTION = "venue.logon"
LIFETIME_S = 30  # what the strictest of these venues allows

_Values = Mapping[str, str]
_KEY = grammar.text("api_key", "[A-Za-z0-9]{8,64}", "an API key, 8 to 64 of A-Z a-z 0-9")
_SECONDS = grammar.text("timestamp", "[1-9][0-9]{9}", "seconds since the epoch, 10 digits")
_MILLISECONDS = grammar.milliseconds("timestamp")
_NONCE = grammar.text("nonce", "[A-Za-z0-9]{1,32}", "1 to 32 of A-Z a-z 0-9")
_COMPANY = "[A-Za-z0-9_-]{1,32}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Logon:
    """A venue's logon: its fields, what is signed, and its time in milliseconds."""

    fields: Sequence[Parameter]
    message: Callable[[_Values], str]
    timestamp: Callable[[_Values], int]


def _from_seconds(values: _Values) -> int:
    return int(values["timestamp"]) * 1000


def _from_milliseconds(values: _Values) -> int:
    return int(values["timestamp"])


def _from_fix(values: _Values) -> int:
    try:
        sent = datetime.strptime(values["sending_time"], "%Y%m%d-%H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_MALFORMED, "logon.sending_time", str(error)) from None
    return (sent - _EPOCH) // timedelta(milliseconds=1)


LOGONS: Mapping[str, _Logon] = {
    # API v5, "WebSocket", login
    "okx": _Logon((_SECONDS,), lambda v: f"{v['timestamp']}GET/users/self/verify", _from_seconds),
    # V5 API, "WebSocket", authentication: the time is the expiry
    "bybit": _Logon(
        (_MILLISECONDS,), lambda v: f"GET/realtime{v['timestamp']}", _from_milliseconds
    ),
    # "WebSocket API", authentication: the time is the expiry
    "bitmex": _Logon((_SECONDS,), lambda v: f"GET/realtime{v['timestamp']}", _from_seconds),
    # WebSocket API, "session.logon"
    "binance": _Logon(
        (_KEY, _MILLISECONDS),
        lambda v: f"apiKey={v['api_key']}&timestamp={v['timestamp']}",
        _from_milliseconds,
    ),
    # API v2, "Authentication", client_signature without data
    "deribit": _Logon(
        (_MILLISECONDS, _NONCE), lambda v: f"{v['timestamp']}\n{v['nonce']}\n", _from_milliseconds
    ),
    # FIX API, "How to sign Logon request"
    "binance-fix": _Logon(
        (
            grammar.text("sender", _COMPANY, "a SenderCompID"),
            grammar.one_of("target", "SPOT"),
            grammar.one_of("sequence", "1"),
            grammar.text(
                "sending_time",
                r"20[0-9]{6}-[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}",
                "a time such as 20240627-11:17:25.223",
            ),
        ),
        lambda v: "\x01".join(("A", v["sender"], v["target"], v["sequence"], v["sending_time"])),
        _from_fix,
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a logon; the message is what the venue verifies.

    Raises:
        PayloadError: another venue, or fields that are not those of its logon.
    """
    name, *lines = request.text(payload).split("\n")
    logon = LOGONS.get(name)
    if logon is None:
        detail = f"{name[:40]!a} is not one of: {', '.join(LOGONS)}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "logon.venue", detail)
    values = _values(logon, lines)
    timestamp = logon.timestamp(values)
    facts = Facts(
        ACTION,
        (),
        expires_at=timestamp // 1000 + LIFETIME_S,
        nonce=values.get("nonce"),
        venue=name.removesuffix("-fix"),
        timestamp=timestamp,
        session=True,
    )
    return Decoded(facts, logon.message(values).encode("ascii"))


def _values(logon: _Logon, lines: Sequence[str]) -> _Values:
    if len(lines) != len(logon.fields):
        expected = ", ".join(field.name for field in logon.fields)
        raise PayloadError(Code.PAYLOAD_MALFORMED, "logon", f"the lines are: venue, {expected}")
    return request.fields(logon.fields, lines)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ACTION}),
    algorithms=frozenset({Algorithm.HMAC_SHA256, Algorithm.ED25519}),
)
