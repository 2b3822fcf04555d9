"""Deribit requests: what is accepted, what it counts, and the ways round it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Decision, Facts, Side, Transfer
from policy.payloads import decode
from policy.payloads.deribit import _HEADERS, TABLES, TAG
from policy.payloads.exchange import request
from policy.reasons import Code, PayloadError, Reason

_ORDER = (
    b"1554883365000\nfdbmmz79\n"
    b"amount=40&instrument_name=ETH-PERPETUAL&label=market0&price=245.5"
    b"&time_in_force=good_til_cancelled&type=limit"
)
INVERSE = b"GET /api/v2/private/buy\n" + _ORDER
LINEAR = INVERSE.replace(b"ETH-", b"SOL_USDC-")
SPOT = (
    INVERSE.replace(b"ETH-PERPETUAL", b"BTC_USDT")
    .replace(b"&price", b"&post_only=true&price")
    .replace(b"/buy", b"/sell")
)
CANCEL = b"GET /api/v2/private/cancel\n1554883365000\nfdbmmz79\norder_id=ETH-584864807"
WITHDRAWAL = (
    b"GET /api/v2/private/withdraw\n1554883365000\nfdbmmz79\n"
    b"address=bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq&amount=0.4&currency=BTC"
)
ACCEPTED = (INVERSE, LINEAR, SPOT, CANCEL, WITHDRAWAL)
ONE = 10**36


def test_an_order_is_read() -> None:
    """An inverse contract is worth its amount in USD; all parts are signed, each on a line."""
    decoded = decode(TAG, INVERSE)
    target = b"/api/v2/private/buy?" + INVERSE.rpartition(b"\n")[2]
    assert decoded.message == b"1554883365000\nfdbmmz79\nGET\n" + target + b"\n\n"
    assert decoded.facts == Facts(
        "deribit.order",
        (Transfer("USD@deribit:perp", 40 * ONE, "deribit:perp/ETH-PERPETUAL", decimals=36),),
        nonce="fdbmmz79",
        venue="deribit",
        symbol="ETH-PERPETUAL",
        side=Side.BUY,
        order_type="good_til_cancelled",
        quantity="40",
        price="245.5",
        timestamp=1_554_883_365_000,
    )


@pytest.mark.parametrize(
    ("payload", "moved"),
    [
        (
            INVERSE.replace(b"/buy", b"/sell"),
            Transfer("USD@deribit:perp", 40 * ONE, "deribit:perp/ETH-PERPETUAL", decimals=36),
        ),
        (
            LINEAR,
            Transfer(
                "USDC@deribit:perp", 9820 * ONE, "deribit:perp/SOL_USDC-PERPETUAL", decimals=36
            ),
        ),
        (
            LINEAR.replace(b"/buy", b"/sell"),
            Transfer("SOL@deribit:perp", 40 * ONE, "deribit:perp/SOL_USDC-PERPETUAL", decimals=36),
        ),
        (SPOT, Transfer("BTC@deribit:spot", 40 * ONE, "deribit:spot/BTC_USDT", decimals=36)),
        (
            WITHDRAWAL,
            Transfer(
                "BTC@deribit:spot",
                4 * ONE // 10,
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                decimals=36,
            ),
        ),
    ],
)
def test_what_leaves(payload: bytes, moved: Transfer) -> None:
    """Each kind of instrument and each side gives away its own asset."""
    assert decode(TAG, payload).facts.transfers == (moved,)


def test_post_only_is_an_order_type() -> None:
    """An order that may only make has an order type of its own."""
    assert decode(TAG, SPOT).facts.order_type == "post_only"


def test_a_cancellation_moves_nothing() -> None:
    """A cancellation has no transfer."""
    facts = decode(TAG, CANCEL).facts
    assert (facts.action, facts.transfers, facts.nonce) == ("deribit.cancel", (), "fdbmmz79")


@pytest.mark.parametrize(
    ("most", "codes"),
    [("40", []), ("39.99", [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL])],
)
def test_limits_hold(decided: Callable[..., Decision], most: str, codes: list[Code]) -> None:
    """Exactly the limit passes, a little more does not."""
    decision = decided(
        decode(TAG, INVERSE).facts,
        TAG,
        asset="USD@deribit:perp",
        destination="deribit:perp/ETH-PERPETUAL",
        most=most,
    )
    assert [reason.code for reason in decision.reasons] == codes


@pytest.mark.parametrize("payload", ACCEPTED)
def test_requests_are_canonical(payload: bytes) -> None:
    """Writing what was read gives the payload."""
    found = request.decode(payload, TABLES, _HEADERS)
    assert request.encode(found) == payload
    assert request.form(found.values) == found.text


def _with(old: bytes, new: bytes, payload: bytes = INVERSE) -> bytes:
    assert old in payload
    return payload.replace(old, new)


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "no headers": (b"GET /api/v2/private/buy\namount=1", Code.PAYLOAD_UNSUPPORTED),
    "POST": (_with(b"GET", b"POST"), Code.PAYLOAD_UNSUPPORTED),
    "change": (_with(b"/buy", b"/edit"), Code.PAYLOAD_UNSUPPORTED),
    "close position": (_with(b"/buy", b"/close_position"), Code.PAYLOAD_UNSUPPORTED),
    "cancel all": (_with(b"/cancel", b"/cancel_all", CANCEL), Code.PAYLOAD_UNSUPPORTED),
    "new access": (_with(b"/buy", b"/create_api_key"), Code.PAYLOAD_UNSUPPORTED),
    "path tricks": (_with(b"/private/", b"/private/../private/"), Code.PAYLOAD_UNSUPPORTED),
    "parameters in the path": (_with(b"/buy\n", b"/buy?amount=1\n"), Code.PAYLOAD_UNSUPPORTED),
    "withdrawal dressed as order": (
        _with(b"/withdraw", b"/buy", WITHDRAWAL),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "nonce with a line": (_with(b"fdbmmz79", b"a\nGET"), Code.PAYLOAD_UNSUPPORTED),
    "empty nonce": (_with(b"fdbmmz79", b""), Code.PAYLOAD_MALFORMED),
    "seconds": (_with(b"1554883365000", b"1554883365"), Code.PAYLOAD_MALFORMED),
    "line feed after": (INVERSE + b"\n", Code.PAYLOAD_MALFORMED),
    "twice": (INVERSE + b"&amount=1", Code.PAYLOAD_MALFORMED),
    "other order": (
        _with(
            b"&price=245.5&time_in_force=good_til_cancelled",
            b"&time_in_force=good_til_cancelled&price=245.5",
        ),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "market order": (_with(b"type=limit", b"type=market"), Code.PAYLOAD_MALFORMED),
    "stop order": (INVERSE + b"&trigger_price=1", Code.PAYLOAD_UNSUPPORTED),
    "contracts": (_with(b"amount=", b"contracts=1&amount="), Code.PAYLOAD_UNSUPPORTED),
    "no price": (_with(b"&price=245.5", b""), Code.PAYLOAD_MALFORMED),
    "price in volatility": (INVERSE + b"&advanced=implv", Code.PAYLOAD_UNSUPPORTED),
    "exponent": (_with(b"=40", b"=4e1"), Code.PAYLOAD_MALFORMED),
    "needless zero": (_with(b"=245.5", b"=245.50"), Code.PAYLOAD_MALFORMED),
    "option": (_with(b"ETH-PERPETUAL", b"BTC-25MAR23-420-C"), Code.PAYLOAD_MALFORMED),
    "dated future": (_with(b"ETH-PERPETUAL", b"BTC-25MAR23"), Code.PAYLOAD_MALFORMED),
    "unknown inverse contract": (_with(b"ETH-", b"XRP-"), Code.PAYLOAD_MALFORMED),
    "spread": (_with(b"ETH-PERPETUAL", b"BTC-FS-25MAR23_PERP"), Code.PAYLOAD_MALFORMED),
    "look-alike instrument": (_with(b"ETH-", "ЕTH-".encode()), Code.PAYLOAD_MALFORMED),
    "no label": (_with(b"&label=market0", b""), Code.PAYLOAD_MALFORMED),
    "not post only": (_with(b"=true", b"=false", SPOT), Code.PAYLOAD_MALFORMED),
    "address without checksum": (
        _with(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", b"0x" + b"ab" * 20, WITHDRAWAL),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
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
    """Any bytes give facts or the one error, and what is accepted is what was read."""
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3) | st.sampled_from([b"&", b"=", b"0", b"\n"]))
    changed = payload[:at] + new + payload[at + cut :]
    try:
        found = request.decode(changed, TABLES, _HEADERS)
        decode(TAG, changed)
    except PayloadError:
        return
    assert request.encode(found) == changed
