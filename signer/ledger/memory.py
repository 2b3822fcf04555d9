"""What one process keeps between transactions, as long as nobody else wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from policy import root
from policy.root import Root
from policy.rules import Policy
from signer.audit import record
from signer.ledger.compiling import Compiler, UncompiledError
from signer.ledger.rows import DocumentRow, Kind, State
from signer.ledger.store import Reader, Store, StoreError
from signer.ledger.windows import Windows


@dataclass(frozen=True, slots=True)
class Active:
    """The policy in force, and how records name it."""

    version: int
    policy: Policy
    named: record.Policy


def document(store: Store | Reader, kind: Kind, version: int) -> DocumentRow:
    """Return a version that the state names, so that it must be there."""
    row = store.documents.get(kind, version)
    if row is None:
        raise StoreError(f"version {version} of the {kind} is missing", fatal=True)
    return row


class Stopped(NamedTuple):
    """What is frozen, and what is slowed to how many requests a minute, by scope and name."""

    frozen: frozenset[tuple[str, str]]
    rates: Mapping[tuple[str, str], int]


class Memory:
    """The caches of the writer."""

    def __init__(self, store: Store, compiler: Compiler) -> None:
        self.store = store
        self.compiler = compiler
        self._stopped = Stopped(frozenset(), {})
        self.drop()

    def drop(self) -> None:
        """Forget everything: a failed transaction may have touched it."""
        self._active: Active | None = None
        self._root: tuple[int, Root] | None = None
        self._control_seq = self._seq = -1
        self._counted_by: int | None = None  # the policy that the windows are of
        self.windows = Windows(self.store)

    def catch_up(self, state: State, now_ms: int) -> None:
        """Bring the windows up to the state that a transaction starts from."""
        if self._counted_by != state.policy_version:  # it came with windows of its own
            self.windows = Windows(self.store)
            self._counted_by = state.policy_version
        elif self._seq >= 0 and self._seq != state.seq:
            self.windows.catch_up(self._seq)
        self.windows.begin(now_ms)

    def committed(self, state: State) -> None:
        """Take note that everything here is in the store."""
        self._seq = state.seq
        self._counted_by = state.policy_version

    def policy(self, state: State) -> Active | None:
        """Return the policy in force.

        Raises:
            UncompiledError: it is to be compiled first.
        """
        version = state.policy_version
        if version is None:
            return None
        if self._active is None or self._active.version != version:
            digest = self.store.documents.digest(Kind.POLICY, version) or ""
            policy = self.compiler.find(digest)
            if policy is None:
                raise UncompiledError(document(self.store, Kind.POLICY, version).document)
            self._active = Active(version, policy, record.Policy(version, digest))
        return self._active

    def root(self, state: State) -> Root | None:
        """Return the root document in force."""
        version = state.root_version
        if version is None:
            return None
        if self._root is None or self._root[0] != version:
            row = document(self.store, Kind.ROOT, version)
            self._root = version, root.load(row.document)
        return self._root[1]

    def stopped(self, state: State) -> Stopped:
        """Return what is frozen or slowed."""
        if self._control_seq != state.control_seq:
            self._look_ahead(state)
            stops = self.store.stops.all()
            self._stopped = Stopped(
                frozenset(stop.what for stop in stops if stop.per_minute is None),
                {stop.what: stop.per_minute for stop in stops if stop.per_minute is not None},
            )
            self._control_seq = state.control_seq
        return self._stopped

    def _look_ahead(self, state: State) -> None:
        """Have the newest proposal compiled, if it may come into force."""
        base = state.policy_version or 0
        for document_, digest in self.store.proposals.newest(Kind.POLICY, base):
            if self.compiler.find(digest) is None:
                self.compiler.ahead(document_)
