"""Pinned calls of a contract, edits of them and calls of it, each from a seed."""

from random import Random
from typing import Any

from policy import abi
from policy.contracts import ACTION, VALUE
from policy.model import CONTRACT_CALL, ContractCall, Facts, Role, Transfer

Tree = dict[str, Any]

CONTRACT = "0x3333333333333333333333333333333333333333"
HOLDER = "0x1111111111111111111111111111111111111111"
ETH = "ETH@eip155:1"
HOMES = (CONTRACT, HOLDER)
NAMES = ("put", "wrap", "tick")
ACTIONS = tuple(f"{ACTION}vault.{name}" for name in NAMES)
_WEI = 10**18


def contracts(random: Random) -> Tree:
    """Return the contracts of a document: one, with every call."""
    calls = {name: _call(random, name) for name in NAMES}
    return {"vault": {"address": CONTRACT, "chain_id": 1, "calls": calls}}


def edit(random: Random, tree: Tree) -> None:
    """Let a call mean something else, or take it away."""
    calls = tree["contracts"]["vault"]["calls"]
    name = random.choice(sorted(calls))
    if random.random() < 0.2 and len(calls) > 1:
        del calls[name]
    else:
        calls[name] = _call(random, name)


def _call(random: Random, name: str) -> Tree:
    if name == "tick":
        number = {"free": ["id"]} if random.random() < 0.5 else {}
        fixed = {"now": random.choice(("true", "false"))} | ({} if number else {"id": "7"})
        return {"signature": "tick(uint8 id, bool now)", "fixed": fixed} | number
    role = {"role": random.choice(("payment", "allowance"))} if random.random() < 0.5 else {}
    if name == "wrap":
        return {"signature": "wrap()", "amount": VALUE} | role
    place = {"destination": "to"} if random.random() < 0.5 else {"free": ["to"]}
    asset = random.choice((ETH, "USD"))
    return {"signature": "put(uint256 sum, address to)", "amount": "sum", "asset": asset} | (
        place | role
    )


def grant(random: Random) -> Tree:
    """Return what a grant of a call says."""
    action = random.choice(ACTIONS)
    said: Tree = {"action": action, "chain_ids": [1]}
    if action != ACTIONS[2]:
        count = random.randint(1, len(HOMES))
        said |= {"assets": [ETH], "destinations": random.sample(HOMES, count)}
    return said


def facts(random: Random, action: str, **said: Any) -> Facts:
    """Return what a decoder makes of a call that a grant may allow."""
    name = action.rpartition(".")[2]
    value = random.choice((1, 2, 3, 8)) * _WEI if name == "wrap" else random.choice((0, 0, 0, 1))
    fees = (Transfer(ETH, random.choice((0, 1, _WEI)), None, Role.FEE),)
    call = ContractCall(CONTRACT, value, _data(random, name))
    return Facts(CONTRACT_CALL, fees, 1, call=call, **said)


def _data(random: Random, name: str) -> str:
    signature, words = {
        "put": (
            "put(uint256 sum, address to)",
            (str(random.choice((0, 1, 2, 3, 8, _WEI, 2 * _WEI))), random.choice(HOMES)),
        ),
        "wrap": ("wrap()", ()),
        "tick": (
            "tick(uint8 id, bool now)",
            (random.choice(("7", "7", "8", "9")), random.choice(("true", "false"))),
        ),
    }[name]
    method = abi.parse(signature)
    written = (item.write(text) for item, text in zip(method.parameters, words, strict=True))
    return (method.selector + b"".join(written)).hex()
