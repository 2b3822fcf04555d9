"""Tests of a policy, written beside it: who asks for what, when, and what must come of it.

```toml
[[tests]]
name = "the rent is paid"
key = "payments"
format = "intent"
caller = "spiffe://firm.example/payments"
at = "2026-11-23T12:00:00Z"
payload = "rent.json"
expect = "allow"
```

A case has the facts, or the name of a file with the payload. Amounts are in whole
units of their asset, as everywhere in a policy.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from policy import amounts, engine, fields, model
from policy.field_types import Amount, Instant, Name, San, Span
from policy.model import Ask, Counter, Decision, Role, Side, Used
from policy.problems import PolicyError, Problem, from_pydantic
from policy.reasons import Code, PayloadError
from policy.rules import Policy
from policy.schema import Table
from policy.toml import parse

Decode = Callable[[str, str], model.Facts]


class Transfer(Table):
    """What moves; see ``policy.model.Transfer``."""

    asset: str
    amount: Amount
    destination: str | None = None
    role: Annotated[Role, Field(strict=False)] = Role.PAYMENT


class Facts(Table):
    """What a payload does; see ``policy.model.Facts``."""

    action: str
    transfers: list[Transfer] = Field(default_factory=list)
    chain_id: int | None = None
    source: str | None = None
    venue: str | None = None
    symbol: str | None = None
    side: Annotated[Side, Field(strict=False)] | None = None
    order_type: str | None = None
    price: Amount | None = None
    session: bool = False


class Spent(Table):
    """What the windows of one span on an asset hold already.

    Attributes:
        asset: the asset.
        span: the windows' span, whatever they count together.
        total: the amount, in whole units.
        count: the number of requests.
    """

    asset: str
    span: Span
    total: Amount = "0"
    count: Annotated[int, Field(ge=0)] = 0


class Case(Table):
    """``[[tests]]``: one request and what must come of it.

    Attributes:
        name: what the test shows; unique in its file.
        key: the key that is to sign.
        format: the payload's format.
        caller: the caller's SAN.
        at: when, as 2027-01-31T00:00:00Z.
        payload: a file with the payload, from the tests' directory; or facts.
        facts: what the payload does; or payload.
        address: the caller's IP address.
        approved_by: the SANs of those who approved it.
        spent: what the windows hold already.
        expect: allow or deny.
        grant: the grant that must allow it; any, without it.
        reason: the code that the caller must be told; any, without it.
    """

    name: str
    key: Name
    format: str
    caller: San
    at: Instant
    payload: str | None = None
    facts: Facts | None = None
    address: str | None = None
    approved_by: list[San] = Field(default_factory=list)
    spent: list[Spent] = Field(default_factory=list)
    expect: Literal["allow", "deny"]
    grant: str | None = None
    reason: Annotated[Code, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.payload is None) == (self.facts is None):
            raise ValueError("needs a payload or facts, and not both")
        if (self.grant and self.expect == "deny") or (self.reason and self.expect == "allow"):
            raise ValueError("a grant belongs to allow, a reason to deny")
        return self


def _unique(cases: list[Case]) -> list[Case]:
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is the name of several tests")
    return cases


class _Document(Table):
    tests: Annotated[list[Case], Field(min_length=1), AfterValidator(_unique)]


class _Usage:
    """The usage that a case describes."""

    def __init__(self, policy: Policy, case: Case) -> None:
        self._used = {
            (item.asset, fields.span_ms(item.span)): Used(
                _base_units(policy, case, item.asset, item.total), item.count
            )
            for item in case.spent
        }

    def used(self, counter: Counter) -> Used:
        """Return it."""
        return self._used.get((counter.asset, counter.span_ms), Used(0, 0))


_TABLES: Mapping[str, type[Table]] = {
    "": _Document,
    "tests": Case,
    "facts": Facts,
    "transfers": Transfer,
    "spent": Spent,
}


def load(text: str) -> list[Case]:
    """Return the tests in a TOML document.

    Raises:
        PolicyError: with everything that is wrong with it.
    """
    raw = parse(text)
    try:
        return _Document.model_validate(raw).tests
    except ValidationError as error:
        problems = [from_pydantic(item, _TABLES) for item in error.errors()]
        raise PolicyError(problems) from None


def failure(policy: Policy, case: Case, decode: Decode) -> str | None:
    """Run a test and say how it failed; None if it passed.

    ``decode`` takes a format and the name of a payload's file.

    Raises:
        PolicyError: the case has an amount that its asset cannot have.
    """
    try:
        facts = _facts(policy, case) if case.payload is None else decode(case.format, case.payload)
    except PayloadError as error:
        return _judged(case, Decision((error.reason,)))
    ask = Ask(case.key, case.format, case.caller, facts, case.address)
    usage = _Usage(policy, case)
    now_ms = fields.instant_ms(case.at)
    return _judged(case, engine.decide(policy, ask, usage, now_ms, frozenset(case.approved_by)))


def _judged(case: Case, decision: Decision) -> str | None:
    if decision.allowed:
        if case.expect == "allow" and case.grant in {None, decision.grant}:
            return None
        return f"is allowed by {decision.grant}"
    first = decision.reasons[0]
    if case.expect == "deny" and case.reason in {None, first.code}:
        return None
    return f"is denied: {first.code} {first.rule}: {first.detail}"


def _facts(policy: Policy, case: Case) -> model.Facts:
    facts = case.facts or Facts(action="")
    base_units = partial(_base_units, policy, case)
    transfers = tuple(
        model.Transfer(item.asset, base_units(item.asset, item.amount), item.destination, item.role)
        for item in facts.transfers
    )
    return model.Facts(**{**dict(facts), "transfers": transfers})


def _base_units(policy: Policy, case: Case, name: str, text: str) -> int:
    """Return an amount in base units; of an unknown asset, whole units will do."""
    asset = policy.assets.get(name)
    try:
        return amounts.parse(text, asset.decimals if asset else 0)
    except ValueError as error:
        raise PolicyError([Problem(case.name, str(error))]) from None
