"""Pinned calls of contracts: what a policy may say of one, and what it then reads."""

from collections.abc import Callable
from typing import Any

import pytest

from policy import abi, compare, document, reading
from policy.engine import Unused, decide
from policy.freezes import Freeze, frozen
from policy.model import CONTRACT_CALL, Ask, ContractCall, Decision, Facts, Role, Transfer
from policy.payloads import FORMATS, decode
from policy.problems import PolicyError
from policy.reasons import Code
from policy.rules import Policy
from tests.policy.payloads.examples import OMNIBUS, OMNIBUS_TEXT, USDC_TEXT, call, dynamic_fee
from tests.policy.payloads.typed_examples import SAFE, safe_call, written

Tree = dict[str, Any]
VAULT = "0x3333333333333333333333333333333333333333"
CALLER = "wallet.firm.example"
USDC_REF, ETH_REF = f"eip155:1/erc20:{USDC_TEXT}", "eip155:1/slip44:60"
DEPOSIT: Tree = {
    "signature": "deposit(uint256 assets, address receiver)",
    "amount": "assets",
    "asset": "USDC@eip155:1",
    "destination": "receiver",
}
SUPPLY: Tree = {
    "signature": "supply(address asset,uint256 amount,address onBehalfOf,uint16 referralCode)",
    "amount": "amount",
    "asset_from": "asset",
    "destination": "onBehalfOf",
    "fixed": {"referralCode": "0"},
}
WRAP: Tree = {"signature": "deposit()", "amount": "msg.value"}
CLAIM: Tree = {"signature": "claim(uint256 id,bool now)", "free": ["id"], "fixed": {"now": "true"}}
LEND: Tree = DEPOSIT | {
    "signature": "lend(uint256 assets, address receiver)",
    "role": "allowance",
}
CALLS = {"deposit": DEPOSIT, "supply": SUPPLY, "wrap": WRAP, "claim": CLAIM, "lend": LEND}
SELECTORS = {name: abi.parse(table["signature"]).selector.hex() for name, table in CALLS.items()}


def _tree(calls: Tree, action: str = "call.vault.deposit", **grant: object) -> Tree:
    moved: Tree = {"assets": ["USDC@eip155:1", "ETH@eip155:1"], "destinations": [OMNIBUS_TEXT]}
    limits = [
        {"asset": asset, "per_request": "10", "windows": [{"span": "1h", "total": "10"}]}
        for asset in ("USDC@eip155:1", "ETH@eip155:1")
    ]
    usual = {"id": "g", "callers": [CALLER], "action": action, "chain_ids": [1]} | moved | grant
    key = {
        "algorithm": "ecdsa-secp256k1",
        "payloads": ["ethereum.transaction", "ethereum.typed-data"],
        "grants": [{name: value for name, value in usual.items() if value is not None}],
        "limits": limits,
    }
    return {
        "schema": 1,
        "assets": {"USDC@eip155:1": {"contract": USDC_TEXT, "decimals": 6}},
        "contracts": {"vault": {"address": VAULT, "chain_id": 1, "calls": calls}},
        "keys": {"k": key},
    }


@pytest.fixture(scope="module")
def policy_of(write: Callable[[Tree], str]) -> Callable[..., Policy]:
    """Compile a policy with these calls of one contract, over the real formats."""

    def compiled(calls: Tree, action: str = "call.vault.deposit", **grant: object) -> Policy:
        return document.load(write(_tree(calls, action, **grant)), FORMATS)

    return compiled


def _payload(data: bytes, value: int = 0, to: str = VAULT, chain_id: int = 1) -> bytes:
    fields: Tree = {"to": bytes.fromhex(to[2:]), "value": value, "chain_id": chain_id}
    return dynamic_fee(gas_limit=100_000, data=data, **fields)


def _read(policy: Policy, payload: bytes) -> tuple[Facts, list[Code]]:
    facts, reasons = reading.read(policy, decode("ethereum.transaction", payload).facts)
    return facts, [reason.code for reason in reasons]


def _decided(policy: Policy, payload: bytes, tag: str = "ethereum.transaction") -> Decision:
    ask = Ask("k", tag, CALLER, decode(tag, payload).facts)
    return decide(policy, ask, Unused(), now_ms=0)


READINGS = {
    "deposit": (call(SELECTORS["deposit"], 5, OMNIBUS), 0, Transfer(USDC_REF, 5, OMNIBUS_TEXT)),
    "supply": (
        call(SELECTORS["supply"], bytes.fromhex(USDC_TEXT[2:]), 5, OMNIBUS, 0),
        0,
        Transfer(USDC_REF, 5, OMNIBUS_TEXT),
    ),
    "wrap": (call(SELECTORS["wrap"]), 7, Transfer(ETH_REF, 7, VAULT)),
    "wrap nothing": (call(SELECTORS["wrap"]), 0, Transfer(ETH_REF, 0, VAULT)),
    "claim": (call(SELECTORS["claim"], 2**255, 1), 0, None),
    "lend": (
        call(SELECTORS["lend"], 5, OMNIBUS),
        0,
        Transfer(USDC_REF, 5, OMNIBUS_TEXT, Role.ALLOWANCE),
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_a_pinned_call_is_read(name: str, policy_of: Callable[..., Policy]) -> None:
    """The action is the policy's, what moves is read from the words, and fees stay."""
    data, value, moved = READINGS[name]
    policy = policy_of(CALLS)
    facts, codes = _read(policy, _payload(data, value))
    assert codes == []
    assert facts.action == f"call.vault.{name.split(maxsplit=1)[0]}"
    *payments, fee = facts.transfers
    assert payments == ([moved] if moved else [])
    assert fee.role is Role.FEE
    assert reading.read(policy, facts) == (facts, [])


D, S = SELECTORS["deposit"], SELECTORS["supply"]
UNREAD: dict[str, tuple[bytes, dict[str, Any], Code]] = {
    "another method": (call("d0e30db1", 5, OMNIBUS), {}, Code.CALL_NOT_PINNED),
    "another contract": (
        call(D, 5, OMNIBUS),
        {"to": OMNIBUS_TEXT},
        Code.CALL_NOT_PINNED,
    ),
    "another chain": (call(D, 5, OMNIBUS), {"chain_id": 10}, Code.CALL_NOT_PINNED),
    "coins beside it": (call(D, 5, OMNIBUS), {"value": 1}, Code.CALL_NOT_PINNED),
    "coins beside what moves nothing": (
        call(SELECTORS["claim"], 1, 1),
        {"value": 1},
        Code.CALL_NOT_PINNED,
    ),
    "a word less": (call(D, 5), {}, Code.PAYLOAD_MALFORMED),
    "no words": (call(D), {}, Code.PAYLOAD_MALFORMED),
    "a word more": (call(D, 5, OMNIBUS, 0), {}, Code.PAYLOAD_MALFORMED),
    "a dirty address": (call(D, 5, b"\1" + bytes(11) + OMNIBUS), {}, Code.PAYLOAD_NOT_CANONICAL),
    "a dirty token": (call(S, 2**160, 5, OMNIBUS, 0), {}, Code.PAYLOAD_NOT_CANONICAL),
    "another fixed value": (
        call(S, bytes.fromhex(USDC_TEXT[2:]), 5, OMNIBUS, 1),
        {},
        Code.CALL_NOT_PINNED,
    ),
    "a dirty number": (
        call(S, bytes.fromhex(USDC_TEXT[2:]), 5, OMNIBUS, 2**16),
        {},
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "a dirty bool": (call(SELECTORS["claim"], 1, 2), {}, Code.PAYLOAD_NOT_CANONICAL),
    "the other bool": (call(SELECTORS["claim"], 1, 0), {}, Code.CALL_NOT_PINNED),
}


@pytest.mark.parametrize("name", UNREAD)
def test_another_call_stays_unread_and_is_denied(
    name: str, policy_of: Callable[..., Policy]
) -> None:
    """Whatever is not exactly pinned has no meaning, moves nothing and is refused first."""
    data, fields, code = UNREAD[name]
    policy = policy_of(CALLS)
    facts, codes = _read(policy, _payload(data, **fields))
    assert codes == [code]
    assert facts.action == CONTRACT_CALL
    assert all(moved.role is Role.FEE for moved in facts.transfers)
    decision = _decided(policy, _payload(data, **fields))
    assert decision.reasons[0].code is code


UNREAD_WORDS = {
    "another method": f"contracts: 0xd0e30db1 of {VAULT} on chain 1 is not pinned",
    "coins beside it": (
        "contracts.vault.calls.deposit.amount: deposit is pinned without coins; 1 go with it"
    ),
    "a word less": "contracts.vault.calls.deposit: deposit has 2 arguments, and the call 1",
    "a dirty bool": f"contracts.vault.calls.claim: now: 0x{2:064x} is no bool",
    "the other bool": (
        f"contracts.vault.calls.claim.fixed: now: 0x{0:064x} is not the value that is fixed"
    ),
}


@pytest.mark.parametrize("name", UNREAD_WORDS)
def test_what_stays_unread_is_told_why(name: str, policy_of: Callable[..., Policy]) -> None:
    """The place in the policy, what the call has, and what it should have."""
    data, fields, _ = UNREAD[name]
    reason = _decided(policy_of(CALLS), _payload(data, **fields)).reasons[0]
    assert f"{reason.rule}: {reason.detail}" == UNREAD_WORDS[name]


def test_a_grant_allows_a_pinned_call(policy_of: Callable[..., Policy]) -> None:
    """Within its assets and destinations it is allowed; elsewhere and above, it is not."""
    policy = policy_of(CALLS)
    assert _decided(policy, _payload(call(D, 5, OMNIBUS))).allowed
    elsewhere = _decided(policy, _payload(call(D, 5, bytes.fromhex(VAULT[2:]))))
    assert [item.code for item in elsewhere.reasons] == [Code.DESTINATION_NOT_ALLOWED]
    above = _decided(policy, _payload(call(D, 10**7 + 1, OMNIBUS)))
    assert Code.LIMIT_PER_REQUEST in [item.code for item in above.reasons]
    other = _decided(policy, _payload(call(SELECTORS["lend"], 5, OMNIBUS)))
    assert [item.code for item in other.reasons] == [Code.ACTION_NOT_ALLOWED]


def test_a_call_that_moves_nothing_needs_a_grant_for_nothing(
    policy_of: Callable[..., Policy],
) -> None:
    """Without assets and destinations a grant is for calls that move nothing."""
    policy = policy_of(CALLS, "call.vault.claim", assets=None, destinations=None)
    assert _decided(policy, _payload(call(SELECTORS["claim"], 1, 1))).allowed
    assert not _decided(policy, _payload(call(D, 5, OMNIBUS))).allowed


def test_a_safe_makes_the_same_call_from_its_own_funds(policy_of: Callable[..., Policy]) -> None:
    """A call within a Safe's transaction is read alike, and the Safe must be a source."""
    data = "0x" + call(D, 5, OMNIBUS).hex()
    payload = written(safe_call(data, to=VAULT))
    own = policy_of(CALLS)
    codes = [item.code for item in _decided(own, payload, "ethereum.typed-data").reasons]
    assert codes == [Code.SOURCE_NOT_ALLOWED]
    safe = decode("ethereum.typed-data", payload).facts.source
    assert safe is not None
    assert safe.lower() == SAFE
    safes = policy_of(CALLS, sources=[safe])
    assert _decided(safes, payload, "ethereum.typed-data").allowed


def test_a_frozen_destination_stops_a_pinned_call(policy_of: Callable[..., Policy]) -> None:
    """A freeze sees where a call goes and what it moves, not only the contract."""
    policy = policy_of(CALLS)
    facts = decode("ethereum.transaction", _payload(call(D, 5, OMNIBUS))).facts
    ask = Ask("k", "ethereum.transaction", CALLER, facts)
    for freeze in (Freeze("destination", OMNIBUS_TEXT), Freeze("asset", "USDC@eip155:1")):
        assert frozen(frozenset({freeze}), ask, policy)


BROKEN: dict[str, tuple[Tree, str, str]] = {
    "no signature": (WRAP | {"signature": "deposit"}, "signature", "is not a signature"),
    "no names": (WRAP | {"signature": "f(uint256)"}, "signature", "is not a type and a name"),
    "a short type": (WRAP | {"signature": "f(uint a)"}, "signature", "is not a static type"),
    "a dynamic type": (WRAP | {"signature": "f(bytes a)"}, "signature", "is not a static type"),
    "an array": (WRAP | {"signature": "f(uint256[] a)"}, "signature", "is not a type and a name"),
    "a tuple": (WRAP | {"signature": "f((uint256 a) b)"}, "signature", "is not a type and a name"),
    "a name twice": (
        WRAP | {"signature": "f(bool a,bool a)"},
        "signature",
        "two parameters have the same name",
    ),
    "too many": (
        WRAP | {"signature": f"f({','.join(f'bool a{index}' for index in range(17))})"},
        "signature",
        "17 parameters; at most 16 are read",
    ),
    "a parameter named nowhere": (
        DEPOSIT | {"destination": None},
        "",
        "parameter receiver is named nowhere",
    ),
    "a parameter named twice": (
        DEPOSIT | {"free": ["receiver"]},
        "",
        "parameter receiver is named twice",
    ),
    "an amount that is an address": (
        DEPOSIT | {"amount": "receiver", "destination": None, "free": ["assets"]},
        "amount",
        "receiver is address, not uint",
    ),
    "a destination that is a number": (
        DEPOSIT | {"destination": "assets", "amount": "receiver"},
        "destination",
        "assets is uint256, not address",
    ),
    "no such parameter": (DEPOSIT | {"amount": "much"}, "amount", "much is no parameter; there"),
    "no such free parameter": (WRAP | {"free": ["x"]}, "free", "x is no parameter; there are none"),
    "no such fixed parameter": (WRAP | {"fixed": {"x": "1"}}, "fixed.x", "x is no parameter"),
    "an amount of nothing": (DEPOSIT | {"asset": None}, "", "give an asset or asset_from"),
    "an asset without an amount": (CLAIM | {"asset": "USDC@eip155:1"}, "", "give an asset or"),
    "two assets": (SUPPLY | {"asset": "USDC@eip155:1"}, "", "give an asset or asset_from"),
    "an asset for coins": (WRAP | {"asset": "USDC@eip155:1"}, "", "give an asset or asset_from"),
    "an unknown asset": (DEPOSIT | {"asset": "DAI@eip155:1"}, "asset", "is not defined"),
    "a destination of nothing": (
        CLAIM | {"destination": "id"},
        "",
        "a destination needs an amount",
    ),
    "a fee": (DEPOSIT | {"role": "fee"}, "", "role is payment or allowance"),
    "a fixed number too large": (
        SUPPLY | {"fixed": {"referralCode": "65536"}},
        "fixed.referralCode",
        "is not a whole number, 0 to 65535",
    ),
    "a token's method": (
        DEPOSIT | {"signature": "transfer(address receiver, uint256 assets)"},
        "signature",
        "is a token's: grant erc20.transfer instead",
    ),
    "an unknown field": (
        WRAP | {"gas": 1},
        "gas",
        "unknown field; known here: signature, amount, asset",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_call_names_the_place_and_the_remedy(
    name: str, policy_of: Callable[..., Policy]
) -> None:
    """Each mistake in a call is told with its place."""
    table, field, message = BROKEN[name]
    table = {key: value for key, value in table.items() if value is not None}
    with pytest.raises(PolicyError) as caught:
        policy_of({"deposit": table})
    place = "contracts.vault.calls.deposit" + (f".{field}" if field else "")
    found = caught.value.problems
    assert any(item.path == place and message in item.message for item in found), found


def test_two_calls_of_one_method_are_a_mistake(policy_of: Callable[..., Policy]) -> None:
    """A call has one meaning, whatever its two names."""
    with pytest.raises(PolicyError, match=r"is pinned as call\.vault\.deposit already"):
        policy_of({"deposit": DEPOSIT, "also": DEPOSIT})


def test_coins_of_a_chain_without_a_definition_are_a_mistake(
    write: Callable[[Tree], str],
) -> None:
    """What msg.value moves must have a name."""
    tree = _tree({"deposit": WRAP})
    tree["contracts"]["vault"]["chain_id"] = 999
    with pytest.raises(PolicyError, match="no coin is defined for chain 999"):
        document.load(write(tree), FORMATS)


def test_a_pinned_call_is_granted_to_keys_that_may_call(write: Callable[[Tree], str]) -> None:
    """A key whose payloads hold no calls has no action for one."""
    tree = _tree(CALLS)
    tree["keys"]["k"]["payloads"] = ["ethereum.message"]
    with pytest.raises(PolicyError, match=r"no action call\.vault\.deposit"):
        document.load(write(tree), FORMATS)


@pytest.mark.parametrize("action", ["contract.call", "call.vault.withdraw", "call.other.deposit"])
def test_only_a_pinned_call_can_be_granted(action: str, policy_of: Callable[..., Policy]) -> None:
    """There is no grant for calls in general, nor for one that is not pinned."""
    with pytest.raises(PolicyError, match=f"no action {action}"):
        policy_of(CALLS, action)


CHANGES: dict[str, tuple[Tree, Tree, str]] = {
    "a new call": ({"deposit": DEPOSIT}, CALLS, "+ + + +"),
    "a call less": (CALLS, {"deposit": DEPOSIT}, "- - - -"),
    "another asset": (
        {"deposit": DEPOSIT},
        {"deposit": DEPOSIT | {"asset": "ETH@eip155:1"}},
        "+",
    ),
    "a payment that was an allowance": ({"deposit": LEND}, {"deposit": DEPOSIT}, "+"),
    "free that was fixed": (
        {"deposit": SUPPLY},
        {"deposit": {**SUPPLY, "fixed": {}, "free": ["referralCode"]}},
        "+",
    ),
    "the same": (CALLS, CALLS, ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_meaning_is_looser(name: str, policy_of: Callable[..., Policy]) -> None:
    """A new or changed call cannot be proven tighter, and one less is."""
    before, after, expected = CHANGES[name]
    found = compare.compare(policy_of(before), policy_of(after))
    assert "+" not in expected or compare.is_looser(found)
    marks = {compare.Direction.LOOSER: "+", compare.Direction.TIGHTER: "-"}
    assert " ".join(marks[change.direction] for change in found) == expected
    assert all(change.path.startswith("contracts.vault.calls.") for change in found)
    words = {"+": "is a new call, call.vault." if len(found) > 1 else "means something else"}
    words["-"] = "is removed"
    assert all(change.description.startswith(words[marks[change.direction]]) for change in found)


def test_a_call_reads_the_same_after_it_was_recorded(policy_of: Callable[..., Policy]) -> None:
    """Facts that were read under one policy are read anew under another."""
    facts, _ = _read(policy_of(CALLS), _payload(call(D, 5, OMNIBUS)))
    again, reasons = reading.read(policy_of({"deposit": LEND}), facts)
    assert (again.action, reasons[0].code) == (CONTRACT_CALL, Code.CALL_NOT_PINNED)
    assert again.call == ContractCall(VAULT, 0, call(D, 5, OMNIBUS).hex())
