"""Generated messages: eth-account reads the same text, and sees our key as its signer."""

import unicodedata

from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Facts
from policy.payloads import decode, ethereum
from policy.payloads.ethereum.message import ACTION, DIGEST, TAG
from policy.payloads.printable import problem
from tests.policy.payloads.examples import oracle

KEY = Account.from_key(b"\x46" * 32)

# Words of any script, short enough to be no hash; a text that people are asked to sign.
_words = st.text(
    st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=20
).filter(lambda word: problem(word) is None)
_texts = (
    st.lists(_words, min_size=1, max_size=30)
    .map(lambda words: unicodedata.normalize("NFC", "Sign: " + " ".join(words)))
    .filter(lambda text: len(text.encode()) != DIGEST and problem(text) is None)
)


@oracle
@given(_texts)
def test_the_oracle_recovers_the_signer_of_a_message(text: str) -> None:
    """Any text that shows what it is is read as it stands, and signed as wallets sign it."""
    decoded = decode(TAG, text.encode())
    signature = KEY.unsafe_sign_hash(ethereum.signing_hash(decoded.message)).signature
    assert Account.recover_message(encode_defunct(text=text), signature=signature) == KEY.address
    assert decoded.facts == Facts(ACTION, (), session=True, text=text)
