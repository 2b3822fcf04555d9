"""Officers for tests: a root document, and a service over a real ledger for them."""

from policy.algorithms import Algorithm
from policy.compare import Change
from signer.ledger import Ledger
from signer.ledger.rows import Kind
from signer.policies import Policies, View
from tests.support.ledgers import POLICY

A, B, C = (f"spiffe://firm.example/officer/{name}" for name in "abc")
CI = "spiffe://firm.example/ci"
STRANGER = "spiffe://firm.example/stranger"
ROOT = f"""
schema = 1
officers = ["{A}", "{B}", "{C}"]
proposers = ["{CI}"]
quorum = 1
root_quorum = 2
"""
TIGHTER = POLICY.replace('per_request = "100"', 'per_request = "50"')
LOOSER = POLICY.replace('per_request = "100"', 'per_request = "200"')
BOTH = LOOSER.replace('total = "1000"', 'total = "500"')


def serves(key: str, version: int, algorithm: Algorithm) -> bool:
    """Stand for a token that has the key of the usual policy, and a spare one."""
    return key in {"pay", "spare"} and version == 1 and algorithm is Algorithm.ED25519


def office(ledger: Ledger, root: str | None = ROOT) -> Policies:
    """Return the service, with a root document."""
    if root is not None:
        ledger.bootstrap_root(root, "test")
    return Policies(ledger.lifecycle, serves)


def propose(
    policies: Policies, text: str, by: str = A, base: int = 1, kind: Kind = Kind.POLICY
) -> View:
    """Propose a document."""
    return policies.propose(kind, base, text, by, "because")


def approve(policies: Policies, view: View, by: str = B) -> View:
    """Approve what was proposed."""
    return policies.approve(view.proposal.number, view.proposal.sha256, by)


def directions(changes: tuple[Change, ...]) -> set[str]:
    """Return in which directions changes go."""
    return {change.direction.value for change in changes}
