"""``signgate policy test``: the tests beside a policy, and how they fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.cli.policy import app

Tree = dict[str, Any]
Run = Callable[[list[Tree]], Any]

EXAMPLE = Path(__file__).parents[2] / "deploy/examples/policy.toml"
CASE: Tree = {
    "name": "a supplier is paid",
    "key": "pay",
    "format": "intent",
    "caller": "spiffe://firm.example/bot",
    "at": "2026-11-23T12:00:00Z",
    "facts": {
        "action": "intent.transfer",
        "transfers": [{"asset": "USD", "amount": "9.99", "destination": "acme"}],
    },
    "expect": "allow",
}


def _moved(**transfer: str) -> Tree:
    facts: Tree = CASE["facts"]
    return facts | {"transfers": [facts["transfers"][0] | transfer]}


SPENT = {"asset": "USD", "span": "1h", "total": "20", "count": 1}


@pytest.fixture
def run(tmp_path: Path, tree: Tree, write: Callable[[Tree], str]) -> Run:
    """Run tests of the document, as it is then."""

    def invoke(cases: list[Tree]) -> Any:
        (tmp_path / "policy.toml").write_text(write(tree), encoding="utf-8")
        (tmp_path / "policy.tests.toml").write_text(write({"tests": cases}), encoding="utf-8")
        return CliRunner().invoke(app, ["test", str(tmp_path / "policy.toml")])

    return invoke


def test_the_example_passes_its_own_tests() -> None:
    """What we hand out shows how to test a policy."""
    result = CliRunner().invoke(app, ["test", str(EXAMPLE)])
    assert (result.exit_code, result.stdout) == (0, "6 of 6 tests pass\n")


@pytest.mark.parametrize(
    ("case", "failure"),
    [
        ({}, None),
        ({"grant": "suppliers"}, None),
        ({"grant": "other"}, "is allowed by suppliers"),
        ({"expect": "deny"}, "is allowed by suppliers"),
        ({"spent": [SPENT]}, "is denied: LIMIT_WINDOW_TOTAL keys.pay.limits.USD.windows.1h.total"),
        ({"spent": [SPENT], "expect": "deny", "reason": "LIMIT_WINDOW_TOTAL"}, None),
        ({"spent": [SPENT], "expect": "deny"}, None),
        ({"caller": "c.example", "expect": "deny", "reason": "LIMIT_WINDOW_TOTAL"}, "KEY_DENIED"),
        ({"facts": {"action": "intent.transfer"}, "expect": "deny"}, None),
        (
            {"facts": _moved(asset="XAU", amount="1")},
            "is denied: ASSET_UNKNOWN assets: no asset",
        ),
    ],
)
def test_a_test_fails_unless_all_it_expects_comes_true(
    case: Tree, failure: str | None, run: Run
) -> None:
    """Decision, grant and reason count; a failure says what came instead."""
    result = run([CASE | case])
    assert result.exit_code == (1 if failure else 0)
    *failures, last = result.stdout.splitlines()
    assert last == f"{0 if failure else 1} of 1 tests pass"
    if failure:
        assert failures[0].startswith("FAIL a supplier is paid: is ")
        assert failure in failures[0]


def test_a_window_that_a_test_does_not_name_is_unused(tree: Tree, run: Run) -> None:
    """What was spent in windows of another span, or of another asset, is not in it."""
    window = {"span": "1h", "total": "9.99", "count": 1}
    tree["keys"]["pay"]["limits"][0]["windows"] = [window]
    others = [SPENT | {"span": "2h"}, SPENT | {"asset": "EUR"}]
    assert run([CASE | {"spent": others}]).exit_code == 0
    assert run([CASE | {"spent": [SPENT]}]).exit_code == 1


@pytest.mark.parametrize(("address", "code"), [("10.0.0.7", 0), ("10.0.1.7", 1), (None, 1)])
def test_a_test_says_where_its_caller_is(
    address: str | None, code: int, tree: Tree, run: Run
) -> None:
    """A grant's networks hold for it; without an address it is in none."""
    tree["keys"]["pay"]["grants"][0]["networks"] = ["10.0.0.0/24"]
    case = CASE | ({} if address is None else {"address": address})
    assert run([case]).exit_code == code


def test_a_payload_that_cannot_be_read_is_denied(run: Run, tmp_path: Path) -> None:
    """A file is read from the directory of the tests, byte for byte."""
    (tmp_path / "bad.json").write_bytes(b"{}")
    case = {name: value for name, value in CASE.items() if name != "facts"} | {
        "payload": "bad.json",
        "expect": "deny",
        "reason": "PAYLOAD_UNSUPPORTED",
    }
    assert run([case]).exit_code == 0


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        ([], "tests: must not be empty"),
        ([CASE, CASE], "tests: 'a supplier is paid' is the name of several tests"),
        ([CASE | {"expects": "allow"}], "tests[0].expects: unknown field; known here: name, key"),
        ([CASE | {"facts": {"verb": "x"}}], "tests[0].facts.verb: unknown field; known here: act"),
        ([CASE | {"payload": "x"}], "tests[0]: needs a payload or facts, and not both"),
        ([CASE | {"reason": "FROZEN"}], "tests[0]: a grant belongs to allow, a reason to deny"),
        ([CASE | {"spent": [SPENT | {"total": "0.001"}]}], "a supplier is paid: 0.001 has 3 dec"),
        ([CASE | {"facts": _moved(amount="0.001")}], "a supplier is paid: 0.001 has 3 decimals"),
        (
            [CASE | {"facts": _moved(asset="XAU", amount="0.5")}],
            "a supplier is paid: 0.5 has 1 decimals; the asset has 0",
        ),
    ],
)
def test_broken_tests_are_reported_with_their_place(
    cases: list[Tree], problem: str, run: Run
) -> None:
    """A test that cannot be read is no test that passes."""
    result = run(cases)
    assert result.exit_code == 1
    assert f"policy.tests.toml: {problem}" in result.stderr


def test_tests_that_are_no_toml_are_one_problem(run: Run, tmp_path: Path) -> None:
    """The place of the mistake is in the message."""
    run([CASE])
    other = tmp_path / "other.toml"
    other.write_text("tests = ", encoding="utf-8")
    arguments = ["test", str(tmp_path / "policy.toml"), "--tests", str(other)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{other}: is not TOML: ")
