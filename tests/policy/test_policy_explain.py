"""``signgate policy explain``: every rule of every grant, every limit and what is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from policy.engine import Unused
from policy.explain import Explanation, explain
from policy.model import Ask, Facts, Transfer
from policy.rules import Policy
from signer.cli.policy import app
from signer.cli.policy_explain import lines
from signer.errors import ConfigError

Tree = dict[str, Any]
Run = Callable[..., Any]

EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
EXAMPLE = str(EXAMPLES / "policy.toml")
RENT = str(EXAMPLES / "payloads/rent.json")
NOON = "2026-11-23T12:00:00Z"
OFFICERS = [f"--approved-by=spiffe://firm.example/officer/{name}" for name in "ab"]


@pytest.fixture
def run() -> Run:
    """Ask about the rent under the example."""

    def explained(
        *options: str, payload: str = RENT, at: str | None = NOON, policy: str = EXAMPLE
    ) -> Any:
        caller = "--caller=spiffe://firm.example/payments"
        when = [f"--at={at}"] if at else []
        arguments = ["explain", policy, "payments", payload, "--format=intent", caller]
        return CliRunner().invoke(app, [*arguments, *when, *options])

    return explained


def test_an_allowed_request_shows_what_is_left(run: Run) -> None:
    """The grant, each rule, and each window after the request."""
    result = run(*OFFICERS)
    assert result.exit_code == 0
    told = result.stdout.splitlines()
    assert f" at {NOON}: payment of 150000 base units of EUR to DE0212" in told[0]
    assert told[1:4] == ["ALLOWED by suppliers", "grant suppliers: matches", "  action: ok"]
    assert told[-3:] == [
        "limit EUR: 1500 of 2500 in one request",
        "  payments, last 1h: request 1 of 20",
        "  payments, last 7d: 1500 of 20000, 18500 left",
    ]


@pytest.mark.parametrize(("address", "code"), [("10.1.2.3", 0), ("10.2.0.1", 3)])
def test_the_callers_address_counts(run: Run, tmp_path: Path, address: str, code: int) -> None:
    """Where a grant names networks, the request comes from the address that is given."""
    text = (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
    head, tail = text.split('id = "suppliers"\n')
    policy = tmp_path / "policy.toml"
    networks = 'networks = ["10.1.0.0/16"]'
    policy.write_text(f'{head}id = "suppliers"\n{networks}\n{tail}', encoding="utf-8")
    result = run(*OFFICERS, f"--caller-address={address}", policy=str(policy))
    assert result.exit_code == code
    assert ("NETWORK_NOT_ALLOWED" in result.stdout) == (code == 3)


def test_a_denied_request_shows_what_failed(run: Run) -> None:
    """The reasons come first; the exit code is 3."""
    result = run(OFFICERS[0])
    why = "APPROVAL_REQUIRED keys.payments.grants.suppliers.approval: EUR: 1 of 2 approvals"
    assert result.exit_code == 3
    told = result.stdout.splitlines()
    assert told[1:4] == ["DENIED", f"  {why}", "grant suppliers: does not match"]
    assert f"  approval: {why}" in told


def test_now_is_the_time_without_another(run: Run) -> None:
    """A payload that has not expired is decided today."""
    assert run(*OFFICERS, at=None).exit_code == 0


def test_what_cannot_be_read_is_denied(run: Run, tmp_path: Path) -> None:
    """The decoder's reason is the whole explanation."""
    payload = tmp_path / "payload"
    payload.write_bytes(b"{}")
    result = run(payload=str(payload))
    assert result.exit_code == 3
    assert result.stdout.startswith("DENIED\n  PAYLOAD_UNSUPPORTED $.schema: ")


def test_a_time_in_another_spelling_is_an_error(run: Run) -> None:
    """One line says how to write it."""
    result = run(at="noon")
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith("--at: 'noon' is not a time")


def _explained(policy: Policy, *transfers: Transfer, caller: str) -> Explanation:
    ask = Ask("pay", "intent", caller, Facts("intent.transfer", transfers))
    return explain(policy, ask, Unused(), 0)


def test_grants_of_others_are_named_and_not_asked(
    tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """Who looks for a missing caller finds it; an unlimited asset is named too."""
    grant = tree["keys"]["pay"]["grants"][0]
    tree["keys"]["pay"]["grants"].append(grant | {"id": "theirs", "callers": ["c.example"]})
    tree["keys"]["pay"]["limits"][0]["windows"][0]["total"] = "1"
    policy = compiled(tree)
    dollars, euros = Transfer("USD", 300, "acme"), Transfer("EUR", 1, "acme")
    explanation = _explained(policy, dollars, euros, caller="c.example")
    assert [grant.matches for grant in explanation.grants] == [False, False]
    told = list(lines(policy, explanation))
    assert "grant suppliers: is for other callers" in told
    assert "limit EUR: none, so it cannot move" in told
    assert "  pay, last 1h: 3 of 1, -2 left, request 1 of 3" in told


def test_a_denied_key_explains_nothing_else(tree: Tree, compiled: Callable[[Tree], Policy]) -> None:
    """There is no grant to look at."""
    policy = compiled(tree)
    explanation = _explained(policy, caller="nobody.example")
    assert (explanation.grants, explanation.moved) == ((), ())
    assert not explanation.decision.allowed
