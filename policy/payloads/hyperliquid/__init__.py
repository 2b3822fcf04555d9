"""Hyperliquid: the actions that wallets and their agents sign."""

from policy.payloads.hyperliquid.action import FORMAT, TAG

__all__ = ["FORMAT", "TAG"]
