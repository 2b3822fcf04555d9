"""Amounts: exact, canonical, and back again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import amounts


@pytest.mark.parametrize(
    ("text", "decimals", "amount"),
    [
        ("0", 0, 0),
        ("50000", 6, 50_000_000_000),
        ("0.02", 18, 20_000_000_000_000_000),
        ("0.000000000000000001", 18, 1),
        ("1.50", 2, 150),
        (str(2**256 - 1), 0, 2**256 - 1),
    ],
)
def test_an_amount_is_read_exactly(text: str, decimals: int, amount: int) -> None:
    """Decimal text becomes the exact number of base units."""
    assert amounts.parse(text, decimals) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 5",
        "5 ",
        "5\n",
        "+5",
        "-5",
        "1_000",
        "1,000",
        "1e3",
        ".5",
        "5.",
        "0x10",
        "NaN",
        "Infinity",
        "\u0661\u0662",
        "\uff15",
        "1.\u0662",
        "1.2.3",
        "9" * 121,
    ],
)
def test_what_only_looks_like_an_amount_is_refused(text: str) -> None:
    """No sign, space, exponent, underscore or digit of another script is taken."""
    with pytest.raises(ValueError, match="is not an amount"):
        amounts.parse(text, 18)


def test_an_amount_finer_than_a_base_unit_is_refused() -> None:
    """Nothing is rounded, not even zeros."""
    with pytest.raises(ValueError, match="has 3 decimals; the asset has 2"):
        amounts.parse("1.000", 2)


def test_an_amount_beyond_uint256_is_refused() -> None:
    """The largest amount is 2^256 - 1 base units."""
    with pytest.raises(ValueError, match="more than 2\\^256 - 1"):
        amounts.parse(str(2**256), 0)


@given(st.integers(0, amounts.MAX_AMOUNT), st.integers(0, amounts.MAX_DECIMALS))
def test_text_and_back_is_the_same_amount(amount: int, decimals: int) -> None:
    """Writing an amount and reading it again gives the same base units."""
    assert amounts.parse(amounts.to_text(amount, decimals), decimals) == amount


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [(0, 6, "0"), (1, 6, "0.000001"), (1_500_000, 6, "1.5"), (100, 0, "100"), (100, 2, "1")],
)
def test_text_has_no_needless_zeros(amount: int, decimals: int, text: str) -> None:
    """Each amount has one spelling on the way out."""
    assert amounts.to_text(amount, decimals) == text


@pytest.mark.parametrize(
    ("amount", "decimals", "wanted", "rescaled"),
    [
        (7, None, 3, 7),
        (7, 3, 3, 7),
        (7, 0, 2, 700),
        (700, 2, 0, 7),
        (701, 2, 0, 8),
        (799, 2, 0, 8),
        (10**36 + 1, 36, 0, 2),
        (0, 36, 6, 0),
    ],
)
def test_other_decimals_never_count_too_little(
    amount: int, decimals: int | None, wanted: int, rescaled: int
) -> None:
    """More decimals are exact; fewer round up to the next base unit."""
    assert amounts.rescale(amount, decimals, wanted) == rescaled
