"""Policy documents: all problems at once, and what a good one becomes."""

import gc
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy.algorithms import Algorithm
from policy.document import load
from policy.model import Counter, Format
from policy.problems import PolicyError, Problem
from policy.rules import Policy
from tests.policy.writing import toml

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Edit = Callable[[Tree, str, object], None]
Problems = Callable[[Tree], tuple[Problem, ...]]

ROOT = Path(__file__).parents[2]
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
GRANT = "keys.wd.grants.0"

FIRST_DOCUMENT = """\
schema = 1

[assets."USDC@eip155:1"]
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[addresses.treasury]                       # a named, reviewed set
"0x1111111111111111111111111111111111111111" = "omnibus"

[keys.wd-usdc]
algorithm = "ecdsa-secp256k1"
payloads = ["ethereum.transaction"]

[[keys.wd-usdc.grants]]
id = "payouts"
callers = ["spiffe://firm.example/wallet-usdc"]
action = "erc20.transfer"                  # named by the decoder, never by the caller
chain_ids = [1]
assets = ["USDC@eip155:1"]
destinations = ["@treasury"]
hours = { tz = "Europe/London", days = "mon-fri", from = "08:00", to = "18:00" }
approval = { above = "10000", quorum = 2, approvers = ["spiffe://firm.example/officer/a", "spiffe://firm.example/officer/b"] }

[[keys.wd-usdc.limits]]
asset = "USDC@eip155:1"
per_request = "50000"
windows = [{ span = "24h", total = "250000", count = 200 }]

[[keys.wd-usdc.limits]]                    # gas is spending too
asset = "ETH@eip155:1"
per_request = "0.02"
windows = [{ span = "24h", total = "0.5" }]
"""  # noqa: E501 - as it was written

HOURS = {"tz": "Europe/London", "days": "mon-fri", "from": "08:00", "to": "18:00"}
OFFICERS = ["spiffe://firm.example/officer/a", "spiffe://firm.example/officer/b"]
APPROVAL = {"above": "10000", "quorum": 2, "approvers": OFFICERS}


def test_a_grant_id_is_unique_on_its_key(tree: Tree, problems: Problems) -> None:
    """Two grants of one name would look the same in the audit log."""
    tree["keys"]["wd"]["grants"] *= 2
    assert problems(tree) == (Problem("keys.wd.grants[1].id", "payouts is taken on this key"),)


def test_grants_with_the_same_mistake_are_all_reported(tree: Tree, problems: Problems) -> None:
    """What grants have in common is looked at once, and each hears what is wrong with it."""
    grant = tree["keys"]["wd"]["grants"][0] | {"assets": ["EUR"]}
    tree["keys"]["wd"]["grants"] = [grant | {"id": name} for name in ("a", "b")]
    del tree["assets"]["EUR"]
    places = [problem.path for problem in problems(tree)]
    assert {f"keys.wd.grants[{index}].assets[0]" for index in (0, 1)} <= set(places)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_garbage_collector_is_left_as_it_was(
    *, frozen: bool, formats: dict[str, Format]
) -> None:
    """It runs after a document as before, and what others froze stays frozen."""
    at_first = gc.get_freeze_count()  # some releases of Python freeze objects of their own
    if frozen:
        gc.freeze()
    try:
        loaded = load(FIRST_DOCUMENT, formats)
        assert gc.isenabled()
        assert (gc.get_freeze_count() > at_first) == frozen
        assert frozen or any(each is loaded.keys for each in gc.get_objects(generation=2))
    finally:
        gc.unfreeze()


def test_all_problems_come_at_once(tree: Tree, edit: Edit, problems: Problems) -> None:
    """Wrong shapes and contradictions in different tables are in one report."""
    edit(tree, "keys.wd.limits.0.per_request", 1)
    edit(tree, "keys.wd.limits.1.windows.0.total", "1.2345678901234567890")
    edit(tree, "keys.wd.grants.0.destinations.0", "@nobody")
    edit(tree, "keys.wd.grants.1", {"id": "payouts"})
    edit(tree, "assets.EUR.decimals", "2")
    edit(tree, "keys.pay.grants.0.destinations.0", "@nobody")
    edit(tree, "keys.pay.limits.0.windows.0.total", "1.234")
    assert [problem.path for problem in problems(tree)] == [
        "assets.EUR.decimals",
        *(f"keys.wd.grants[1].{field}" for field in ("callers", "action")),
        "keys.wd.limits[0].per_request",
        "keys.wd.grants[0].destinations[0]",
        "keys.wd.limits[1].windows[0].total",
        "keys.pay.grants[0].destinations[0]",
        "keys.pay.limits[0].windows[0].total",
    ]


def test_every_broken_key_is_reported(tree: Tree, edit: Edit, problems: Problems) -> None:
    """One that is no table, and the same mistake in keys one after the other."""
    grant = tree["keys"]["pay"]["grants"][0] | {"expires": date(2027, 1, 1)}
    keys = {f"k{number}": tree["keys"]["pay"] | {"grants": [grant]} for number in range(2)}
    tree["keys"] = {"first": 1} | keys | {"last": tree["keys"]["wd"] | {"version": 0}}
    assert [problem.path for problem in problems(tree)] == [
        "keys.first",
        "keys.k0.grants[0].expires",
        "keys.k1.grants[0].expires",
        "keys.last.version",
    ]


def test_a_wrong_algorithm_is_told_every_right_one(formats: dict[str, Format], tree: Tree) -> None:
    """In order, with commas."""
    right = frozenset({Algorithm.RSA_PSS_SHA256, Algorithm.ECDSA_P256})
    known = formats | {"intent": replace(formats["intent"], algorithms=right)}
    with pytest.raises(PolicyError) as caught:
        load(toml(tree), known)
    (problem,) = caught.value.problems
    assert problem.message.endswith("with ed25519 but with ecdsa-p256, rsa-pss-sha256")


def test_what_a_broken_table_defines_is_not_reported_twice(
    tree: Tree, edit: Edit, problems: Problems
) -> None:
    """An asset or a set with a mistake of its own is still known by name."""
    edit(tree, "assets.USD.decimals", "2")
    edit(tree, "addresses.suppliers.acme", "")
    assert [problem.path for problem in problems(tree)] == [
        "assets.USD.decimals",
        "addresses.suppliers.acme",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", r"is not TOML: .* at line 1 column 10"),
        ("schema = 1\nschema = 1\n", r"is not TOML: .*line 2"),
        ("schema = 1 # \ud800", "is not TOML"),
        ("schema = " + "1" * 5000, "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML: .*recursion"),
        ("schema." + "a." * 100_000 + "a = 1", "is not TOML: .*recursion"),
    ],
)
def test_what_is_not_toml_is_one_problem(
    text: str, message: str, formats: dict[str, Format]
) -> None:
    """A syntax error has no path; it says the line and the column."""
    with pytest.raises(PolicyError, match=message) as caught:
        load(text, formats)
    assert [problem.path for problem in caught.value.problems] == [""]


def test_deep_tables_are_refused_like_others(formats: dict[str, Format]) -> None:
    """Dotted keys nest deeply; they are a problem at their first name."""
    deep = "a." * 60
    text = f"schema.{deep}a = 1\n{deep}b = 1\nkeys.k.{deep}b = 1\nassets.USD.{deep}b = 1"
    with pytest.raises(PolicyError) as caught:
        load(text, formats)
    paths = {problem.path for problem in caught.value.problems}
    assert {"schema", "a", "keys.k.a", "assets.USD.a"} <= paths


def test_the_first_document_ever_written_still_loads(formats: dict[str, Format]) -> None:
    """A schema 1 document stays valid and keeps its meaning."""
    policy = load(FIRST_DOCUMENT, formats)
    (grant,) = policy.keys["wd-usdc"].grants
    assert policy.sha256 == "2d5608f938fc7fb4bf734bf61a433bc17984c78119849d10846c1873408ce199"
    assert grant.hours is not None
    assert grant.hours[0].days == {0, 1, 2, 3, 4}
    assert grant.approval is not None
    assert grant.approval.above == {"USDC@eip155:1": 10_000_000_000}
    assert policy.keys["wd-usdc"].limits["ETH@eip155:1"].per_request == 2 * 10**16


def test_the_commented_example_loads(formats: dict[str, Format]) -> None:
    """It shows both payload formats, and its hash is that of the file's bytes."""
    file = ROOT / "deploy/examples/policy.toml"
    policy = load(file.read_bytes().decode(), formats)
    assert policy.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert frozenset(formats) == frozenset().union(*(key.formats for key in policy.keys.values()))


def test_a_comment_changes_the_content_hash(
    tree: Tree, write: Callable[[Tree], str], formats: dict[str, Format]
) -> None:
    """The hash is over the exact bytes that were reviewed."""
    text = write(tree)
    assert load(text, formats).sha256 != load(text + "\n# reviewed", formats).sha256


def test_everything_is_resolved_once(tree: Tree, edit: Edit, compiled: Compile) -> None:
    """Sets become addresses, amounts base units, callers a table of their grants."""
    edit(tree, f"{GRANT}.approval", APPROVAL)
    edit(tree, f"{GRANT}.hours", HOURS)
    edit(tree, f"{GRANT}.sources", ["@suppliers", USDC])
    key = compiled(tree).keys["wd"]
    (grant,) = key.callers["spiffe://firm.example/wallet"]
    assert grant.destinations == {"0x" + "1" * 40}
    assert grant.sources == {"acme", USDC}
    assert grant.chain_ids == {1}
    assert grant.approval is not None
    assert grant.approval.above == {"USDC@eip155:1": 10_000_000_000}
    limit = key.limits["USDC@eip155:1"]
    assert limit.per_request == 50_000_000_000
    assert limit.windows[0].counter == Counter("wd", "USDC@eip155:1", 86_400_000)
    assert (limit.windows[0].max_total, limit.windows[0].max_requests) == (250_000_000_000, 200)


@pytest.mark.parametrize("place", [0, 1])
def test_two_limits_on_one_asset_both_hold(place: int, tree: Tree, compiled: Compile) -> None:
    """The smaller amount for a request, and the windows of both, shortest first."""
    second = {"asset": "USD", "per_request": "3", "windows": [{"span": "5m", "count": 1}]}
    tree["keys"]["pay"]["limits"].insert(place, second)
    limit = compiled(tree).keys["pay"].limits["USD"]
    assert limit.per_request == 300
    assert [window.counter.span_ms for window in limit.windows] == [300_000, 3_600_000]


def test_an_asset_is_known_by_name_and_by_identifier(
    tree: Tree, edit: Edit, compiled: Compile
) -> None:
    """Decoders say CAIP-19, intents say the name; both mean the same asset."""
    edit(tree, "assets.MNT@eip155:5000", {"decimals": 18})
    edit(tree, "assets.ETH@eip155:1", {"decimals": 18})
    edit(tree, "assets.SOL@solana:abc", {"decimals": 9})
    assets = compiled(tree).assets
    assert assets[f"eip155:1/erc20:{USDC}"] is assets["USDC@eip155:1"]
    assert assets["eip155:5000/slip44:60"] is assets["MNT@eip155:5000"]
    assert assets["eip155:137/slip44:60"].name == "POL@eip155:137"
    assert assets["SOL@solana:abc"].chain_id is None


def test_problems_are_told_together() -> None:
    """The error has each problem's place and words."""
    error = PolicyError([Problem("a", "wrong"), Problem("", "odd")])
    assert str(error) == "a: wrong; odd"


def test_a_problem_of_the_whole_document_has_no_path() -> None:
    """Such a problem is its message alone."""
    assert str(Problem("", "is not TOML")) == "is not TOML"
    assert re.fullmatch(r"a\.b: wrong", str(Problem("a.b", "wrong")))


@pytest.mark.parametrize("enabled", [True, False])
def test_loading_leaves_the_collector_as_it_was(
    tree: Tree, compiled: Compile, *, enabled: bool
) -> None:
    """Who runs without garbage collection goes on without it, and the others with it."""
    (gc.enable if enabled else gc.disable)()
    try:
        compiled(tree)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
