"""What one process keeps between transactions, as long as nobody else wrote."""

from collections.abc import Callable
from dataclasses import dataclass

from policy import root
from policy.root import Root
from policy.rules import Policy
from signer.audit import record
from signer.ledger.rows import DocumentRow, Kind, State
from signer.ledger.store import Reader, Store, StoreError
from signer.ledger.windows import Windows

LoadPolicy = Callable[[str], Policy]


@dataclass(frozen=True, slots=True)
class Active:
    """The policy in force, and how records name it."""

    version: int
    policy: Policy
    named: record.Policy


class Compiled:
    """The newest policy that was compiled: versions never change, so it stays right."""

    def __init__(self, load: LoadPolicy) -> None:
        self._load = load
        self._active: Active | None = None

    def at(self, version: int | None, store: Store | Reader) -> Active | None:
        """Return the policy of a version; None for None."""
        if version is None:
            return None
        active = self._active
        if active is None or active.version != version:
            row = document(store, Kind.POLICY, version)
            named = record.Policy(version, row.sha256)
            active = self._active = Active(version, self._load(row.document), named)
        return active


def document(store: Store | Reader, kind: Kind, version: int) -> DocumentRow:
    """Return a version that the state names, so that it must be there."""
    row = store.documents.get(kind, version)
    if row is None:
        raise StoreError(f"version {version} of the {kind} is missing", fatal=True)
    return row


class Memory:
    """The caches of the writer."""

    def __init__(self, store: Store, load: LoadPolicy) -> None:
        self.store = store
        self._load = load
        self._frozen: frozenset[tuple[str, str]] = frozenset()
        self.drop()

    def drop(self) -> None:
        """Forget everything: a failed transaction may have touched it."""
        self._compiled = Compiled(self._load)
        self._root: tuple[int, Root] | None = None
        self._control_seq = self._seq = -1
        self.windows = Windows(self.store)

    def catch_up(self, state: State, now_ms: int) -> None:
        """Bring the windows up to the state that a transaction starts from."""
        if self._seq >= 0 and self._seq != state.seq:
            self.windows.catch_up(self._seq)
        self.windows.begin(now_ms)

    def committed(self, state: State) -> None:
        """Take note that everything here is in the store."""
        self._seq = state.seq

    def policy(self, state: State) -> Active | None:
        """Return the policy in force."""
        return self._compiled.at(state.policy_version, self.store)

    def root(self, state: State) -> Root | None:
        """Return the root document in force."""
        version = state.root_version
        if version is None:
            return None
        if self._root is None or self._root[0] != version:
            row = document(self.store, Kind.ROOT, version)
            self._root = version, root.load(row.document)
        return self._root[1]

    def freezes(self, state: State) -> frozenset[tuple[str, str]]:
        """Return what is frozen, as (scope, name)."""
        if self._control_seq != state.control_seq:
            rows = self.store.freezes()
            self._frozen = frozenset((row.scope, row.name) for row in rows)
            self._control_seq = state.control_seq
        return self._frozen
