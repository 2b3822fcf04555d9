"""Generated transfers on Cosmos and Tron, written by the Protocol Buffers library."""

from typing import Any

from btclib import base58
from coincurve import PrivateKey, PublicKey
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from policy.keccak import keccak256
from policy.model import Facts
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


_accounts = (  # the zero address is refused by name
    st.binary(min_size=20, max_size=20).filter(any).map(lambda raw: b"\x41" + raw)
)
_expirations = st.integers(10**12, 2**62)


def _tron(kind: int, name: bytes, call: Any, expiration: int, **more: int) -> bytes:
    parameter = TRON["Parameter"](f1=URL + name, f2=call)
    raw = TRON["Raw"](
        f1=b"\xf9\xf5",
        f4=bytes(range(1, 9)),
        f8=expiration,
        f11=TRON["Contract"](f1=kind, f2=parameter),
        f14=expiration - 60_000,
        **more,
    )
    return bytes(raw.SerializeToString())


def _account(secret: bytes) -> bytes:
    point = PrivateKey(secret).public_key.format(compressed=False)
    return b"\x41" + keccak256(point[1:])[-20:]


def _text(account: bytes) -> str:
    return base58.encode(account).decode("ascii")  # with its checksum


def _signed_by_its_source(secret: bytes, payload: bytes) -> Facts:
    """Check that who signs the transaction's id is the account that the facts name."""
    decoded = decode(tron.TAG, payload)
    signature = PrivateKey(secret).sign_recoverable(decoded.message)
    signer = PublicKey.from_signature_and_message(signature, payload).format(compressed=False)
    assert decoded.facts.source == _text(b"\x41" + keccak256(signer[1:])[-20:])
    return decoded.facts


@oracle
@given(_secrets, _accounts, _numbers, _expirations)
def test_the_oracle_reads_the_same_transfer(
    secret: bytes, to: bytes, amount: int, expiration: int
) -> None:
    """A transfer moves what the library wrote, to the account in another library's Base58."""
    call = TRON["Call"](f1=_account(secret), f2=to, f3=amount)
    facts = _signed_by_its_source(secret, _tron(1, b"TransferContract", call, expiration))
    moved, _ = facts.transfers
    assert (moved.amount, moved.destination) == (amount, _text(to))
    assert facts.expires_at == expiration // 1000


@oracle
@given(_secrets, _accounts, _accounts, st.integers(0, 2**256 - 1), _numbers, _expirations)
def test_the_oracle_reads_the_same_token_transfer(
    secret: bytes, token: bytes, to: bytes, amount: int, fee_limit: int, expiration: int
) -> None:
    """A token's transfer moves what another library's contract ABI wrote."""
    data = bytes.fromhex("a9059cbb") + encode(["address", "uint256"], [to[1:], amount])
    call = TRON["Call"](f1=_account(secret), f2=token, f4=data)
    payload = _tron(31, b"TriggerSmartContract", call, expiration, f18=fee_limit)
    facts = _signed_by_its_source(secret, payload)
    moved, fee = facts.transfers
    assert facts.action == "trc20.transfer"
    assert moved.asset.endswith(f"/trc20:{_text(token)}")
    assert (moved.amount, moved.destination) == (amount, _text(to))
    assert fee.amount > fee_limit
