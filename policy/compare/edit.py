"""What one change is about, and what a request at its edge is made of."""

from typing import NamedTuple

from policy.compare.limits import Bound, bounds
from policy.model import Side
from policy.rules import Grant, KeyPolicy, WindowLimit


class Edit(NamedTuple):
    """What a change is about: a path, and the key and grant before and after it.

    ``others`` are old grants of the same action, which may allow what the change allows.
    """

    path: str
    old: KeyPolicy | None
    new: KeyPolicy
    before: Grant | None
    after: Grant
    others: tuple[Grant, ...] = ()

    @property
    def olds(self) -> list[Grant]:
        """The old grants: of the same name, if there was one, and the others."""
        return [*([self.before] if self.before else ()), *self.others]

    def is_of(self, *fields: str) -> bool:
        """Whether the change is of one of these fields of the grant."""
        return self.path in {f"{self.after.path}.{field}" for field in fields}

    def adds(self, field: str) -> bool:
        """Whether the change may add to a list of the grant: to this one, or it is all new."""
        return self.is_of(field) or self.path == self.after.path

    def bounds(self, asset: str) -> list[Bound]:
        """Return the bound of an old window on the asset that the change is of, if it is of one."""
        limit = self.old.limits.get(asset) if self.old else None
        return [bound for bound in bounds(limit) if bound.path == self.path] if limit else []

    def is_of_limit(self, asset: str) -> bool:
        """Whether the change is of the limit on an asset, or of a group's window on it."""
        return is_within(self.path, self.new.limits[asset].path) or bool(self.bounds(asset))

    def windows(self, asset: str) -> list[WindowLimit]:
        """Return the windows on the asset, before and after."""
        limits = (key.limits.get(asset) for key in (self.old, self.new) if key)
        return [window for limit in limits if limit for window in limit.windows]


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


def is_within(path: str, place: str) -> bool:
    """Whether a path names a place, or one in it."""
    return path == place or path.startswith(f"{place}.")
