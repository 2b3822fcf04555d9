"""From the tables of a key to the key's policy, and what contradicts itself in them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from policy import fields, hours, networks, schema
from policy.assets import Asset
from policy.contracts import PinnedCall, Place
from policy.hours import Hours
from policy.markets import PRICE_DECIMALS
from policy.model import Counter, Format, Side
from policy.names import Names
from policy.problems import Location, path
from policy.rules import (
    NAMELESS,
    Approval,
    Grant,
    KeyPolicy,
    Limit,
    Per,
    WindowLimit,
)

_T = TypeVar("_T")


class WindowCompiler:
    """Compiles windows on one asset of a key or a group; ``owner`` starts their counters."""

    def __init__(self, owner: str, at: Location, asset: Asset, names: Names) -> None:
        self._owner = owner
        self._path = (*at, "limits", asset.name, "windows")
        self._asset = asset
        self._names = names

    def compile(
        self, location: Location, tables: Iterable[schema.Window], earlier: Iterable[WindowLimit]
    ) -> tuple[WindowLimit, ...]:
        """Return earlier windows and these, all of which hold."""
        windows = {_length(window): window for window in earlier}
        for index, table in enumerate(tables):
            place = (*location, "windows", index)
            window = self._window(place, table)
            if _length(window) in windows:
                each = "" if window.per is Per.KEY else f" per {window.per}"
                problem = f"has a window of {table.span}{each} already; keep one of them"
                self._names.report((*place, "span"), f"{self._asset.name} {problem}")
            windows[_length(window)] = window
        return tuple(windows[length] for length in sorted(windows))

    def _window(self, location: Location, table: schema.Window) -> WindowLimit:
        total = table.total
        each = () if table.per is Per.KEY else (table.per.value,)
        return WindowLimit(
            Counter(self._owner, self._asset.name, fields.span_ms(table.span)),
            path((*self._path, table.span, *each)),
            None if total is None else self._names.amount((*location, "total"), total, self._asset),
            table.count,
            table.per,
        )


class KeyCompiler:
    """Compiles one key; problems go to ``names``."""

    def __init__(
        self,
        name: str,
        table: schema.Key,
        names: Names,
        formats: Mapping[str, Format],
        calls: Mapping[Place, PinnedCall],
    ) -> None:
        self._at: Location = ("keys", name)
        self._path = path(self._at)
        self._name = name
        self._table = table
        self._names = names
        self._formats = formats
        self._calls = frozenset(call.action for call in calls.values())
        self._limited = {limit.asset for _, limit in _sound(table.limits)}
        self._all_limits_known = None not in table.limits

    def compile(self) -> KeyPolicy:
        """Return the key's policy."""
        actions = self._actions()
        grants = self._grants(actions)
        return KeyPolicy(
            name=self._name,
            algorithm=self._table.algorithm,
            version=self._table.version,
            durable_intent=self._table.durable_intent,
            formats=frozenset(self._table.payloads),
            grants=grants,
            callers=_by_caller(grants),
            limits=self._limits(),
            validators=frozenset(self._table.validators or ()),
        )

    def _actions(self) -> dict[str, list[Format]]:
        """Return the payload formats of each action that the key can take."""
        actions: dict[str, list[Format]] = {}
        for index, tag in enumerate(self._table.payloads):
            location = (*self._at, "payloads", index)
            form = self._formats.get(tag)
            if form is None:
                known = ", ".join(sorted(self._formats))
                self._names.report(location, f"no payload format {tag}; known: {known}")
                continue
            if self._table.algorithm not in form.algorithms:
                right = ", ".join(sorted(form.algorithms))
                message = f"{tag} is not signed with {self._table.algorithm} but with {right}"
                self._names.report(location, message)
            for action in form.actions | (self._calls if form.calls else frozenset()):
                actions.setdefault(action, []).append(form)
        return actions

    def _grants(self, actions: Mapping[str, list[Format]]) -> tuple[Grant, ...]:
        grants: dict[str, Grant] = {}
        for index, table in _sound(self._table.grants):
            location = (*self._at, "grants", index)
            if table.id in grants:
                self._names.report((*location, "id"), f"{table.id} is taken on this key")
            grants[table.id] = self._grant(location, table, actions)
        return tuple(grants[name] for name in sorted(grants))

    def _grant(
        self, location: Location, table: schema.Grant, actions: Mapping[str, list[Format]]
    ) -> Grant:
        assets = self._assets(location, table)
        destinations = (*location, "destinations")
        return Grant(
            id=table.id,
            path=f"{self._path}.grants.{table.id}",
            callers=frozenset(table.callers),
            action=table.action,
            chain_ids=self._chains(location, table, actions),
            assets=frozenset(asset.name for asset in assets),
            destinations=self._names.addresses(destinations, table.destinations or ()),
            sources=self._sources(location, table, actions),
            venues=_listed(table.venues),
            symbols=_listed(table.symbols),
            sides=_listed(table.sides),
            order_types=_listed(table.order_types),
            worst_price=self._worst_price(location, table.worst_price),
            session=frozenset((False, table.session)),
            networks=tuple(map(networks.parse, table.networks)) if table.networks else None,
            not_before_ms=fields.instant_ms(table.not_before) if table.not_before else 0,
            expires_ms=fields.instant_ms(table.expires) if table.expires else None,
            lifetime_ms=_lifetime(table, actions.get(table.action, ())),
            hours=_hours(table.hours),
            approval=self._approval(location, table, assets),
        )

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
        self, location: Location, table: schema.Grant, actions: Mapping[str, list[Format]]
    ) -> frozenset[int | None]:
        here = (*location, "chain_ids")
        forms = actions.get(table.action)
        if forms is None:
            self._unknown_action((*location, "action"), table.action, actions)
        elif not any(form.on_chain for form in forms):
            if table.chain_ids is not None:
                self._names.report(here, f"{table.action} is on no Ethereum chain; leave it out")
        elif table.chain_ids is None:
            self._names.report(here, "is required for an action on Ethereum chains")
        elif any(form.pays_gas for form in forms):
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

    def _unknown_action(
        self, location: Location, action: str, actions: Mapping[str, list[Format]]
    ) -> None:
        owner = next((tag for tag, form in self._formats.items() if action in form.actions), None)
        if owner is not None:
            message = f"{action} is an action of {owner}, which is not in the key's payloads"
        else:
            message = f"no action {action}; the key's payloads have {', '.join(sorted(actions))}"
        self._names.report(location, message)

    def _sources(
        self, location: Location, table: schema.Grant, actions: Mapping[str, list[Format]]
    ) -> frozenset[str | None]:
        here = (*location, "sources")
        if table.sources is None:
            if any(form.names_source for form in actions.get(table.action, ())):
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

    def _limits(self) -> dict[str, Limit]:
        limits: dict[str, Limit] = {}
        for index, table in _sound(self._table.limits):
            location = (*self._at, "limits", index)
            asset = self._names.asset((*location, "asset"), table.asset)
            if asset is None:
                continue
            limit = self._limit(location, table, asset, limits.get(asset.name))
            limits[asset.name] = limit
        return limits

    def _limit(
        self, location: Location, table: schema.Limit, asset: Asset, earlier: Limit | None
    ) -> Limit:
        """Compile a limit together with an earlier one on the same asset: both hold."""
        here = path((*self._at, "limits", asset.name))
        most = self._names.amount((*location, "per_request"), table.per_request, asset)
        limit = earlier or Limit(asset, here, most, ())
        compiler = WindowCompiler(self._name, self._at, asset, self._names)
        windows = compiler.compile(location, table.windows, limit.windows)
        return replace(limit, per_request=min(limit.per_request, most), windows=windows)


def compiled_prices(location: Location, table: schema.WorstPrice, names: Names) -> dict[Side, int]:
    """Return the worst price of each side that has one."""
    prices = {Side.BUY: table.buy, Side.SELL: table.sell}
    return {
        side: names.number((*location, side.value), text, PRICE_DECIMALS)
        for side, text in prices.items()
        if text is not None
    }


def _length(window: WindowLimit) -> tuple[int, Per]:
    return window.counter.span_ms, window.per


def _listed(items: Iterable[_T] | None) -> frozenset[_T | None]:
    """Return what is listed; without a list, that the payload names no such thing."""
    return NAMELESS if items is None else frozenset[_T | None](items)


def _sound(tables: list[_T | None]) -> Iterator[tuple[int, _T]]:
    """Number the tables, and leave out those whose problems are reported already."""
    return ((index, table) for index, table in enumerate(tables) if table is not None)


def _lifetime(table: schema.Grant, forms: Iterable[Format]) -> int | None:
    """Return how far ahead payloads may expire; the shortest time of their formats."""
    if table.lifetime is not None:
        return fields.span_ms(table.lifetime)
    return min((form.lifetime_ms for form in forms if form.lifetime_ms is not None), default=None)


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


def _by_caller(grants: tuple[Grant, ...]) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, list[Grant]] = {}
    for grant in grants:
        for caller in grant.callers:
            found.setdefault(caller, []).append(grant)
    return {caller: tuple(theirs) for caller, theirs in found.items()}
