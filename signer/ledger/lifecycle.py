"""Documents and proposals as the rest of the service sees them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from policy import root
from policy.root import Root
from policy.rules import Policy
from signer.errors import ProposalNotFoundError, SigngateError, VersionNotFoundError
from signer.ledger import officers
from signer.ledger.compiling import Compiler
from signer.ledger.memory import document
from signer.ledger.officers import Draft, in_force
from signer.ledger.rows import DOCUMENTS, DocumentRow, Kind, Proposal
from signer.ledger.seeding import Seeding
from signer.ledger.store import Reader, reading
from signer.ledger.transaction import Transaction

T = TypeVar("T")


class Submit(Protocol):
    """Runs work in a durable transaction; see ``signer.ledger.writer.Writer``."""

    def __call__(self, work: Callable[[Transaction], T], size: int = 1) -> T:
        """Return the work's result once it is durable."""


class Standing(NamedTuple):
    """What proposals are judged by: the documents in force, and the ledger's time."""

    root: Root | None
    versions: dict[Kind, int]
    now_ms: int


class Lifecycle:
    """Steps of officers, each a durable transaction with a record, and what is there to read.

    A step that is refused is recorded, too, and raises. Every method raises
    ``LedgerUnavailableError`` when nothing can be read or was changed.
    """

    def __init__(
        self, submit: Submit, reader: Reader, compiler: Compiler, clock: Callable[[], int]
    ) -> None:
        self._submit = submit
        self._reader = reader
        self._compiler = compiler
        self._clock = clock

    def compile(self, text: str) -> Policy:
        """Return a policy, ready to be put in force without delay.

        Raises:
            PolicyError: the document is not valid.
        """
        return self._compiler.compile(text)

    def check_author(self, san: str) -> None:
        """Raise ``OfficerRequiredError`` at once, before a stranger's document costs anything."""
        officers.check_author(self.standing().root, san)

    def propose(self, draft: Draft) -> Proposal:
        """See ``officers.propose``."""
        seeding = None if draft.looser else self._seeding(draft.kind, draft.base, draft.document)
        work = partial(officers.propose, draft=draft, seeding=seeding)
        return self._step("proposal.made", draft.author, work)

    def approve(self, number: int, digest: str, by: str) -> Proposal:
        """See ``officers.approve``; ``digest`` is the document's SHA-256 in hex."""
        work = partial(officers.approve, number=number, digest=digest, by=by)
        return self._step("proposal.approved", by, work, number)

    def reject(self, number: int, by: str, reason: str) -> Proposal:
        """See ``officers.reject``."""
        work = partial(officers.reject, number=number, by=by, reason=reason)
        return self._step("proposal.rejected", by, work, number)

    def activate(self, number: int, by: str) -> Proposal:
        """See ``officers.activate``."""
        found = self.proposal(number)
        seeding = self._seeding(found.kind, found.base, found.body)
        work = partial(officers.activate, number=number, by=by, seeding=seeding)
        return self._step("proposal.activated", by, work, number)

    def refuse(self, event: str, by: str, error: SigngateError, number: int | None = None) -> None:
        """Record a step that was refused before it came to a transaction."""
        self._submit(partial(_refused, event=event, by=by, error=error, number=number))

    def proposal(self, number: int) -> Proposal:
        """Return a proposal of a document.

        Raises:
            ProposalNotFoundError: there is none of that number.
        """
        with reading():
            found = self._reader.proposals.get(number)
        if found is None or found.kind not in DOCUMENTS:
            raise ProposalNotFoundError(f"there is no proposal {number}")
        return found

    def proposals(self, before: int, limit: int) -> list[Proposal]:
        """Return at most ``limit`` proposals of documents below a number, newest first."""
        with reading():
            return self._reader.proposals.before(before, limit, DOCUMENTS)

    def version(self, kind: Kind, number: int) -> DocumentRow:
        """Return a version of a document.

        Raises:
            VersionNotFoundError: there is none of that number.
        """
        with reading():
            found = self._reader.documents.get(kind, number)
        if found is None:
            raise VersionNotFoundError(f"there is no version {number} of the {kind}")
        return found

    def versions(self, kind: Kind, before: int, limit: int) -> list[DocumentRow]:
        """Return at most ``limit`` versions below a number, newest first."""
        with reading():
            return self._reader.documents.before(kind, before, limit)

    def standing(self) -> Standing:
        """Return what proposals are judged by now."""
        with reading():
            state = self._reader.state()
            versions = {kind: in_force(state, kind) for kind in DOCUMENTS}
            number = versions[Kind.ROOT]
            text = document(self._reader, Kind.ROOT, number).document if number else None
        now_ms = max(state.clock_ms, self._clock())
        return Standing(None if text is None else root.load(text), versions, now_ms)

    def _seeding(self, kind: Kind, base: int, text: str) -> Seeding | None:
        """Read the history that a policy's new windows need, before the transaction."""
        if kind is not Kind.POLICY:
            return None
        old = self.compile(self.version(kind, base).document) if base else None
        seeding = Seeding(old, self.compile(text))
        with reading():
            size = self._reader.state().tree_size
            seeding.read(self._reader.leaves, size, self._clock())
        return seeding

    def _step(
        self,
        event: str,
        by: str,
        work: Callable[[Transaction], Proposal],
        number: int | None = None,
    ) -> Proposal:
        result = self._submit(partial(_recorded, event=event, by=by, number=number, work=work))
        if isinstance(result, SigngateError):
            raise result
        return result


def _recorded(
    tx: Transaction,
    event: str,
    by: str,
    number: int | None,
    work: Callable[[Transaction], Proposal],
) -> Proposal | SigngateError:
    """Do a step; every check of it comes before anything that it writes."""
    try:
        return work(tx)
    except SigngateError as error:
        return _refused(tx, event, by, error, number)


def _refused(
    tx: Transaction, event: str, by: str, error: SigngateError, number: int | None
) -> SigngateError:
    found = None if number is None else tx.store.proposals.get(number)
    tx.append(
        event=event,
        outcome=error.code.value.lower(),
        by=by,
        detail=str(error),
        proposal=found and officers.named(found),
    )
    return error
