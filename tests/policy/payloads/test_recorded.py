"""The words of refusals: what users are told stays what is on record."""

import pytest

from policy.payloads import FORMATS
from tests.policy.payloads import recorded

RECORD = recorded.read()


@pytest.mark.parametrize("tag", FORMATS)
def test_each_refusal_has_its_words(tag: str) -> None:
    """A payload is refused with the code, the place and the detail on record."""
    refused = [item for item in RECORD if item.format == tag]
    assert len(refused) >= 10
    assert [item._replace(words=recorded.words(*item[:2])) for item in refused] == refused


def test_the_record_is_as_it_would_be_written() -> None:
    """It is in order, without a payload twice, and every line can be read back."""
    before = recorded.RECORD.read_text("ascii")
    assert len({item[:2] for item in RECORD}) == len(RECORD)
    recorded.write(RECORD)
    assert recorded.RECORD.read_text("ascii") == before
