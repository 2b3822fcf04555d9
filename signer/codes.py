"""The stable codes of what goes wrong besides policy refusals, explained to callers."""

from policy.reasons import Explained


class Code(Explained):
    """Stable codes for what is not a policy refusal. Never renamed, never reused."""

    INVALID_REQUEST = (
        "INVALID_REQUEST",
        "A field of the request is missing or out of range; the message names it.",
        "Fix the request.",
    )
    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        "The certificate has no usable SAN, or several.",
        "Get one with exactly one URI or DNS name.",
    )
    CALLER_NOT_ALLOWED = (
        "CALLER_NOT_ALLOWED",
        "The port does not serve this caller.",
        "Use the right port and certificate; else ask the operators.",
    )
    REQUEST_ID_REUSED = (
        "REQUEST_ID_REUSED",
        "The request id belongs to another key or payload.",
        "Use a new id for each new request.",
    )
    REQUEST_IN_PROGRESS = (
        "REQUEST_IN_PROGRESS",
        "The first attempt of this request has not ended.",
        "Repeat it with the same request id.",
    )
    NO_PUBLIC_KEY = (
        "NO_PUBLIC_KEY",
        "An HMAC key has no public half.",
        "Ask for the public key of another key.",
    )
    NO_CHECKPOINT = (
        "NO_CHECKPOINT",
        "The audit log has no checkpoint yet.",
        "Ask again in a second.",
    )
    TOO_MANY_STREAMS = (
        "TOO_MANY_STREAMS",
        "The port's share of long-lived streams is taken.",
        "End one, or read less often.",
    )
    OFFICER_REQUIRED = (
        "OFFICER_REQUIRED",
        "The root document does not name the caller for this.",
        "Let an officer do it.",
    )
    OWN_PROPOSAL = (
        "OWN_PROPOSAL",
        "Nobody approves a proposal of their own.",
        "Ask another officer.",
    )
    PROPOSAL_NOT_FOUND = (
        "PROPOSAL_NOT_FOUND",
        "There is no such proposal.",
        "List the proposals and check the name.",
    )
    PROPOSAL_CLOSED = (
        "PROPOSAL_CLOSED",
        "The proposal was rejected, carried out or left to expire, or lost its author.",
        "Propose it again.",
    )
    PROPOSAL_STALE = (
        "PROPOSAL_STALE",
        "Another version is in force than the one the proposal would replace.",
        "Look at the new difference and propose again.",
    )
    PROPOSAL_MISMATCH = (
        "PROPOSAL_MISMATCH",
        "The approval names another document than the proposal's.",
        "Read the proposal again, and approve what was read.",
    )
    QUORUM_REQUIRED = (
        "QUORUM_REQUIRED",
        "Approvals are missing, or the waiting time is not over.",
        "Get the approvals, or wait.",
    )
    APPROVAL_NOT_FOUND = (
        "APPROVAL_NOT_FOUND",
        "There is no such held request, or it is not for the caller to decide on.",
        "List the approvals and check the name.",
    )
    APPROVAL_CLOSED = (
        "APPROVAL_CLOSED",
        "The held request was rejected or signed, or has expired.",
        "Nothing is to be done; one that has expired is held anew when it is repeated.",
    )
    SCOPE_UNKNOWN = (
        "SCOPE_UNKNOWN",
        "The policy in force does not have the name that is to be frozen or slowed.",
        "Check the spelling; say that it may be unknown if it is right.",
    )
    RATE_NOT_LOWER = (
        "RATE_NOT_LOWER",
        "A lower emergency rate is in force, and it can only be lowered.",
        "Have officers ask for its end.",
    )
    RATE_LIMITED = (
        "RATE_LIMITED",
        "The caller sends more, or has more under way, than its share.",
        "Slow down, and repeat it with the same request id after the time that it says.",
    )
    VERSION_NOT_FOUND = (
        "VERSION_NOT_FOUND",
        "There has never been such a version.",
        "List the versions and check the number.",
    )
    DOCUMENT_INVALID = (
        "DOCUMENT_INVALID",
        "The document is not valid; the message has every problem.",
        "Fix it; check it first, without the service.",
    )
    DOCUMENT_UNCHANGED = (
        "DOCUMENT_UNCHANGED",
        "The document is in force already.",
        "Nothing is to be done.",
    )
    HSM_UNAVAILABLE = (
        "HSM_UNAVAILABLE",
        "The HSM cannot be reached; no signature was made, and nothing is spent.",
        "Repeat it with the same request id.",
    )
    HSM_OVERLOADED = (
        "HSM_OVERLOADED",
        "The HSM is busy for longer than the request may wait; nothing is spent.",
        "Slow down, then repeat it with the same request id.",
    )
    HSM_REFUSED = (
        "HSM_REFUSED",
        "The HSM refused for certain; no signature exists, and nothing is spent.",
        "Report it to the operators.",
    )
    SIGNATURE_INVALID = (
        "SIGNATURE_INVALID",
        "The HSM gave a signature that does not verify, so that it was not released.",
        "Report it at once: the HSM may be faulty.",
    )
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        "The HSM may have signed; the amount counts as spent.",
        "Repeat it with the same request id, which is charged once.",
    )
    LEDGER_UNAVAILABLE = (
        "LEDGER_UNAVAILABLE",
        "Nothing could be decided, and nothing was signed.",
        "Repeat it with the same request id.",
    )
    DEADLINE_EXCEEDED = (
        "DEADLINE_EXCEEDED",
        "The deadline was over before an answer was there.",
        "Repeat it with the same request id, and a longer deadline.",
    )
    DRAINING = (
        "DRAINING",
        "The server is shutting down and takes no new calls.",
        "Repeat it with the same request id: another server answers.",
    )
    INTERNAL = (
        "INTERNAL",
        "A bug; the message has a reference to the server's log.",
        "Report it with the reference.",
    )
