"""What a payload does, in the words of whoever reviews or approves it.

The words come from the decoded facts alone, never from anything that a caller says.
Amounts are in whole units where the policy knows the asset, else in base units.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from policy import amounts
from policy.assets import Asset
from policy.model import Facts, Role, Transfer

Assets = Mapping[str, Asset]


def lines(facts: Facts, assets: Assets) -> Iterator[str]:
    """Say what facts mean, the most important first; each line stands for itself."""
    yield _head(facts)
    if facts.side is not None and facts.symbol is not None:
        count, price = facts.quantity or "as much as it pays for", facts.price or "any price"
        yield f"{facts.side}s {count} of {facts.symbol} at {price}"
    yield from (transfer(item, assets) for item in facts.transfers)
    if facts.receives is not None:
        yield f"brings at least {quantity(facts.receives, assets)}"
    if facts.call is not None:
        yield f"calls {facts.call.contract} with 0x{facts.call.data}"
    if facts.text is not None:
        yield f"says {json.dumps(facts.text)}"
    if facts.source is not None:
        yield f"takes the funds of {facts.source}"
    if facts.key_version is not None:
        yield f"says that {facts.key_version} signs it with {facts.algorithm}"
    if facts.session:
        yield "opens a session: its holder may do whatever the venue lets the key do"
    if facts.timestamp is not None:
        yield f"is dated {utc(facts.timestamp)}"
    if facts.expires_at is not None:
        yield f"expires at {utc(1000 * facts.expires_at)}"


def sentence(facts: Facts, assets: Assets) -> str:
    """Say the same on one line."""
    return "; ".join(lines(facts, assets))


def transfer(item: Transfer, assets: Assets) -> str:
    """Say what one transfer lets go: ``pays 5 USDC@eip155:1 to 0x…``."""
    amount = quantity(item, assets)
    if item.role is Role.FEE:
        return f"costs at most {amount}"
    if item.role is Role.ALLOWANCE:
        return f"allows {item.destination} to spend {amount}"
    return f"pays {amount} to {item.destination}"


def quantity(item: Transfer, assets: Assets) -> str:
    """Return an amount and its asset."""
    asset = assets.get(item.asset)
    name, decimals = (item.asset, None) if asset is None else (asset.name, asset.decimals)
    if item.decimals is not None:
        decimals = item.decimals
    if decimals is None:
        return f"{item.amount} base units of {name}"
    return f"{amounts.to_text(item.amount, decimals)} {name}"


def utc(time_ms: int) -> str:
    """Return milliseconds since the epoch as RFC 3339; as a number, after the year 9999."""
    try:
        moment = datetime.fromtimestamp(time_ms // 1000, UTC).replace(tzinfo=None)
    except (OverflowError, ValueError):
        return f"{time_ms} ms since 1970"
    return moment.isoformat() + "Z"


def _head(facts: Facts) -> str:
    places = (
        ("at", facts.venue),
        ("for", facts.symbol),
        ("of type", facts.order_type),
        ("on chain", facts.chain_id),
        ("nonce", facts.nonce),
    )
    said = [facts.action, *(f"{word} {value}" for word, value in places if value is not None)]
    return " ".join(said)
