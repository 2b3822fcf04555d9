"""The grammar of strings at its edges, on any host."""

import time
from collections.abc import Callable, Iterator

import pytest

from policy import amounts, fields, words

URI = "spiffe://firm.example/"


@pytest.fixture(params=["America/New_York", "Asia/Kolkata", "UTC"])
def _host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_host_zone")
@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01Z", 1000),
        ("2027-01-31T12:34:56Z", 1_801_398_896_000),
    ],
)
def test_an_instant_is_the_same_on_every_host(text: str, ms: int) -> None:
    """The host's own time zone changes neither what is read nor what is written."""
    assert fields.instant_ms(text) == ms
    assert words.utc(ms) == text


@pytest.mark.parametrize(
    ("check", "longest"),
    [
        (fields.label, "x" * 255),
        (fields.san, URI + "x" * (255 - len(URI))),
        (fields.word, "x" * 64),
        (fields.address, "x" * 128),
        (fields.name, "x" * 63),
        (amounts.check, "1" * 120),
    ],
)
def test_the_longest_text_is_taken_and_no_longer_one(
    check: Callable[[str], str], longest: str
) -> None:
    """The bound itself is inside, and so is the shortest text there is."""
    assert check(longest) == longest
    with pytest.raises(ValueError, match=r"is not|is 1 to"):
        check(longest + longest[-1])


@pytest.mark.parametrize("check", [fields.label, fields.word, fields.address, fields.name])
def test_one_letter_is_enough(check: Callable[[str], str]) -> None:
    """The shortest text is one character, and the name of a set may be one too."""
    assert check("x") == "x"
    assert fields.destination("@x") == "@x"
    with pytest.raises(ValueError, match=r"is not|is 1 to"):
        check("")


@pytest.mark.parametrize("span", ["366d", f"{366 * 24}h", f"{366 * 86_400}s"])
def test_the_longest_span_is_a_leap_year(span: str) -> None:
    """A year of 366 days is inside, in every unit, and a second more is not."""
    assert fields.span_ms(span) == fields.MAX_SPAN_MS
    with pytest.raises(ValueError, match="longer than 366d"):
        fields.span_ms(f"{366 * 86_400 + 1}s")


@pytest.mark.parametrize("text", ["bc1qx", "BC1QX", "bc1", "0x12", "0X12"])
def test_what_starts_like_an_address_of_a_chain_is_one(text: str) -> None:
    """Without its checksum it is no account's name either, in capitals or not."""
    with pytest.raises(ValueError, match=r"."):
        fields.address(text)


@pytest.mark.parametrize(("text", "has_form"), [("0x" + "aB" * 20, True), ("0x" + "a" * 39, False)])
def test_the_form_of_an_ethereum_address_has_no_case(text: str, has_form: bool) -> None:  # noqa: FBT001 - a table
    """Whatever the checksum."""
    assert fields.is_ethereum(text) is has_form
