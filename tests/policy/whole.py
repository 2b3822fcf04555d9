"""Documents of the whole language, edits of them and requests, each from a seed.

Plain random numbers are a hundred times faster than strategies, and properties of pairs of
policies want a million of them. The alphabets are small, so that most requests are near
the edge of being allowed.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from msgspec.structs import replace

from policy.model import Ask, Facts, Role, Side, Transfer
from tests.policy import whole_calls
from tests.policy.generated import MINUTE, NOW, OFFICERS, Case, History, Past

Tree = dict[str, Any]
Make = Callable[[Random], Any]

CALLERS = ("a.example", "b.example", "x.example")
ASSETS = ("USD", "EUR", "ETH@eip155:1")
PLACES = ("acme", "umbrella", "initech")
SETS = {"one": {"acme": "A"}, "both": {"acme": "A", "umbrella": "U"}}
SPANS = {"60s": 60_000, "61s": 61_000, "1h": 3_600_000, "3601s": 3_601_000, "1d": 86_400_000}
KEYS = ("k", "m")
ETHEREUM = ("native.transfer", "erc20.transfer")
INTENT = "intent.transfer"
SESSION = (True, False)
SWAP = "USD/EUR"
LIFETIMES = {"30s": 30, "60s": 60, "1h": 3600}


def copied(tree: Tree) -> Tree:
    """Return a copy of a tree; several times faster than ``copy.deepcopy``."""
    return {name: _copied(node) for name, node in tree.items()}


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return copied(node)
    return [_copied(child) for child in node] if isinstance(node, list) else node


def some(*items: Any, most: int | None = None) -> Make:
    """Make a list of at least one of the items."""
    return lambda random: random.sample(items, random.randint(1, most or len(items)))


def one(*items: Any) -> Make:
    """Make one of the items."""
    return lambda random: random.choice(items)


def _amount(random: Random) -> str:
    return str(random.randint(1, 8))


def _opening(random: Random) -> Tree:
    hours: Tree = {
        "tz": random.choice(("UTC", "UTC", "Europe/Berlin")),
        "days": random.choice(("mon", "mon-tue", "tue", "sun")),
        "from": random.choice(("00:00", "12:00", "23:00")),
        "to": random.choice(("12:01", "14:00")),
    }
    if random.random() < 0.3:
        hours["closed"] = some("2026-11-22", "2026-11-23", "2026-11-24")(random)
    return hours


def _hours(random: Random) -> Tree | list[Tree]:
    if random.random() < 0.5:
        return _opening(random)
    openings = [_opening(random) for _ in range(random.randint(1, 2))]
    return openings if openings[0] != openings[-1] else openings[:1]


def _window(random: Random) -> Tree:
    window: Tree = {"span": random.choice(tuple(SPANS))}
    bounds = random.choice(("total", "count", "both"))
    if bounds != "count":
        window["total"] = _amount(random)
    if bounds != "total":
        window["count"] = random.randint(1, 3)
    if random.random() < 0.4:
        window["per"] = random.choice(("key", "caller", "destination"))
    return window


def _windows(random: Random) -> list[Tree]:
    found = [_window(random) for _ in range(random.randint(1, 2))]
    lengths = {(SPANS[item["span"]], item.get("per", "key")) for item in found}
    return found if len(lengths) == len(found) else found[:1]


def _worst(random: Random) -> Tree:
    sides = some("buy", "sell")(random)
    return {side: str(random.randint(1, 3)) for side in sides}


def _approval(random: Random) -> Tree:
    quorum, approvers = random.randint(1, 2), some(*OFFICERS)(random)
    return {"above": _amount(random), "quorum": quorum, "approvers": approvers}


# The fields that a grant may have beside its callers and its action, and what makes them.
GRANT: dict[str, Make] = {
    "sources": some(*PLACES),
    "venues": some("v", "w"),
    "symbols": some("S", "T", SWAP),
    "sides": some("buy", "sell"),
    "order_types": some("LIMIT", "MARKET"),
    "session": one(*SESSION),
    "networks": some("10.1.0.0/16", "10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32", most=2),
    "not_before": one("2026-11-22T12:00:00Z", "2026-11-23T11:00:00Z"),
    "expires": one("2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"),
    "hours": _hours,
    "approval": _approval,
    "worst_price": _worst,
    "lifetime": one(*LIFETIMES),
}
MOVING: dict[str, Make] = {
    "assets": some(*ASSETS),
    "destinations": some(*PLACES, "@one", "@both"),
}
LIMIT: dict[str, Make] = {"per_request": _amount, "windows": _windows}


def _grant(random: Random, name: str, *, calls: bool) -> Tree:
    grant: Tree = {"id": name, "callers": some(*CALLERS)(random)}
    if calls and random.random() < 0.4:
        grant |= whole_calls.grant(random)
    elif random.random() < 0.25:
        grant |= {"action": random.choice(ETHEREUM), "chain_ids": [1], "assets": ["ETH@eip155:1"]}
        grant["destinations"] = MOVING["destinations"](random)
    else:
        grant["action"] = INTENT
        if random.random() < 0.9:
            grant |= {field: make(random) for field, make in MOVING.items()}
    if grant["action"] == INTENT and random.random() < 0.3:
        _set(random, grant, "sides")
        if random.random() < 0.5:
            _set(random, grant, "worst_price")
    for field in random.sample(sorted(GRANT), random.choice((0, 0, 1, 1, 2))):
        _set(random, grant, field)
    return grant


def _set(random: Random, grant: Tree, field: str) -> None:
    """Give a grant a field, and what that needs."""
    grant[field] = GRANT[field](random)
    if field == "worst_price":
        grant["symbols"] = [random.choice(("S", SWAP))]
    if field == "symbols" and len(grant["symbols"]) > 1:
        grant.pop("worst_price", None)
    if field == "approval" and "assets" not in grant:
        del grant["approval"]


def _key(random: Random, *, calls: bool) -> Tree:
    limits = [
        {"asset": asset} | {field: make(random) for field, make in LIMIT.items()}
        for asset in ASSETS
    ]
    return {
        "algorithm": "ecdsa-secp256k1",
        "payloads": ["intent", "ethereum.transaction"],
        "grants": [_grant(random, f"g{n}", calls=calls) for n in range(random.randint(1, 3))],
        "limits": limits,
    }


def document(random: Random) -> Tree:
    """Return a document with one or two keys, perhaps in a group."""
    names = KEYS[: random.randint(1, 2)]
    calls = random.random() < 0.3
    tree: Tree = {
        "schema": 1,
        "assets": {"USD": {"decimals": 0}, "EUR": {"decimals": 0}},
        "addresses": copied(SETS),
        "keys": {name: _key(random, calls=calls) for name in names},
    }
    if calls:
        tree["contracts"] = whole_calls.contracts(random)
    for _ in range(random.randrange(4)):
        _market(random, tree)
    tree["keys"]["k"]["validators"] = ["a.example"]
    for asset in ("USD", "EUR", "ETH@eip155:1"):
        if random.random() < 0.2:
            _group(random, tree, asset)
    return tree


def _market(random: Random, tree: Tree) -> None:
    tree.setdefault("markets", {})[random.choice(PLACES)] = _worst(random)


def _group(random: Random, tree: Tree, asset: str) -> None:
    group = tree.setdefault("groups", {}).setdefault("g", {"keys": [*tree["keys"]], "limits": []})
    group["limits"].append({"asset": asset, "windows": _windows(random)})


def edited(random: Random, tree: Tree) -> Tree:
    """Return a copy with one to three edits of any kind."""
    new = copied(tree)
    for _ in range(random.choice((1, 1, 2, 3))):
        random.choice(_EDITS)(random, new)
    return new


def _any_key(random: Random, tree: Tree) -> Any:
    return tree["keys"][random.choice(sorted(tree["keys"]))]


def _edit_grant(random: Random, tree: Tree) -> None:
    grant = random.choice(_any_key(random, tree)["grants"])
    field = random.choice(("callers", *MOVING, *GRANT))
    if field in GRANT and field in grant and random.random() < 0.5:
        del grant[field]
    elif field in GRANT:
        _set(random, grant, field)
    elif field == "callers":
        grant["callers"] = some(*CALLERS)(random)
    elif "assets" in grant and grant["action"] == INTENT:
        grant[field] = MOVING[field](random)


def _edit_limit(random: Random, tree: Tree) -> None:
    limit = random.choice(_any_key(random, tree)["limits"])
    field = random.choice(sorted(LIMIT))
    limit[field] = LIMIT[field](random)


def _edit_key(random: Random, tree: Tree) -> None:
    key = _any_key(random, tree)
    change = random.choice(("grant", "no grant", "set", "group", "no group", "key"))
    if change == "grant":
        name = f"n{len(key['grants'])}"
        key["grants"].append(_grant(random, name, calls="contracts" in tree))
    elif change == "no grant" and len(key["grants"]) > 1:
        key["grants"].remove(random.choice(key["grants"]))
    elif change == "set":
        tree["addresses"]["one"] = {random.choice(PLACES): "A"}
    elif change == "group":
        _group(random, tree, random.choice(ASSETS))
    elif change == "no group":
        tree.pop("groups", None)
    elif change == "key" and len(tree["keys"]) > 1:
        del tree["keys"]["m"]


def _edit_shared(random: Random, tree: Tree) -> None:
    """Change what the keys share: a market, a call, what an asset's amounts mean."""
    change = random.choice(("market", "no market", "call", "decimals"))
    if change == "market":
        _market(random, tree)
    elif change == "no market" and tree.get("markets"):
        del tree["markets"][random.choice(sorted(tree["markets"]))]
    elif change == "call" and "contracts" in tree:
        whole_calls.edit(random, tree)
    elif change == "decimals":
        tree["assets"][random.choice(("USD", "EUR"))]["decimals"] = random.randrange(2)


_EDITS = (_edit_grant, _edit_grant, _edit_limit, _edit_key, _edit_shared)


def tightened(random: Random, tree: Tree) -> Tree:
    """Return a copy that grants one thing less, or has one limit more."""
    new = copied(tree)
    key = _any_key(random, new)
    if random.random() < 0.4:
        limit = {"asset": random.choice(ASSETS)} | {f: make(random) for f, make in LIMIT.items()}
        if random.random() < 0.5:
            key["limits"].append(limit)
        else:
            _group(random, new, limit["asset"])
        return new
    grant = random.choice(key["grants"])
    # Without an asset of its own a grant has no threshold for fees in it: that is looser.
    kept = {"hours"} | ({"assets"} if "approval" in grant else set())
    lists = [
        items for field, items in grant.items() if isinstance(items, list) and field not in kept
    ]
    lists += [key["grants"], grant.get("approval", {}).get("approvers", [])]
    items = random.choice([items for items in lists if items])
    items.remove(random.choice(items))
    return new


def shuffled(random: Random, node: Any) -> Any:
    """Return a copy whose lists and tables are in another order."""
    if isinstance(node, dict):
        items = [(name, shuffled(random, child)) for name, child in node.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(node, list):
        return random.sample([shuffled(random, child) for child in node], len(node))
    return node


# What a request may say beside what its grant lists, and how often it does.
_STRAY = 0.06
_FACTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "source": ("sources", PLACES),
    "venue": ("venues", ("v", "w")),
    "symbol": ("symbols", ("S", "T", SWAP)),
    "side": ("sides", ("buy", "sell")),
    "order_type": ("order_types", ("LIMIT", "MARKET")),
}


def requests(random: Random, count: int, trees: list[Tree]) -> Iterator[Case]:
    """Return many requests that nearly fit a grant of one of the documents.

    Each comes at a time and after a past of its own.
    """
    for _ in range(count):
        now_ms = NOW + random.choice((-61, 0, 0, 0, 90, 1440)) * MINUTE
        charges = [_charge(random) for _ in range(random.choice((0, 0, 0, 1, 2, 3)))]
        approved_by = frozenset(random.sample(OFFICERS, random.randrange(len(OFFICERS) + 1)))
        tree = random.choice(trees)
        name = random.choice(sorted(tree["keys"]))
        grant = random.choice(tree["keys"][name]["grants"])
        yield Case(_ask(random, name, grant, now_ms), now_ms, approved_by, History(charges, now_ms))


def _fitting(random: Random, listed: Any, values: tuple[Any, ...]) -> Any:
    return random.choice(values if random.random() < _STRAY or not listed else listed)


def _ask(random: Random, key: str, grant: Tree, now_ms: int) -> Ask:
    facts = _facts(random, grant, _said(random, grant, now_ms))
    address = random.choice(("10.1.2.3", "10.1.2.3", "10.1.3.3", "10.2.0.1", "2001:db8::1", None))
    caller = _fitting(random, grant["callers"], CALLERS)
    return Ask(key, "ethereum.transaction" if facts.chain_id else "intent", caller, facts, address)


def _said(random: Random, grant: Tree, now_ms: int) -> Tree:
    """Return what a request says beside what moves."""
    said: Tree = {
        fact: _fitting(random, grant.get(field), values)
        for fact, (field, values) in _FACTS.items()
        if field in grant or random.random() < _STRAY
    }
    if "side" in said:
        said["side"] = Side(said["side"])
        said["price"] = _fitting(random, [None, "2"], ("1", "2", "3"))
        said["quantity"] = random.choice((None, "1", "0.3"))
    if "lifetime" in grant or random.random() < _STRAY:
        ahead = random.choice(tuple(LIFETIMES.values())) + random.choice((-1, 0, 0, 1))
        said["expires_at"] = now_ms // 1000 + ahead
    said["session"] = random.random() < (0.5 if grant.get("session") else _STRAY)
    return said


def _facts(random: Random, grant: Tree, said: Tree) -> Facts:
    if grant["action"] in whole_calls.ACTIONS:
        return whole_calls.facts(random, grant["action"], **said)
    moved = tuple(_transfer(random, grant) for _ in range(random.choice((1, 1, 1, 2))))
    moved = moved if "assets" in grant or random.random() < _STRAY else ()
    if said.get("symbol") == SWAP and moved:
        sold = replace(moved[0], asset="USD", amount=random.randint(1, 3))
        said |= {"receives": _received(random, sold), "side": Side.SELL}
        moved = (sold, *moved[1:])
    return Facts(grant["action"], moved, 1 if "chain_ids" in grant else None, **said)


def _received(random: Random, sold: Transfer) -> Transfer:
    return Transfer("EUR", sold.amount * random.choice((1, 2, 2, 3)), None)


def _transfer(random: Random, grant: Tree) -> Transfer:
    role = random.choice((*Role, Role.PAYMENT, Role.PAYMENT, Role.PAYMENT))
    stray = random.random() < _STRAY
    asset = random.choice(ASSETS if stray else grant.get("assets", ASSETS))
    places = [SETS.get(item[1:], (item,)) for item in grant.get("destinations", PLACES)]
    place = random.choice(PLACES if stray else sorted({name for names in places for name in names}))
    scale = 10**18 if asset.startswith("ETH") else 1
    amount = random.choice((0, 1, 1, 1, 2, 2, 3, 5, 8)) * scale + random.choice((0, 0, 0, 1))
    return Transfer(asset, amount, None if role is Role.FEE else place, role)


def _charge(random: Random) -> Past:
    span = random.choice(tuple(SPANS.values()))
    age_ms = random.choice((random.randrange(span), span + random.randint(-60, 60)))
    return Past(age_ms, random.randrange(7), random.choice(CALLERS), random.choice(PLACES))
