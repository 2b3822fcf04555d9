"""Questions about policies: a proof, or requests that the engine allows and that break it."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.document import load as load_policy
from policy.engine import decide
from policy.model import Ask, Charge, Counter, Facts, Used
from policy.payloads import FORMATS
from policy.problems import PolicyError
from policy.prove import Answer, Disproven, NotProven, Proven, load, prove
from policy.prove.answer import Step
from policy.prove.single import breaks
from policy.rules import Policy
from policy.windows import Window

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Edit = Callable[[Tree, str, object], None]
Write = Callable[[Tree], str]

EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
POLICY = (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
QUESTIONS = (EXAMPLES / "policy.questions.toml").read_text(encoding="utf-8")
BOT = "spiffe://firm.example/bot"


OMNIBUS = '"0x1111111111111111111111111111111111111111"'


class Spent:
    """Usage of real windows that requests are charged to as they come."""

    def __init__(self) -> None:
        self._windows: dict[Counter, Window] = {}
        self.now = 0

    def used(self, counter: Counter) -> Used:
        """Return what the window holds now."""
        return self._windows.setdefault(counter, Window(counter.span_ms)).used(self.now)

    def charge(self, charge: Charge) -> None:
        """Charge it now."""
        self._windows[charge.counter].charge(self.now, charge.amount, charge.requests)


def confirmed(policy: Policy, steps: tuple[Step, ...]) -> None:
    """The engine itself allows each of the requests, after those before it."""
    spent = Spent()
    for step in steps:
        assert step.at_ms >= spent.now
        spent.now = step.at_ms
        decision = decide(policy, step.ask, spent, step.at_ms, step.approved_by)
        assert decision.allowed, decision.reasons
        for charge in decision.charges:
            spent.charge(charge)


def moved(steps: tuple[Step, ...], refs: set[str]) -> int:
    """Return how much of an asset the requests move."""
    transfers = (item for step in steps for item in step.ask.facts.transfers)
    return sum(item.amount for item in transfers if item.asset in refs)


@pytest.fixture(scope="module")
def asked(write: Write) -> Callable[..., Answer]:
    """Ask one question about a policy."""

    def answered(policy: Policy, **claim: object) -> Answer:
        text = write({"questions": [{"name": "q"} | claim]})
        (question,) = load(text, policy)
        return prove(policy, question)

    return answered


def test_the_example_holds_to_its_questions() -> None:
    """Every question beside the shipped policy is proven."""
    policy = load_policy(POLICY, FORMATS)
    for question in load(QUESTIONS, policy):
        assert prove(policy, question) == Proven(), question.name


# Edits of the example, each with the one question that no longer holds.
WEAKENED = [
    ('per_request = "50000"', 'per_request = "50000.000001"', "single USDC"),
    ('total = "250000", count', 'total = "250000.000001", count', "250,000 USDC"),
    ('{ span = "24h", total = "250000", count = 200 }', '{ span = "12h", total = "250000" }',
     "250,000 USDC"),
    (f'{OMNIBUS} = "omnibus"',
     f'{OMNIBUS} = "omnibus"\n{OMNIBUS.replace("1", "2")} = "x"', "nowhere else"),
    ('{ span = "7d", total = "20000" }', '{ span = "7d", total = "20000.01" }', "in a week"),
    ('{ span = "7d", total = "20000" }', '{ span = "6d", total = "20000" }', "in a week"),
    ('total = "10000" }]', 'total = "10000.01" }]', "desks together"),
    ('above = "1000", quorum = 2', 'above = "1000", quorum = 1', "two officers"),
    ('above = "1000", quorum = 2', 'above = "1000.01", quorum = 2', "two officers"),
    ('"spiffe://firm.example/wallet-usdc"]', '"spiffe://firm.example/payments"]', "never touches"),
    ('action = "erc20.transfer"', 'action = "erc20.approve"', "allowances"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "name"), WEAKENED)
def test_a_weaker_policy_is_found_out(before: str, after: str, name: str) -> None:
    """Only the question that an edit breaks fails, with requests that the engine allows."""
    assert before in POLICY
    policy = load_policy(POLICY.replace(before, after), FORMATS)
    for question in load(QUESTIONS, policy):
        answer = prove(policy, question)
        if name in question.name:
            assert isinstance(answer, Disproven), question.name
            confirmed(policy, answer.steps)
        else:
            assert answer == Proven(), question.name


def test_the_counterexample_is_the_claim_broken(tree: Tree, compiled: Compile, asked: Any) -> None:
    """It is one request, of the asset in question, over the bound and within the limit."""
    policy = compiled(tree)
    assert asked(policy, asset="USD", per_request="10") == Proven()
    answer = asked(policy, asset="USD", per_request="9.99")
    assert isinstance(answer, Disproven)
    confirmed(policy, answer.steps)
    assert moved(answer.steps, {"USD"}) == 1000


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ({"keys": ["wd"], "asset": "USD", "per_request": "0"}, True),  # it never moves there
        ({"keys": ["pay"], "asset": "USD", "per_request": "0"}, False),
        ({"callers": ["c.example"], "never": True}, True),
        ({"callers": [BOT], "never": True}, False),
        ({"callers": [BOT], "asset": "USDC@eip155:1", "never": True}, True),
        ({"actions": ["erc20.transfer"], "asset": "USD", "never": True}, True),
        ({"actions": ["intent.transfer"], "asset": "USD", "never": True}, False),
        ({"asset": "USD", "destinations": ["acme"]}, True),
        ({"asset": "USD", "destinations": ["umbrella"]}, False),
        ({"destinations": ["acme"]}, False),
        ({"asset": "USD", "approvals": {"above": "10", "quorum": 1}}, True),
        ({"asset": "USD", "approvals": {"above": "9", "quorum": 1}}, False),
        ({"asset": "USD", "window": {"span": "1h", "total": "25"}}, True),
        ({"asset": "USD", "window": {"span": "1h", "total": "24.99"}}, False),
        ({"asset": "USD", "window": {"span": "1h", "count": 3}}, True),
        ({"asset": "USD", "window": {"span": "1h", "count": 2}}, False),
        ({"asset": "USD", "window": {"span": "90m", "total": "50"}}, True),
        ({"asset": "USD", "window": {"span": "90m", "total": "49.99"}}, False),
        ({"asset": "USD", "window": {"span": "1s", "total": "25"}}, True),
        ({"asset": "USD", "window": {"span": "2h", "count": 6}}, True),
        ({"asset": "USD", "window": {"span": "2h", "count": 5}}, False),
        ({"asset": "EUR", "window": {"span": "2h", "count": 1}}, True),
    ],
)
def test_what_holds_is_proven_and_what_does_not_is_not(
    tree: Tree,
    compiled: Compile,
    asked: Any,
    claim: Tree,
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    """At the edge of each claim, one unit decides; what fails is confirmed by the engine."""
    policy = compiled(tree)
    answer = asked(policy, **claim)
    assert isinstance(answer, Proven if holds else Disproven)
    if isinstance(answer, Disproven):
        confirmed(policy, answer.steps)


# Whole grants and limits of the key `pay`: a claim that holds and the same, a little tighter.
SHAPES: list[tuple[Tree, Tree, Tree]] = [
    (  # two callers with a window each
        {"grants.0.callers": [BOT, "b.example"],
         "limits.0.windows": [{"span": "1h", "total": "25", "per": "caller"}]},
        {"window": {"span": "1h", "total": "50"}},
        {"window": {"span": "1h", "total": "49.99"}},
    ),
    (  # a short window slows what a long one lets pass: 5 in the first hour, 5 in the next
        {"limits.0.windows": [{"span": "1h", "total": "5"}, {"span": "1d", "total": "20"}]},
        {"window": {"span": "26h", "total": "30"}},
        {"window": {"span": "26h", "total": "29.99"}},
    ),
    (  # so many requests of at most so much
        {"limits.0.windows": [{"span": "1h", "count": 2}]},
        {"window": {"span": "3h", "total": "60"}},
        {"window": {"span": "3h", "total": "59.99"}},
    ),
    (  # a payload that trades
        {"grants.0.sides": ["buy"], "grants.0.symbols": ["BTC-USD"], "grants.0.venues": ["x"],
         "grants.0.worst_price": {"buy": "100"}, "grants.0.order_types": ["LIMIT"]},
        {"per_request": "10"},
        {"per_request": "9"},
    ),
    (
        {"grants.0.sides": ["sell"], "grants.0.symbols": ["BTC-USD"],
         "grants.0.worst_price": {"sell": "100"}, "grants.0.networks": ["10.1.0.0/16"],
         "grants.0.sources": ["vault"], "grants.0.expires": "2027-01-01T00:00:00Z"},
        {"window": {"span": "1h", "total": "25"}},
        {"window": {"span": "1h", "total": "24"}},
    ),
    (  # logons that move nothing, beside a fee
        {"grants.0.assets": None, "grants.0.destinations": None, "grants.0.session": True},
        {"window": {"span": "1h", "total": "25"}},
        {"window": {"span": "1h", "total": "24"}},
    ),
    (  # open for some hours of the day
        {"grants.0.hours": {"tz": "Europe/Berlin", "days": "mon", "from": "08:00", "to": "18:00"}},
        {"window": {"span": "2h", "total": "50"}},
        {"window": {"span": "2h", "total": "49"}},
    ),
    (
        {"grants.0.approval": {"above": "5", "quorum": 2, "approvers": ["x.example", "y.example"]}},
        {"approvals": {"above": "5", "quorum": 2}},
        {"approvals": {"above": "4.99", "quorum": 2}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "holds", "fails"), SHAPES)
def test_every_shape_of_grants_and_limits(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any, changes: Tree, holds: Tree, fails: Tree
) -> None:
    """The model has each part of the language: one unit less than what holds does not."""
    for where, value in changes.items():
        edit(tree, f"keys.pay.{where}", value)
    policy = compiled(tree)
    assert asked(policy, asset="USD", keys=["pay"], **holds) == Proven()
    answer = asked(policy, asset="USD", keys=["pay"], **fails)
    assert isinstance(answer, Disproven)
    confirmed(policy, answer.steps)


def test_windows_of_destinations_are_spread_over(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any
) -> None:
    """One request may pay several; what each may get adds up, and only that."""
    edit(tree, "keys.pay.grants.0.destinations", ["acme", "umbrella"])
    window = {"span": "1h", "total": "4", "per": "destination"}
    edit(tree, "keys.pay.limits.0.windows", [window])
    policy = compiled(tree)
    answer = asked(policy, asset="USD", per_request="7.99")
    assert isinstance(answer, Disproven)
    confirmed(policy, answer.steps)
    found = asked(policy, asset="USD", window={"span": "1h", "total": "7.99"})
    assert isinstance(found, Disproven)
    confirmed(policy, found.steps)


def test_keys_of_a_group_count_together(tree: Tree, compiled: Compile, asked: Any) -> None:
    """What each key may is more than what the group may, which is what holds."""
    twin = {"algorithm": "ed25519", "payloads": ["intent"]} | {
        name: tree["keys"]["pay"][name] for name in ("grants", "limits")
    }
    tree["keys"]["twin"] = twin
    window = {"span": "1h", "total": "30"}
    assert isinstance(asked(compiled(tree), asset="USD", window=window), Disproven)
    tree["groups"] = {
        "g": {"keys": ["pay", "twin"], "limits": [{"asset": "USD", "windows": [window]}]}
    }
    assert asked(compiled(tree), asset="USD", window=window) == Proven()


@pytest.mark.parametrize("claim", [{"per_request": "1"}, {"window": {"span": "1h", "total": "1"}}])
def test_what_is_never_open_is_not_proven(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any, claim: Tree
) -> None:
    """A grant that no hour opens is more than the model can tell, and it says so."""
    edit(tree, "keys.pay.grants.0.not_before", "2027-01-02T00:00:00Z")
    edit(tree, "keys.pay.grants.0.expires", "2027-01-03T00:00:00Z")  # a Saturday
    hours = {"tz": "UTC", "days": "mon", "from": "08:00", "to": "18:00"}
    edit(tree, "keys.pay.grants.0.hours", hours)
    answer = asked(compiled(tree), asset="USD", keys=["pay"], **claim)
    assert isinstance(answer, NotProven)
    assert answer.why


def test_a_grid_that_is_too_fine_is_left_to_the_coarse_model(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any
) -> None:
    """A long interval of short windows is proven where one window alone is enough, else not."""
    windows = [{"span": "1s", "total": "1"}, {"span": "1h", "total": "5"}]
    edit(tree, "keys.pay.limits.0.windows", windows)
    policy = compiled(tree)
    assert asked(policy, asset="USD", window={"span": "1h", "total": "5"}) == Proven()
    answer = asked(policy, asset="USD", window={"span": "3601s", "total": "6"})
    assert isinstance(answer, NotProven)
    found = asked(policy, asset="USD", window={"span": "3601s", "total": "4.99"})
    assert isinstance(found, Disproven)
    confirmed(policy, found.steps)


WRONG = [
    ("", "questions: is required"),
    ("questions = []", "questions: must not be empty"),
    ("[[questions]]\nname = 'a'", "claims exactly one of per_request"),
    ("[[questions]]\nname = 'a'\nnever = true\nper_request = '1'", "claims exactly one of"),
    ("[[questions]]\nname = 'a'\nper_request = '1'", "per_request needs an asset"),
    ("[[questions]]\nname = 'a'\nnever = true\nkeys = ['nope']", "a: no key nope"),
    ("[[questions]]\nname = 'a'\nasset = 'GBP'\nper_request = '1'", "a: no asset GBP"),
    ("[[questions]]\nname = 'a'\nasset = 'USD'\nper_request = '0.001'", "a: 0.001 has 3 decimals"),
    ("[[questions]]\nname = 'a'\nnever = true\n" * 2, "'a' is the name of several questions"),
    ("[[questions]]\nname = 'a'\nnever = true\nkind = 1", "unknown field; known here: name, keys"),
    (
        "[[questions]]\nname = 'a'\nasset = 'USD'\nwindow = {span = '1h'}",
        "needs a total or a count",
    ),
    ("[questions", "is not TOML"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_a_question_that_asks_nothing_is_refused(
    tree: Tree, compiled: Compile, text: str, problem: str
) -> None:
    """Whatever would make an answer worthless is a problem with its place."""
    with pytest.raises(PolicyError) as caught:
        load(text, compiled(tree))
    assert problem in str(caught.value)


def test_a_claim_that_takes_thousands_of_requests_is_left_open(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any
) -> None:
    """The search ends, and says that it found nothing."""
    edit(tree, "keys.pay.limits.0.windows", [{"span": "1h", "count": 3000}])
    policy = compiled(tree)
    assert isinstance(asked(policy, asset="USD", window={"span": "1h", "count": 2500}), NotProven)
    assert asked(policy, asset="USD", window={"span": "1h", "count": 3000}) == Proven()


def test_of_several_grants_the_one_that_breaks_the_claim_is_shown(
    tree: Tree, compiled: Compile, edit: Edit, asked: Any
) -> None:
    """A request fits one grant and is shown as that one."""
    first = tree["keys"]["pay"]["grants"][0]
    wide = {"id": "wide", "callers": ["c.example"], "destinations": ["umbrella"]}
    edit(tree, "keys.pay.grants.1", first | wide)
    answer = asked(compiled(tree), asset="USD", destinations=["acme"])
    assert isinstance(answer, Disproven)
    (step,) = answer.steps
    assert step.ask.caller == "c.example"


@pytest.mark.parametrize("claim", [{"callers": ["c.example"]}, {"actions": ["erc20.transfer"]}])
def test_only_a_request_in_question_breaks_a_claim(
    tree: Tree, compiled: Compile, write: Write, claim: Tree
) -> None:
    """What is checked last is the request's own facts, whatever the model thought."""
    policy = compiled(tree)
    (question,) = load(write({"questions": [{"name": "q", "never": True} | claim]}), policy)
    (anything,) = load(write({"questions": [{"name": "q", "never": True}]}), policy)
    step = Step(Ask("pay", "intent", BOT, Facts("intent.transfer", ())), 0)
    assert breaks(policy, anything, step)
    assert not breaks(policy, question, step)


def test_questions_of_the_example_are_about_all_its_keys() -> None:
    """The shipped questions name or cover each key of the shipped policy."""
    named = {key for item in tomllib.loads(QUESTIONS)["questions"] for key in item.get("keys", ())}
    assert named == set(tomllib.loads(POLICY)["keys"])


def test_a_request_has_a_format_with_its_action(
    tree: Tree, edit: Edit, write: Write, asked: Any
) -> None:
    """Of a key's formats it is not just any."""
    edit(tree, "keys.pay.payloads", ["intent", "intent.jws"])
    edit(tree, "keys.pay.grants.0.action", "intent.jws.transfer")
    policy = load_policy(write(tree), FORMATS)
    for claim in ({"per_request": "1"}, {"window": {"span": "1h", "total": "1"}}):
        answer = asked(policy, asset="USD", **claim)
        assert isinstance(answer, Disproven)
        assert {step.ask.format for step in answer.steps} == {"intent.jws"}


@pytest.mark.parametrize("action", ["cow.order", "0x.limitOrder"])
def test_a_swap_without_a_worst_price_is_never_allowed(
    tree: Tree, edit: Edit, write: Write, asked: Any, action: str
) -> None:
    """The engine refuses each, since it says what it brings; with a price it may pass."""
    edit(tree, "keys.wd.payloads", ["ethereum.typed-data"])
    edit(tree, "keys.wd.grants.0.action", action)
    edit(tree, "keys.wd.grants.0.venues", [action.partition(".")[0]])
    edit(tree, "keys.wd.grants.0.sides", ["sell"])
    edit(tree, "keys.wd.grants.0.symbols", ["USDC@eip155:1/ETH@eip155:1"])
    claim = {"keys": ["wd"], "never": True}
    assert asked(load_policy(write(tree), FORMATS), **claim) == Proven()
    edit(tree, "keys.wd.grants.0.worst_price", {"sell": "1"})
    assert isinstance(asked(load_policy(write(tree), FORMATS), **claim), Disproven)
