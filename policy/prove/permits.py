"""Permits and authorisations as typed data: what a signature gives to whoever holds it."""

from collections.abc import Callable, Mapping
from typing import Any

from policy.model import Facts, Transfer
from policy.payloads.ethereum import permits
from policy.payloads.ethereum.pinned import NATIVE, Schema

_NAME = "Token"  # no token's name is pinned
_NONCE = "0"

Members = dict[str, object]
Message = Callable[[Facts, list[Transfer], str], Members]
"""The message of a permit, from what is wanted, what it moves and when it expires."""

SCHEMAS: Mapping[str, Schema] = {min(item.actions): item for item in permits.SCHEMAS}


def message(facts: Facts, expires_at: int) -> Members:
    """Return the members of the message that gives what the facts say, until then."""
    return _MESSAGES[facts.action](facts, list(facts.transfers), str(expires_at))


def domain(facts: Facts) -> Members:
    """Return the members of its domain: the token, or Permit2."""
    pinned: Mapping[str, Any] = SCHEMAS[facts.action].pinned
    contract = pinned.get("verifyingContract", _token(facts.transfers[0]))
    return {
        "name": pinned.get("name", _NAME),
        "chainId": facts.chain_id,
        "verifyingContract": str(contract).lower(),
    }


def _permit(facts: Facts, moved: list[Transfer], until: str) -> Members:
    said: Members = {"owner": _small(facts.source), "spender": _small(moved[0].destination)}
    return said | {"value": str(moved[0].amount), "nonce": _NONCE, "deadline": until}


def _authorization(facts: Facts, moved: list[Transfer], until: str) -> Members:
    said: Members = {"from": _small(facts.source), "to": _small(moved[0].destination)}
    valid = {"validAfter": "0", "validBefore": until, "nonce": "0x" + bytes(32).hex()}
    return said | valid | {"value": str(moved[0].amount)}


def _allowance(_: Facts, moved: list[Transfer], until: str) -> Members:
    details = [_part(item) | {"expiration": until, "nonce": _NONCE} for item in moved]
    spender = _small(moved[0].destination)
    return {"details": details, "spender": spender, "sigDeadline": until}


def _transfer(_: Facts, moved: list[Transfer], until: str) -> Members:
    said: Members = {"spender": _small(moved[0].destination), "nonce": _NONCE, "deadline": until}
    return said | {"permitted": [_part(item) for item in moved]}


def _alone(name: str, of_many: Message) -> Message:
    """Make the message of one transfer from that of several."""

    def of_one(facts: Facts, moved: list[Transfer], until: str) -> Members:
        said: dict[str, Any] = of_many(facts, moved[:1], until)
        return said | {name: said[name][0]}

    return of_one


def _part(item: Transfer) -> Members:
    return {"token": _token(item), "amount": str(item.amount)}


def _token(item: Transfer) -> str:
    """Return the token's contract; of a coin, its usual stand-in."""
    kind, _, contract = item.asset.rpartition("/")[2].partition(":")
    return (contract if kind == "erc20" else NATIVE).lower()


def _small(address: str | None) -> str:
    return str(address).lower()


_MESSAGES: Mapping[str, Message] = {
    permits.PERMIT: _permit,
    permits.TRANSFER: _authorization,
    permits.RECEIVE: _authorization,
    "permit2.permit": _alone("details", _allowance),
    "permit2.permitBatch": _allowance,
    "permit2.transferFrom": _alone("permitted", _transfer),
    "permit2.batchTransferFrom": _transfer,
}
