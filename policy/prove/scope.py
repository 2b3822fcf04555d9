"""What a question is about: the keys, and the grants and callers that may use them."""

from collections.abc import Iterator

from policy.compare.schedule import times
from policy.payloads import FORMATS
from policy.prove.questions import Question
from policy.rules import Grant, KeyPolicy, Policy

# Facts of which a grant lists what it allows, by their names in the facts and in the grant.
LISTED = {
    "chain_id": "chain_ids",
    "source": "sources",
    "venue": "venues",
    "symbol": "symbols",
    "side": "sides",
    "order_type": "order_types",
    "session": "session",
}


def keys(policy: Policy, question: Question) -> list[KeyPolicy]:
    """Return the keys in question."""
    wanted = question.keys or policy.keys
    return [key for name, key in sorted(policy.keys.items()) if name in wanted]


def callers(key: KeyPolicy, question: Question) -> list[str]:
    """Return the callers in question that some grant on the key in question names."""
    named = {caller for grant in grants(key, question) for caller in grant.callers}
    return sorted(named & set(question.callers or named))


def grants(key: KeyPolicy, question: Question) -> list[Grant]:
    """Return the key's grants for an action in question."""
    return [grant for grant in key.grants if grant.action in (question.actions or {grant.action})]


def form(key: KeyPolicy, action: str) -> str:
    """Return a format of the key whose payloads do the action."""
    with_it = (tag for tag in key.formats if tag in FORMATS and action in FORMATS[tag].actions)
    return min(with_it, default=min(key.formats))


def openings(grant: Grant) -> Iterator[int]:
    """Yield times, in milliseconds, at which the grant opens, earliest first; maybe none."""
    when = times(grant)
    yield from sorted({at_ms for at_ms in when.candidates() if when.contain(at_ms)})


def address(grant: Grant) -> str | None:
    """Return an address from which the grant may be used."""
    return None if grant.networks is None else str(grant.networks[0].network_address)
