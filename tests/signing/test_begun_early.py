"""Signatures that are begun before their decision is durable: none is released without it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from signer.approval import Approval, ApprovalInvalidError
from signer.errors import LedgerUnavailableError, RefusedError
from signer.ledger import Ledger
from signer.ledger.sqlite import SqliteStore
from signer.model import Granted, Signed, Verdict
from signer.signing import EARLY, Signing
from tests.support.ledgers import POLICY, Bench, one, pay, spent
from tests.support.orders import Order

INTENT = POLICY[POLICY.index("[keys.pay]") :].replace("keys.pay", "keys.slow")
BOTH = POLICY + INTENT.replace("[keys.slow]", "[keys.slow]\ndurable_intent = true")
REFUSE_COMMITS = """
CREATE TEMP TABLE parents (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE children (id INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE TEMP TRIGGER orphan AFTER UPDATE ON state BEGIN INSERT INTO children VALUES (1); END;
"""


@dataclass
class Token:
    """Signs with the request's id; notes how many records were durable when it began."""

    redeem: Callable[[Approval], None]
    size: Callable[[], int]
    began: dict[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def company(self, _key: str) -> None:
        """Nobody waits for anybody."""

    def begin(self, approvals: Sequence[Approval], deadlines: Sequence[float]) -> Order:
        """Use the approvals up."""
        assert len(approvals) == len(deadlines)
        for approval in approvals:
            self.redeem(approval)
            self.began[approval.subject[1]] = self.size()
        self.orders.append(Order([approval.subject[1].encode() for approval in approvals]))
        return self.orders[-1]


@pytest.fixture
def ledger(bench: Bench) -> Ledger:
    """A ledger with two keys; the decisions of ``slow`` must be durable first."""
    return bench.open(BOTH)


@pytest.fixture
def token(bench: Bench, ledger: Ledger) -> Token:
    """A token that takes the bench's approvals."""
    return Token(bench.mint.redeem, ledger.size)


def refuse_commits(ledger: Ledger) -> None:
    """Let every commit fail, and nothing before it."""
    store = ledger._writer._memory.store
    assert isinstance(store, SqliteStore)
    store._connection.executescript(REFUSE_COMMITS)


def ids(results: Sequence[object]) -> list[bytes]:
    """Return what was signed."""
    return [result.signature for result in results if isinstance(result, Signed)]


def test_the_token_works_while_the_disk_does(ledger: Ledger, token: Token) -> None:
    """It is called before the decision is durable; the record is there when it is released."""
    before = ledger.size()
    assert ids(Signing(ledger, token).sign([pay(1, id="a")], 0)) == [b"a"]
    assert token.began == {"a": before}
    [(_, body)] = ledger.leaves(before, 1)
    assert json.loads(body)["outcome"] == "granted"


def test_a_key_may_ask_for_the_decision_first(ledger: Ledger, token: Token) -> None:
    """With ``durable_intent`` the token is called afterwards, also beside one without."""
    before = ledger.size()
    requests = [pay(1, id="a", key="slow"), pay(2, id="b"), pay(3, id="c", key="slow")]
    assert ids(Signing(ledger, token).sign(requests, 0)) == [b"a", b"b", b"c"]
    assert token.began == {"b": before, "a": before + 3, "c": before + 3}


@pytest.mark.parametrize("more", [0, 1])
def test_a_large_round_is_signed_afterwards(ledger: Ledger, token: Token, more: int) -> None:
    """Others on the ledger would wait while it is begun."""
    before = ledger.size()
    requests = [pay(1, id=f"r{place}") for place in range(EARLY + more)]
    assert len(ids(Signing(ledger, token).sign(requests, 0))) == EARLY + more
    assert set(token.began.values()) == {before + (EARLY + 1) * more}


def test_only_what_is_granted_is_begun(ledger: Ledger, token: Token) -> None:
    """A refusal in the same round never reaches the token."""
    refused, signed = Signing(ledger, token).sign([pay(10_001, id="a"), pay(1, id="b")], 0)
    assert isinstance(refused, RefusedError)
    assert ids([signed]) == [b"b"]
    assert list(token.began) == ["b"]


def test_without_a_commit_nothing_is_released(
    bench: Bench, ledger: Ledger, token: Token, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was begun is dropped and logged, no approval is left, and nothing is recorded."""
    before = ledger.size()
    refuse_commits(ledger)
    requests = [pay(100, id="a"), pay(100, id="b", key="slow")]
    with pytest.raises(LedgerUnavailableError, match="FOREIGN KEY"):
        Signing(ledger, token).sign(requests, 0)
    assert list(token.began) == ["a"]
    assert [order.dropped for order in token.orders] == [True]
    assert not bench.mint._outstanding
    assert "signatures dropped: their decisions were not committed" in capsys.readouterr().out
    other = bench.open()
    assert ledger.size() == before + 1  # that it was opened
    assert spent(other) == 0


def test_a_bug_on_the_way_to_the_token_commits_nothing(
    bench: Bench, ledger: Ledger, token: Token
) -> None:
    """No decision without its signatures begun: the caller may come again with the same id."""
    token.size = lambda: 1 // 0
    with pytest.raises(ZeroDivisionError):
        Signing(ledger, token).sign([pay(100, id="a"), pay(100, id="b")], 0)
    assert not bench.mint._outstanding
    assert spent(ledger) == 0


def test_what_is_not_used_early_is_valid_afterwards(bench: Bench, ledger: Ledger) -> None:
    """An approval that has to wait is no approval before, and each is one once."""
    redeem = bench.mint.redeem
    seen: list[Verdict] = []

    def begin(verdicts: Sequence[Verdict]) -> None:
        early, waits, _ = (each.approval for each in verdicts if isinstance(each, Granted))
        redeem(early)
        with pytest.raises(ApprovalInvalidError):
            redeem(waits)
        seen.extend(verdicts)

    verdicts = [pay(1, id="a"), pay(1, id="b", key="slow"), pay(1, id="c")]
    assert ledger.decide(verdicts, begin) == seen
    early, waits, unused = (each.approval for each in seen if isinstance(each, Granted))
    redeem(waits)
    redeem(unused)
    for approval in (early, waits, unused):
        with pytest.raises(ApprovalInvalidError):
            redeem(approval)
    assert spent(ledger) == 2
    assert isinstance(one(ledger, pay(1, id="d")), Granted)
