"""The grammars that the venues share: each value has one spelling, and a refusal says which."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from policy.payloads.exchange import grammar
from policy.payloads.exchange.request import Parameter, check
from policy.reasons import Code, PayloadError


class Case(NamedTuple):
    """A parameter, values that it takes and does not, and what it says of the latter."""

    made: Callable[[], Parameter]
    taken: tuple[str, ...]
    refused: tuple[str, ...]
    expected: str


CASES: Mapping[str, Case] = {
    "a decimal": Case(
        lambda: grammar.decimal("here"),
        ("1", "10", "0.1", "0.01", "1.05", "9" * 18 + "." + "9" * 18),
        (
            *("", "0", "0.0", "01", "1.", ".1", "1.0", "-1", "+1", "1e3", " 1", "1\n", "1_0"),
            *("١", "1.٢", "9" * 19, "0." + "9" * 19),
        ),
        "a decimal above zero without sign, exponent or needless zeros",
    ),
    "a time": Case(
        lambda: grammar.milliseconds("here"),
        ("1000000000000", "9999999999999"),
        ("", "0999999999999", "100000000000", "10000000000000", "1700000000000\n", "170000000000٠"),
        "milliseconds since the epoch, 13 digits",
    ),
    "one of a few words": Case(
        lambda: grammar.one_of("here", "BUY", "SELL", "A.B"),
        ("BUY", "SELL", "A.B"),
        ("", "buy", "BUYSELL", "BUY|SELL", "SELL ", "A-B", "|"),
        "one of BUY, SELL, A.B",
    ),
    "text of digits": Case(
        lambda: grammar.text("here", r"\d{1,3}", "up to three digits"),
        ("1", "123"),
        ("", "1234", "1\n", "١", "१२"),
        "up to three digits",
    ),
    "an address": Case(
        lambda: grammar.address("here"),
        ("a", "-_Z9", "x" * 128),
        ("", "x" * 129, "a b", "a:b", "a&b", "a%20", "é", "a\n"),
        "an address, 1 to 128 of A-Z a-z 0-9 _ -",
    ),
    "a client's id": Case(
        lambda: grammar.client_id("here"),
        ("a", "Zz9", "x" * 32),
        ("", "x" * 33, "a-b", "a_b", "a b", "é", "a\n"),
        "an id, 1 to 32 of A-Z a-z 0-9",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_value_has_one_spelling(case: Case) -> None:
    """What fits is taken, and of anything else the refusal says what would be right."""
    parameter = case.made()
    for value in case.taken:
        check(parameter, value)
    for value in case.refused:
        with pytest.raises(PayloadError) as caught:
            check(parameter, value)
        reason = caught.value.reason
        assert (reason.code, reason.rule) == (Code.PAYLOAD_MALFORMED, "request.'here'")
        assert reason.detail == f"is not {case.expected}"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_parameter_must_be_there(case: Case) -> None:
    """A parameter is required, unless its table says otherwise."""
    assert case.made().required is True


def test_a_parameter_may_be_missing_where_its_table_says_so() -> None:
    """What is optional is so by name."""
    assert grammar.decimal("here", required=False).required is False
    assert grammar.one_of("here", "BUY", required=False).required is False
    assert grammar.text("here", "x", "x", required=False).required is False
