"""Every metric: its name, kind, meaning and labels. deploy/docs/metrics.md shows this table.

Names are never renamed nor given another meaning. Each series also has the label
``process``. The values of every label come from the configuration, the token's keys or
from this program, never from a request, so that no caller can make new series.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """Prometheus' types of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(NamedTuple):
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_KEY_SLOT: Final = ("key", "slot")

PROCESS_UP: Final = Family("signgate_process_up", G, "1 if the process answered in time.")
RESTART_NEEDED: Final = Family(
    "signgate_restart_needed", G, "1 if only a new process can help; it drains then."
)

CALLS: Final = Family("signgate_calls_total", C, "Calls that ended.", ("method", "code"))
CALL_SECONDS: Final = Family(
    "signgate_call_seconds",
    H,
    "From the handler's begin to its end; streams too. Where calls are answered in rounds,"
    " from the message's arrival.",
    ("method",),
)
CALLS_IN_FLIGHT: Final = Family(
    "signgate_calls_in_flight",
    G,
    "Calls that a handler is at, and those that wait for a round or are in one.",
    ("method",),
)
SHED: Final = Family(
    "signgate_shed_calls_total",
    C,
    "Calls refused unread, since their caller had its share waiting.",
    ("method",),
)
PAYLOADS: Final = Family(
    "signgate_payloads_total",
    C,
    "Payloads by what came of them: SIGNED, REPLAYED, VALIDATED or the reason code, also of "
    "what was shed or refused unread; a key that is not on the token counts as unknown.",
    ("key", "outcome"),
)

QUEUE_SECONDS: Final = Family(
    "signgate_hsm_queue_seconds", H, "A signature's wait for a session.", _KEY_SLOT
)
SERVICE_SECONDS: Final = Family(
    "signgate_hsm_service_seconds", H, "Its last try at the token.", _KEY_SLOT
)
TOTAL_SECONDS: Final = Family(
    "signgate_hsm_total_seconds",
    H,
    "From the line to a verified signature, or to the commit where that took longer.",
    _KEY_SLOT,
)
WAITING: Final = Family(
    "signgate_hsm_waiting", G, "Signatures that wait for a session.", ("priority",)
)
SESSIONS: Final = Family("signgate_hsm_sessions", G, "Sessions by state.", ("slot", "state"))
BREAKER: Final = Family(
    "signgate_hsm_breaker",
    G,
    "1 for the slot's state: up (closed), down (open), probing (half open), refused (PIN).",
    ("slot", "state"),
)
GENERATION: Final = Family(
    "signgate_hsm_generation", G, "Grows with every new login and loss of the slot.", ("slot",)
)
ERRORS: Final = Family(
    "signgate_hsm_errors_total",
    C,
    "Failures by what the pool does about them, and by return code.",
    ("slot", "class", "code"),
)

CANARIES: Final = Family(
    "signgate_canaries_total",
    C,
    "Canaries by what came of them: signed, refused, unknown, frozen, failed (no ledger).",
    ("slot", "outcome"),
)
CANARY_SIGNED_AT: Final = Family(
    "signgate_canary_signed_timestamp_seconds",
    G,
    "When the slot last signed one, seconds since the epoch.",
    ("slot",),
)

COMMIT_SECONDS: Final = Family(
    "signgate_ledger_commit_seconds", H, "One transaction, from its begin until it is durable."
)
BATCH_REQUESTS: Final = Family(
    "signgate_ledger_batch_requests", H, "Requests that shared a transaction."
)
FAILED_COMMITS: Final = Family(
    "signgate_ledger_failed_commits_total", C, "Transactions that did not become durable."
)
LEDGER_STOPPED: Final = Family(
    "signgate_ledger_stopped", G, "1 after an error that ends this process's signing."
)

LEAVES: Final = Family("signgate_audit_leaves", G, "Durable records of the audit log.")
PUBLISHED: Final = Family(
    "signgate_audit_published_leaves", G, "Records under the newest published checkpoint."
)
PUBLISHED_AT: Final = Family(
    "signgate_audit_published_timestamp_seconds",
    G,
    "When this process last published a checkpoint, seconds since the epoch; 0 before.",
)
PUBLISHING_STOPPED: Final = Family(
    "signgate_audit_publishing_stopped", G, "1 if the published log and the ledger disagree."
)

# From the library, for each process.
PROCESS: Final = (
    Family("process_cpu_seconds_total", C, "CPU time of the process."),
    Family("process_resident_memory_bytes", G, "Its memory."),
    Family("process_virtual_memory_bytes", G, "Its address space."),
    Family("process_open_fds", G, "Its open files and sockets."),
    Family("process_max_fds", G, "How many it may have."),
    Family("process_start_time_seconds", G, "When it started, seconds since the epoch."),
)

FAMILIES: Final = (
    PROCESS_UP,
    RESTART_NEEDED,
    CALLS,
    CALL_SECONDS,
    CALLS_IN_FLIGHT,
    SHED,
    PAYLOADS,
    QUEUE_SECONDS,
    SERVICE_SECONDS,
    TOTAL_SECONDS,
    WAITING,
    SESSIONS,
    BREAKER,
    GENERATION,
    ERRORS,
    CANARIES,
    CANARY_SIGNED_AT,
    COMMIT_SECONDS,
    BATCH_REQUESTS,
    FAILED_COMMITS,
    LEDGER_STOPPED,
    LEAVES,
    PUBLISHED,
    PUBLISHED_AT,
    PUBLISHING_STOPPED,
    *PROCESS,
)

# Upper bounds of the buckets; the last one, infinity, goes without saying.
SECONDS: Final = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
REQUESTS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
BOUNDS: Final = {BATCH_REQUESTS.name: REQUESTS}  # of all others: SECONDS
