"""What must hold for any policies of the whole language, on a short run of the campaign."""

from random import Random

import pytest

from policy.document import load
from policy.payloads import FORMATS
from tests.policy import campaign, whole
from tests.policy.campaign import Tally
from tests.policy.writing import toml

SEEDS = range(60)


def test_no_generated_request_breaks_a_property() -> None:
    """Tighter is never looser, less never allows more, and order never matters."""
    tally = campaign.run(SEEDS)
    assert tally.broken == []
    assert tally.disproven == tally.looser


def test_the_campaign_is_worth_running() -> None:
    """There is enough of what the properties are about."""
    tally = campaign.run(range(100, 130))
    assert tally.pairs >= 60
    assert tally.allowed >= 30
    assert tally.disproven >= 8
    assert tally.tightened >= 8


def test_a_broken_property_names_its_seed() -> None:
    """A wrong answer of the comparison ends the run with the seed that shows it."""
    policy = load(toml(whole.document(Random(2))), FORMATS)
    tally = Tally()
    campaign.compared(7, policy, policy, disproven=True, tally=tally)
    assert tally.broken == ["7: called tighter, and a request disproves it"]
    assert "broken: ['7" in str(tally)


def test_the_command_counts_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends once there are as many as it was told."""
    assert campaign.main(["1"]) == 0
    assert " pairs, " in capsys.readouterr().out
