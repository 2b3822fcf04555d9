"""The single-use token that the HSM pool's only signing method takes.

Only the ledger holds a ``Mint``; the pool holds its ``redeem``. An approval
that the mint did not issue, or that was redeemed before, signs nothing.
"""

from msgspec import Struct

from policy.algorithms import Algorithm, Digest


class ApprovalInvalidError(Exception):
    """The approval was never issued here, or was used before."""


class Approval(Struct, frozen=True, eq=False, gc=False):
    """Permission to sign exactly ``message`` with exactly one key version, once.

    Where a payload takes several signatures, ``further`` are the other messages.

    ``subject`` names what was approved: the caller and request id of a
    request, or the tree size of a checkpoint. ``decision`` is the index of the
    audit record that approved it, so that an outcome finds its own attempt, and
    ``reservation`` of the one that booked its charges. With ``durable_intent`` it is issued
    only once that decision is durable.
    """

    subject: tuple[str, str]
    key: str
    version: int
    algorithm: Algorithm
    message: bytes
    digest: Digest = Digest.NATIVE
    decision: int = 0
    reservation: int = 0
    further: tuple[bytes, ...] = ()
    durable_intent: bool = False

    @property
    def key_version(self) -> str:
        """The resource name, ``keys/{key}/versions/{version}``."""
        return f"keys/{self.key}/versions/{self.version}"


class Mint:
    """Issues approvals and takes each of them back once."""

    def __init__(self) -> None:
        self._outstanding: set[Approval] = set()

    def issue(self, approval: Approval) -> Approval:
        """Make the approval valid for one signature."""
        self._outstanding.add(approval)
        return approval

    def redeem(self, approval: Approval) -> None:
        """Use the approval up.

        Raises:
            ApprovalInvalidError: it is not outstanding.
        """
        try:
            self._outstanding.remove(approval)
        except KeyError:
            message = f"no outstanding approval for {approval.key_version}"
            raise ApprovalInvalidError(message) from None

    def revoke(self, approval: Approval) -> bool:
        """Withdraw an approval; False when it was not outstanding any more."""
        try:
            self.redeem(approval)
        except ApprovalInvalidError:
            return False
        return True

    def revoke_all(self) -> None:
        """Withdraw every outstanding approval: what they rest on can no longer be trusted."""
        self._outstanding.clear()
