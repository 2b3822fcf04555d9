"""Requests at the edge of what changed between two grants, made from the new one's values."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from policy import amounts
from policy.compare.edit import Chosen, Edit
from policy.compare.grants import LISTED
from policy.compare.moves import Transfers, transfers
from policy.compare.schedule import instants, times
from policy.markets import PRICE_DECIMALS
from policy.model import Ask, Facts, Side
from policy.rules import Grant

_T = TypeVar("_T")
_EACH = 3  # values tried of each list that did not change
_SECOND = 1000


def requests(edit: Edit) -> Iterator[tuple[Ask, int]]:
    """Return requests and their times, in milliseconds since the epoch."""
    for tag, at_ms, address, ahead_ms, *values in _around(_choices(edit)):
        chosen = Chosen(*values)
        expires_at = None if ahead_ms is None else (at_ms + ahead_ms) // _SECOND
        for moved in transfers(edit, chosen):
            facts = _facts(edit, chosen, moved, expires_at)
            yield Ask(edit.new.name, tag, chosen.caller, facts, address), at_ms


def _choices(edit: Edit) -> list[Sequence[Any]]:
    """Return formats, times, addresses, lifetimes and the values of each listed field."""
    after = edit.after
    formats = edit.old.formats if edit.old else frozenset[str]()
    timed = edit.is_of("hours", "not_before", "expires")
    hosts = (_hosts(edit.before), _hosts(after))
    return [
        _picked(formats, edit.new.formats, focus=edit.path == f"keys.{edit.new.name}.payloads"),
        instants(tuple(map(times, edit.olds)), times(after), focus=timed),
        _picked(*hosts, focus=edit.is_of("networks")),
        _lifetimes(edit),
        *(_listed(edit, field) or [None] for field in LISTED),  # no asset: nothing moves
    ]


def _listed(edit: Edit, field: str) -> list[Any]:
    """Return values of a list of the new grant; what is new to all others first."""
    before = getattr(edit.before, field, frozenset[Any]())
    known = frozenset[Any]().union(*(getattr(grant, field) for grant in edit.others))
    return _picked(before, getattr(edit.after, field), known, focus=edit.is_of(field))


def _around(lists: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """Take the first of each list, then vary one after the other."""
    if not all(lists):
        return
    first = [items[0] for items in lists]
    yield first
    for index, items in enumerate(lists):
        for item in items[1:]:
            yield [*first[:index], item, *first[index + 1 :]]


def _facts(edit: Edit, chosen: Chosen, moved: Transfers, expires_at: int | None) -> Facts:
    return Facts(
        edit.after.action,
        moved,
        chosen.chain_id,
        chosen.source,
        venue=chosen.venue,
        symbol=chosen.symbol,
        side=chosen.side,
        order_type=chosen.order_type,
        price=_price(edit, chosen.side),
        expires_at=expires_at,
        session=chosen.session,
    )


def _lifetimes(edit: Edit) -> list[int | None]:
    """Return how far ahead, in milliseconds, the new grant lets it be good and an old one not.

    None is without a word of it, which any lets pass.
    """
    most = edit.after.lifetime_ms
    olds = {grant.lifetime_ms for grant in edit.olds if grant.lifetime_ms is not None}
    longer = {most} if most is not None else {lifetime + _SECOND for lifetime in olds}
    silent = () if edit.is_of("lifetime") else (None,)
    return [*silent, *sorted(longer, reverse=True)]


def _hosts(grant: Grant | None) -> frozenset[str | None]:
    """Return the ends of each network of a grant; None where any address will do."""
    if grant is None or grant.networks is None:
        return frozenset((None,))
    return frozenset(str(network[index]) for network in grant.networks for index in (0, -1))


def _price(edit: Edit, side: Side | None) -> str | None:
    """Return the worst price that the new grant takes, or one that the old ones do not."""
    if side is None:
        return None
    if edit.after.worst_price is not None:
        return amounts.to_text(edit.after.worst_price.get(side, 0), PRICE_DECIMALS)
    olds = [grant.worst_price.get(side, 0) for grant in edit.olds if grant.worst_price] or [1]
    price = max(olds) + 1 if side is Side.BUY else max(0, min(olds) - 1)
    return amounts.to_text(price, PRICE_DECIMALS)


def _picked(
    old: AbstractSet[_T], new: AbstractSet[_T], known: Iterable[_T] = (), *, focus: bool
) -> list[_T]:
    """Return what was added if that is the question, else first what was there before.

    Of what is new, first what is not ``known`` otherwise.
    """
    order = sorted(new, key=lambda item: (item not in old, item in known, str(item)))
    return [item for item in order if item not in old] if focus else order[:_EACH]
