"""Generated transfers on Cosmos and Tron, written by the Protocol Buffers library."""

from typing import Any

from coincurve import PrivateKey, PublicKey
from hypothesis import given
from hypothesis import strategies as st

from policy.keccak import keccak256
from policy.payloads import cosmos, decode, tron
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_chains.messages import COSMOS, TRON
from tests.policy.payloads_chains.test_cosmos import FROM, KEY_URL, SEND_URL, TO
from tests.policy.payloads_chains.test_tron import URL

_secrets = st.binary(min_size=32, max_size=32).filter(any).map(lambda raw: b"\x7f" + raw[1:])
_numbers = st.integers(1, 2**63 - 1)
_amounts = st.integers(1, 2**256 - 1)
_denoms = st.from_regex(r"[a-zA-Z][a-zA-Z0-9._-]{2,31}", fullmatch=True)
_memos = st.from_regex(r"[!-~]{0,40}", fullmatch=True)


def _coin(denom: str, amount: int) -> Any:
    return COSMOS["Coin"](f1=denom.encode(), f2=str(amount).encode())


def _sign_doc(secret: bytes, denom: str, amount: int, fee: int, memo: str, numbers: Any) -> Any:
    sequence, account = numbers
    point = PrivateKey(secret).public_key.format()
    send = COSMOS["Send"](f1=FROM, f2=TO, f3=_coin(denom, amount))
    mode = COSMOS["Mode"](f1=COSMOS["Single"](f1=1))
    key = COSMOS["AnyKey"](f1=KEY_URL, f2=COSMOS["Key"](f1=point))
    return COSMOS["SignDoc"](
        f1=COSMOS["Body"](f1=COSMOS["AnySend"](f1=SEND_URL, f2=send), f2=memo.encode()),
        f2=COSMOS["AuthInfo"](
            f1=COSMOS["Signer"](f1=key, f2=mode, f3=sequence),
            f2=COSMOS["Fee"](f1=_coin(denom, fee), f2=200_000),
        ),
        f3=b"cosmoshub-4",
        f4=account,
    )


@oracle
@given(_secrets, _denoms, _amounts, _amounts, _memos, st.tuples(_numbers, _numbers))
def test_the_oracle_reads_the_same_sign_document(
    secret: bytes, denom: str, amount: int, fee: int, memo: str, numbers: tuple[int, int]
) -> None:
    """The facts are the fields that the library wrote; the document's hash is signed."""
    payload = _sign_doc(secret, denom, amount, fee, memo, numbers).SerializeToString()
    decoded = decode(cosmos.TAG, payload)
    moved, cost = decoded.facts.transfers
    asset = f"{denom}@cosmos:cosmoshub-4"
    place = TO.decode() + (f"#{memo}" if memo else "")
    assert (moved.asset, moved.amount, moved.destination) == (asset, amount, place)
    assert (cost.asset, cost.amount, cost.destination) == (asset, fee, None)
    assert (decoded.facts.source, decoded.facts.nonce) == (FROM.decode(), str(numbers[0]))
    key = PrivateKey(secret)
    signature = key.sign(decoded.message)
    assert key.public_key.verify(signature, payload)


_accounts = st.binary(min_size=20, max_size=20).map(lambda raw: b"\x41" + raw)


@oracle
@given(_secrets, _accounts, _numbers, st.integers(10**12, 2**62))
def test_the_oracle_reads_the_same_transfer(
    secret: bytes, to: bytes, amount: int, expiration: int
) -> None:
    """Who signs the transaction's id is the account that the facts name as the source."""
    point = PrivateKey(secret).public_key.format(compressed=False)
    owner = b"\x41" + keccak256(point[1:])[-20:]
    call = TRON["Call"](f1=owner, f2=to, f3=amount)
    parameter = TRON["Parameter"](f1=URL + b"TransferContract", f2=call)
    payload = TRON["Raw"](
        f1=b"\xf9\xf5",
        f4=bytes(range(1, 9)),
        f8=expiration,
        f11=TRON["Contract"](f1=1, f2=parameter),
        f14=expiration - 60_000,
    ).SerializeToString()
    decoded = decode(tron.TAG, payload)
    moved, _ = decoded.facts.transfers
    assert (moved.amount, moved.destination) == (amount, tron.address(to, "here"))
    assert decoded.facts.expires_at == expiration // 1000
    signature = PrivateKey(secret).sign_recoverable(decoded.message)
    signer = PublicKey.from_signature_and_message(signature, payload).format(compressed=False)
    account = b"\x41" + keccak256(signer[1:])[-20:]
    assert decoded.facts.source == tron.address(account, "here")
