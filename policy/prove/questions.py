"""Questions about a policy, stated beside it: what must never be possible.

```toml
[[questions]]
name = "USDC goes nowhere but to the treasury"
asset = "USDC@eip155:1"
destinations = ["0x1111111111111111111111111111111111111111"]
```

A question says what it is about (``keys``, ``callers``, ``actions``, ``asset``; everything,
without them) and claims one thing. It names destinations itself, so that an edit of the
policy's own sets does not change what is asked.
"""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from policy import amounts
from policy.assets import Asset
from policy.field_types import Address, Amount, AssetName, Many, Name, Positive, San, Span
from policy.problems import PolicyError, Problem, from_pydantic
from policy.rules import Policy
from policy.schema import Table
from policy.toml import parse

CLAIMS = ("per_request", "window", "destinations", "approvals", "never")


class Window(Table):
    """How much may leave in any interval of a length, from all that is asked about.

    Attributes:
        span: the interval's length, 1s to 366d.
        total: the largest amount of the question's asset.
        count: the largest number of requests that move it.
    """

    span: Span
    total: Amount | None = None
    count: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.total is None) == (self.count is None):
            raise ValueError("needs a total or a count, and not both")
        return self


class Approvals(Table):
    """How many people must have agreed to larger amounts of the question's asset.

    Attributes:
        above: the largest amount that needs nobody.
        quorum: how many, other than the caller.
    """

    above: Amount
    quorum: Positive


class Question(Table):
    """``[[questions]]``: what must hold for everything that the policy ever allows.

    Attributes:
        name: what is claimed, in words; unique in its file.
        keys: the keys that it is about.
        callers: the callers.
        actions: the actions.
        asset: the asset.
        per_request: no single request moves more of the asset.
        window: no interval of a length sees more of it leave.
        destinations: what moves goes to one of these.
        approvals: more of it needs the approval of so many people.
        never: nothing that it is about is allowed at all.
    """

    name: str
    keys: Many[Name] | None = None
    callers: Many[San] | None = None
    actions: Many[str] | None = None
    asset: AssetName | None = None
    per_request: Amount | None = None
    window: Window | None = None
    destinations: Many[Address] | None = None
    approvals: Approvals | None = None
    never: bool = False

    @model_validator(mode="after")
    def _claim(self) -> Self:
        claims = [claim for claim in CLAIMS if getattr(self, claim)]
        if len(claims) != 1:
            raise ValueError(f"claims exactly one of {', '.join(CLAIMS)}")
        if self.asset is None and (self.per_request or self.window or self.approvals):
            raise ValueError(f"{claims[0]} needs an asset")
        return self

    def base_units(self, policy: Policy, text: str) -> int:
        """Return an amount of the question's asset in base units."""
        return amounts.parse(text, policy.assets[self.asset or ""].decimals)


def _unique(questions: list[Question]) -> list[Question]:
    names = [question.name for question in questions]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is the name of several questions")
    return questions


class _Document(Table):
    questions: Annotated[list[Question], Field(min_length=1), AfterValidator(_unique)]


_TABLES: Mapping[str, type[Table]] = {
    "": _Document,
    "questions": Question,
    "window": Window,
    "approvals": Approvals,
}


def load(text: str, policy: Policy) -> list[Question]:
    """Return the questions in a TOML document about a policy.

    Raises:
        PolicyError: with everything that is wrong with it, such as a key or an asset
            that the policy has not, about which anything would be true.
    """
    raw = parse(text)
    try:
        questions = _Document.model_validate(raw).questions
    except ValidationError as error:
        raise PolicyError([from_pydantic(item, _TABLES) for item in error.errors()]) from None
    problems = [problem for question in questions for problem in _problems(question, policy)]
    if problems:
        raise PolicyError(problems)
    return questions


def _problems(question: Question, policy: Policy) -> list[Problem]:
    found = [f"no key {key}" for key in question.keys or () if key not in policy.keys]
    asset = policy.assets.get(question.asset) if question.asset else None
    if question.asset and asset is None:
        found.append(f"no asset {question.asset}")
    if asset is not None:
        found += [wrong for text in _amounts(question) if (wrong := _finer(text, asset))]
    return [Problem(question.name, message) for message in found]


def _amounts(question: Question) -> list[str]:
    texts = (
        question.per_request,
        question.window and question.window.total,
        question.approvals and question.approvals.above,
    )
    return [text for text in texts if text]


def _finer(text: str, asset: Asset) -> str | None:
    try:
        amounts.parse(text, asset.decimals)
    except ValueError as error:
        return str(error)
    return None
