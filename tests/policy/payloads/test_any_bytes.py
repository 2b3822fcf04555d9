"""What must hold for any bytes: facts or ``PayloadError``, nothing else, from every format.

``SIGNGATE_FUZZ_EXAMPLES`` sets how many payloads each test makes up (200 by
default, 100,000 in the long campaign).
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.payloads import FORMATS, decode
from policy.payloads.ethereum import rlp
from tests.fuzz.contract import check
from tests.policy.payloads.examples import text
from tests.policy.payloads.seeds import SEEDS

EXAMPLES = int(os.environ.get("SIGNGATE_FUZZ_EXAMPLES", "200"))

pytestmark = pytest.mark.long
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)

_cuts = st.tuples(st.integers(0, 400), st.integers(0, 40), st.binary(max_size=40))
_flips = st.tuples(st.integers(0, 400), st.integers(0, 7))


def _replaced(payload: bytes, cut: tuple[int, int, bytes]) -> bytes:
    at, size, inserted = cut
    at %= len(payload) + 1
    return payload[:at] + inserted + payload[at + size :]


def _flipped(payload: bytes, flip: tuple[int, int]) -> bytes:
    if not payload:
        return payload
    at, bit = flip[0] % len(payload), flip[1]
    return payload[:at] + bytes((payload[at] ^ 1 << bit,)) + payload[at + 1 :]


def _mutated(
    payload: bytes, cuts: list[tuple[int, int, bytes]], flips: list[tuple[int, int]]
) -> bytes:
    for cut in cuts:
        payload = _replaced(payload, cut)
    for flip in flips:
        payload = _flipped(payload, flip)
    return payload


def _mutations(tag: str) -> st.SearchStrategy[bytes]:
    """Return bit flips, insertions, deletions and splices of valid payloads."""
    return st.builds(
        _mutated,
        st.sampled_from(SEEDS[tag]),
        st.lists(_cuts, max_size=3),
        st.lists(_flips, max_size=4),
    )


_scalars = st.integers(0, 2**70).map(rlp.scalar) | st.binary(max_size=40) | st.just(b"")
_items = _scalars | st.lists(_scalars | st.lists(_scalars, max_size=3), max_size=3)
_rlp = st.builds(
    lambda kind, items: kind + rlp.encode(items),
    st.sampled_from([b"", b"\1", b"\2", b"\3", b"\4"]),
    st.lists(_items, min_size=6, max_size=12),
)
_json = st.dictionaries(
    st.sampled_from(["amount", "asset", "destination", "expiry", "nonce", "schema"]) | st.text(),
    st.sampled_from(["1", "USD", "signgate.intent/1", 1_790_000_000]) | st.text() | st.integers(),
    min_size=4,
).map(lambda members: text(members).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("tag", sorted(FORMATS))
@fuzz
@given(payload=st.binary(max_size=500))
def test_any_bytes_are_decoded_or_refused(tag: str, payload: bytes) -> None:
    """No bytes make a decoder fail in another way than by its one error."""
    check(tag, payload)


@pytest.mark.parametrize("tag", sorted(FORMATS))
@fuzz
@given(payload=st.text(max_size=300))
def test_any_text_is_decoded_or_refused(tag: str, payload: str) -> None:
    """No text, in whatever script and with lone surrogates, makes a decoder fail otherwise."""
    check(tag, payload.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("tag", sorted(SEEDS))
@fuzz
@given(data=st.data())
def test_a_mutated_payload_is_canonical_or_refused(tag: str, data: st.DataObject) -> None:
    """Flipped, cut and spliced payloads are refused, or are the one encoding of what they say."""
    check(tag, data.draw(_mutations(tag)))


@fuzz
@given(_rlp)
def test_any_list_is_a_canonical_transaction_or_refused(payload: bytes) -> None:
    """Well-formed RLP of any shape is a transaction or is refused."""
    check("ethereum.transaction", payload)


@fuzz
@given(_json)
def test_any_object_is_a_canonical_intent_or_refused(payload: bytes) -> None:
    """Well-formed JSON of any members is an intent or is refused."""
    check("intent", payload)


@fuzz
@given(_mutations("intent"))
def test_two_intents_never_say_the_same(payload: bytes) -> None:
    """An accepted mutation says something else than what it was made from."""
    decoded = check("intent", payload)
    if decoded is not None and payload not in SEEDS["intent"]:
        assert decoded.facts not in [decode("intent", valid).facts for valid in SEEDS["intent"]]
