"""Generated tokens of Coinbase, written and verified by joserfc, which knows none of our code."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from policy.algorithms import Algorithm
from policy.payloads import decode
from policy.payloads.coinbase import TAG
from tests.policy.payloads.examples import oracle
from tests.policy.payloads.stock_keys import ED25519, P256, SIGN, jose_key

Tree = dict[str, Any]

ALGORITHMS = {"ES256": Algorithm.ECDSA_P256, "EdDSA": Algorithm.ED25519}
PRIVATE: dict[str, Any] = {"ES256": ECKey(P256, P256), "EdDSA": OKPKey(ED25519, ED25519)}
# The venue's nonce is in no standard; its name of an algorithm is no longer in one.
VENUES = JWSRegistry(algorithms=sorted(ALGORITHMS), strict_check_header=False)

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


def _token(name: str, life: tuple[int, int], alg: str, nonce: str, uri: str) -> tuple[Tree, Tree]:
    header = {"alg": alg, "kid": name, "nonce": nonce, "typ": "JWT"}
    start, seconds = life
    return header, {"exp": start + seconds, "iss": "cdp", "nbf": start, "sub": name, "uri": uri}


_tokens = st.builds(
    _token,
    st.from_regex(r"[A-Za-z0-9/-]{1,128}", fullmatch=True),
    st.tuples(st.integers(10**9, 10**10 - 1), st.integers(1, 120)),
    st.sampled_from(sorted(ALGORITHMS)),
    st.from_regex(r"[A-Za-z0-9]{8,64}", fullmatch=True),
    st.from_regex(
        r"(GET|POST|PUT|DELETE) api\.coinbase\.com/[A-Za-z0-9/_-]{1,128}", fullmatch=True
    ),
)


def _written(header: Tree, claims: Tree) -> str:
    """Return a token that the library signed."""
    key = PRIVATE[header["alg"]]
    return jwt.encode(header, claims, key, registry=VENUES, default_type=None)


def _read(token: str, alg: str, now: int) -> tuple[Tree, Tree]:
    """Return header and claims as a verifier reads them at that time, in seconds."""
    found = jwt.decode(token, jose_key(ALGORITHMS[alg]), registry=VENUES)
    rules = jwt.JWTClaimsRegistry(now, iss={"essential": True, "value": "cdp"})
    rules.validate(found.claims)
    return found.header, found.claims


@oracle
@given(_tokens)
def test_the_oracle_accepts_the_token_and_reads_the_same(token: tuple[Tree, Tree]) -> None:
    """Joserfc writes what we sign, accepts our signature, and reads our facts in the claims."""
    header, claims = token
    alg = header["alg"]
    decoded = decode(TAG, _written(header, claims).rpartition(".")[0].encode())
    signature = urlsafe_b64encode(SIGN[ALGORITHMS[alg]](decoded.message)).rstrip(b"=")
    signed = f"{decoded.message.decode()}.{signature.decode()}"
    found, said = _read(signed, alg, claims["nbf"])
    facts = decoded.facts
    assert (found, said) == (header, claims)
    assert (facts.nonce, facts.expires_at) == (found["nonce"], said["exp"])
    assert facts.timestamp == 1000 * said["nbf"]
    method = said["uri"].partition(" ")[0]
    assert facts.action == ("coinbase.read" if method == "GET" else "coinbase.session")
    assert (facts.venue, facts.session, facts.transfers) == ("coinbase", True, ())


@oracle
@given(_tokens)
def test_the_oracle_takes_no_token_after_its_expiry(token: tuple[Tree, Tree]) -> None:
    """A verifier holds to the expiry that stands in the facts."""
    header, claims = token
    alg, written = header["alg"], _written(header, claims)
    expiry = decode(TAG, written.rpartition(".")[0].encode()).facts.expires_at
    assert expiry is not None
    assert _read(written, alg, expiry - 1)
    with pytest.raises(ExpiredTokenError):
        _read(written, alg, expiry + 1)
