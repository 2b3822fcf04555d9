"""The lifecycle of documents: propose, approve, reject, activate, roll back.

Compiling and comparing take seconds for a large document, so both come before the
transaction, which only checks that the version compared with is still in force.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from policy import root
from policy.algorithms import Algorithm
from policy.compare import Change, compare, is_looser
from policy.compare.roots import compare_roots
from policy.problems import PolicyError
from policy.rules import Policy
from signer.errors import DocumentInvalidError, SigngateError
from signer.ledger import quorum
from signer.ledger.lifecycle import Lifecycle, Standing
from signer.ledger.officers import Draft
from signer.ledger.rows import DocumentRow, Kind, Progress, Proposal

_SHOWN, _MAX_TEXT = 10, 300  # of what is wrong with a document

Serves = Callable[[str, int, Algorithm], bool]  # of a key, its version and an algorithm


class Stage(StrEnum):
    """Where a proposal stands now."""

    PENDING = "pending"  # waits for approvals
    APPROVED = "approved"  # has its quorum
    ACTIVATED = "activated"
    REJECTED = "rejected"
    EXPIRED = "expired"
    STALE = "stale"  # the version that it replaces is no longer in force


class View(NamedTuple):
    """A proposal, and what it still takes. Times are milliseconds since the epoch.

    ``earliest_ms`` is None while approvals are missing, ``needed`` 0 where there is no
    root document to tell.
    """

    proposal: Proposal
    stage: Stage
    approvers: tuple[str, ...]
    needed: int
    earliest_ms: int | None


class Policies:
    """What security officers do about policies and root documents."""

    def __init__(self, lifecycle: Lifecycle, serves: Serves) -> None:
        """Prepare; ``serves`` tells whether the token can sign with a key."""
        self._lifecycle = lifecycle
        self._serves = serves
        self._differences = lru_cache(maxsize=8)(self._compare)

    def propose(self, kind: Kind, base: int, document: str, by: str, reason: str) -> View:
        """Propose a document; what is proven not to be looser is in force at once.

        Raises:
            DocumentInvalidError: it is not valid, or names keys that the token can't serve.
            SigngateError: see ``officers.propose``.
        """
        try:
            self._lifecycle.check_author(by)
            changes = self.changes(kind, base, document)
        except SigngateError as error:
            self._lifecycle.refuse("proposal.made", by, error)
            raise
        draft = Draft(kind, base, document, by, reason, is_looser(changes))
        return self._view(self._lifecycle.propose(draft))

    def roll_back(self, kind: Kind, version: int, by: str, reason: str) -> View:
        """Propose the document of an earlier version again, under the same rules."""
        document = self._lifecycle.version(kind, version).document
        return self.propose(kind, self.in_force(kind), document, by, reason)

    def approve(self, number: int, digest: str, by: str) -> View:
        """Approve the document with this SHA-256, in hex; see ``officers.approve``."""
        return self._view(self._lifecycle.approve(number, digest, by))

    def reject(self, number: int, by: str, reason: str) -> View:
        """Reject for good; see ``officers.reject``."""
        return self._view(self._lifecycle.reject(number, by, reason))

    def activate(self, number: int, by: str) -> View:
        """Put in force; see ``officers.activate``."""
        found = self._lifecycle.proposal(number)
        try:
            self._check(found.kind, found.body)  # also has it compiled before the transaction
        except SigngateError as error:
            self._lifecycle.refuse("proposal.activated", by, error, number)
            raise
        return self._view(self._lifecycle.activate(number, by))

    def changes(self, kind: Kind, base: int, document: str) -> tuple[Change, ...]:
        """Return how a document differs from a version; from nothing, if that is 0.

        Raises:
            DocumentInvalidError: as ``propose``.
            VersionNotFoundError: there is no such version.
        """
        self._check(kind, document)
        old = self._lifecycle.version(kind, base).document if base else None
        return self._differences(kind, old, document)

    def shown(self, made: Proposal) -> tuple[Change, ...]:
        """Return what a proposal changes; nothing if its document can't be read any more."""
        try:
            return self.changes(made.kind, made.base, made.body)
        except DocumentInvalidError:  # an old proposal, in the language of an older release
            return ()

    def get(self, number: int) -> View:
        """Return a proposal, or raise ``ProposalNotFoundError``."""
        return self._view(self._lifecycle.proposal(number))

    def recent(self, before: int, limit: int) -> list[View]:
        """Return at most ``limit`` proposals with lower numbers, newest first."""
        standing = self._lifecycle.standing()
        return [_view(found, standing) for found in self._lifecycle.proposals(before, limit)]

    def version(self, kind: Kind, number: int) -> DocumentRow:
        """Return a version, or raise ``VersionNotFoundError``."""
        return self._lifecycle.version(kind, number)

    def versions(self, kind: Kind, before: int, limit: int) -> list[DocumentRow]:
        """Return at most ``limit`` versions with lower numbers, newest first."""
        return self._lifecycle.versions(kind, before, limit)

    def in_force(self, kind: Kind) -> int:
        """Return the number of the version in force, 0 for none."""
        return self._lifecycle.standing().versions[kind]

    def _view(self, proposal: Proposal) -> View:
        return _view(proposal, self._lifecycle.standing())

    def _check(self, kind: Kind, document: str) -> None:
        try:
            if kind is Kind.ROOT:
                root.load(document)
                return
            missing = unserved(self._lifecycle.compile(document), self._serves)
        except PolicyError as error:
            raise DocumentInvalidError(_some("; ", list(map(str, error.problems)))) from None
        if missing:
            raise DocumentInvalidError(
                f"the token can't sign with {_some(', ', missing)}; "
                "a key made since the service started is found after a restart"
            )

    def _compare(self, kind: Kind, old: str | None, new: str) -> tuple[Change, ...]:
        if kind is Kind.ROOT:
            return compare_roots(None if old is None else root.load(old), root.load(new))
        compiled = Policy("", {}, {}, {}) if old is None else self._lifecycle.compile(old)
        return compare(compiled, self._lifecycle.compile(new))


def unserved(policy: Policy, serves: Serves) -> list[str]:
    """Name the keys of a policy that the token can't sign with."""
    return [
        f"keys/{key.name}/versions/{key.version} ({key.algorithm})"
        for _, key in sorted(policy.keys.items())
        if not serves(key.name, key.version, key.algorithm)
    ]


def _some(separator: str, items: Sequence[str]) -> str:
    """Join as much as a gRPC status can carry."""
    shown = [item[:_MAX_TEXT] for item in items[:_SHOWN]]
    rest = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return separator.join(shown + rest)


def _view(proposal: Proposal, standing: Standing) -> View:
    root_ = standing.root
    approvers = tuple(one.officer for one in quorum.counted(root_, proposal)) if root_ else ()
    needed = quorum.needed(root_, proposal) if root_ else 0
    earliest_ms = quorum.earliest_ms(root_, proposal) if root_ else None
    stage = _stage(proposal, standing, earliest_ms)
    return View(proposal, stage, approvers, needed, earliest_ms)


def _stage(proposal: Proposal, standing: Standing, earliest_ms: int | None) -> Stage:
    match proposal.progress:
        case Progress.DONE:
            return Stage.ACTIVATED
        case Progress.REJECTED:
            return Stage.REJECTED
        case Progress.OPEN:
            if proposal.base != standing.versions[proposal.kind]:
                return Stage.STALE
            if standing.now_ms >= proposal.expires_ms:
                return Stage.EXPIRED
            return Stage.PENDING if earliest_ms is None else Stage.APPROVED
