"""``signgate policy replay``: recorded decisions that another policy would change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from policy.fields import instant_ms
from signer.audit.tiles import ENTRIES, WIDTH, Tile, entries
from signer.cli.policy import app
from signer.errors import ConfigError
from tests.support.ledgers import POLICY, START_MS, one, pay
from tests.support.logs import Published

Replay = Callable[..., Any]

SMALL = POLICY.replace('per_request = "100"', 'per_request = "50"')
LARGE = POLICY.replace('per_request = "100"', 'per_request = "150"')
SUMMARY = (
    "3 decisions: {} would be refused, 0 would be allowed, 0 would be refused for another reason"
)
RULE = "keys.pay.limits.USD.per_request"
WHO = "spiffe://firm.example/alice with pay: intent.transfer; pays"


@pytest.fixture
def replay(tmp_path: Path, published: Published) -> Replay:
    """Run the command on a candidate and a log: one payment allowed, one too large, one wrong."""
    for request in (pay(9000, id="a"), pay(11_000, id="b"), pay(1, id="c", to="dave")):
        one(published.ledger, request)
        published.bench.clock.now += 1000
    published.publisher().publish()

    def run(text: str, *options: str) -> Any:
        (tmp_path / "new.toml").write_text(text, encoding="utf-8")
        log = () if "--address" in str(options) else (f"--log={published.directory}",)
        return CliRunner().invoke(app, ["replay", str(tmp_path / "new.toml"), *log, *options])

    return run


def test_nothing_changes_under_the_same_policy(replay: Replay) -> None:
    """The exit code is 0, and the last line says how much was decided."""
    result = replay(POLICY)
    assert result.exit_code == 0
    assert result.stdout == f"{SUMMARY.format(0)}\n"


def test_a_tighter_candidate_lists_what_it_refuses(replay: Replay) -> None:
    """Each change has its record, its request in words, and every reason; the exit code is 3."""
    result = replay(SMALL)
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        f"- 2 2027-01-15T08:00:00Z {WHO} 90 USD to bob",
        "      was allowed",
        f"      would be refused: LIMIT_PER_REQUEST {RULE}: 90 USD is more than 50 USD",
        SUMMARY.format(1),
    ]


def test_a_looser_candidate_lists_what_it_allows(replay: Replay) -> None:
    """What was refused, for what, and which grant would allow it."""
    result = replay(LARGE)
    assert result.exit_code == 3
    assert result.stdout.splitlines()[:3] == [
        f"+ 3 2027-01-15T08:00:01Z {WHO} 110 USD to bob",
        "      was refused: LIMIT_PER_REQUEST",
        "      would be allowed by friends",
    ]


def test_another_reason_is_listed_too(replay: Replay) -> None:
    """The caller would be told something else."""
    result = replay(POLICY.replace("keys.pay", "keys.other"), "--since=2027-01-15T08:00:02Z")
    assert result.exit_code == 3
    told = result.stdout.splitlines()
    assert told[0].startswith("~ 4 2027-01-15T08:00:02Z")
    assert told[1] == "      was refused: DESTINATION_NOT_ALLOWED"
    assert told[-1].startswith("1 decisions: 0 would be refused, 0 would be allowed, 1 would")


def test_since_takes_a_span_too(replay: Replay) -> None:
    """So long before now; what came earlier is not decided."""
    assert instant_ms("2026-11-01T00:00:00Z") < START_MS
    assert "3 decisions" in replay(POLICY, "--since=366d").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--since=yesterday"], "--since: 'yesterday' is not a time"),
        (["--since=400d"], "--since: 400d is longer than 366d"),
        (["--address=127.0.0.1:1"], "needs --log, or --address with --ca, --private-key"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    replay: Replay, options: list[str], message: str
) -> None:
    """A time in another spelling, or half a connection, is an error that says what is right."""
    result = replay(POLICY, *options)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(message)


def test_a_directory_and_an_address_are_one_too_many(tmp_path: Path, replay: Replay) -> None:
    """There is one history."""
    replay(POLICY)
    arguments = ["replay", str(tmp_path / "new.toml"), "--log=x", "--address=y"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ConfigError)


def test_a_directory_that_is_no_log_is_an_error(tmp_path: Path, replay: Replay) -> None:
    """Nothing there is not the same as nothing that changes."""
    replay(POLICY)
    arguments = ["replay", str(tmp_path / "new.toml"), f"--log={tmp_path}"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == f"{tmp_path}: has no entries of a log"


def test_a_damaged_log_is_an_error(published: Published, replay: Replay) -> None:
    """A bundle that ends early is named."""
    size = published.ledger.size()
    bundle = published.directory / Tile(ENTRIES, 0, size).path
    bundle.write_bytes(bundle.read_bytes()[:-1])
    result = replay(POLICY)
    assert isinstance(result.exception, ConfigError)
    assert "the bundle ends within its entry" in str(result.exception)


def test_cut_records_are_counted(published: Published, replay: Replay) -> None:
    """A record that was too long to store whole is not decided, and that is said."""
    caller = pay().caller
    huge = "x" * 70_000
    one(published.ledger, pay(1, id="long", to=huge, caller=caller))
    published.publisher().publish()
    result = replay(POLICY)
    assert result.exit_code == 0
    assert result.stdout.endswith(
        "1 records were cut when they were stored and could not be decided again\n"
    )


@pytest.mark.parametrize("size", [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_entries_are_those_of_the_ledger(published: Published, size: int) -> None:
    """Whatever tiles are full or partial, every entry comes once and in order."""
    published.grow(size - 1)
    published.publisher().publish()
    found = list(entries(published.directory))
    count = published.ledger.size()
    assert found == [body for _, body in published.ledger.leaves(0, count)][: len(found)]
    assert len(found) >= size - 1
