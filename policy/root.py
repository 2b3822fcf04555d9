"""The root document: who the security officers are, and how many it takes to loosen.

```toml
schema = 1
officers = [
  "spiffe://firm.example/officer/a",
  "spiffe://firm.example/officer/b",
  "spiffe://firm.example/officer/c",
]
quorum = 1
root_quorum = 2
waiting_time = "1h"
```

Compatibility: as for policy documents, see ``policy.schema``.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from policy import fields
from policy.field_types import Many, Positive, San, SchemaVersion, Span
from policy.problems import PolicyError, Problem, from_pydantic
from policy.schema import Table
from policy.toml import parse


class RootDocument(Table):
    """The whole document.

    Attributes:
        schema_: the version of the language, 1.
        officers: the SANs of the people who may propose, approve and activate; two at least.
        proposers: SANs that may only propose, such as a CI job's; default none.
        quorum: how many officers other than the author loosen a policy or end a freeze;
            from 1 to one less than there are officers.
        root_quorum: how many others change this document: more than quorum, or all others.
        waiting_time: from the last approval to the earliest activation; default none.
        proposal_life: how long a proposal can be approved and activated; default 7d.
        hold_life: how long a request waits for its approvals; default 1h.
    """

    schema_: SchemaVersion
    officers: Many[San]
    proposers: Many[San] | None = None
    quorum: Positive
    root_quorum: Positive
    waiting_time: Span | None = None
    proposal_life: Span = "7d"
    hold_life: Span = "1h"


@dataclass(frozen=True, slots=True)
class Root:
    """A compiled root document; see ``RootDocument``. Times are milliseconds."""

    sha256: str
    officers: frozenset[str]
    proposers: frozenset[str]
    quorum: int
    root_quorum: int
    waiting_ms: int
    proposal_life_ms: int
    hold_life_ms: int


def load(text: str) -> Root:
    """Return what a TOML document says.

    Raises:
        PolicyError: with all problems at once, each with its path.
    """
    document, sha256 = _parse(text)
    if problems := list(_contradictions(document)):
        raise PolicyError(problems)
    return Root(
        sha256=sha256,
        officers=frozenset(document.officers),
        proposers=frozenset(document.proposers or ()),
        quorum=document.quorum,
        root_quorum=document.root_quorum,
        waiting_ms=_waiting_ms(document),
        proposal_life_ms=fields.span_ms(document.proposal_life),
        hold_life_ms=fields.span_ms(document.hold_life),
    )


def _parse(text: str) -> tuple[RootDocument, str]:
    raw = parse(text)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    try:
        return RootDocument.model_validate(raw), sha256
    except ValidationError as error:
        tables = {"": RootDocument}
        raise PolicyError(from_pydantic(item, tables) for item in error.errors()) from None


def _contradictions(document: RootDocument) -> Iterator[Problem]:
    others = len(document.officers) - 1
    if others < 1:
        yield Problem("officers", "two at least: one alone could never loosen anything")
        return
    for name, quorum in (("quorum", document.quorum), ("root_quorum", document.root_quorum)):
        if quorum > others:
            yield Problem(name, f"is {quorum}; at most {others}, all officers but the author")
    if document.root_quorum < min(document.quorum + 1, others):
        yield Problem("root_quorum", f"more than quorum, {document.quorum}, or all others")
    if _waiting_ms(document) >= fields.span_ms(document.proposal_life):
        yield Problem("waiting_time", "must be shorter than proposal_life")
    if both := sorted(set(document.officers).intersection(document.proposers or ())):
        yield Problem("proposers", f"{both[0]} is an officer, who may propose anyway")


def _waiting_ms(document: RootDocument) -> int:
    return fields.span_ms(document.waiting_time) if document.waiting_time else 0
