"""Published logs for tests: a real ledger, real tiles, and an audit key in software."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.approval import Approval
from signer.audit.note import Verifier
from signer.audit.publisher import EVERY_SECOND, Pace, Publisher
from signer.audit.verify import Verified, verify
from signer.errors import HsmUnavailableError
from signer.ledger import Ledger
from tests.support.ledgers import ORIGIN, Bench, pay

KEY = Ed25519PrivateKey.from_private_bytes(b"only a key for tests, 32 bytes!!")
VERIFIER = Verifier(ORIGIN, KEY.public_key().public_bytes_raw())


@dataclass
class Published:
    """A ledger beside the directory that its log is published to."""

    base: Path
    down: bool = False
    signed: int = 0
    bench: Bench = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.bench = Bench(self.base / "ledger.db")
        self.ledger = self.bench.open()

    @property
    def directory(self) -> Path:
        """Where the log is."""
        return self.base / "log"

    def sign(self, approval: Approval, deadline: float) -> bytes:
        """Sign as the pool does: against an approval, once."""
        assert deadline > 0
        if self.down:
            raise HsmUnavailableError("no session")
        self.bench.mint.redeem(approval)
        self.signed += 1
        return KEY.sign(approval.message)

    def publisher(self, pace: Pace = EVERY_SECOND) -> Publisher:
        """Return a publisher that continues from the directory."""
        return Publisher(self.ledger, self.sign, self.directory, VERIFIER, pace)

    def grow(self, size: int) -> None:
        """Let the log have so many entries."""
        missing = size - self.ledger.size()
        requests = [pay(1, id=f"{size}-{number}", validate_only=True) for number in range(missing)]
        self.ledger.decide(requests)

    def verify(self) -> Verified:
        """Verify the directory."""
        return verify(self.directory, VERIFIER)

    def close(self) -> None:
        """Close the ledger."""
        self.bench.close()
