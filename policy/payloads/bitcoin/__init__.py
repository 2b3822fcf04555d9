"""Bitcoin: partially signed transactions, what they spend and pay, and what is signed."""

from policy.payloads.bitcoin.decoder import CONSOLIDATION, FORMAT, TAG, TRANSFER
from policy.payloads.bitcoin.script import address_of
from policy.payloads.bitcoin.signed import Signed, assemble

__all__ = ["CONSOLIDATION", "FORMAT", "TAG", "TRANSFER", "Signed", "address_of", "assemble"]
