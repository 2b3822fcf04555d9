"""Hyperliquid: the actions and transfers that wallets sign."""

from policy.payloads.hyperliquid import action, transfer

__all__ = ["action", "transfer"]
