"""What must hold for any policies of the whole language, on a short run of the campaign."""

import contextlib
import json
from random import Random

import pytest

from policy.compare import compare
from policy.document import load
from policy.engine import decide
from policy.model import Decision
from policy.payloads import FORMATS
from policy.problems import PolicyError
from policy.rules import Policy
from tests.policy import campaign, whole
from tests.policy.campaign import Tally
from tests.policy.generated import Case
from tests.policy.writing import toml

SEEDS = range(30)
UNREACHABLE = {5, 13, 17}  # a quorum that nobody can reach


def test_no_generated_request_breaks_a_property() -> None:
    """Tighter is never looser, less never allows more, order never matters; looser is shown."""
    tally = campaign.run(SEEDS)
    assert tally.broken == []
    assert tally.unproven == []
    assert tally.disproven == tally.looser


def test_the_campaign_is_worth_running() -> None:
    """There is enough of what the properties are about."""
    tally = campaign.run(range(100, 115))
    assert tally.pairs >= 60
    assert tally.allowed >= 30
    assert tally.disproven >= 8
    assert tally.tightened >= 5


def test_a_broken_property_names_its_seed() -> None:
    """A wrong answer of the comparison ends the run with the seed that shows it."""
    policy = load(toml(whole.document(Random(2))), FORMATS)
    tally = Tally()
    campaign.compared(7, policy, policy, disproven=True, tally=tally)
    assert tally.broken == ["7: called tighter, and a request disproves it"]
    assert "broken: ['7" in str(tally)


@pytest.mark.parametrize("seed", [seed for seed in range(20) if seed not in UNREACHABLE])
def test_parts_of_a_document_may_be_joined_in_any_order(seed: int) -> None:
    """A team may keep keys, groups and markets in files of their own: their order is nothing."""
    random = Random(seed)
    tree = whole.document(random)
    head = toml({"schema": tree.pop("schema")})
    parts = [
        f"[{kind}.{json.dumps(name)}]\n{toml(table)}"
        for kind, tables in tree.items()
        for name, table in tables.items()
    ]
    mixed = random.sample(parts, len(parts))
    one, other = (load("\n".join([head, *files]), FORMATS) for files in (parts, mixed))
    assert compare(one, other) == ()
    cases = list(whole.requests(random, 20, [tree]))
    assert [_decided(one, case) for case in cases] == [_decided(other, case) for case in cases]


def _decided(policy: Policy, case: Case) -> Decision:
    return decide(policy, case.ask, case.usage, case.now_ms, case.approved_by)


def test_every_part_of_the_language_is_asked_for() -> None:
    """Calls, swaps, orders with and without a price and lifetimes: allowed ones among them."""
    found: set[str] = set()
    for seed in range(150):
        random = Random(seed)
        tree = whole.document(random)
        with contextlib.suppress(PolicyError):  # a quorum that nobody can reach
            policy = load(toml(tree), FORMATS)
            cases = whole.requests(random, 24, [tree])
            found |= {_kind(case) for case in cases if _decided(policy, case).allowed}
    assert found == {"call", "swap", "market", "priced", "short-lived", "plain"}


def _kind(case: Case) -> str:
    facts = case.ask.facts
    if facts.call or facts.receives:
        return "call" if facts.call else "swap"
    if facts.side:
        return "priced" if facts.price else "market"
    return "short-lived" if facts.expires_at else "plain"


def test_the_command_counts_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends once there are as many as it was told."""
    assert campaign.main(["1"]) == 0
    assert " pairs, " in capsys.readouterr().out
