"""From the tables of a key to the key's policy, and what contradicts itself in them."""

from collections.abc import Iterable

from policy import fields, schema
from policy.actions import Actions
from policy.assets import Asset
from policy.claims import Claim
from policy.granting import GrantCompiler, Made, sound
from policy.model import Counter
from policy.names import Names
from policy.problems import Location, path
from policy.rules import Grant, KeyPolicy, Limit, Per, WindowLimit


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
        self, name: str, table: schema.Key, names: Names, actions: Actions, made: Made
    ) -> None:
        self._at: Location = ("keys", name)
        self._name = name
        self._table = table
        self._names = names
        self._formats = actions.formats
        self._granting = GrantCompiler(self._at, table, names, actions, made)

    def compile(self, claims: Iterable[Claim]) -> KeyPolicy:
        """Return the key's policy; the claims are its grants."""
        self._check_payloads()
        grants = self._granting.compile(claims)
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

    def _check_payloads(self) -> None:
        """Each format is known, and signed with the key's algorithm."""
        for index, tag in enumerate(self._table.payloads):
            location = (*self._at, "payloads", index)
            form = self._formats.get(tag)
            if form is None:
                known = ", ".join(sorted(self._formats))
                self._names.report(location, f"no payload format {tag}; known: {known}")
            elif self._table.algorithm not in form.algorithms:
                right = ", ".join(sorted(form.algorithms))
                message = f"{tag} is not signed with {self._table.algorithm} but with {right}"
                self._names.report(location, message)

    def _limits(self) -> dict[str, Limit]:
        limits: dict[str, Limit] = {}
        for index, table in sound(self._table.limits):
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
        most = self._names.amount((*location, "per_request"), table.per_request, asset)
        compiler = WindowCompiler(self._name, self._at, asset, self._names)
        windows = compiler.compile(location, table.windows, earlier.windows if earlier else ())
        if earlier is not None:
            most = min(most, earlier.per_request)
        return Limit(asset, path((*self._at, "limits", asset.name)), most, windows)


def _length(window: WindowLimit) -> tuple[int, Per]:
    return window.counter.span_ms, window.per


def _by_caller(grants: tuple[Grant, ...]) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, list[Grant]] = {}
    for grant in grants:
        for caller in grant.callers:
            found.setdefault(caller, []).append(grant)
    return {caller: tuple(theirs) for caller, theirs in found.items()}
