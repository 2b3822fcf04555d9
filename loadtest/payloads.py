"""What is sent: valid payloads, and near misses that must be refused.

Each is a function of a serial number and an expiry, so that no two payloads of
a run are the same and a run can be repeated. They fit the policy in policy.toml.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from policy.payloads.ethereum import rlp

TREASURY = "1111111111111111111111111111111111111111"
ELSEWHERE = "2222222222222222222222222222222222222222"
USDC = bytes.fromhex("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
ONE_USDC = 10**6
OVER_LIMIT = 60_000  # whole units; policy.toml lets 50,000 go at once
GWEI = 10**9
SUPPLIER = "DE02120300000000202051"
UNKNOWN_SUPPLIER = "GB94BARC10201530093459"
A_DAY = 86_400

Build = Callable[[int, int], bytes]  # (serial number, expiry in epoch seconds) -> payload


@dataclass(frozen=True, slots=True)
class Kind:
    """A payload by its format and how to make one."""

    format: str
    build: Build


def transfer_items(
    serial: int, amount: int = ONE_USDC, destination: str = TREASURY
) -> list[rlp.Item]:
    """Return the fields of an unsigned EIP-1559 transaction that moves USDC."""
    data = bytes.fromhex(f"a9059cbb{destination:0>64}{amount + serial % 1000:064x}")
    numbers = (1, serial, GWEI, 50 * GWEI, 65_000)
    return [*map(rlp.scalar, numbers), USDC, b"", data, []]


def transaction(items: list[rlp.Item]) -> bytes:
    """Encode the fields (EIP-2718, type 2)."""
    return b"\x02" + rlp.encode(items)


def _long(keys: int) -> Build:
    """Return a transfer with an access list of so many storage keys (EIP-2930), 33 bytes each."""

    def build(serial: int, _: int) -> bytes:
        items = transfer_items(serial)
        items[-1] = [[USDC, [number.to_bytes(32) for number in range(keys)]]]
        return transaction(items)

    return build


def _signed_already(serial: int, _: int) -> bytes:
    return transaction([*transfer_items(serial), b"\x01", b"\x11" * 32, b"\x22" * 32])


def _leading_zero(serial: int, _: int) -> bytes:
    items = transfer_items(serial)
    items[1] = b"\0" + rlp.scalar(serial + 1)
    return transaction(items)


def intent(
    serial: int, expiry: int, *, amount: int = 100, destination: str = SUPPLIER
) -> dict[str, str | int]:
    """Return a transfer intent in EUR; the amount is in cents."""
    return {
        "amount": str(amount + serial % 100),
        "asset": "EUR",
        "destination": destination,
        "expiry": expiry,
        "nonce": f"{expiry}-{serial}",
        "schema": "signgate.intent/1",
    }


def canonical(document: dict[str, str | int]) -> bytes:
    """Encode by RFC 8785; the members are sorted already."""
    return json.dumps(document, separators=(",", ":")).encode()


def _doubled_member(serial: int, expiry: int) -> bytes:
    return b'{"amount":"1",' + canonical(intent(serial, expiry))[1:]


TRANSACTION, INTENT = "ethereum.transaction", "intent"

KINDS = {
    "transfer": Kind(TRANSACTION, lambda n, _: transaction(transfer_items(n))),
    "transfer-over-limit": Kind(
        TRANSACTION, lambda n, _: transaction(transfer_items(n, OVER_LIMIT * ONE_USDC))
    ),
    "transfer-elsewhere": Kind(
        TRANSACTION, lambda n, _: transaction(transfer_items(n, destination=ELSEWHERE))
    ),
    "transfer-trailing-byte": Kind(
        TRANSACTION, lambda n, _: transaction(transfer_items(n)) + b"\0"
    ),
    "transfer-leading-zero": Kind(TRANSACTION, _leading_zero),
    "transfer-signed-already": Kind(TRANSACTION, _signed_already),
    "transfer-1k": Kind(TRANSACTION, _long(28)),
    "transfer-16k": Kind(TRANSACTION, _long(492)),
    "intent": Kind(INTENT, lambda n, t: canonical(intent(n, t))),
    "intent-over-limit": Kind(
        INTENT, lambda n, t: canonical(intent(n, t, amount=OVER_LIMIT * 100))
    ),
    "intent-elsewhere": Kind(
        INTENT, lambda n, t: canonical(intent(n, t, destination=UNKNOWN_SUPPLIER))
    ),
    "intent-expired": Kind(INTENT, lambda n, t: canonical(intent(n, t - 2 * A_DAY))),
    "intent-spaces": Kind(INTENT, lambda n, t: json.dumps(intent(n, t)).encode()),
    "intent-doubled-member": Kind(INTENT, _doubled_member),
}
