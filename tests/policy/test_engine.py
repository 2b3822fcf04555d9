"""The decision: each rule, each limit, and the order of the reasons."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.engine import denied, untold
from policy.model import Ask, Charge, Counter, LimitState, Role, Side, Transfer, Used
from policy.reasons import Code, Reason
from policy.rules import Policy
from tests.policy.deciding import (
    BOT,
    ETH,
    HOUR,
    NOON,
    OFFICERS,
    OMNIBUS,
    USDC,
    WALLET,
    Table,
    codes_of,
    decided,
    pay,
    saying,
    send,
)

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """The document as it stands."""
    return compiled(tree)


def test_an_allowed_request_names_its_grant_and_charges_every_window(policy: Policy) -> None:
    """Payment and fee are charged, each to the windows of its own asset."""
    day = 86_400_000
    decision = decided(policy, send())
    assert decision.allowed
    assert decision.grant == "payouts"
    assert decision.charges == (
        Charge(Counter("wd", "ETH@eip155:1", day), 10**15),
        Charge(Counter("wd", "USDC@eip155:1", day), 10**6),
    )


def test_the_decision_shows_each_window_before_and_after(policy: Policy) -> None:
    """The audit log sees usage and bounds, on a refusal too."""
    usage = Table({HOUR: Used(2000, 2)})
    state = LimitState(HOUR, Used(2000, 2), Used(2100, 3), 2500, 3)
    assert decided(policy, pay(), usage=usage).limits == (state,)
    refused = decided(policy, pay(destination="evil"), usage=usage)
    assert (refused.limits, refused.charges, refused.grant) == ((state,), (), None)


def test_unknown_key_and_forbidden_key_look_the_same(policy: Policy) -> None:
    """One reason with one code, whoever asks for whatever is not theirs."""
    unknown = decided(policy, replace(pay(), key="nope"))
    forbidden = decided(policy, replace(pay(), caller="spiffe://firm.example/other"))
    assert codes_of(unknown) == codes_of(forbidden) == [Code.KEY_DENIED]
    assert (unknown.limits, forbidden.limits) == ((), ())


def test_whether_a_caller_may_use_a_key_at_all_is_a_question_of_its_own(policy: Policy) -> None:
    """What cannot be decoded is still refused as the wrong key's caller first."""
    assert denied(policy, "pay", BOT) is None
    for key, caller in (("pay", WALLET), ("nope", BOT)):
        reason = denied(policy, key, caller)
        assert reason is not None
        assert reason.code is Code.KEY_DENIED


def test_an_unknown_key_and_a_forbidden_one_differ_in_the_audit_log_only(policy: Policy) -> None:
    """One code and one rule for the caller; the detail, which it never sees, says which."""
    assert denied(policy, "nope", BOT) == Reason(Code.KEY_DENIED, "keys.nope", "no such key")
    detail = f"no grant names {WALLET}"
    assert denied(policy, "pay", WALLET) == Reason(Code.KEY_DENIED, "keys.pay", detail)


def test_only_validators_may_ask_what_would_become_of_a_request(
    tree: Tree, compiled: Compile
) -> None:
    """A caller that may use the key is told that it is no validator; any other, what it knows."""
    tree["keys"]["pay"]["validators"] = [OFFICERS[0]]
    policy = compiled(tree)
    assert untold(policy, "pay", OFFICERS[0]) is None
    detail = f"{BOT} is not one of the validators"
    refused = Reason(Code.VALIDATION_NOT_ALLOWED, "keys.pay.validators", detail)
    assert untold(policy, "pay", BOT) == refused
    assert untold(policy, "wd", OFFICERS[0]) == denied(policy, "wd", OFFICERS[0]) is not None
    assert untold(policy, "nope", OFFICERS[0]) == denied(policy, "nope", OFFICERS[0]) is not None


TABLE: dict[str, tuple[Ask, Code]] = {
    "format": (replace(pay(), format="ethereum.transaction"), Code.FORMAT_NOT_ALLOWED),
    "expired": (saying(pay(), expires_at=NOON // 1000 - 1), Code.PAYLOAD_EXPIRED),
    "action": (saying(pay(), action="intent.cancel"), Code.ACTION_NOT_ALLOWED),
    "chain for an intent": (saying(pay(), chain_id=1), Code.CHAIN_NOT_ALLOWED),
    "other chain": (send(chain_id=10), Code.CHAIN_NOT_ALLOWED),
    "no chain": (send(chain_id=None), Code.CHAIN_NOT_ALLOWED),
    "unknown asset": (pay(asset="XAU"), Code.ASSET_UNKNOWN),
    "other asset": (pay(asset="EUR"), Code.ASSET_NOT_ALLOWED),
    "nothing moves": (saying(pay(), transfers=()), Code.ASSET_NOT_ALLOWED),
    "only a fee moves": (
        send(transfers=(Transfer(ETH, 1, None, Role.FEE),)),
        Code.ASSET_NOT_ALLOWED,
    ),
    "other destination": (pay(destination="evil"), Code.DESTINATION_NOT_ALLOWED),
    "no destination": (pay(destination=None), Code.DESTINATION_NOT_ALLOWED),
    "one of two destinations": (
        saying(pay(), transfers=(Transfer("USD", 1, "acme"), Transfer("USD", 1, "evil"))),
        Code.DESTINATION_NOT_ALLOWED,
    ),
    "value beside a token": (
        send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer(ETH, 1, OMNIBUS))),
        Code.ASSET_NOT_ALLOWED,
    ),
    "allowance to a stranger": (
        send(transfers=(Transfer(USDC, 1, "0x22", Role.ALLOWANCE),)),
        Code.DESTINATION_NOT_ALLOWED,
    ),
    "somebody else's funds": (saying(pay(), source="acme"), Code.SOURCE_NOT_ALLOWED),
    "one unit over": (pay(1001), Code.LIMIT_PER_REQUEST),
    "two halves, one unit over": (
        saying(pay(), transfers=(Transfer("USD", 500, "acme"), Transfer("USD", 501, "acme"))),
        Code.LIMIT_PER_REQUEST,
    ),
    "gas over its limit": (send(fee=2 * 10**16 + 1), Code.LIMIT_PER_REQUEST),
    "gas in an asset without a limit": (
        send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer("EUR", 1, None, Role.FEE))),
        Code.NO_LIMIT_FOR_ASSET,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_rule_refuses_with_its_own_reason(case: str, policy: Policy) -> None:
    """One thing wrong: refused, with that reason first, and nothing charged."""
    ask, code = TABLE[case]
    decision = decided(policy, ask)
    assert codes_of(decision)[0] is code
    assert decision.charges == ()


@pytest.mark.parametrize(
    "ask",
    [
        pay(1000),  # exactly the limit
        pay(0),
        saying(pay(), expires_at=NOON // 1000),  # the last moment
        saying(pay(), transfers=(Transfer("USD", 500, "acme"), Transfer("USD", 500, "acme"))),
        send(5 * 10**10, fee=2 * 10**16),
    ],
)
def test_exactly_at_the_bounds_is_allowed(ask: Ask, policy: Policy) -> None:
    """A limit is the largest amount that is still allowed."""
    assert decided(policy, ask).allowed


def test_a_negative_amount_is_a_bug_and_signs_nothing(policy: Policy) -> None:
    """It would give budget back, so it is no refusal but an error."""
    with pytest.raises(ValueError, match="negative"):
        decided(policy, pay(-1))


def test_every_failed_rule_is_in_the_answer(policy: Policy) -> None:
    """Payload, grant and limits, in this order, not only the first."""
    ask = saying(pay(9999, "evil", "EUR"), action="x", expires_at=1, source="s", chain_id=5)
    assert codes_of(decided(policy, ask)) == [
        Code.PAYLOAD_EXPIRED,
        Code.ACTION_NOT_ALLOWED,
        Code.CHAIN_NOT_ALLOWED,
        Code.ASSET_NOT_ALLOWED,
        Code.DESTINATION_NOT_ALLOWED,
        Code.SOURCE_NOT_ALLOWED,
        Code.NO_LIMIT_FOR_ASSET,
    ]


def test_reasons_name_the_rule_in_the_document(policy: Policy) -> None:
    """A security officer finds the line that refused, and by how much."""
    decision = decided(policy, pay(3000, "evil"))
    assert [(reason.rule, reason.detail) for reason in decision.reasons] == [
        ("keys.pay.grants.suppliers.destinations", "evil is not listed"),
        ("keys.pay.limits.USD.per_request", "30 USD is more than 10 USD"),
        ("keys.pay.limits.USD.windows.1h.total", "would be 30 USD of 25 USD"),
    ]


VERSION = "keys/pay/versions/"
WORDS: dict[str, tuple[Ask, str]] = {
    "format": (
        replace(pay(), format="ethereum.transaction"),
        "FORMAT_NOT_ALLOWED keys.pay.payloads: ethereum.transaction is not listed",
    ),
    "expired": (
        saying(pay(), expires_at=NOON // 1000 - 1),
        f"PAYLOAD_EXPIRED payload.expires_at: expired at 1795435199 s; it is {NOON} ms",
    ),
    "dated": (
        saying(pay(), timestamp=NOON + 60_001),
        f"PAYLOAD_TIMESTAMP payload.timestamp: dated 1795435260001 ms; it is {NOON} ms",
    ),
    "another algorithm": (
        saying(pay(), algorithm=Algorithm.HMAC_SHA256),
        "PAYLOAD_SIGNER payload.algorithm: names hmac-sha256; the key signs ed25519",
    ),
    "another version": (
        saying(pay(), key_version=f"{VERSION}2"),
        "PAYLOAD_SIGNER payload.key_version: names keys/pay/versions/2; keys/pay/versions/1 signs",
    ),
    "side": (
        saying(pay(), side=Side.BUY, price="1"),
        "ORDER_NOT_ALLOWED keys.pay.grants.suppliers.sides: buy is not listed",
    ),
    "order type": (
        saying(pay(), order_type="LIMIT"),
        "ORDER_NOT_ALLOWED keys.pay.grants.suppliers.order_types: LIMIT is not listed",
    ),
    "unknown asset": (pay(asset="XAU"), "ASSET_UNKNOWN assets: no asset XAU"),
    "no limit": (
        send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer("EUR", 1, None, Role.FEE))),
        "NO_LIMIT_FOR_ASSET keys.wd.limits: EUR has no limit on this key",
    ),
    "count": (
        pay(),
        "LIMIT_WINDOW_COUNT keys.pay.limits.USD.windows.1h.count: would be 4 requests of 3",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_each_reason_says_what_was_found_and_what_would_be_right(case: str, policy: Policy) -> None:
    """Code, rule and detail are whole; what is wrong in one way has one reason first."""
    ask, words = WORDS[case]
    full = Table({HOUR: Used(0, 3 if case == "count" else 0)})
    reason = decided(policy, ask, usage=full).reasons[0]
    assert f"{reason.code} {reason.rule}: {reason.detail}" == words


def test_a_payload_may_name_the_key_that_signs_it(policy: Policy) -> None:
    """The right algorithm and the right version, each alone and both."""
    named = {"algorithm": Algorithm.ED25519, "key_version": f"{VERSION}1"}
    for facts in (named, *({name: value} for name, value in named.items())):
        assert decided(policy, saying(pay(), **facts)).allowed


def test_a_fee_goes_to_no_destination(tree: Tree, compiled: Compile) -> None:
    """An asset that moves only as a fee is charged to no destination's window."""
    tree["keys"]["wd"]["limits"][1]["windows"][0]["per"] = "destination"
    decision = decided(compiled(tree), send())
    assert decision.allowed
    assert [charge.counter.asset for charge in decision.charges] == ["USDC@eip155:1"]


@pytest.mark.parametrize(("skew", "allowed"), [(0, True), (60_000, True), (60_001, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_payload_is_dated_now(skew: int, allowed: bool, sign: int, policy: Policy) -> None:  # noqa: FBT001 — a table
    """What is dated later could be kept and sent then."""
    decision = decided(policy, saying(pay(), timestamp=NOON + sign * skew))
    assert codes_of(decision) == ([] if allowed else [Code.PAYLOAD_TIMESTAMP])


def test_an_amount_is_counted_in_the_decimals_of_its_asset(policy: Policy) -> None:
    """A format with more decimals is rounded up, one with fewer is exact."""
    fine = Transfer("USD", 10**34 + 1, "acme", decimals=36)
    coarse = Transfer("USD", 3, "acme", decimals=0)
    decision = decided(policy, saying(pay(), transfers=(fine, coarse)))
    assert decision.charges[0].amount == 1 + 1 + 300
