"""Solana: messages that move SOL or one token."""

from policy.payloads.solana.message import FORMAT, TAG

__all__ = ["FORMAT", "TAG"]
