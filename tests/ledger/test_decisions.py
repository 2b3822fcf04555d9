"""One request, one transaction: what is granted, refused, and written down."""

from hashlib import sha256

import pytest
from msgspec.structs import asdict, replace

from policy.algorithms import Algorithm
from policy.model import ContractCall, Decision, Decoded, Facts, Role, Side, Transfer
from policy.reasons import Code, PayloadError
from signer.approval import ApprovalInvalidError
from signer.ledger import Ledger
from signer.model import Granted, Refused, SignRequest, Validated
from tests.support.ledgers import (
    ALICE,
    MALLORY,
    OFFICER,
    POLICY,
    Bench,
    code,
    freeze,
    granted,
    last,
    one,
    pay,
    spent,
    thaw,
)

MALFORMED = PayloadError(Code.PAYLOAD_MALFORMED, "$.amount", "not a string")


def test_a_grant_carries_a_single_use_approval(bench: Bench, ledger: Ledger) -> None:
    """What is granted names the exact bytes, key version and decision, and signs once."""
    verdict = granted(ledger, pay(100))
    approval = verdict.approval
    assert (approval.key_version, approval.message) == ("keys/pay/versions/1", b"100 USD to bob")
    assert approval.subject == (ALICE.san, "r-1")
    assert approval.decision == verdict.leaf_index
    assert verdict.policy_version == 1
    bench.mint.redeem(approval)
    with pytest.raises(ApprovalInvalidError):
        bench.mint.redeem(approval)


def test_the_record_of_a_grant(ledger: Ledger) -> None:
    """The leaf names who, what, by which policy and grant, and the limits around it."""
    verdict = granted(ledger, pay(100))
    record = last(ledger)
    assert record["index"] == verdict.leaf_index
    assert (record["event"], record["outcome"]) == ("sign.decision", "granted")
    assert record["time"] == "2027-01-15T08:00:00.000Z"
    assert record["clock"] == {"state": "ok"}
    assert record["request_id"] == "r-1"
    assert record["caller"] == {
        "san": ALICE.san,
        "certificate_sha256": ALICE.certificate_sha256,
        "address": ALICE.address,
    }
    assert record["key_version"] == "keys/pay/versions/1"
    digest = sha256(b"100 USD to bob").hexdigest()
    assert record["payload"] == {"format": "intent", "sha256": digest}
    assert record["message_sha256"] == digest
    assert record["grant"] == "friends"
    assert record["policy"]["version"] == 1
    assert record["facts"]["transfers"] == [
        {"asset": "USD", "amount": "100", "role": "payment", "destination": "bob"}
    ]
    assert record["limits"] == [
        {
            "asset": "USD",
            "span_ms": 3_600_000,
            "before": {"total": "0", "requests": 0},
            "after": {"total": "100", "requests": 1},
            "max": {"total": "100000"},
        }
    ]


def test_every_fact_is_recorded(ledger: Ledger) -> None:
    """Whatever a decoder can tell about a payload stands in the log, numbers as text."""
    transfer = Transfer("USD", 100, "bob", Role.PAYMENT, decimals=2)
    facts = Facts(
        "order.place",
        (transfer,),
        chain_id=1,
        source="carol",
        expires_at=2**70,
        nonce="n",
        venue="v",
        symbol="BTCUSD",
        side=Side.BUY,
        order_type="limit",
        quantity="0.1",
        price="9.5",
        timestamp=2**60,
        session=True,
        algorithm=Algorithm.ED25519,
        key_version="keys/pay/versions/1",
        receives=replace(transfer, asset="of no policy"),
        text="Hi",
    )
    one(ledger, replace(pay(), decoded=Decoded(facts, b"message")))
    record = last(ledger)["facts"]
    assert set(record) == set(Facts.__struct_fields__) - {"call"}
    assert set(record["transfers"][0]) == set(Transfer.__struct_fields__)
    moved = asdict(transfer) | {"amount": "100"}
    plain = asdict(facts) | {
        "transfers": [moved],
        "receives": moved | {"asset": "of no policy"},
    }
    del plain["call"]
    numbers = {"chain_id": "1", "expires_at": str(2**70), "timestamp": str(2**60)}
    assert record == plain | numbers


def test_a_call_that_the_policy_does_not_read_is_recorded(ledger: Ledger) -> None:
    """The log has the call itself, and says that nothing else is known of it."""
    call = ContractCall("0x1111111111111111111111111111111111111111", 5, "d0e30db0")
    facts = Facts("contract.call", (), chain_id=1, call=call)
    verdict = one(ledger, replace(pay(), decoded=Decoded(facts, b"message")))
    assert code(verdict) == "CALL_NOT_PINNED"
    assert last(ledger)["facts"] == {
        "action": "contract.call",
        "chain_id": "1",
        "call": {"contract": call.contract, "value": "5", "data": "d0e30db0"},
    }


def test_a_refusal_names_every_rule(ledger: Ledger) -> None:
    """The leaf holds all reasons; the caller's is the first."""
    verdict = one(ledger, pay(10_001, to="eve"))
    assert isinstance(verdict, Refused)
    assert code(verdict) == "DESTINATION_NOT_ALLOWED"
    record = last(ledger)
    assert (record["index"], record["outcome"]) == (verdict.leaf_index, "refused")
    assert [reason["code"] for reason in record["reasons"]] == [
        "DESTINATION_NOT_ALLOWED",
        "LIMIT_PER_REQUEST",
    ]
    assert "grant" not in record
    assert spent(ledger) == 0


def test_exactly_the_limit_and_one_unit_more(ledger: Ledger) -> None:
    """A window can be used up to its last unit, and not beyond."""
    for number in range(10):
        granted(ledger, pay(10_000 - (number == 9), id=f"r-{number}"))
    assert code(one(ledger, pay(2, id="over"))) == "LIMIT_WINDOW_TOTAL"
    granted(ledger, pay(1, id="exact"))
    assert code(one(ledger, pay(1, id="more"))) == "LIMIT_WINDOW_TOTAL"


def test_requests_of_one_batch_count_against_each_other(ledger: Ledger) -> None:
    """A batch mixes outcomes: each request sees what those before it used."""
    requests = [pay(10_000, id=f"r-{number}") for number in range(12)]
    requests[3] = pay(1, id="r-3", to="eve")
    requests[5] = pay(1, id="r-5", key="none")
    verdicts = ledger.decide(requests)
    assert [isinstance(verdict, Granted) for verdict in verdicts] == [
        number not in {3, 5} for number in range(12)
    ]
    assert code(one(ledger, pay(1, id="over"))) == "LIMIT_WINDOW_TOTAL"
    assert ledger.decide([]) == []


@pytest.mark.parametrize(
    "request_",
    [
        pay(key="none"),
        pay(caller=MALLORY),
        replace(pay(key="none"), decoded=MALFORMED),
        replace(pay(caller=MALLORY), decoded=MALFORMED),
    ],
)
@pytest.mark.parametrize("validate_only", [False, True])
def test_unknown_and_forbidden_keys_look_the_same(
    ledger: Ledger, request_: SignRequest, *, validate_only: bool
) -> None:
    """Without a grant on the key there is one code, whatever the payload is."""
    verdict = one(ledger, replace(request_, validate_only=validate_only))
    assert isinstance(verdict, Refused)
    assert [reason.code for reason in verdict.reasons] == [Code.KEY_DENIED]


@pytest.mark.parametrize("decoded", [pay().decoded, MALFORMED], ids=["good", "malformed"])
def test_another_version_looks_like_an_unknown_key(
    ledger: Ledger, decoded: Decoded | PayloadError
) -> None:
    """A version that does not sign has the same code, whatever the payload is."""
    assert code(one(ledger, replace(pay(version=2), decoded=decoded))) == "KEY_DENIED"


def test_a_validator_is_told_of_a_wrong_version(ledger: Ledger) -> None:
    """Whoever may know what grants make of a request may know which version signs."""
    [reason] = validated(ledger, pay(version=2, validate_only=True)).reasons
    assert (reason.code, reason.rule) == (Code.KEY_DENIED, "keys.pay.version")


def test_a_refused_payload_is_recorded(ledger: Ledger) -> None:
    """A payload that its decoder refused is a refused leaf with the decoder's reason."""
    verdict = one(ledger, replace(pay(), decoded=MALFORMED))
    assert code(verdict) == "PAYLOAD_MALFORMED"
    record = last(ledger)
    reason = {"code": "PAYLOAD_MALFORMED", "rule": "$.amount", "detail": "not a string"}
    assert record["reasons"] == [reason]
    assert "facts" not in record


def test_a_reason_that_no_encoding_takes(ledger: Ledger) -> None:
    """A lone surrogate or an endless detail in a refusal cannot stop the log."""
    for number, detail in enumerate(("a\ud800b", "x" * 1_000_000)):
        bad = PayloadError(Code.PAYLOAD_MALFORMED, "$", detail)
        one(ledger, replace(pay(id=f"r-{number}"), decoded=bad))
        assert last(ledger)["truncated"] is True


def test_without_a_policy_everything_is_refused(bench: Bench) -> None:
    """An empty ledger denies."""
    ledger = bench.open(policy=None)
    assert code(one(ledger, pay())) == "KEY_DENIED"
    assert last(ledger)["reasons"][0]["detail"] == "no policy is active"
    assert ledger.policy() is None


def validated(ledger: Ledger, request: SignRequest) -> Decision:
    """Return what a validator is told would become of a request."""
    verdict = one(ledger, request)
    assert isinstance(verdict, Validated)
    return verdict.explanation.decision


def test_validating_changes_nothing(bench: Bench, ledger: Ledger) -> None:
    """A validate-only request is decided and recorded, but nothing is charged or bound."""
    verdict = one(ledger, pay(10_000, validate_only=True))
    assert isinstance(verdict, Validated)
    assert (verdict.key_version, verdict.policy_version) == ("keys/pay/versions/1", 1)
    record = last(ledger)
    assert (record["event"], record["outcome"]) == ("validate", "allowed")
    assert record["index"] == verdict.leaf_index
    refused = validated(ledger, pay(to="eve", validate_only=True))
    assert refused.reasons[0].code is Code.DESTINATION_NOT_ALLOWED
    assert last(ledger)["outcome"] == "refused"
    assert spent(ledger) == 0
    assert not bench.mint._outstanding
    granted(ledger, pay(1))


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("key", "pay"),
        ("caller", ALICE.san),
        ("asset", "USD"),
        ("destination", "bob"),
        ("all", ""),
    ],
)
def test_freezes_outrank_grants(ledger: Ledger, scope: str, name: str) -> None:
    """What is frozen is refused, new, validated or retried, until it is unfrozen."""
    freeze(ledger, scope, name, OFFICER, "looks wrong")
    assert code(one(ledger, pay())) == "FROZEN"
    assert validated(ledger, pay(validate_only=True)).reasons[0].code is Code.FROZEN
    assert code(one(ledger, pay(caller=MALLORY, id="m"))) == "KEY_DENIED"
    thaw(ledger, scope, name)
    granted(ledger, pay())


def test_other_things_are_not_frozen(ledger: Ledger) -> None:
    """A freeze stops what it names and nothing else."""
    freeze(ledger, "destination", "carol", OFFICER)
    granted(ledger, pay())
    assert code(one(ledger, pay(to="carol", id="r-2"))) == "FROZEN"


def test_a_network_is_the_callers_own(bench: Bench) -> None:
    """A grant's networks are held against the address that the request came from."""
    grant = 'destinations = ["@friends"]'
    ledger = bench.open(POLICY.replace(grant, grant + '\nnetworks = ["192.0.2.0/31"]'))
    granted(ledger, pay(1, id="inside"))
    outside = replace(ALICE, address="192.0.2.2:1000")
    assert code(one(ledger, pay(1, id="outside", caller=outside))) == "NETWORK_NOT_ALLOWED"


def test_a_record_says_what_a_window_sums_over(bench: Bench) -> None:
    """A window over one caller is told from one over the whole key."""
    both = 'total = "1000" }, { span = "1h", total = "500", per = "caller" }'
    ledger = bench.open(POLICY.replace('total = "1000" }', both))
    granted(ledger, pay(1))
    counts = [limit.get("counts") for limit in last(ledger)["limits"]]
    assert sorted(counts, key=str) == [None, f"pay caller {ALICE.san}"]


def test_all_messages_are_under_one_decision(ledger: Ledger) -> None:
    """A payload with several messages is one charge, one approval over all, one record."""
    request = pay(60)
    assert isinstance(request.decoded, Decoded)
    decoded = replace(request.decoded, message=b"a", further=(b"b", b"c"))
    approval = granted(ledger, replace(request, decoded=decoded)).approval
    assert (approval.message, approval.further) == (b"a", (b"b", b"c"))
    assert last(ledger)["message_sha256"] == sha256(b"abc").hexdigest()
    assert spent(ledger) == 60
