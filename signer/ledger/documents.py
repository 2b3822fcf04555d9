"""The versions of policies and root documents, and what is proposed: their rows in SQL."""

from collections.abc import Callable, Sequence
from typing import Any

from signer.ledger.rows import DocumentRow, Endorsement, Kind, Progress, Proposal

Query = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

_TABLES = {Kind.POLICY: "policies", Kind.ROOT: "roots"}
_DOCUMENT = "SELECT version, sha256, document, activated_ms FROM {} WHERE "
_PROPOSAL = (
    "SELECT number, kind, base, sha256, body, author, reason, looser, proposed_ms, expires_ms,"
    " progress FROM proposals WHERE "
)


class Documents:
    """Versions of documents: each is added once and never changes."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def get(self, kind: Kind, version: int) -> DocumentRow | None:
        """Find a version."""
        sql = _DOCUMENT.format(_TABLES[kind]) + "version = ?"
        rows = self._query(sql, (version,))
        return DocumentRow(*rows[0]) if rows else None

    def digest(self, kind: Kind, version: int) -> str | None:
        """Find a version's SHA-256, without reading its text."""
        sql = f"SELECT sha256 FROM {_TABLES[kind]} WHERE version = ?"  # noqa: S608 - of constants
        rows = self._query(sql, (version,))
        return str(rows[0][0]) if rows else None

    def add(self, kind: Kind, row: DocumentRow) -> None:
        """Add a version, which must be new."""
        values = (row.version, row.sha256, row.document, row.activated_ms)
        self._query(f"INSERT INTO {_TABLES[kind]} VALUES (?, ?, ?, ?)", values)  # noqa: S608 - of constants

    def newest(self, kind: Kind) -> int:
        """Return the highest version there is, 0 for none."""
        [(version,)] = self._query(
            f"SELECT coalesce(max(version), 0) FROM {_TABLES[kind]}",  # noqa: S608 - of constants
            (),
        )
        return int(version)

    def before(self, kind: Kind, version: int, limit: int) -> list[DocumentRow]:
        """Read at most ``limit`` versions below one, newest first."""
        sql = _DOCUMENT.format(_TABLES[kind]) + "version < ? ORDER BY version DESC LIMIT ?"
        return [DocumentRow(*row) for row in self._query(sql, (version, limit))]


class Proposals:
    """What officers are asked to agree to, and who agreed."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def add(self, proposal: Proposal) -> int:
        """Store a proposal and return its number, which is new."""
        [(number,)] = self._query("SELECT coalesce(max(number), 0) + 1 FROM proposals", ())
        values = (number, *proposal[1:11])
        self._query("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return int(number)

    def get(self, number: int) -> Proposal | None:
        """Find a proposal by its number."""
        return next(iter(self._read("number = ?", number)), None)

    def of(self, kind: Kind, base: int, sha256: str) -> Proposal | None:
        """Find the newest proposal of the same content against the same base."""
        where = "kind = ? AND base = ? AND sha256 = ? ORDER BY number DESC LIMIT 1"
        return next(iter(self._read(where, kind, base, sha256)), None)

    def before(self, number: int, limit: int, kinds: Sequence[Kind]) -> list[Proposal]:
        """Read at most ``limit`` proposals of some kinds with lower numbers, newest first."""
        marks = ", ".join("?" * len(kinds))
        where = f"number < ? AND kind IN ({marks}) ORDER BY number DESC LIMIT ?"
        return self._read(where, number, *kinds, limit)

    def newest(self, kind: Kind, base: int) -> list[tuple[str, str]]:
        """Read body and hash of the newest open proposal against a base, if there is one."""
        sql = (
            "SELECT body, sha256 FROM proposals WHERE kind = ? AND base = ?"
            " AND progress = 'open' ORDER BY number DESC LIMIT 1"
        )
        return [(body, digest) for body, digest in self._query(sql, (kind, base))]

    def end(self, number: int, progress: Progress) -> None:
        """Note how an open proposal ended."""
        sql = "UPDATE proposals SET progress = ? WHERE number = ? AND progress = 'open'"
        self._query(sql, (progress, number))

    def endorse(self, number: int, endorsement: Endorsement) -> None:
        """Add an officer's approval; a second one by the same officer changes nothing."""
        self._query("INSERT OR IGNORE INTO endorsements VALUES (?, ?, ?)", (number, *endorsement))

    def _read(self, where: str, *parameters: object) -> list[Proposal]:
        return [self._proposal(row) for row in self._query(_PROPOSAL + where, parameters)]

    def _proposal(self, row: tuple[Any, ...]) -> Proposal:
        sql = "SELECT officer, at_ms FROM endorsements WHERE proposal = ? ORDER BY at_ms, officer"
        found = Proposal(*row)
        return found._replace(
            kind=Kind(found.kind),
            looser=bool(found.looser),
            progress=Progress(found.progress),
            endorsements=tuple(Endorsement(*one) for one in self._query(sql, (found.number,))),
        )
