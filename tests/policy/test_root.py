"""The root document: what it says, and everything that it may not say."""

from hashlib import sha256

import pytest

from policy.compare import Change, Direction
from policy.compare.roots import compare_roots
from policy.problems import PolicyError
from policy.root import load

A, B, C, D = (f"spiffe://firm.example/officer/{name}" for name in "abcd")
DAY_MS = 86_400_000
ZERO, WEEK, HOUR = (f"changes from {time} ms" for time in (0, 7 * DAY_MS, DAY_MS // 24))
ROOT = f"""
schema = 1
officers = ["{A}", "{B}", "{C}"]
quorum = 1
root_quorum = 2
"""


def problems(text: str) -> list[str]:
    """Return everything that is wrong with a document."""
    with pytest.raises(PolicyError) as raised:
        load(text)
    return [str(problem) for problem in raised.value.problems]


def test_defaults() -> None:
    """Without times there is no waiting, a proposal lives a week and a hold an hour."""
    root = load(ROOT)
    assert root.sha256 == sha256(ROOT.encode()).hexdigest()
    assert root.officers == {A, B, C}
    assert root.proposers == frozenset()
    assert (root.quorum, root.root_quorum, root.waiting_ms) == (1, 2, 0)
    assert (root.proposal_life_ms, root.hold_life_ms) == (7 * DAY_MS, DAY_MS // 24)


def test_everything_written_out() -> None:
    """Each field means what it says; a proposer is no officer."""
    root = load(
        f'{ROOT}proposers = ["ci.firm.example"]\nwaiting_time = "2h"\n'
        'proposal_life = "3d"\nhold_life = "90s"\n'
    )
    assert root.proposers == {"ci.firm.example"}
    assert (root.waiting_ms, root.proposal_life_ms) == (7_200_000, 3 * DAY_MS)
    assert root.hold_life_ms == 90_000


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("schema = 1", "schema = 2", "schema: schema 2 is not known here; write schema = 1"),
        ("quorum = 1", "quorum = 0", "quorum: input should be greater than or equal to 1, not 0"),
        ("quorum = 1", "quorum = 3", "quorum: is 3; at most 2, all officers but the author"),
        ("quorum = 2", "quorum = 3", "root_quorum: is 3; at most 2, all officers but the author"),
        ("quorum = 2", "quorum = 1", "root_quorum: more than quorum, 1, or all others"),
        (f', "{B}", "{C}"', "", "officers: two at least: one alone could never loosen anything"),
        (C, B, f"officers: {B} is listed twice"),
        (C, "spiffe://firm.example/*", "officers[2]: 'spiffe://firm.example/*' has a wildcard"),
        (C, "officer/\u0441", "officers[2]: 'officer/\\u0441' has the character U+0441"),
        ("root_quorum", "qorum", "qorum: unknown field; known here: schema, officers, proposers"),
        ("schema", 'proposers = [""]\nschema', "proposers[0]: '' is not a caller"),
        ("schema", f'proposers = ["{B}"]\nschema', f"proposers: {B} is an officer"),
        ("schema", "proposers = []\nschema", "proposers: must not be empty"),
        ("schema", 'waiting_time = "7d"\nschema', "waiting_time: must be shorter than"),
        ("schema", 'hold_life = "1 hour"\nschema', "hold_life: '1 hour' is not a span"),
        ("schema = 1", "schema =", "is not TOML"),
        ("schema = 1", f"schema = {'[' * 100_000}", "is not TOML"),
        ("schema", "quorum = 1\nschema", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, problem: str) -> None:
    """A document that could mean something else, or lock everybody out, is refused."""
    assert ROOT.count(old) >= 1
    found = problems(
        new.join(ROOT.rsplit(old, 1)) if "quorum = 2" in old else ROOT.replace(old, new, 1)
    )
    assert [text for text in found if text.startswith(problem)], found


def test_all_problems_at_once() -> None:
    """One run finds everything: fields first, then what contradicts another field."""
    assert len(problems('schema = 1\nofficers = ["*", "a b"]\nquorum = 0\n')) == 4
    assert len(problems(ROOT.replace("= 1\nroot", '= 9\nwaiting_time = "8d"\nroot'))) == 2


def test_all_others_is_the_largest_root_quorum() -> None:
    """With two officers the other one is the quorum for everything."""
    two = load(ROOT.replace(f', "{C}"', "").replace("root_quorum = 2", "root_quorum = 1"))
    assert (two.quorum, two.root_quorum) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (f', "{C}"', f', "{C}", "d.firm.example"', ["looser officers: adds d.firm.example"]),
        (A, D, [f"looser officers: adds {D}", f"tighter officers: removes {A}"]),
        ("quorum = 1\n", "quorum = 2\n", ["tighter quorum: changes from 1 to 2"]),
        (
            "schema",
            'proposers = ["ci.example"]\nschema',
            ["looser proposers: adds ci.example"],
        ),
        (
            "schema",
            'waiting_time = "1s"\nschema',
            ["tighter waiting_time: changes from 0 ms to 1000 ms"],
        ),
        (
            "schema",
            'proposal_life = "8d"\nschema',
            [f"looser proposal_life: {WEEK} to 691200000 ms"],
        ),
        (
            "schema",
            'hold_life = "1m"\nschema',
            [f"tighter hold_life: {HOUR} to 60000 ms"],
        ),
        (
            f'"{C}"]\nquorum = 1\nroot_quorum = 2',
            f'"{C}", "{D}"]\nquorum = 1\nroot_quorum = 3',
            [f"looser officers: adds {D}", "tighter root_quorum: changes from 2 to 3"],
        ),
        ("schema", "# a comment\nschema", []),
    ],
)
def test_differences_are_told(old: str, new: str, changes: list[str]) -> None:
    """Each line says in which direction one thing changes."""
    found = compare_roots(load(ROOT), load(ROOT.replace(old, new, 1)))
    assert [f"{item.direction} {item.path}: {item.description}" for item in found] == changes


def test_a_first_root_document_adds_everybody() -> None:
    """Where there was none, its officers are what changes."""
    first = load(ROOT.replace("schema", 'proposers = ["ci.firm.example"]\nschema', 1))
    assert compare_roots(None, first) == (
        Change("officers", Direction.LOOSER, f"adds {A}, {B}, {C}"),
        Change("proposers", Direction.LOOSER, "adds ci.firm.example"),
    )
