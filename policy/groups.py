"""Limits that keys share: each key of a group gets the group's windows beside its own.

The windows of a group have one counter, whichever key is charged, so that the
engine needs to know nothing of groups.
"""

from collections.abc import Mapping
from dataclasses import replace

from policy import schema
from policy.compile import WindowCompiler
from policy.names import Names
from policy.rules import KeyPolicy, WindowLimit


def grouped(
    groups: Mapping[str, schema.Group], keys: Mapping[str, KeyPolicy], names: Names
) -> dict[str, KeyPolicy]:
    """Return the keys with the windows of their groups; problems go to ``names``."""
    result = dict(keys)
    for name, group in sorted(groups.items()):
        _known(name, group, keys, names)
        members = [key for key in group.keys if key in keys]
        for key in members:
            result[key] = replace(result[key], groups=result[key].groups | {name})
        for asset, windows in _windows(name, group, names).items():
            limited = [key for key in members if asset in keys[key].limits]
            if not limited and len(members) == len(group.keys):
                message = f"no key of the group has a limit on {asset}, so it never moves"
                names.report(("groups", name, "limits"), message)
            for key in limited:
                result[key] = _with(result[key], asset, windows)
    return result


def _known(name: str, group: schema.Group, keys: Mapping[str, KeyPolicy], names: Names) -> None:
    for index, key in enumerate(group.keys):
        if key not in keys and not names.is_broken("keys", key):
            names.report(("groups", name, "keys", index), f"no key {key}")


def _windows(name: str, group: schema.Group, names: Names) -> dict[str, tuple[WindowLimit, ...]]:
    windows: dict[str, tuple[WindowLimit, ...]] = {}
    for index, table in enumerate(group.limits):
        location = ("groups", name, "limits", index)
        asset = names.asset((*location, "asset"), table.asset)
        if asset is not None:
            compiler = WindowCompiler(f"group {name}", ("groups", name), asset, names)
            earlier = windows.get(asset.name, ())
            windows[asset.name] = compiler.compile(location, table.windows, earlier)
    return windows


def _with(key: KeyPolicy, asset: str, windows: tuple[WindowLimit, ...]) -> KeyPolicy:
    limit = key.limits[asset]
    limit = replace(limit, windows=(*limit.windows, *windows))
    return replace(key, limits={**key.limits, asset: limit})
