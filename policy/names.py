"""What the names in a document stand for, and the report of those that stand for nothing.

Resolving goes on after a problem with a harmless stand-in, so that one run
finds them all; a policy made along with problems is thrown away. A name whose
own table is broken is known, and not reported twice.
"""

from collections.abc import Collection, Iterable

from policy import amounts, assets
from policy.assets import Asset
from policy.problems import Location, Problem, at
from policy.schema import Outline


class Names:
    """The assets and address sets of one document, and its list of problems."""

    def __init__(self, document: Outline, broken: Collection[Location]) -> None:
        self.problems: list[Problem] = []
        self._broken = broken
        self._resolved: dict[tuple[str, ...], frozenset[str]] = {}
        self._sets = {name: frozenset(members) for name, members in document.addresses.items()}
        self._assets = {asset.name: asset for asset in assets.WELL_KNOWN}
        self._refs = {asset.ref: asset for asset in assets.WELL_KNOWN}
        for name, table in document.assets.items():
            self._define(name, table.decimals, table.contract)

    def report(self, location: Location, message: str) -> None:
        """Note a problem and go on."""
        self.problems.append(at(location, message))

    def is_broken(self, *location: str) -> bool:
        """Whether the table at that place has problems that are reported already."""
        return location in self._broken

    def known(self) -> dict[str, Asset]:
        """Return every asset by its name and by its CAIP-19 identifier."""
        return self._refs | self._assets

    def native(self, chain_id: int) -> Asset | None:
        """Return the coin that pays for gas on an Ethereum chain."""
        return self._refs.get(assets.native_ref(chain_id))

    def asset(self, location: Location, name: str) -> Asset | None:
        """Return the asset of that name; report that there is none."""
        found = self._assets.get(name)
        if found is None and ("assets", name) not in self._broken:
            self.report(location, f'{name} is not defined; add [assets."{name}"]')
        return found

    def addresses(self, location: Location, texts: Iterable[str]) -> frozenset[str]:
        """Return the addresses that ``@set`` names and literal addresses stand for."""
        key = tuple(texts)
        found = self._resolved.get(key)
        if found is None:
            before = len(self.problems)
            parts = (self._addresses((*location, i), text) for i, text in enumerate(key))
            found = frozenset[str]().union(*parts)
            if len(self.problems) == before:  # a problem is reported wherever it is
                self._resolved[key] = found
        return found

    def amount(self, location: Location, text: str, asset: Asset) -> int:
        """Return the amount in base units; report that it is no amount of this asset."""
        return self.number(location, text, asset.decimals)

    def number(self, location: Location, text: str, decimals: int) -> int:
        """Return text as an integer with so many decimals; report that it has more."""
        try:
            return amounts.parse(text, decimals)
        except ValueError as error:
            self.report(location, str(error))
            return 0

    def _addresses(self, location: Location, text: str) -> frozenset[str]:
        if not text.startswith("@"):
            return frozenset((text,))
        name = text[1:]
        if name not in self._sets and ("addresses", name) not in self._broken:
            self.report(location, f"{text} is not defined; add [addresses.{name}]")
        return self._sets.get(name, frozenset())

    def _define(self, name: str, decimals: int, contract: str | None) -> None:
        location = ("assets", name)
        try:
            asset = assets.define(name, decimals, contract)
        except ValueError as error:
            self.report((*location, "contract"), str(error))
            return
        namesake = self._assets.get(name, asset)
        twin = self._refs.get(asset.ref, asset)
        if namesake != asset:
            coin = f"its chain's own coin, with {namesake.decimals} decimals and no contract"
            self.report(location, f"{name} is {coin}")
        elif twin != asset:
            hint = "; a token needs its contract" if asset.is_native else ""
            self.report(location, f"is {twin.name} by another name; an asset has one name{hint}")
        self._assets[name] = self._refs[asset.ref] = asset
