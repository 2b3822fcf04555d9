"""Requests to decide, and what was decided of them."""

from typing import Any

from msgspec.structs import replace

from policy.engine import Unused, decide
from policy.model import Ask, Counter, Decision, Facts, Role, Transfer, Used
from policy.reasons import Code
from policy.rules import Policy

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


def pay(amount: int = 100, destination: str | None = "acme", asset: str = "USD") -> Ask:
    """Return a request to pay a supplier."""
    transfer = Transfer(asset, amount, destination)
    return Ask("pay", "intent", BOT, Facts("intent.transfer", (transfer,)))


def send(amount: int = 10**6, fee: int = 10**15, **facts: Any) -> Ask:
    """Return a request to pay out a token, with its gas."""
    transfers = (Transfer(USDC, amount, OMNIBUS), Transfer(ETH, fee, None, Role.FEE))
    known: dict[str, Any] = {"action": "erc20.transfer", "transfers": transfers, "chain_id": 1}
    return Ask("wd", "ethereum.transaction", WALLET, Facts(**known | facts))


def saying(ask: Ask, **facts: Any) -> Ask:
    """Return the request with other facts."""
    return replace(ask, facts=replace(ask.facts, **facts))


def codes_of(decision: Decision) -> list[Code]:
    """Return the codes of its reasons."""
    return [reason.code for reason in decision.reasons]


def decided(policy: Policy, ask: Ask, **kwargs: Any) -> Decision:
    """Decide a request at noon, when nothing was spent."""
    return decide(policy, ask, kwargs.pop("usage", Unused()), kwargs.pop("now", NOON), **kwargs)
