"""Records can be read back: what was asked and decided comes out as it went in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import model
from policy.algorithms import Algorithm
from policy.amounts import MAX_AMOUNT
from policy.freezes import Freeze
from policy.model import Ask, ContractCall, Decoded, Facts, Role, Side, Transfer
from policy.reasons import Code
from policy.replay import Asked, Frozen, Kind, Settled
from signer.audit import record
from signer.audit.history import CutError, HistoryError, event, facts, time_ms
from signer.audit.record import Clock, Record, encode
from signer.ledger import Ledger, entries
from signer.model import Outcome, SignRequest
from tests.support.ledgers import (
    ALICE,
    MALLORY,
    OFFICER,
    START_MS,
    Bench,
    freeze,
    granted,
    one,
    pay,
    thaw,
)

_texts = st.text("abcXYZ019-/.:", min_size=1, max_size=20)
_maybe = st.none() | _texts
_numbers = st.none() | st.integers(0, 2**64)
_transfers = st.builds(
    Transfer,
    asset=_texts,
    amount=st.integers(0, MAX_AMOUNT),
    destination=_maybe,
    role=st.sampled_from(Role),
    decimals=st.none() | st.integers(0, 36),
)
_FACTS: dict[str, st.SearchStrategy[Any]] = {
    "action": _texts,
    "transfers": st.lists(_transfers, max_size=4).map(tuple),
    "chain_id": _numbers,
    "source": _maybe,
    "expires_at": _numbers,
    "nonce": _maybe,
    "venue": _maybe,
    "symbol": _maybe,
    "side": st.none() | st.sampled_from(Side),
    "order_type": _maybe,
    "quantity": _maybe,
    "price": _maybe,
    "timestamp": _numbers,
    "session": st.booleans(),
    "algorithm": st.none() | st.sampled_from(Algorithm),
    "key_version": _maybe,
    "call": st.none() | st.builds(ContractCall, _texts, st.integers(0, MAX_AMOUNT), _texts),
    "receives": st.none() | _transfers,
    "text": _maybe,
}


def _bytes(**members: Any) -> bytes:
    """Return the bytes of a record of a decision, or of what the members make of it."""
    usual: dict[str, Any] = {
        "event": "sign.decision",
        "outcome": "granted",
        "caller": record.Caller("a.example", "aa", "10.1.2.3:4000"),
        "request_id": "r-1",
        "key_version": "keys/pay/versions/2",
        "payload": record.Payload("intent", "00"),
        "facts": record.Facts("intent.transfer"),
    }
    time = "2027-01-15T08:00:00.123Z"
    return encode(Record(index=7, time=time, clock=Clock("ok"), **usual | members))


@given(st.builds(Facts, **_FACTS))
def test_facts_come_back_exactly(decoded: Facts) -> None:
    """Whatever a decoder gives, the record gives it back, through its stored bytes."""
    found = event(_bytes(facts=entries.recorded(decoded)))
    assert isinstance(found, Asked)
    assert found.ask.facts == decoded


def test_no_fact_is_left_out_of_the_record() -> None:
    """Records have a member for each field of facts and transfers, and each was tried above."""
    assert set(_FACTS) == set(Facts.__struct_fields__)
    for stored, read in ((record.Facts, model.Facts), (record.Transfer, model.Transfer)):
        assert stored.__struct_fields__ != ()
        assert set(stored.__struct_fields__) == set(read.__struct_fields__)


def _events(ledger: Ledger) -> list[Asked | Settled | Frozen]:
    bodies = (body for _, body in ledger.leaves(0, ledger.size()))
    return [found for found in map(event, bodies) if found is not None]


def test_what_the_ledger_writes_can_be_decided_again(ledger: Ledger) -> None:
    """Who, what, when and why are those of the request; what decides nothing is left out."""
    allowed = granted(ledger, pay(5))
    one(ledger, pay(6, caller=MALLORY, id="m", validate_only=True))
    one(ledger, pay(7, id="r-1"))  # the id is taken: nothing is decided
    ledger.settle([Outcome(allowed.approval, None, refused=True)])
    one(ledger, pay(8, id="v", version=9))
    request = pay(5)
    assert isinstance(request.decoded, Decoded)
    first, second, returned, wrong = _events(ledger)
    ask = Ask("pay", "intent", ALICE.san, request.decoded.facts, "192.0.2.1")
    name = (ALICE.san, "r-1")
    assert first == Asked(allowed.leaf_index, START_MS, ask, name, Kind.NEW, ())
    assert isinstance(second, Asked)
    assert (second.kind, second.reasons[0].code) == (Kind.VALIDATED, Code.KEY_DENIED)
    assert returned == Settled(allowed.leaf_index, name, returned=True)
    assert isinstance(wrong, Asked)
    assert wrong.version == 9


def test_freezes_and_attempts_that_go_on_are_told_apart(bench: Bench, ledger: Ledger) -> None:
    """A freeze begins and ends; a request whose lease ran out is resumed."""
    freeze(ledger, "key", "pay", OFFICER, "drill")
    thaw(ledger, "key", "pay")
    granted(ledger, pay(5))
    bench.clock.now += bench.settings.lease_ms
    granted(ledger, pay(5))
    begun, ended, first, again = _events(ledger)
    assert begun == Frozen(Freeze("key", "pay"), begins=True)
    assert ended == Frozen(Freeze("key", "pay"), begins=False)
    assert isinstance(first, Asked)
    assert isinstance(again, Asked)
    assert (first.kind, again.kind) == (Kind.NEW, Kind.RESUMED)


def test_approvals_are_read() -> None:
    """Whoever approved it then has approved it when it is decided again."""
    found = event(_bytes(approvals=("x.example", "y.example")))
    assert isinstance(found, Asked)
    assert found.approved_by == {"x.example", "y.example"}


def test_a_cut_record_is_not_guessed_at() -> None:
    """A decision with a list that was cut cannot be decided again."""
    transfers = tuple(record.Transfer("USD", "1", "payment", "x" * 100) for _ in range(2000))
    with pytest.raises(CutError, match="record 7 was cut"):
        event(_bytes(facts=record.Facts("intent.transfer", transfers)))


@pytest.mark.parametrize(
    "members",
    [
        {"facts": record.Facts("a", (record.Transfer("USD", "1_000", "payment"),))},
        {"facts": record.Facts("a", (record.Transfer("USD", "-1", "payment"),))},
        {"facts": record.Facts("a", (record.Transfer("USD", "1", "gift"),))},
        {"facts": record.Facts("a", chain_id="01")},
        {"caller": None},
        {"key_version": "pay"},
        {"reasons": (record.Reason("NO_SUCH_CODE", "x", "y"),)},
    ],
)
def test_what_no_signer_wrote_is_an_error(members: dict[str, Any]) -> None:
    """A record that does not make sense ends the reading, with one line."""
    with pytest.raises(HistoryError, match="index"):
        event(_bytes(**members))


def test_what_is_no_record_is_an_error() -> None:
    """So does a line that is not a record at all."""
    with pytest.raises(HistoryError):
        event(b"[]")


def test_times_are_read_to_the_millisecond() -> None:
    """Exactly as the ledger wrote it."""
    assert time_ms("2027-01-15T08:00:00.123Z") == START_MS + 123
    assert time_ms("2027-01-15T08:00:00.999Z") == START_MS + 999


def test_facts_of_records_alone() -> None:
    """The reader of facts stands for itself."""
    assert facts(record.Facts("x", chain_id="1")) == Facts("x", (), chain_id=1)


def test_requests_are_told_apart_by_caller_and_id(ledger: Ledger) -> None:
    """Two callers may use one id."""
    requests: list[SignRequest] = [pay(1), pay(1, caller=MALLORY)]
    ledger.decide(requests)
    first, second = _events(ledger)
    assert isinstance(first, Asked)
    assert isinstance(second, Asked)
    assert first.request != second.request
