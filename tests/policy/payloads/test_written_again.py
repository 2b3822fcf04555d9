"""Every format has valid payloads and another library that writes them again."""

import pytest

from policy.payloads import FORMATS, decode
from tests.policy.payloads.seeds import SEEDS
from tests.policy.payloads.written_again import WRITTEN_AGAIN


def test_every_format_is_fuzzed() -> None:
    """A new format brings payloads to start from and a library to compare with."""
    assert SEEDS.keys() == FORMATS.keys()
    assert WRITTEN_AGAIN.keys() == FORMATS.keys()


@pytest.mark.parametrize("tag", sorted(SEEDS))
def test_valid_payloads_are_written_again(tag: str) -> None:
    """What the other library writes is the payload, and every action has one."""
    for payload in SEEDS[tag]:
        assert WRITTEN_AGAIN[tag](payload) == payload
    actions = {decode(tag, payload).facts.action for payload in SEEDS[tag]}
    assert actions == FORMATS[tag].actions
