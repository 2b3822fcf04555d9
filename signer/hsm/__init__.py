"""The PKCS#11 token: the only place in the service that can make a signature."""

from signer.hsm.limits import Limits, Observer
from signer.hsm.pool import Pool
from signer.hsm.public_key import PublicKey
from signer.hsm.sizing import SessionRange
from signer.hsm.token import Token, open_token

__all__ = ["Limits", "Observer", "Pool", "PublicKey", "SessionRange", "Token", "open_token"]
