"""Ethereum: what wallets sign on EVM chains, and what a signature makes of it."""

from policy.payloads.ethereum import message, typed_data
from policy.payloads.ethereum.address import of_public_key as address_of
from policy.payloads.ethereum.signed import (
    RECOVERY_OFFSET,
    assemble,
    signing_hash,
    transaction_hash,
)
from policy.payloads.ethereum.transaction import FORMAT, TAG

__all__ = [
    "FORMAT",
    "RECOVERY_OFFSET",
    "TAG",
    "address_of",
    "assemble",
    "message",
    "signing_hash",
    "transaction_hash",
    "typed_data",
]
