"""The tables, step by step: a file of any earlier version is brought up to date.

``PRAGMA user_version`` counts the steps that a file has been through. Steps are
never edited once released; a file with more steps than are known is refused.
"""

import sqlite3
from collections.abc import Sequence

from signer.errors import ConfigError

# Totals may exceed 64 bits, so they are decimal text.
_INITIAL = """
CREATE TABLE policies (
  version      INTEGER PRIMARY KEY CHECK (version > 0),
  sha256       TEXT NOT NULL,
  document     TEXT NOT NULL,
  activated_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE state (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  seq            INTEGER NOT NULL,
  control_seq    INTEGER NOT NULL,
  policy_version INTEGER REFERENCES policies (version),
  clock_ms       INTEGER NOT NULL,
  tree_size      INTEGER NOT NULL,
  tree_peaks     BLOB NOT NULL
) STRICT;

INSERT INTO state VALUES (1, 0, 0, NULL, 0, 0, x'');

CREATE TABLE leaves (
  idx  INTEGER PRIMARY KEY CHECK (idx >= 0),
  body BLOB NOT NULL
) STRICT;

CREATE TABLE requests (
  caller         TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  key            TEXT NOT NULL,
  version        INTEGER NOT NULL,
  format         TEXT NOT NULL,
  payload_sha256 BLOB NOT NULL,
  standing       TEXT NOT NULL CHECK (standing IN ('refused', 'reserved', 'returned', 'signed')),
  decided_ms     INTEGER NOT NULL,
  lease_ms       INTEGER NOT NULL,
  decision       INTEGER NOT NULL,
  policy_version INTEGER NOT NULL,
  charges        BLOB NOT NULL,
  resumed        INTEGER NOT NULL,
  signature      BLOB,
  PRIMARY KEY (caller, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_age ON requests (decided_ms);

CREATE TABLE buckets (
  key      TEXT NOT NULL,
  asset    TEXT NOT NULL,
  span_ms  INTEGER NOT NULL CHECK (span_ms > 0),
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL CHECK (last_ms >= first_ms),
  total    TEXT NOT NULL,
  requests INTEGER NOT NULL CHECK (requests >= 0),
  seq      INTEGER NOT NULL,
  PRIMARY KEY (key, asset, span_ms, first_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_by_seq ON buckets (seq);

CREATE TABLE freezes (
  scope    TEXT NOT NULL,
  name     TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  by       TEXT NOT NULL,
  PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
"""

_PROPOSALS = """
CREATE TABLE roots (
  version      INTEGER PRIMARY KEY CHECK (version > 0),
  sha256       TEXT NOT NULL,
  document     TEXT NOT NULL,
  activated_ms INTEGER NOT NULL
) STRICT;

ALTER TABLE state ADD COLUMN root_version INTEGER REFERENCES roots (version);

CREATE TABLE proposals (
  number      INTEGER PRIMARY KEY CHECK (number > 0),
  kind        TEXT NOT NULL,
  base        INTEGER NOT NULL,
  sha256      TEXT NOT NULL,
  body        TEXT NOT NULL,
  author      TEXT NOT NULL,
  reason      TEXT NOT NULL,
  looser      INTEGER NOT NULL,
  proposed_ms INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL,
  progress    TEXT NOT NULL CHECK (progress IN ('open', 'rejected', 'done'))
) STRICT;
CREATE INDEX proposals_by_content ON proposals (kind, base, sha256);

CREATE TABLE endorsements (
  proposal INTEGER NOT NULL REFERENCES proposals (number),
  officer  TEXT NOT NULL,
  at_ms    INTEGER NOT NULL,
  PRIMARY KEY (proposal, officer)
) STRICT, WITHOUT ROWID
"""

_STOPS_AND_HOLDS = """
CREATE TABLE stops (
  how        TEXT NOT NULL CHECK (how IN ('freeze', 'rate')),
  scope      TEXT NOT NULL,
  name       TEXT NOT NULL,
  per_minute INTEGER CHECK (per_minute >= 0),
  since_ms   INTEGER NOT NULL,
  by         TEXT NOT NULL,
  reason     TEXT NOT NULL,
  PRIMARY KEY (how, scope, name),
  CHECK ((how = 'rate') = (per_minute IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO stops SELECT 'freeze', scope, name, NULL, since_ms, by, '' FROM freezes;
DROP TABLE freezes;

CREATE TABLE holds (
  number         INTEGER PRIMARY KEY CHECK (number > 0),
  caller         TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  key            TEXT NOT NULL,
  version        INTEGER NOT NULL,
  format         TEXT NOT NULL,
  payload_sha256 BLOB NOT NULL,
  words          TEXT NOT NULL,
  grants         BLOB NOT NULL,
  held_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  standing       TEXT NOT NULL CHECK (standing IN ('pending', 'rejected', 'used')),
  approvals      BLOB NOT NULL
) STRICT;
CREATE INDEX holds_by_request ON holds (caller, request_id);
CREATE INDEX holds_by_end ON holds (expires_ms)
"""

# Rows are appended in the order of their reservations and never grow: ids come in no
# order, and a row that is written among others has their page written with it.
_REQUESTS_IN_ORDER = """
ALTER TABLE requests RENAME TO earlier_requests;
DROP INDEX requests_by_age;

CREATE TABLE requests (
  reservation    INTEGER PRIMARY KEY CHECK (reservation >= 0),
  caller         TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  key            TEXT NOT NULL,
  version        INTEGER NOT NULL,
  format         TEXT NOT NULL,
  payload_sha256 BLOB NOT NULL,
  standing       TEXT NOT NULL CHECK (standing IN ('refused', 'reserved', 'returned')),
  decided_ms     INTEGER NOT NULL,
  lease_ms       INTEGER NOT NULL,
  decision       INTEGER NOT NULL,
  policy_version INTEGER NOT NULL,
  charges        BLOB NOT NULL,
  resumed        INTEGER NOT NULL
) STRICT;
INSERT INTO requests
  SELECT decision, caller, request_id, key, version, format, payload_sha256,
         iif(standing = 'signed', 'reserved', standing), decided_ms, lease_ms, decision,
         policy_version, charges, resumed
  FROM earlier_requests ORDER BY decision;
CREATE UNIQUE INDEX requests_by_id ON requests (request_id, caller);

CREATE TABLE signatures (
  reservation INTEGER PRIMARY KEY,
  version     INTEGER NOT NULL,
  signature   BLOB NOT NULL
) STRICT;
INSERT INTO signatures
  SELECT decision, version, signature FROM earlier_requests
  WHERE standing = 'signed' ORDER BY decision;
DROP TABLE earlier_requests
"""

# What shared buckets are made of, so that each charge can leave on time. There are at most
# as many rows as transactions and windows, far fewer bytes than the leaves take that come
# with them. Requests tell the same, but would all be read again for each window, and are
# forgotten in days. Buckets of older files have no instants: they leave with the youngest.
_INSTANTS = """
CREATE TABLE instants (
  key      TEXT NOT NULL,
  asset    TEXT NOT NULL,
  span_ms  INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL,
  total    TEXT NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (key, asset, span_ms, at_ms)
) STRICT, WITHOUT ROWID
"""

# Leaves that earlier releases wrote stay in their table: see signer.ledger.leaves.
_BUNDLES = """
CREATE TABLE bundles (
  first   INTEGER PRIMARY KEY CHECK (first >= 0),
  entries BLOB NOT NULL
) STRICT
"""

STEPS: tuple[str, ...] = (
    _INITIAL,
    _PROPOSALS,
    _STOPS_AND_HOLDS,
    _REQUESTS_IN_ORDER,
    _INSTANTS,
    _BUNDLES,
)


def migrate(connection: sqlite3.Connection, steps: Sequence[str] = STEPS) -> None:
    """Bring the file up to date, all steps or none.

    Raises:
        ConfigError: it was written by a newer release.
        sqlite3.Error: it cannot be read or written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[_version(connection, len(steps)) :]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, known: int) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise ConfigError(f"the ledger has schema {version}; this release knows up to {known}")
    return int(version)
