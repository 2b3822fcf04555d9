"""Decoders by way of the registry's front door, and policies for trading keys."""

from collections.abc import Callable

import pytest

from policy.document import load
from policy.engine import Unused, decide
from policy.model import Ask, Decision, Facts
from policy.payloads import FORMATS, decode
from policy.reasons import PayloadError, Reason

CALLER = "spiffe://firm.example/oms"

_KEY = """
schema = 1
[assets."{asset}"]
decimals = {decimals}
[keys.trade]
algorithm = "{algorithm}"
payloads = ["{tag}"]
[[keys.trade.grants]]
id = "desk"
callers = ["spiffe://firm.example/oms"]
action = "{action}"
assets = ["{asset}"]
destinations = ["{destination}"]
{order}
[[keys.trade.limits]]
asset = "{asset}"
per_request = "{most}"
windows = [{{ span = "24h", total = "{most}" }}]
"""


@pytest.fixture(scope="session")
def refusal() -> Callable[[str, bytes], Reason]:
    """Decode what must be refused, and return why."""

    def refused(tag: str, payload: bytes) -> Reason:
        with pytest.raises(PayloadError) as caught:
            decode(tag, payload)
        return caught.value.reason

    return refused


@pytest.fixture(scope="session")
def decided() -> Callable[..., Decision]:
    """Decide facts by a policy with one grant for just that trade, and one limit.

    It is the time that the payload says, unless ``now_ms`` says another.
    """

    def decided_by(facts: Facts, tag: str, *, now_ms: int | None = None, **names: str) -> Decision:
        trade = {
            "venues": facts.venue,
            "symbols": facts.symbol,
            "sides": facts.side,
            "order_types": facts.order_type,
        }
        text = _KEY.format_map(
            {
                "decimals": 36,
                "tag": tag,
                "algorithm": min(FORMATS[tag].algorithms),
                "action": facts.action,
                "order": "\n".join(f'{name} = ["{item}"]' for name, item in trade.items() if item),
            }
            | names
        )
        now = now_ms if now_ms is not None else facts.timestamp or 0
        return decide(load(text, FORMATS), Ask("trade", tag, CALLER, facts), Unused(), now)

    return decided_by
