"""What becomes of an approved request when the token does not answer with a signature.

The ledger is real. The pool is a stand-in below the approval: a real token can't be
made to fail in each of these ways at will.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from signer.approval import Approval, ApprovalInvalidError
from signer.errors import (
    ConflictError,
    HsmRefusedError,
    HsmUnavailableError,
    OutcomeUnknownError,
    RefusedError,
    SignatureInvalidError,
)
from signer.ledger import Ledger
from signer.model import Signed, Validated
from signer.signing import Signing
from tests.support.ledgers import Bench, pay, spent
from tests.support.orders import Order

SIGNATURE = b"s" * 64


@dataclass
class Token:
    """Signs whatever is approved, once; fails as it is told for the ids in ``failures``."""

    redeem: Callable[[Approval], None]
    failures: dict[str, Exception] = field(default_factory=dict)

    def company(self, _key: str) -> str:
        """Gather whatever may be gathered."""
        return "all"

    def begin(self, approvals: Sequence[Approval], deadlines: Sequence[float]) -> Order:
        """Return the one signature that it knows, or the failures."""
        for approval in approvals:
            self.redeem(approval)
        return Order([self.failures.get(each.subject[1], SIGNATURE) for each in approvals])


@pytest.fixture
def token(bench: Bench) -> Token:
    """A token that takes the bench's approvals."""
    return Token(bench.mint.redeem)


@pytest.fixture
def signing(ledger: Ledger, token: Token) -> Signing:
    """The use case over both."""
    return Signing(ledger, token)


def outcomes(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the outcome records, once those that are queued are written."""
    ledger.flush()
    records = (json.loads(body) for _, body in ledger.leaves(0, 1000))
    return [record for record in records if record["event"] == "sign.outcome"]


def test_a_signature_is_released_and_recorded(signing: Signing, ledger: Ledger) -> None:
    """The result is the signature, and its outcome becomes a record."""
    [result] = signing.sign([pay(100)], 0)
    assert isinstance(result, Signed)
    assert result.signature == SIGNATURE
    [outcome] = outcomes(ledger)
    assert outcome["outcome"] == "signed"


@pytest.mark.parametrize("failure", [HsmRefusedError("CKR"), HsmUnavailableError("none free")])
def test_what_was_certainly_not_signed_is_given_back(
    signing: Signing, ledger: Ledger, token: Token, failure: Exception
) -> None:
    """A definite refusal frees the limit, and the same request may come again."""
    token.failures = {"r": failure}
    assert signing.sign([pay(100, id="r")], 0) == [failure]
    [outcome] = outcomes(ledger)
    assert outcome["outcome"] == "refused"
    assert spent(ledger) == 0
    token.failures = {}
    [again] = signing.sign([pay(100, id="r")], 0)
    assert isinstance(again, Signed)
    assert spent(ledger) == 100


@pytest.mark.parametrize("failure", [OutcomeUnknownError("lost"), SignatureInvalidError("wrong")])
def test_what_may_have_been_signed_is_spent(
    signing: Signing, ledger: Ledger, token: Token, failure: Exception
) -> None:
    """An unknown outcome counts, and its id is kept until its lease is over."""
    token.failures = {"r": failure}
    assert signing.sign([pay(100, id="r")], 0) == [failure]
    [outcome] = outcomes(ledger)
    assert outcome["outcome"] == "unknown"
    assert spent(ledger) == 100
    [again] = signing.sign([pay(100, id="r")], 0)
    assert isinstance(again, ConflictError)
    assert spent(ledger) == 100


def test_a_bug_is_an_unknown_outcome_and_spares_the_others(
    signing: Signing, ledger: Ledger, token: Token
) -> None:
    """Whatever is raised, the request gets an outcome and the rest of the batch its signatures."""
    token.failures = {"b": RuntimeError("a secret in a message")}
    results = signing.sign([pay(1, id=name) for name in "abc"], 0)
    assert [type(result) for result in results] == [Signed, OutcomeUnknownError, Signed]
    assert "secret" not in str(results[1])
    assert [item["outcome"] for item in outcomes(ledger)] == ["signed", "unknown", "signed"]
    assert spent(ledger) == 3


def test_a_refusal_and_a_validation_never_reach_the_token(
    signing: Signing, token: Token, ledger: Ledger
) -> None:
    """Only what was granted is signed."""
    token.failures = {name: RuntimeError("reached") for name in ("over", "look")}
    over, look = signing.sign([pay(10_001, id="over"), pay(1, id="look", validate_only=True)], 0)
    assert isinstance(over, RefusedError)
    assert isinstance(look, Validated)
    assert outcomes(ledger) == []


def test_an_approval_signs_once(bench: Bench, ledger: Ledger, token: Token) -> None:
    """A second use of the same approval is refused below the use case."""
    [granted] = ledger.decide([pay(1)])
    approval = granted.approval  # type: ignore[union-attr]  # it is granted
    assert token.begin([approval], [0]).results() == [SIGNATURE]
    with pytest.raises(ApprovalInvalidError):
        token.begin([approval], [0])
