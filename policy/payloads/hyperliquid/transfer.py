"""``hyperliquid.transfer``: USDC to another account or to the bridge.

Documented in ``docs/hyperliquid.transfer.md``. The payload is the action as it will
be sent, in canonical JSON (RFC 8785); its typed data is made here.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and every member
of the payload goes into the facts or the message.
"""

import re
from collections.abc import Mapping

from policy import fields
from policy.algorithms import Algorithm, Digest
from policy.model import Decoded, Facts, Format
from policy.payloads import canonical_json
from policy.payloads.exchange import trade
from policy.payloads.hyperliquid import members, typed_data
from policy.reasons import Code, PayloadError

TAG = "hyperliquid.transfer"
SEND, WITHDRAWAL = "hyperliquid.send", "hyperliquid.withdrawal"
KINDS: Mapping[str, tuple[str, str]] = {  # by action type: our action, the primary type's end
    "usdSend": (SEND, "UsdSend"),
    "withdraw3": (WITHDRAWAL, "Withdraw"),
}
MARKETS = {"Mainnet": "hyperliq:perp", "Testnet": "hyperliq:testnet"}
CHAIN_IDS = {"0x66eee": 421_614, "0xa4b1": 42_161}  # those of the venue's own clients
_MEMBERS = frozenset(
    {"type", "hyperliquidChain", "signatureChainId", "destination", "amount", "time"}
)
_DESTINATION = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


def decode(payload: bytes) -> Decoded:
    """Read a transfer; the message is that of its typed data.

    Raises:
        PayloadError: it is not one, or not canonical.
    """
    action = members.members(canonical_json.decode(payload), "$", _MEMBERS)
    name, kind = KINDS[members.one_of(action["type"], "$.type", KINDS)]
    network = members.one_of(action["hyperliquidChain"], "$.hyperliquidChain", MARKETS)
    chain = members.one_of(action["signatureChainId"], "$.signatureChainId", CHAIN_IDS)
    amount = members.decimal(action["amount"], "$.amount")
    time = members.milliseconds(action["time"], "$.time")
    destination = _destination(action["destination"])
    moved = trade.payment(f"USDC@{MARKETS[network]}", amount, fields.checksummed(destination))
    facts = Facts(name, (moved,), nonce=str(time), venue="hyperliquid", timestamp=time)
    message = typed_data.transfer(kind, CHAIN_IDS[chain], (network, destination, amount), time)
    return Decoded(facts, message, Digest.KECCAK256)


def _destination(value: object) -> str:
    """Return the address as the venue's clients sign it: its text, in small letters."""
    if isinstance(value, str) and _DESTINATION.fullmatch(value):
        return value
    detail = "is not an address in small letters, 0x and 40 of 0-9 a-f"
    raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "$.destination", detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({SEND, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
