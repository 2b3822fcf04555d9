"""From the tables of contracts to pinned calls, and what contradicts itself in them."""

from collections.abc import Iterator, Mapping

from policy import abi, schema
from policy.contracts import ACTION, VALUE, PinnedCall, Place
from policy.names import Names
from policy.problems import Location, path

# What decoders read themselves, so that a pin would never be looked at.
_TOKEN_METHODS = {
    "a9059cbb": "erc20.transfer",
    "095ea7b3": "erc20.approve",
    "23b872dd": "erc20.transferFrom",
}


def pinned(contracts: Mapping[str, schema.Contract], names: Names) -> dict[Place, PinnedCall]:
    """Return the calls by where they go; problems go to ``names``."""
    calls: dict[Place, PinnedCall] = {}
    for name, contract in contracts.items():
        for label, table in contract.calls.items():
            location = ("contracts", name, "calls", label)
            call = _Compiler(location, contract, table, names).compile(f"{ACTION}{name}.{label}")
            twin = calls.get(call.place)
            token = _TOKEN_METHODS.get(call.place[2])
            if twin is not None:
                names.report((*location, "signature"), f"is pinned as {twin.action} already")
            if token is not None:
                names.report((*location, "signature"), f"is a token's: grant {token} instead")
            calls[call.place] = call
    return calls


class _Compiler:
    """Compiles one call."""

    def __init__(
        self, location: Location, contract: schema.Contract, table: schema.Call, names: Names
    ) -> None:
        self._at = location
        self._contract = contract
        self._table = table
        self._names = names
        self._method = abi.parse(table.signature)

    def compile(self, action: str) -> PinnedCall:
        """Return the call."""
        self._every_parameter_once()
        table, chain_id = self._table, self._contract.chain_id
        coins = table.amount == VALUE
        return PinnedCall(
            action=action,
            path=path(self._at),
            chain_id=chain_id,
            contract=self._contract.address,
            method=self._method,
            amount=None if coins else self._parameter("amount", table.amount, "uint"),
            asset=self._coin() if coins else self._asset(),
            asset_from=self._parameter("asset_from", table.asset_from, "address"),
            destination=self._parameter("destination", table.destination, "address"),
            role=table.role,
            fixed=dict(self._fixed()),
        )

    def _every_parameter_once(self) -> None:
        table = self._table
        single = (table.amount, table.asset_from, table.destination)
        named = [*filter(None, single), *table.fixed, *(table.free or ())]
        for parameter in self._method.parameters:
            count = named.count(parameter.name)
            if count != 1:
                problem = "is named nowhere" if count == 0 else "is named twice"
                advice = "name it once: as amount, asset_from or destination, in fixed or in free"
                self._names.report(self._at, f"parameter {parameter.name} {problem}; {advice}")
        for name in table.free or ():
            self._parameter("free", name, "")

    def _parameter(self, field: str, name: str | None, kind: str) -> int | None:
        """Return where a parameter stands; report that there is none, or of another type."""
        if name is None:
            return None
        try:
            index = self._method.index(name)
        except ValueError as error:
            self._names.report((*self._at, field), str(error))
            return None
        found = self._method.parameters[index].kind
        if not found.startswith(kind):
            self._names.report((*self._at, field), f"{name} is {found}, not {kind}")
        return index

    def _coin(self) -> str | None:
        chain_id = self._contract.chain_id
        coin = self._names.native(chain_id)
        if coin is None:
            problem = f"no coin is defined for chain {chain_id}"
            self._names.report((*self._at, "amount"), problem)
            return None
        return coin.ref

    def _asset(self) -> str | None:
        if self._table.asset is None:
            return None
        asset = self._names.asset((*self._at, "asset"), self._table.asset)
        return asset.ref if asset else None

    def _fixed(self) -> Iterator[tuple[int, bytes]]:
        for name, text in self._table.fixed.items():
            location = (*self._at, "fixed", name)
            try:
                index = self._method.index(name)
                yield index, self._method.parameters[index].write(text)
            except ValueError as error:
                self._names.report(location, str(error))
