"""From the grant tables of a key to its grants, and what contradicts itself in them."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from policy import fields, hours, networks, schema
from policy.actions import Action, Actions
from policy.assets import Asset
from policy.claims import MOST, Claim
from policy.hours import Hours
from policy.markets import PRICE_DECIMALS
from policy.model import Side
from policy.names import Names
from policy.problems import Location, path
from policy.rules import NAMELESS, Approval, Grant

_T = TypeVar("_T")


class Made:
    """The grants of one document that were made already, for others with the same terms.

    What terms mean depends on what the key takes and on what it limits, and on nothing else
    of the key.
    """

    def __init__(self) -> None:
        self._made: dict[object, dict[bytes | None, Grant]] = {}

    def of(self, table: schema.Key) -> dict[bytes | None, Grant]:
        """Return the grants of keys like this one, by the mark of their terms."""
        limited = frozenset(limit and limit.asset for limit in table.limits)
        return self._made.setdefault((tuple(table.payloads), limited), {})


class GrantCompiler:
    """Compiles the grants of one key; problems go to ``names``."""

    def __init__(
        self, at: Location, table: schema.Key, names: Names, actions: Actions, made: Made
    ) -> None:
        self._at = at
        self._path = path(at)
        self._names = names
        self._owner = actions.owner
        self._actions = actions.of(table.payloads)
        self._limited = {limit.asset for _, limit in sound(table.limits)}
        self._all_limits_known = None not in table.limits
        self._made = made.of(table)

    def compile(self, claims: Iterable[Claim]) -> tuple[Grant, ...]:
        """Return the key's grants, by name."""
        grants: dict[str, Grant] = {}
        for index, claim in enumerate(claims):
            if claim.terms is None:
                continue
            if claim.id in grants:
                self._names.report(self._place(index, "id"), f"{claim.id} is taken on this key")
            alike = self._made.get(claim.mark) or self._make(index, claim.terms, claim.mark)
            if alike.approval is not None:
                self._check_quorum(index, alike.approval, claim.callers)
            grants[claim.id] = replace(
                alike,
                id=claim.id,
                path=f"{self._path}.grants.{claim.id}",
                callers=frozenset(claim.callers),
            )
        return tuple(grants[name] for name in sorted(grants))

    def _place(self, index: int, *parts: str) -> Location:
        return (*self._at, "grants", index, *parts)

    def _make(self, index: int, terms: schema.Terms, mark: bytes | None) -> Grant:
        before = len(self._names.problems)
        made = self._new(self._place(index), terms)
        if mark and len(self._names.problems) == before and len(self._made) < MOST:
            self._made[mark] = made  # a problem is reported wherever it is
        return made

    def _new(self, location: Location, terms: schema.Terms) -> Grant:
        """Return a grant of these terms to nobody."""
        action = self._actions.get(terms.action)
        if action is None:
            self._unknown_action((*location, "action"), terms.action)
        movable = self._assets(location, terms)
        return Grant(
            id="",
            path="",
            callers=frozenset(),
            action=terms.action,
            chain_ids=self._chains(location, terms, action),
            assets=frozenset(asset.name for asset in movable),
            destinations=self._names.addresses(
                (*location, "destinations"), terms.destinations or ()
            ),
            sources=self._sources(location, terms, action),
            venues=_listed(terms.venues),
            symbols=_listed(terms.symbols),
            sides=_listed(terms.sides),
            order_types=_listed(terms.order_types),
            worst_price=self._worst_price(location, terms.worst_price),
            session=frozenset((False, terms.session)),
            networks=tuple(map(networks.parse, terms.networks)) if terms.networks else None,
            not_before_ms=fields.instant_ms(terms.not_before) if terms.not_before else 0,
            expires_ms=fields.instant_ms(terms.expires) if terms.expires else None,
            lifetime_ms=_lifetime(terms, action),
            hours=_hours(terms.hours),
            approval=self._approval((*location, "approval"), terms.approval, movable),
        )

    def _assets(self, location: Location, terms: schema.Terms) -> list[Asset]:
        assets = []
        for index, name in enumerate(terms.assets or ()):
            here = (*location, "assets", index)
            asset = self._names.asset(here, name)
            if asset is None:
                continue
            assets.append(asset)
            self._need_limit(here, asset, f"{name} has no limit on this key")
            if terms.chain_ids and asset.chain_id not in terms.chain_ids:
                self._names.report(here, f"{name} is on no chain of chain_ids")
        return assets

    def _need_limit(self, location: Location, asset: Asset, problem: str) -> None:
        if asset.name not in self._limited and self._all_limits_known:
            table = path((*self._at, "limits"))
            advice = f'add [[{table}]] with asset = "{asset.name}"'
            self._names.report(location, f"{problem}; {advice}")

    def _chains(
        self, location: Location, terms: schema.Terms, action: Action | None
    ) -> frozenset[int | None]:
        here = (*location, "chain_ids")
        if action is None:
            pass  # whose action it is was reported
        elif not action.on_chain:
            if terms.chain_ids is not None:
                self._names.report(here, f"{terms.action} is on no Ethereum chain; leave it out")
        elif terms.chain_ids is None:
            self._names.report(here, "is required for an action on Ethereum chains")
        elif action.pays_gas:
            self._gas(here, terms.chain_ids)
        return _listed(terms.chain_ids)

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
        self, location: Location, terms: schema.Terms, action: Action | None
    ) -> frozenset[str | None]:
        here = (*location, "sources")
        if terms.sources is None:
            if action is not None and action.names_source:
                problem = f"is required for {terms.action}; list the key's own address"
                self._names.report(here, problem)
            return NAMELESS
        return frozenset(self._names.addresses(here, terms.sources))

    def _worst_price(
        self, location: Location, table: schema.WorstPrice | None
    ) -> dict[Side, int] | None:
        if table is None:
            return None
        return compiled_prices((*location, "worst_price"), table, self._names)

    def _approval(
        self, location: Location, table: schema.Approval | None, assets: list[Asset]
    ) -> Approval | None:
        if table is None:
            return None
        above = (*location, "above")
        return Approval(
            {asset.name: self._names.amount(above, table.above, asset) for asset in assets},
            table.quorum,
            frozenset(table.approvers),
        )

    def _check_quorum(self, index: int, approval: Approval, callers: list[str]) -> None:
        """Each caller has approvers enough beside itself."""
        fewest = min(len(approval.approvers - {caller}) for caller in callers)
        if approval.quorum > fewest:
            problem = f"needs {approval.quorum} approvers other than the caller; there are {fewest}"
            self._names.report(self._place(index, "approval", "quorum"), problem)


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


def _lifetime(terms: schema.Terms, action: Action | None) -> int | None:
    """Return how far ahead payloads may expire; without a word of it, as their formats say."""
    if terms.lifetime is not None:
        return fields.span_ms(terms.lifetime)
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
