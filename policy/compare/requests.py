"""Requests at the edge of what changed between two grants, made from the new one's values."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, TypeVar

from policy import amounts
from policy.compare.grants import LISTED
from policy.compare.schedule import instants, times
from policy.markets import PRICE_DECIMALS
from policy.model import Ask, Facts, Role, Side, Transfer
from policy.rules import Approval, Grant, KeyPolicy, Limit

_T = TypeVar("_T")
_EACH = 3  # values tried of each list that did not change


class Edit(NamedTuple):
    """What a change is about: a path, and the key and grant before and after it."""

    path: str
    old: KeyPolicy | None
    new: KeyPolicy
    before: Grant | None
    after: Grant

    def is_of(self, *fields: str) -> bool:
        """Whether the change is of one of these fields of the grant."""
        return self.path in {f"{self.after.path}.{field}" for field in fields}

    @property
    def waived(self) -> Approval | None:
        """The approval that was wanted before."""
        return self.before.approval if self.before else None


class Chosen(NamedTuple):
    """One value of each listed field of a grant, in the order of ``LISTED``."""

    caller: str
    chain_id: int | None
    asset: str | None
    destination: str | None
    source: str | None
    venue: str | None
    symbol: str | None
    side: Side | None
    order_type: str | None
    session: bool


def requests(edit: Edit) -> Iterator[tuple[Ask, int]]:
    """Return requests and their times, in milliseconds since the epoch."""
    for tag, at_ms, address, *values in _around(_choices(edit)):
        chosen = Chosen(*values)
        for transfers in _transfers(edit, chosen):
            yield (
                Ask(
                    edit.new.name,
                    tag,
                    chosen.caller,
                    _facts(edit, chosen, transfers, at_ms),
                    address,
                ),
                at_ms,
            )


def _choices(edit: Edit) -> list[Sequence[Any]]:
    """Return formats, times, addresses and the values of each listed field."""
    before, after = edit.before, edit.after
    formats = edit.old.formats if edit.old else frozenset[str]()
    timed = edit.is_of("hours", "not_before", "expires")
    listed = (
        _picked(getattr(before, field, frozenset()), getattr(after, field), focus=edit.is_of(field))
        for field in LISTED
    )
    return [
        _picked(formats, edit.new.formats, focus=edit.path == f"keys.{edit.new.name}.payloads"),
        instants(before and times(before), times(after), focus=timed),
        _picked(_hosts(before), _hosts(after), focus=edit.is_of("networks")),
        *(items or [None] for items in listed),  # no asset, no destination: nothing moves
    ]


def _around(lists: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """Take the first of each list, then vary one after the other."""
    if not all(lists):
        return
    first = [items[0] for items in lists]
    yield first
    for index, items in enumerate(lists):
        for item in items[1:]:
            yield [*first[:index], item, *first[index + 1 :]]


def _facts(edit: Edit, chosen: Chosen, transfers: tuple[Transfer, ...], at_ms: int) -> Facts:
    return Facts(
        edit.after.action,
        transfers,
        chosen.chain_id,
        chosen.source,
        venue=chosen.venue,
        symbol=chosen.symbol,
        side=chosen.side,
        order_type=chosen.order_type,
        price=_price(edit, chosen.side),
        expires_at=_expiry(edit, at_ms),
        session=chosen.session,
    )


def _expiry(edit: Edit, at_ms: int) -> int | None:
    """Return the last second until which the new grant lets it be good, or one too many."""
    if not edit.is_of("lifetime"):
        return None
    old = edit.before.lifetime_ms if edit.before else None
    new = edit.after.lifetime_ms
    lifetime_ms = (old or 0) + 1000 if new is None else new
    return (at_ms + lifetime_ms) // 1000


def _hosts(grant: Grant | None) -> frozenset[str | None]:
    """Return an address of each network of a grant; None where any will do."""
    if grant is None or grant.networks is None:
        return frozenset((None,))
    return frozenset(str(network.network_address) for network in grant.networks)


def _price(edit: Edit, side: Side | None) -> str | None:
    """Return the worst price that the new grant takes, or one that the old one does not."""
    if side is None:
        return None
    worst = edit.before.worst_price if edit.before else None
    if edit.after.worst_price is not None:
        price = edit.after.worst_price.get(side, 0)
    else:
        old = worst.get(side, 0) if worst else 1
        price = old + 1 if side is Side.BUY else max(0, old - 1)
    return amounts.to_text(price, PRICE_DECIMALS)


def _transfers(edit: Edit, chosen: Chosen) -> Iterator[tuple[Transfer, ...]]:
    """Move the asset whose limit the path names, or else the one that was chosen."""
    limits = edit.new.limits
    named = next((item for item in limits.values() if is_within(edit.path, item.path)), None)
    limit = named or limits.get(chosen.asset or "")
    if limit is None:
        yield ()
    else:
        for amount in _amounts(edit, limit):
            yield tuple(_moved(edit.new, limit, amount, chosen))


def _moved(new: KeyPolicy, limit: Limit, amount: int, chosen: Chosen) -> Iterator[Transfer]:
    """Pay an amount; of what was not chosen, as the fee of a small payment."""
    if chosen.asset == limit.asset.name:
        yield Transfer(limit.asset.ref, amount, chosen.destination)
        return
    if chosen.asset:
        yield Transfer(new.limits[chosen.asset].asset.ref, 1, chosen.destination)
    yield Transfer(limit.asset.ref, amount, None, Role.FEE)


def _amounts(edit: Edit, limit: Limit) -> list[int]:
    """Return the amounts that fit the limit at which one of the policies changes its mind."""
    name, most = limit.asset.name, limit.per_request
    edges = {1, most}
    old = edit.old.limits.get(name) if edit.old else None
    if old:
        edges.add(old.per_request + 1)
    for approval in (edit.waived, edit.after.approval):
        if approval and name in approval.above:
            edges |= {approval.above[name], approval.above[name] + 1}
    return sorted(edge for edge in edges if min(1, most) <= edge <= most)


def _picked(old: AbstractSet[_T], new: AbstractSet[_T], *, focus: bool) -> list[_T]:
    """Return what was added if that is the question, else first what was there before."""
    order = sorted(new, key=lambda item: (item not in old, str(item)))
    return [item for item in order if item not in old] if focus else order[:_EACH]


def is_within(path: str, place: str) -> bool:
    """Whether a path names a place, or one in it."""
    return path == place or path.startswith(f"{place}.")
