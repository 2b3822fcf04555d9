"""A logged-in session with a key, and the check of what it signs."""

from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from signer.hsm.errors import Ckr
from tests.faulty.client import DIGEST, Client

KEY = "faulty"
OTHER_KEY = "faulty-other"


@dataclass(frozen=True, slots=True)
class Signer:
    """A session that is logged in, and a key."""

    client: Client
    session: int
    key: int

    @classmethod
    def on(cls, client: Client, slot: int = 0) -> Self:
        """Open a session and log in."""
        code, session = client.open(slot)
        assert code == Ckr.OK
        assert client.login(session) in (Ckr.OK, Ckr.USER_ALREADY_LOGGED_IN)
        code, key = client.find(session, KEY)
        assert (code, bool(key)) == (Ckr.OK, True)
        return cls(client, session, key)

    def sign(self) -> int:
        """Sign once; returns the code."""
        return self.signature()[0]

    def signature(self) -> tuple[int, bytes]:
        """Sign DIGEST once; returns the code and the signature."""
        return self.client.sign(self.session, self.key)

    def state(self) -> int:
        """Ask for the session's information; returns the code."""
        return self.client.state(self.session)[0]

    def verifies(self, signature: bytes, label: str = KEY) -> bool:
        """Check a signature over DIGEST in software."""
        point = self.client.point(self.session, label)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        middle = len(signature) // 2
        r, s = int.from_bytes(signature[:middle]), int.from_bytes(signature[middle:])
        try:
            key.verify(encode_dss_signature(r, s), DIGEST, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return False
        return True
