"""What a payload does, in words."""

import pytest

from policy import words
from policy.algorithms import Algorithm
from policy.assets import WELL_KNOWN, define
from policy.model import ContractCall, Facts, Role, Side, Transfer

USDC = define("USDC@eip155:1", 6, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
ASSETS = {asset.ref: asset for asset in (USDC, *WELL_KNOWN)}
TO = "0x1111111111111111111111111111111111111111"


@pytest.mark.parametrize(
    ("transfer", "said"),
    [
        (Transfer(USDC.ref, 1_500_000, TO), f"pays 1.5 USDC@eip155:1 to {TO}"),
        (
            Transfer(USDC.ref, 2, TO, Role.ALLOWANCE),
            f"allows {TO} to spend 0.000002 USDC@eip155:1",
        ),
        (
            Transfer("eip155:1/slip44:60", 21 * 10**15, None, Role.FEE),
            "costs at most 0.021 ETH@eip155:1",
        ),
        (Transfer("EUR", 5, "acme"), "pays 5 base units of EUR to acme"),
        (Transfer("BTC@x:y", 5, "acme", decimals=8), "pays 0.00000005 BTC@x:y to acme"),
        (Transfer(USDC.ref, 5, TO, decimals=2), f"pays 0.05 USDC@eip155:1 to {TO}"),
    ],
)
def test_a_transfer_is_said(transfer: Transfer, said: str) -> None:
    """Whole units where the decimals are known, base units where they are not."""
    assert words.transfer(transfer, ASSETS) == said


def test_everything_is_said() -> None:
    """Each fact that a reviewer needs stands on a line, on one line with semicolons."""
    facts = Facts(
        "binance.order",
        (Transfer("USDT@binance:spot", 3, "binance:spot/BTCUSDT", decimals=0),),
        chain_id=1,
        source="them",
        expires_at=1_700_000_005,
        nonce="a-1",
        venue="binance",
        symbol="BTCUSDT",
        side=Side.BUY,
        order_type="LIMIT",
        quantity="0.5",
        price="6",
        timestamp=1_700_000_000_999,
        session=True,
        algorithm=Algorithm.ED25519,
        key_version="keys/pay/versions/1",
    )
    expected = [
        "binance.order at binance for BTCUSDT of type LIMIT on chain 1 nonce a-1",
        "buys 0.5 of BTCUSDT at 6",
        "pays 3 USDT@binance:spot to binance:spot/BTCUSDT",
        "takes the funds of them",
        "says that keys/pay/versions/1 signs it with ed25519",
        "opens a session: its holder may do whatever the venue lets the key do",
        "is dated 2023-11-14T22:13:20Z",
        "expires at 2023-11-14T22:13:25Z",
    ]
    assert list(words.lines(facts, {})) == expected
    assert words.sentence(facts, {}) == "; ".join(expected)


def test_what_only_the_policy_reads_is_said() -> None:
    """What a swap brings, the call itself and a text stand there, the text in ASCII."""
    facts = Facts(
        "x",
        (),
        call=ContractCall(TO, 0, "d0e30db0"),
        receives=Transfer(USDC.ref, 5, TO),
        text='"Grüße"\n',
    )
    assert list(words.lines(facts, ASSETS)) == [
        "x",
        "brings at least 0.000005 USDC@eip155:1",
        f"calls {TO} with 0xd0e30db0",
        'says "\\"Gr\\u00fc\\u00dfe\\"\\n"',
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts("venue.logon", ()), "venue.logon"),
        (Facts("venue.cancel", (), symbol="BTCUSD"), "venue.cancel for BTCUSD"),
        (Facts("venue.close", (), side=Side.SELL), "venue.close"),
        (
            Facts("venue.order", (), symbol="BTCUSD", side=Side.SELL),
            "venue.order for BTCUSD; sells as much as it pays for of BTCUSD at any price",
        ),
    ],
)
def test_little_is_said_of_little(facts: Facts, said: str) -> None:
    """What a payload has not is not mentioned; a trade has a side and a symbol."""
    assert words.sentence(facts, {}) == said


def test_times_beyond_the_calendar_are_numbers() -> None:
    """A time after the year 9999 is no error."""
    assert words.utc(10**18) == f"{10**18} ms since 1970"
