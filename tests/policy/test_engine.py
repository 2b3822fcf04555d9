"""The decision: each rule, each limit, and the order of the reasons."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.engine import Unused, decide, denied, untold
from policy.model import (
    Ask,
    Charge,
    Counter,
    Decision,
    Facts,
    LimitState,
    Role,
    Side,
    Transfer,
    Used,
)
from policy.reasons import Code, Reason
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

BOT = "spiffe://firm.example/bot"
WALLET = "spiffe://firm.example/wallet"
OFFICERS = [f"spiffe://firm.example/officer/{name}" for name in "ab"]
USDC = "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ETH = "eip155:1/slip44:60"
OMNIBUS = "0x1111111111111111111111111111111111111111"
NOON = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC
HOUR = Counter("pay", "USD", 3_600_000)


class Table:
    """Usage from a plain dictionary."""

    def __init__(self, used: dict[Counter, Used]) -> None:
        self._used = used

    def used(self, counter: Counter) -> Used:
        """Return what was put in."""
        return self._used.get(counter, Used(0, 0))


def _pay(amount: int = 100, destination: str | None = "acme", asset: str = "USD") -> Ask:
    transfer = Transfer(asset, amount, destination)
    return Ask("pay", "intent", BOT, Facts("intent.transfer", (transfer,)))


def _send(amount: int = 10**6, fee: int = 10**15, **facts: Any) -> Ask:
    transfers = (Transfer(USDC, amount, OMNIBUS), Transfer(ETH, fee, None, Role.FEE))
    known: dict[str, Any] = {"action": "erc20.transfer", "transfers": transfers, "chain_id": 1}
    return Ask("wd", "ethereum.transaction", WALLET, Facts(**known | facts))


def _with(ask: Ask, **facts: Any) -> Ask:
    return replace(ask, facts=replace(ask.facts, **facts))


def _codes(decision: Decision) -> list[Code]:
    return [reason.code for reason in decision.reasons]


def _decide(policy: Policy, ask: Ask, **kwargs: Any) -> Decision:
    return decide(policy, ask, kwargs.pop("usage", Unused()), kwargs.pop("now", NOON), **kwargs)


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """The document as it stands."""
    return compiled(tree)


def test_an_allowed_request_names_its_grant_and_charges_every_window(policy: Policy) -> None:
    """Payment and fee are charged, each to the windows of its own asset."""
    day = 86_400_000
    decision = _decide(policy, _send())
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
    assert _decide(policy, _pay(), usage=usage).limits == (state,)
    refused = _decide(policy, _pay(destination="evil"), usage=usage)
    assert (refused.limits, refused.charges, refused.grant) == ((state,), (), None)


def test_unknown_key_and_forbidden_key_look_the_same(policy: Policy) -> None:
    """One reason with one code, whoever asks for whatever is not theirs."""
    unknown = _decide(policy, replace(_pay(), key="nope"))
    forbidden = _decide(policy, replace(_pay(), caller="spiffe://firm.example/other"))
    assert _codes(unknown) == _codes(forbidden) == [Code.KEY_DENIED]
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
    "format": (replace(_pay(), format="ethereum.transaction"), Code.FORMAT_NOT_ALLOWED),
    "expired": (_with(_pay(), expires_at=NOON // 1000 - 1), Code.PAYLOAD_EXPIRED),
    "action": (_with(_pay(), action="intent.cancel"), Code.ACTION_NOT_ALLOWED),
    "chain for an intent": (_with(_pay(), chain_id=1), Code.CHAIN_NOT_ALLOWED),
    "other chain": (_send(chain_id=10), Code.CHAIN_NOT_ALLOWED),
    "no chain": (_send(chain_id=None), Code.CHAIN_NOT_ALLOWED),
    "unknown asset": (_pay(asset="XAU"), Code.ASSET_UNKNOWN),
    "other asset": (_pay(asset="EUR"), Code.ASSET_NOT_ALLOWED),
    "nothing moves": (_with(_pay(), transfers=()), Code.ASSET_NOT_ALLOWED),
    "only a fee moves": (
        _send(transfers=(Transfer(ETH, 1, None, Role.FEE),)),
        Code.ASSET_NOT_ALLOWED,
    ),
    "other destination": (_pay(destination="evil"), Code.DESTINATION_NOT_ALLOWED),
    "no destination": (_pay(destination=None), Code.DESTINATION_NOT_ALLOWED),
    "one of two destinations": (
        _with(_pay(), transfers=(Transfer("USD", 1, "acme"), Transfer("USD", 1, "evil"))),
        Code.DESTINATION_NOT_ALLOWED,
    ),
    "value beside a token": (
        _send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer(ETH, 1, OMNIBUS))),
        Code.ASSET_NOT_ALLOWED,
    ),
    "allowance to a stranger": (
        _send(transfers=(Transfer(USDC, 1, "0x22", Role.ALLOWANCE),)),
        Code.DESTINATION_NOT_ALLOWED,
    ),
    "somebody else's funds": (_with(_pay(), source="acme"), Code.SOURCE_NOT_ALLOWED),
    "one unit over": (_pay(1001), Code.LIMIT_PER_REQUEST),
    "two halves, one unit over": (
        _with(_pay(), transfers=(Transfer("USD", 500, "acme"), Transfer("USD", 501, "acme"))),
        Code.LIMIT_PER_REQUEST,
    ),
    "gas over its limit": (_send(fee=2 * 10**16 + 1), Code.LIMIT_PER_REQUEST),
    "gas in an asset without a limit": (
        _send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer("EUR", 1, None, Role.FEE))),
        Code.NO_LIMIT_FOR_ASSET,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_rule_refuses_with_its_own_reason(case: str, policy: Policy) -> None:
    """One thing wrong: refused, with that reason first, and nothing charged."""
    ask, code = TABLE[case]
    decision = _decide(policy, ask)
    assert _codes(decision)[0] is code
    assert decision.charges == ()


@pytest.mark.parametrize(
    "ask",
    [
        _pay(1000),  # exactly the limit
        _pay(0),
        _with(_pay(), expires_at=NOON // 1000),  # the last moment
        _with(_pay(), transfers=(Transfer("USD", 500, "acme"), Transfer("USD", 500, "acme"))),
        _send(5 * 10**10, fee=2 * 10**16),
    ],
)
def test_exactly_at_the_bounds_is_allowed(ask: Ask, policy: Policy) -> None:
    """A limit is the largest amount that is still allowed."""
    assert _decide(policy, ask).allowed


@pytest.mark.parametrize(
    ("used", "codes"),
    [
        (Used(2400, 2), []),
        (Used(2401, 2), [Code.LIMIT_WINDOW_TOTAL]),
        (Used(0, 3), [Code.LIMIT_WINDOW_COUNT]),
        (Used(2500, 3), [Code.LIMIT_WINDOW_TOTAL, Code.LIMIT_WINDOW_COUNT]),
    ],
)
def test_a_window_bounds_total_and_count(used: Used, codes: list[Code], policy: Policy) -> None:
    """Up to the bound and not one unit or request more."""
    assert _codes(_decide(policy, _pay(100), usage=Table({HOUR: used}))) == codes


def test_a_negative_amount_is_a_bug_and_signs_nothing(policy: Policy) -> None:
    """It would give budget back, so it is no refusal but an error."""
    with pytest.raises(ValueError, match="negative"):
        _decide(policy, _pay(-1))


def test_every_failed_rule_is_in_the_answer(policy: Policy) -> None:
    """Payload, grant and limits, in this order, not only the first."""
    ask = _with(_pay(9999, "evil", "EUR"), action="x", expires_at=1, source="s", chain_id=5)
    assert _codes(_decide(policy, ask)) == [
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
    decision = _decide(policy, _pay(3000, "evil"))
    assert [(reason.rule, reason.detail) for reason in decision.reasons] == [
        ("keys.pay.grants.suppliers.destinations", "evil is not listed"),
        ("keys.pay.limits.USD.per_request", "30 USD is more than 10 USD"),
        ("keys.pay.limits.USD.windows.1h.total", "would be 30 USD of 25 USD"),
    ]


VERSION = "keys/pay/versions/"
WORDS: dict[str, tuple[Ask, str]] = {
    "format": (
        replace(_pay(), format="ethereum.transaction"),
        "FORMAT_NOT_ALLOWED keys.pay.payloads: ethereum.transaction is not listed",
    ),
    "expired": (
        _with(_pay(), expires_at=NOON // 1000 - 1),
        f"PAYLOAD_EXPIRED payload.expires_at: expired at 1795435199 s; it is {NOON} ms",
    ),
    "dated": (
        _with(_pay(), timestamp=NOON + 60_001),
        f"PAYLOAD_TIMESTAMP payload.timestamp: dated 1795435260001 ms; it is {NOON} ms",
    ),
    "another algorithm": (
        _with(_pay(), algorithm=Algorithm.HMAC_SHA256),
        "PAYLOAD_SIGNER payload.algorithm: names hmac-sha256; the key signs ed25519",
    ),
    "another version": (
        _with(_pay(), key_version=f"{VERSION}2"),
        "PAYLOAD_SIGNER payload.key_version: names keys/pay/versions/2; keys/pay/versions/1 signs",
    ),
    "side": (
        _with(_pay(), side=Side.BUY, price="1"),
        "ORDER_NOT_ALLOWED keys.pay.grants.suppliers.sides: buy is not listed",
    ),
    "order type": (
        _with(_pay(), order_type="LIMIT"),
        "ORDER_NOT_ALLOWED keys.pay.grants.suppliers.order_types: LIMIT is not listed",
    ),
    "unknown asset": (_pay(asset="XAU"), "ASSET_UNKNOWN assets: no asset XAU"),
    "no limit": (
        _send(transfers=(Transfer(USDC, 1, OMNIBUS), Transfer("EUR", 1, None, Role.FEE))),
        "NO_LIMIT_FOR_ASSET keys.wd.limits: EUR has no limit on this key",
    ),
    "count": (
        _pay(),
        "LIMIT_WINDOW_COUNT keys.pay.limits.USD.windows.1h.count: would be 4 requests of 3",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_each_reason_says_what_was_found_and_what_would_be_right(case: str, policy: Policy) -> None:
    """Code, rule and detail are whole; what is wrong in one way has one reason first."""
    ask, words = WORDS[case]
    full = Table({HOUR: Used(0, 3 if case == "count" else 0)})
    reason = _decide(policy, ask, usage=full).reasons[0]
    assert f"{reason.code} {reason.rule}: {reason.detail}" == words


def test_a_payload_may_name_the_key_that_signs_it(policy: Policy) -> None:
    """The right algorithm and the right version, each alone and both."""
    named = {"algorithm": Algorithm.ED25519, "key_version": f"{VERSION}1"}
    for facts in (named, *({name: value} for name, value in named.items())):
        assert _decide(policy, _with(_pay(), **facts)).allowed


def test_a_fee_goes_to_no_destination(tree: Tree, compiled: Compile) -> None:
    """An asset that moves only as a fee is charged to no destination's window."""
    tree["keys"]["wd"]["limits"][1]["windows"][0]["per"] = "destination"
    decision = _decide(compiled(tree), _send())
    assert decision.allowed
    assert [charge.counter.asset for charge in decision.charges] == ["USDC@eip155:1"]


def _second(tree: Tree, **fields: Any) -> None:
    grants = tree["keys"]["pay"]["grants"]
    grants.append(grants[0] | {"id": "more"} | fields)


def test_grants_are_alternatives(tree: Tree, compiled: Compile) -> None:
    """One grant that matches in full is enough."""
    _second(tree, destinations=["other"])
    decision = _decide(compiled(tree), _pay(destination="other"))
    assert decision.grant == "more"


def test_grants_do_not_add_up(tree: Tree, compiled: Compile) -> None:
    """Half of one grant and half of another allow nothing."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    _second(tree, destinations=["other"], assets=["EUR"])
    assert not _decide(compiled(tree), _pay(destination="other")).allowed


def test_another_grant_does_not_get_round_a_limit(tree: Tree, compiled: Compile) -> None:
    """Limits hold whichever grant matches."""
    _second(tree)
    assert _codes(_decide(compiled(tree), _pay(1001))) == [Code.LIMIT_PER_REQUEST]


def test_a_grant_of_somebody_else_explains_nothing(tree: Tree, compiled: Compile) -> None:
    """Only the grants that name the caller are in the reasons."""
    _second(tree, callers=["spiffe://firm.example/other"], destinations=["evil"])
    decision = _decide(compiled(tree), _pay(destination="evil"))
    assert [reason.rule for reason in decision.reasons] == [
        "keys.pay.grants.suppliers.destinations"
    ]


def test_the_nearest_grant_speaks_first(tree: Tree, compiled: Compile) -> None:
    """The grant with the fewest failures is the one that the caller meant."""
    _second(tree, id="a", assets=["EUR"])
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    decision = _decide(compiled(tree), _pay(destination="evil"))
    assert [reason.rule.split(".")[3] for reason in decision.reasons] == ["suppliers", "a", "a"]


def _approve(tree: Tree, **fields: Any) -> None:
    approval = {"above": "5", "quorum": 2, "approvers": OFFICERS} | fields
    tree["keys"]["pay"]["grants"][0]["approval"] = approval


@pytest.mark.parametrize(
    ("amount", "approved_by", "allowed"),
    [
        (500, [], True),
        (501, [], False),
        (501, OFFICERS[:1], False),
        (501, [*OFFICERS[:1], "spiffe://firm.example/stranger"], False),
        (501, OFFICERS, True),
    ],
)
def test_larger_amounts_take_a_quorum(
    amount: int,
    approved_by: list[str],
    allowed: bool,  # noqa: FBT001 — a table
    tree: Tree,
    compiled: Compile,
) -> None:
    """Above the bound, enough of the named approvers must agree; nobody else counts."""
    _approve(tree)
    decision = _decide(compiled(tree), _pay(amount), approved_by=frozenset(approved_by))
    assert decision.allowed is allowed
    assert allowed or _codes(decision) == [Code.APPROVAL_REQUIRED]


@pytest.mark.parametrize("assets", [["USD", "EUR"], ["EUR", "USD"]])
def test_the_assets_that_need_approval_are_named_in_one_order(
    assets: list[str], tree: Tree, compiled: Compile
) -> None:
    """The order of a document's lists shows nowhere, not even in the details."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    tree["keys"]["pay"]["grants"][0]["assets"] = assets
    _approve(tree)
    ask = _with(_pay(), transfers=tuple(Transfer(name, 501, "acme") for name in assets))
    assert _decide(compiled(tree), ask).reasons[0].detail == "EUR, USD: 0 of 2 approvals"


def test_only_what_moves_needs_approval(tree: Tree, compiled: Compile) -> None:
    """Not another asset of the grant, where everything above nothing needs it."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    tree["keys"]["pay"]["grants"][0]["assets"] = ["USD", "EUR"]
    _approve(tree)
    tree["keys"]["pay"]["grants"][0]["approval"]["above"] = "0"
    assert _decide(compiled(tree), _pay(1)).reasons[0].detail == "USD: 0 of 2 approvals"


def test_nobody_approves_a_request_of_their_own(tree: Tree, compiled: Compile) -> None:
    """The caller is an approver like others, but not of what it asks for itself."""
    _approve(tree, quorum=1, approvers=[BOT, OFFICERS[0]])
    policy = compiled(tree)
    assert not _decide(policy, _pay(501), approved_by=frozenset({BOT})).allowed
    assert _decide(policy, _pay(501), approved_by=frozenset(OFFICERS[:1])).allowed


def test_a_missing_approval_speaks_before_any_other_single_failure(
    tree: Tree, compiled: Compile
) -> None:
    """It is what the caller can do something about."""
    _second(tree, id="a", destinations=["other"])
    _approve(tree)
    assert _codes(_decide(compiled(tree), _pay(501))) == [
        Code.APPROVAL_REQUIRED,
        Code.DESTINATION_NOT_ALLOWED,
    ]


def test_a_grant_is_closed_outside_its_hours(tree: Tree, compiled: Compile) -> None:
    """The time of the decision counts, on the wall clock of the grant."""
    hours = {"tz": "Asia/Tokyo", "days": "mon", "from": "21:00", "to": "22:00"}
    tree["keys"]["pay"]["grants"][0]["hours"] = hours
    policy = compiled(tree)
    assert _decide(policy, _pay()).allowed
    assert _codes(_decide(policy, _pay(), now=NOON - 1)) == [Code.OUTSIDE_HOURS]
    assert _codes(_decide(policy, _pay(), now=NOON + 3_600_000)) == [Code.OUTSIDE_HOURS]


def test_sources_are_named_one_by_one(tree: Tree, compiled: Compile) -> None:
    """A grant with sources moves theirs, and not the key's own funds."""
    grant = tree["keys"]["wd"]["grants"][0]
    grant |= {"action": "erc20.transferFrom", "sources": ["@treasury"]}
    policy, ask = compiled(tree), _send(action="erc20.transferFrom", source=OMNIBUS)
    assert _decide(policy, ask).allowed
    assert _codes(_decide(policy, _with(ask, source="0x22"))) == [Code.SOURCE_NOT_ALLOWED]
    assert _codes(_decide(policy, _with(ask, source=None))) == [Code.SOURCE_NOT_ALLOWED]


def test_a_total_and_a_count_are_each_optional(tree: Tree, compiled: Compile) -> None:
    """A window without one of its bounds does not bound it."""
    tree["keys"]["pay"]["limits"][0]["windows"] = [
        {"span": "1h", "total": "25"},
        {"span": "2h", "count": 3},
    ]
    day = Counter("pay", "USD", 7_200_000)
    usage = Table({HOUR: Used(0, 10**6), day: Used(10**9, 2)})
    assert _decide(compiled(tree), _pay(), usage=usage).allowed


ORDER_GRANT = {
    "venues": ["binance"],
    "symbols": ["BTCUSDT"],
    "sides": ["buy", "sell"],
    "order_types": ["LIMIT"],
    "worst_price": {"buy": "70000", "sell": "50000.5"},
}
ORDER = {
    "venue": "binance",
    "symbol": "BTCUSDT",
    "side": Side.BUY,
    "order_type": "LIMIT",
    "price": "70000",
}


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"side": Side.SELL, "price": "50000.5"}, []),
        ({"venue": "okx"}, [Code.ORDER_NOT_ALLOWED]),
        ({"venue": None}, [Code.ORDER_NOT_ALLOWED]),
        ({"symbol": "ETHUSDT"}, [Code.ORDER_NOT_ALLOWED]),
        (
            {"order_type": "MARKET", "price": None},
            [Code.PRICE_NOT_ALLOWED, Code.ORDER_NOT_ALLOWED, Code.PRICE_NOT_ALLOWED],
        ),
        ({"side": None}, [Code.ORDER_NOT_ALLOWED, Code.PRICE_NOT_ALLOWED]),
        ({"price": "70000.000000000000000000000000000000000001"}, [Code.PRICE_NOT_ALLOWED]),
        ({"side": Side.SELL, "price": "50000.4"}, [Code.PRICE_NOT_ALLOWED]),
        ({"session": True}, [Code.SESSION_NOT_ALLOWED]),
    ],
)
def test_an_order_is_granted_field_by_field(
    facts: dict[str, Any], codes: list[Code], tree: Tree, compiled: Compile
) -> None:
    """Venue, symbol, side and type are listed; a price may be as bad as the grant says."""
    tree["keys"]["pay"]["grants"][0] |= ORDER_GRANT
    assert _codes(_decide(compiled(tree), _with(_pay(), **(ORDER | facts)))) == codes


@pytest.mark.parametrize("fact", ["venue", "symbol", "side", "order_type"])
def test_what_a_grant_does_not_list_is_denied(fact: str, policy: Policy) -> None:
    """An order needs a grant that speaks of orders."""
    asked = _with(_pay(), **{"price": "1", fact: ORDER[fact]})
    assert _codes(_decide(policy, asked)) == [Code.ORDER_NOT_ALLOWED]


def test_a_side_without_a_price_is_denied(tree: Tree, compiled: Compile) -> None:
    """A worst price for buys says nothing good about sales."""
    tree["keys"]["pay"]["grants"][0] |= ORDER_GRANT | {"worst_price": {"buy": "1"}}
    asked = _with(_pay(), **(ORDER | {"side": Side.SELL}))
    assert _codes(_decide(compiled(tree), asked)) == [Code.PRICE_NOT_ALLOWED]


def test_a_session_is_granted_by_name(tree: Tree, compiled: Compile) -> None:
    """A grant without assets lets a logon pass that moves nothing, and no payment."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant["session"] = True
    del grant["assets"], grant["destinations"]
    policy = compiled(tree)
    assert _decide(policy, _with(_pay(), session=True, transfers=())).allowed
    refused = _decide(policy, _with(_pay(), session=True))
    assert _codes(refused) == [Code.ASSET_NOT_ALLOWED, Code.DESTINATION_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("10.2.0.0", False),
        ("::ffff:10.2.0.0", False),
        ("2001:db9::", False),
        ("10.1.2.3:443", False),
        ("unix", False),
        (None, False),
    ],
)
def test_a_caller_comes_from_its_network(
    address: str | None,
    allowed: bool,  # noqa: FBT001 — a table
    tree: Tree,
    compiled: Compile,
) -> None:
    """IPv4 is the same over either kind of socket; what is no address is nowhere."""
    tree["keys"]["pay"]["grants"][0]["networks"] = ["10.1.0.0/16", "2001:db8::/32"]
    decision = _decide(compiled(tree), replace(_pay(), address=address))
    assert _codes(decision) == ([] if allowed else [Code.NETWORK_NOT_ALLOWED])


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        (NOON - 1, [Code.GRANT_NOT_IN_FORCE]),
        (NOON, []),
        (NOON + 59_999, []),
        (NOON + 60_000, [Code.GRANT_NOT_IN_FORCE]),
    ],
)
def test_a_grant_begins_and_ends(
    now: int, codes: list[Code], tree: Tree, compiled: Compile
) -> None:
    """From its first millisecond up to its end, which is excluded."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant |= {"not_before": "2026-11-23T12:00:00Z", "expires": "2026-11-23T12:01:00Z"}
    assert _codes(_decide(compiled(tree), _pay(), now=now)) == codes


@pytest.mark.parametrize(("skew", "allowed"), [(0, True), (60_000, True), (60_001, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_payload_is_dated_now(skew: int, allowed: bool, sign: int, policy: Policy) -> None:  # noqa: FBT001 — a table
    """What is dated later could be kept and sent then."""
    decision = _decide(policy, _with(_pay(), timestamp=NOON + sign * skew))
    assert _codes(decision) == ([] if allowed else [Code.PAYLOAD_TIMESTAMP])


def test_an_amount_is_counted_in_the_decimals_of_its_asset(policy: Policy) -> None:
    """A format with more decimals is rounded up, one with fewer is exact."""
    fine = Transfer("USD", 10**34 + 1, "acme", decimals=36)
    coarse = Transfer("USD", 3, "acme", decimals=0)
    decision = _decide(policy, _with(_pay(), transfers=(fine, coarse)))
    assert decision.charges[0].amount == 1 + 1 + 300


OTHER = "spiffe://firm.example/other-bot"


def test_each_caller_has_a_window_of_its_own(tree: Tree, compiled: Compile) -> None:
    """What one caller spent does not count for another; each counter is named after it."""
    key = tree["keys"]["pay"]
    key["grants"][0]["callers"] = [BOT, OTHER]
    key["limits"][0]["windows"] = [{"span": "1h", "total": "25", "per": "caller"}]
    counters = [Counter(f"pay caller {caller}", "USD", 3_600_000) for caller in (BOT, OTHER)]
    usage = Table({counters[0]: Used(2450, 1)})
    policy = compiled(tree)
    refused = _decide(policy, _pay(), usage=usage)
    assert _codes(refused) == [Code.LIMIT_WINDOW_TOTAL]
    assert refused.reasons[0].rule == "keys.pay.limits.USD.windows.1h.caller.total"
    allowed = _decide(policy, replace(_pay(), caller=OTHER), usage=usage)
    assert allowed.charges == (Charge(counters[1], 100),)


def test_each_destination_has_a_window_of_its_own(tree: Tree, compiled: Compile) -> None:
    """Transfers to one place are summed, and each place is charged its part; a fee to none."""
    key = tree["keys"]["pay"]
    key["grants"][0]["destinations"] = ["acme", "zoo"]
    key["limits"][0]["windows"] = [{"span": "1h", "total": "3", "per": "destination"}]
    parts = (("acme", 200), ("zoo", 50), ("acme", 100))
    transfers = tuple(Transfer("USD", amount, place) for place, amount in parts)
    fee = Transfer("USD", 10, None, Role.FEE)
    policy = compiled(tree)
    decision = _decide(policy, _with(_pay(), transfers=(*transfers, fee)))
    assert decision.charges == (
        Charge(Counter("pay destination acme", "USD", 3_600_000), 300),
        Charge(Counter("pay destination zoo", "USD", 3_600_000), 50),
    )
    more = _with(_pay(), transfers=(*transfers, Transfer("USD", 1, "acme")))
    assert _codes(_decide(policy, more)) == [Code.LIMIT_WINDOW_TOTAL]


def test_the_keys_of_a_group_are_counted_together(tree: Tree, compiled: Compile) -> None:
    """One counter, whichever key is charged, beside the key's own windows."""
    tree["keys"]["other"] = tree["keys"]["pay"]
    limits = [{"asset": "USD", "windows": [{"span": "1d", "total": "12"}]}]
    tree["groups"] = {"desk": {"keys": ["wd", "pay", "other"], "limits": limits}}
    shared = Counter("group desk", "USD", 86_400_000)
    policy = compiled(tree)
    for key in ("pay", "other"):
        asked = replace(_pay(), key=key)
        charges = _decide(policy, asked).charges
        assert charges == (Charge(Counter(key, "USD", 3_600_000), 100), Charge(shared, 100))
        refused = _decide(policy, asked, usage=Table({shared: Used(1101, 1)}))
        assert [reason.rule for reason in refused.reasons] == [
            "groups.desk.limits.USD.windows.1d.total"
        ]


def test_a_pause_between_requests_is_a_window_of_one(tree: Tree, compiled: Compile) -> None:
    """A caller's next request has to wait for the span."""
    window = {"span": "30s", "count": 1, "per": "caller"}
    tree["keys"]["pay"]["limits"][0]["windows"] = [window]
    counter = Counter(f"pay caller {BOT}", "USD", 30_000)
    refused = _decide(compiled(tree), _pay(), usage=Table({counter: Used(1, 1)}))
    assert _codes(refused) == [Code.LIMIT_WINDOW_COUNT]


def test_a_grant_is_open_in_any_of_its_hours(tree: Tree, compiled: Compile) -> None:
    """Two windows on the same day, closed in between."""
    hours = {"tz": "UTC", "days": "mon"}
    morning, evening = (
        hours | {"from": "08:00", "to": "12:00"},
        hours | {"from": "13:00", "to": "18:00"},
    )
    tree["keys"]["pay"]["grants"][0]["hours"] = [morning, evening]
    policy = compiled(tree)
    assert _codes(_decide(policy, _pay())) == [Code.OUTSIDE_HOURS]
    for now in (NOON - 1, NOON + 3_600_000):
        assert _decide(policy, _pay(), now=now).allowed
