"""Witnesses and spans of time, in words."""

import pytest

from policy.compare.change import Witness
from policy.model import Ask, ContractCall, Counter, Facts, Role, Side, Transfer, Used
from policy.telling import asked, span, witnessed

PLACE = "0x3333333333333333333333333333333333333333"
PAID = Transfer("USD", 5, "acme")
WHO = "a.example does intent.transfer with pay at 1970-01-01T00:00:01Z: "


def _ask(*transfers: Transfer, **said: object) -> Ask:
    return Ask("pay", "intent", "a.example", Facts("intent.transfer", transfers, **said))  # type: ignore[arg-type]  # any of its fields


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (_ask(PAID), "payment of 5 base units of USD to acme"),
        (_ask(Transfer("USD", 2, None, Role.FEE)), "fee of 2 base units of USD"),
        (
            _ask(PAID, Transfer("EUR", 1, "acme", Role.ALLOWANCE)),
            "payment of 5 base units of USD to acme, allowance of 1 base units of EUR to acme",
        ),
        (_ask(source="vault"), "funds of vault"),
        (_ask(side=Side.BUY, quantity="3", price="0.5"), "buy 3 at 0.5"),
        (_ask(side=Side.SELL, quantity="3"), "sell 3 without a price"),
        (
            _ask(PAID, side=Side.BUY),
            "payment of 5 base units of USD to acme, buy for that without a price",
        ),
        (_ask(call=ContractCall(PLACE, 0, "d0e30db0")), f"call of {PLACE} with 0xd0e30db0"),
        (
            _ask(call=ContractCall(PLACE, 7, "d0e30db0")),
            f"call of {PLACE} with 0xd0e30db0 and 7 base units of coins",
        ),
    ],
)
def test_a_request_is_said_on_one_line(ask: Ask, said: str) -> None:
    """Who, what, with which key, when, and everything that it moves."""
    assert asked(ask, 1999) == WHO + said


def test_a_witness_is_said_with_its_state() -> None:
    """The request first, then who approved it, then what each window holds, in order."""
    spent = {
        Counter("pay", asset, 5_400_000): Used(total, 2)
        for asset, total in (("USD", 900), ("EUR", 7))
    }
    witness = Witness(_ask(PAID), 1999, frozenset({"o2", "o1"}), spent)
    assert list(witnessed(witness)) == [
        f"e.g. {WHO}payment of 5 base units of USD to acme",
        "approved by o1, o2",
        "when the last 90m of EUR hold 7 base units in 2 requests",
        "when the last 90m of USD hold 900 base units in 2 requests",
    ]
    assert len(list(witnessed(Witness(_ask(PAID), 0)))) == 1


@pytest.mark.parametrize(
    ("span_ms", "said"),
    [
        (1000, "1s"),
        (59_000, "59s"),
        (60_000, "1m"),
        (61_000, "61s"),
        (3_600_000, "1h"),
        (5_400_000, "90m"),
        (86_400_000, "1d"),
        (90_000_000, "25h"),
        (366 * 86_400_000, "366d"),
    ],
)
def test_a_span_is_said_in_the_largest_unit_that_fits(span_ms: int, said: str) -> None:
    """As a policy writes it, and exactly."""
    assert span(span_ms) == said
