"""Approvals for tests, and the shape of a function that signs by one."""

from typing import Protocol

from policy.algorithms import Algorithm, Digest
from signer.approval import Approval


def approval(
    algorithm: Algorithm,
    message: bytes = b"message",
    digest: Digest = Digest.NATIVE,
    key: str | None = None,
) -> Approval:
    """Describe a signature, by default by the shared token's key of the algorithm."""
    return Approval(("caller", "request"), key or algorithm.value, 1, algorithm, message, digest)


class Sign(Protocol):
    """Approves and signs in one go; takes what ``approval`` takes."""

    def __call__(
        self,
        algorithm: Algorithm,
        message: bytes = b"message",
        digest: Digest = Digest.NATIVE,
        key: str | None = None,
    ) -> bytes:
        """Return the signature."""
