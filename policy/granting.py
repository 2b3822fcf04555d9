"""From the grant tables of a key to its grants, and what contradicts itself in them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from policy import fields, hours, networks, schema
from policy.actions import Action, Actions
from policy.assets import Asset
from policy.hours import Hours
from policy.markets import PRICE_DECIMALS
from policy.model import Side
from policy.names import Names
from policy.problems import Location, path
from policy.rules import NAMELESS, Approval, Grant

_T = TypeVar("_T")
_SESSION = {allowed: frozenset((False, allowed)) for allowed in (False, True)}


class _Reach(NamedTuple):
    """What a grant lets its callers reach, as the rules see it."""

    chain_ids: frozenset[int | None]
    assets: list[Asset]
    names: frozenset[str]
    sources: frozenset[str | None]


class GrantCompiler:
    """Compiles the grants of one key; problems go to ``names``."""

    def __init__(self, at: Location, table: schema.Key, names: Names, actions: Actions) -> None:
        self._at = at
        self._path = path(at)
        self._table = table
        self._names = names
        self._owner = actions.owner
        self._actions = actions.of(table.payloads)
        self._limited = {limit.asset for _, limit in sound(table.limits)}
        self._all_limits_known = None not in table.limits
        self._reached: dict[object, _Reach] = {}

    def compile(self) -> tuple[Grant, ...]:
        """Return the key's grants, by name."""
        grants: dict[str, Grant] = {}
        for index, table in sound(self._table.grants):
            location = (*self._at, "grants", index)
            if table.id in grants:
                self._names.report((*location, "id"), f"{table.id} is taken on this key")
            grants[table.id] = self._grant(location, table)
        return tuple(grants[name] for name in sorted(grants))

    def _grant(self, location: Location, table: schema.Grant) -> Grant:
        action = self._actions.get(table.action)
        if action is None:
            self._unknown_action((*location, "action"), table.action)
        reach = self._reach(location, table, action)
        destinations = (*location, "destinations")
        return Grant(
            id=table.id,
            path=f"{self._path}.grants.{table.id}",
            callers=frozenset(table.callers),
            action=table.action,
            chain_ids=reach.chain_ids,
            assets=reach.names,
            destinations=self._names.addresses(destinations, table.destinations or ()),
            sources=reach.sources,
            venues=_listed(table.venues),
            symbols=_listed(table.symbols),
            sides=_listed(table.sides),
            order_types=_listed(table.order_types),
            worst_price=self._worst_price(location, table.worst_price),
            session=_SESSION[table.session],
            networks=tuple(map(networks.parse, table.networks)) if table.networks else None,
            not_before_ms=fields.instant_ms(table.not_before) if table.not_before else 0,
            expires_ms=fields.instant_ms(table.expires) if table.expires else None,
            lifetime_ms=_lifetime(table, action),
            hours=_hours(table.hours),
            approval=self._approval(location, table, reach.assets),
        )

    def _reach(self, location: Location, table: schema.Grant, action: Action | None) -> _Reach:
        """Return what a grant reaches; grants that say the same of it share what was found."""
        chain_ids, assets, sources = table.chain_ids, table.assets, table.sources
        key = (
            table.action,
            chain_ids and tuple(chain_ids),
            assets and tuple(assets),
            sources and tuple(sources),
        )
        found = self._reached.get(key)
        if found is None:
            before = len(self._names.problems)
            movable = self._assets(location, table)
            found = _Reach(
                self._chains(location, table, action),
                movable,
                frozenset(asset.name for asset in movable),
                self._sources(location, table, action),
            )
            if len(self._names.problems) == before:  # a problem is reported wherever it is
                self._reached[key] = found
        return found

    def _assets(self, location: Location, table: schema.Grant) -> list[Asset]:
        assets = []
        for index, name in enumerate(table.assets or ()):
            here = (*location, "assets", index)
            asset = self._names.asset(here, name)
            if asset is None:
                continue
            assets.append(asset)
            self._need_limit(here, asset, f"{name} has no limit on this key")
            if table.chain_ids and asset.chain_id not in table.chain_ids:
                self._names.report(here, f"{name} is on no chain of chain_ids")
        return assets

    def _need_limit(self, location: Location, asset: Asset, problem: str) -> None:
        if asset.name not in self._limited and self._all_limits_known:
            table = path((*self._at, "limits"))
            advice = f'add [[{table}]] with asset = "{asset.name}"'
            self._names.report(location, f"{problem}; {advice}")

    def _chains(
        self, location: Location, table: schema.Grant, action: Action | None
    ) -> frozenset[int | None]:
        here = (*location, "chain_ids")
        if action is None:
            pass  # whose action it is was reported
        elif not action.on_chain:
            if table.chain_ids is not None:
                self._names.report(here, f"{table.action} is on no Ethereum chain; leave it out")
        elif table.chain_ids is None:
            self._names.report(here, "is required for an action on Ethereum chains")
        elif action.pays_gas:
            self._gas(here, table.chain_ids)
        return _listed(table.chain_ids)

    def _gas(self, location: Location, chain_ids: list[int]) -> None:
        """Gas is spending too: on each chain, the coin that pays for it has a limit."""
        for index, chain_id in enumerate(chain_ids):
            here = (*location, index)
            coin = self._names.native(chain_id)
            if coin is None:
                advice = f'define it, like [assets."ETH@eip155:{chain_id}"] with decimals = 18'
                self._names.report(here, f"nothing pays for gas on chain {chain_id}; {advice}")
                continue
            self._need_limit(here, coin, f"{coin.name} pays for gas and has no limit on this key")

    def _unknown_action(self, location: Location, action: str) -> None:
        owner = self._owner(action)
        if owner is not None:
            message = f"{action} is an action of {owner}, which is not in the key's payloads"
        else:
            known = ", ".join(sorted(self._actions))
            message = f"no action {action}; the key's payloads have {known}"
        self._names.report(location, message)

    def _sources(
        self, location: Location, table: schema.Grant, action: Action | None
    ) -> frozenset[str | None]:
        here = (*location, "sources")
        if table.sources is None:
            if action is not None and action.names_source:
                problem = f"is required for {table.action}; list the key's own address"
                self._names.report(here, problem)
            return NAMELESS
        return frozenset(self._names.addresses(here, table.sources))

    def _worst_price(
        self, location: Location, table: schema.WorstPrice | None
    ) -> dict[Side, int] | None:
        if table is None:
            return None
        return compiled_prices((*location, "worst_price"), table, self._names)

    def _approval(
        self, location: Location, grant: schema.Grant, assets: list[Asset]
    ) -> Approval | None:
        table = grant.approval
        if table is None:
            return None
        here = (*location, "approval")
        above = (*here, "above")
        approvers = frozenset(table.approvers)
        fewest = min(len(approvers - {caller}) for caller in grant.callers)
        if table.quorum > fewest:
            problem = f"needs {table.quorum} approvers other than the caller; there are {fewest}"
            self._names.report((*here, "quorum"), problem)
        return Approval(
            {asset.name: self._names.amount(above, table.above, asset) for asset in assets},
            table.quorum,
            approvers,
        )


def compiled_prices(location: Location, table: schema.WorstPrice, names: Names) -> dict[Side, int]:
    """Return the worst price of each side that has one."""
    prices = {Side.BUY: table.buy, Side.SELL: table.sell}
    return {
        side: names.number((*location, side.value), text, PRICE_DECIMALS)
        for side, text in prices.items()
        if text is not None
    }


def _listed(items: Iterable[_T] | None) -> frozenset[_T | None]:
    """Return what is listed; without a list, that the payload names no such thing."""
    return NAMELESS if items is None else frozenset[_T | None](items)


def sound(tables: list[_T | None]) -> Iterator[tuple[int, _T]]:
    """Number the tables, and leave out those whose problems are reported already."""
    return ((index, table) for index, table in enumerate(tables) if table is not None)


def _lifetime(table: schema.Grant, action: Action | None) -> int | None:
    """Return how far ahead payloads may expire; without a word of it, as their formats say."""
    if table.lifetime is not None:
        return fields.span_ms(table.lifetime)
    return action.lifetime_ms if action else None


def _hours(tables: schema.Hours | list[schema.Hours] | None) -> tuple[Hours, ...] | None:
    if tables is None:
        return None
    return tuple(map(_opening, tables if isinstance(tables, list) else [tables]))


def _opening(table: schema.Hours) -> Hours:
    return Hours(
        zone=hours.parse_zone(table.tz),
        days=hours.parse_days(table.days),
        from_minute=hours.parse_minute(table.from_),
        to_minute=hours.parse_minute(table.to, end=True),
        closed=frozenset(map(hours.parse_date, table.closed or ())),
    )
