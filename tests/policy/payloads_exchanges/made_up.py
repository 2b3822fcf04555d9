"""Values that exchanges' requests are made of, each in the one spelling that is taken."""

from btclib import b32
from eth_utils.address import to_checksum_address
from hypothesis import strategies as st

decimals = st.from_regex(
    r"[1-9][0-9]{0,17}(\.[0-9]{0,17}[1-9])?|0\.[0-9]{0,17}[1-9]", fullmatch=True
).filter(str.isascii)
whole = st.integers(1, 10**18 - 1).map(str)
ids = st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True)
coins = st.from_regex(r"[A-Z0-9]{1,12}", fullmatch=True)
seconds = st.integers(10**9, 10**10 - 1).map(str)
milliseconds = st.integers(10**12, 10**13 - 1).map(str)
_hashes = st.binary(min_size=20, max_size=20)
addresses = (
    _hashes.map(to_checksum_address)
    | _hashes.map(lambda program: b32.address_from_witness(0, program))
    | st.from_regex(r"[T13][1-9A-HJ-NP-Za-km-z]{25,40}", fullmatch=True)
)
