"""The single truth: policies, freezes, usage, request ids, and the audit log's leaves.

``decide`` does everything about a request in one durable transaction, and only
what is durable leaves this package: verdicts, and the approvals that let the
HSM sign.
"""

from signer.ledger.ledger import Ledger, Settings

__all__ = ["Ledger", "Settings"]
