"""The ledger as the rest of the service sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time_ns

from policy import root
from policy.algorithms import Algorithm
from policy.rules import Policy
from signer.approval import Approval, Mint
from signer.audit.note import Checkpoint
from signer.ledger import control
from signer.ledger.canaries import Canaries
from signer.ledger.compiling import Compiler, LoadPolicy
from signer.ledger.deciding import decide
from signer.ledger.duty import Duty
from signer.ledger.lifecycle import Lifecycle
from signer.ledger.memory import Memory, document
from signer.ledger.rows import Kind
from signer.ledger.sqlite import SqliteReader, SqliteStore
from signer.ledger.store import Reader, reading
from signer.ledger.transaction import Transaction, tree
from signer.ledger.watch import Watch
from signer.ledger.writer import Observer, Silent, Writer, WriterSettings
from signer.model import Begin, Granted, Limited, Outcome, SignRequest, Verdict

CHECKPOINT = "checkpoint"  # the first half of a checkpoint approval's subject


def wall_clock() -> int:
    """Return the time in milliseconds since the epoch."""
    return time_ns() // 1_000_000


_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class Settings:
    """How a ledger is run.

    ``origin`` names the log in its checkpoints; ``audit_key`` and its version
    sign them (Ed25519). ``lease_ms``: how long an attempt keeps its request id
    before a retry may resume it. ``retention_ms``: how long request ids are
    remembered. ``batch``: how many requests share a transaction at most.
    """

    origin: str
    audit_key: str = "signgate-audit"
    audit_version: int = 1
    lease_ms: int = 10_000
    retention_ms: int = 7 * 24 * 3_600_000
    batch: int = 512


class Ledger:
    """One process's access to a ledger file, which other processes may use at once."""

    def __init__(
        self,
        path: Path,
        mint: Mint,
        load_policy: LoadPolicy,
        settings: Settings,
        clock: Callable[[], int] = wall_clock,
        observer: Observer = _SILENT,
    ) -> None:
        """Open the ledger, create it when it is missing, and record the opening.

        ``load_policy`` compiles a policy document or raises. ``clock`` returns
        milliseconds since the epoch and is read once in each transaction. ``observer``
        is told of every transaction.

        Raises:
            ConfigError: the file cannot be opened or is from a newer release.
            LedgerUnavailableError: it cannot be written.
        """
        self._settings = settings
        self._mint = mint
        self._compiler = Compiler(load_policy)
        timing = WriterSettings(settings.lease_ms, settings.retention_ms, settings.batch)
        memory = Memory(SqliteStore(path), self._compiler)
        self._reader: Reader = SqliteReader(path)  # the file exists by now
        self._seen: tuple[int, Policy] | None = None  # versions never change
        self._watch = Watch(self.size)
        self._writer = Writer(memory, mint, timing, clock, self._watch.committed, observer)
        self._writer.submit(control.opened)
        self.duty = Duty(self._writer.submit)
        self.canaries = Canaries(self._writer.submit, settings.origin)
        self.lifecycle = Lifecycle(self._writer.submit, self._reader, self._compiler, clock)

    @property
    def failed(self) -> bool:
        """Whether an error ended this process's signing; only a restart helps."""
        return self.failure is not None

    @property
    def failure(self) -> str | None:
        """Why it failed; None while it works."""
        return self._writer.stopped

    def decide(self, requests: Sequence[SignRequest], begin: Begin | None = None) -> list[Verdict]:
        """Decide all requests in one durable transaction, in order.

        ``begin`` is called with the verdicts when nothing but the commit is left, by whoever
        commits. While it runs, approvals without ``durable_intent`` are valid already. What it
        makes of them may be released only when this has returned.

        Raises:
            LedgerUnavailableError: nothing was decided; nothing may be released.
        """

        def work(tx: Transaction) -> list[Verdict]:
            verdicts = [decide(tx, request) for request in requests]
            if begin is not None:
                tx.last.append(partial(self._lend, tx, verdicts, begin))
            return verdicts

        return self._writer.submit(work, len(requests))

    def _lend(self, tx: Transaction, verdicts: Sequence[Verdict], begin: Begin) -> None:
        granted = [each.approval for each in verdicts if isinstance(each, Granted)]
        early = [approval for approval in granted if not approval.durable_intent]
        for approval in early:
            self._mint.issue(approval)
        try:
            begin(verdicts)
        finally:
            used = {approval for approval in early if not self._mint.revoke(approval)}
        tx.approvals = [approval for approval in tx.approvals if approval not in used]

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Queue the outcomes as leaves of the next transaction; returns at once."""
        self._writer.settle(outcomes)

    def limited(self, refused: Mapping[Limited, int]) -> None:
        """Record how many requests rate limits refused, by caller and by what refused them.

        Raises:
            LedgerUnavailableError: nothing was recorded.
        """
        self._writer.submit(partial(control.limited, refused=refused))

    def activate_policy(self, text: str, by: str) -> int:
        """Put a document in force and return its version; the active one stays as it is.

        Raises:
            PolicyError: the document is not valid.
            LedgerUnavailableError: nothing was changed.
        """
        self._compiler.compile(text)
        return self._writer.submit(partial(control.activate, text=text, by=by))

    def bootstrap_policy(self, text: str, by: str) -> int:
        """Put a document in force in a ledger without any; return the active version.

        Raises:
            PolicyError: the document is not valid.
            LedgerUnavailableError: nothing was changed.
        """
        self._compiler.compile(text)
        return self._writer.submit(partial(control.bootstrap, text=text, by=by))

    def bootstrap_root(self, text: str, by: str) -> int:
        """Put a root document in force in a ledger without any; return the active version.

        Raises:
            PolicyError: the document is not valid.
            LedgerUnavailableError: nothing was changed.
        """
        root.load(text)
        return self._writer.submit(partial(control.bootstrap_root, text=text, by=by))

    def policy(self) -> Policy | None:
        """Return the policy in force, whichever process activated it.

        Raises:
            LedgerUnavailableError: it cannot be read.
        """
        with reading():
            version = self._reader.state().policy_version
            if version is None:
                return None
            seen = self._seen
            if seen is None or seen[0] != version:
                row = document(self._reader, Kind.POLICY, version)
                self._seen = seen = version, self._compiler.compile(row.document)
        return seen[1]

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Return at most ``limit`` durable leaves from index ``start`` on.

        Raises:
            LedgerUnavailableError: they cannot be read.
        """
        with reading():
            return self._reader.leaves(start, limit)

    def head(self) -> tuple[int, bytes]:
        """Return the number of durable leaves and their root hash (RFC 6962).

        Raises:
            LedgerUnavailableError: they cannot be read.
        """
        with reading():
            state = self._reader.state()
        return state.tree_size, tree(state).root()

    def size(self) -> int:
        """Return the number of durable leaves; raises as ``head`` does."""
        with reading():
            return self._reader.state().tree_size

    def wait(self, size: int, timeout: float) -> int:
        """Wait until there are more than ``size`` leaves, and return how many there are.

        Returns earlier after ``timeout`` seconds or on ``interrupt``.
        """
        return self._watch.wait(size, timeout)

    def interrupt(self) -> None:
        """End every ``wait`` that is under way."""
        self._watch.interrupt()

    def checkpoint_text(self) -> bytes:
        """Return the checkpoint of the durable log, unsigned (C2SP tlog-checkpoint)."""
        return Checkpoint(self._settings.origin, *self.head()).text

    def approve_checkpoint(self) -> tuple[Approval, bytes] | None:
        """Approve one signature over ``checkpoint_text``; None once the ledger has failed.

        The approval names what this ledger read from its own storage, so that
        whoever asks cannot have anything else signed with the audit key.
        """
        if self.failed:
            return None
        size, root = self.head()
        text = Checkpoint(self._settings.origin, size, root).text
        approval = Approval(
            subject=(CHECKPOINT, str(size)),
            key=self._settings.audit_key,
            version=self._settings.audit_version,
            algorithm=Algorithm.ED25519,
            message=text,
        )
        return self._mint.issue(approval), text

    def flush(self) -> None:
        """Make the queued outcomes durable, unless the ledger fails."""
        self._writer.settled()

    def close(self) -> None:
        """Make the queued outcomes durable and close; every later call is refused."""
        self._writer.close()
        self._watch.interrupt()
        self._reader.close()
