"""What becomes of payloads: facts, messages and the words of refusals stay what is on record."""

import pytest

from policy.payloads import FORMATS
from tests.policy.payloads import recorded

RECORD = recorded.read()


@pytest.mark.parametrize("tag", FORMATS)
def test_each_payload_has_its_outcome(tag: str) -> None:
    """A payload is refused with the words on record, or gives the facts and messages there."""
    items = [item for item in RECORD if item.format == tag]
    assert len(items) >= 10
    assert [item._replace(outcome=recorded.outcome(*item[:2])) for item in items] == items


def test_the_record_is_as_it_would_be_written() -> None:
    """It is in order, without a payload twice, and every line can be read back."""
    before = recorded.RECORD.read_text("ascii")
    assert len({item[:2] for item in RECORD}) == len(RECORD)
    recorded.write(RECORD)
    assert recorded.RECORD.read_text("ascii") == before
