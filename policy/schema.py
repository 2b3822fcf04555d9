"""The shape of a policy document: what each table may hold, field by field.

Strict: no unknown fields, no conversions. What can be checked on one field
alone is checked here; what takes a look elsewhere in the document is checked
when it is compiled.

Compatibility: a ``schema = 1`` document stays valid and keeps its meaning. A
field may be added if it is optional and its absence denies or changes nothing;
anything else needs ``schema = 2``.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from policy import abi, amounts, fields, hours
from policy.algorithms import Algorithm
from policy.contracts import VALUE
from policy.field_types import (
    Address,
    Amount,
    AssetName,
    Destination,
    Instant,
    Label,
    Many,
    Name,
    Network,
    Positive,
    San,
    SchemaVersion,
    Span,
    Tables,
    TokenContract,
    Word,
    checked,
)
from policy.model import Role, Side
from policy.rules import Per

ONE, MANY = "[one]", "[many]"  # in pydantic's locations only


def _parse_end(text: str) -> int:
    return hours.parse_minute(text, end=True)


class Table(BaseModel):
    """What all tables share: strict, closed and frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Asset(Table):
    """``[assets."USDC@eip155:1"]``.

    Attributes:
        decimals: how many decimals one whole unit has, 0 to 36.
        contract: the contract of a token: on an eip155 chain with its ERC-55 checksum,
            on a tron or solana chain (there, the mint) in base 58; without one, an
            asset on an eip155 chain is the chain's own coin.
    """

    decimals: Annotated[int, Field(ge=0, le=amounts.MAX_DECIMALS)]
    contract: TokenContract | None = None


class Call(Table):
    """``[contracts.….calls.…]``: a call that grants may allow as ``call.<contract>.<call>``.

    Every parameter is named in one of the fields below.

    Attributes:
        signature: as Solidity declares it, with a name for each parameter, like
            deposit(uint256 assets, address receiver); static types only.
        amount: the parameter that says how much moves, or msg.value for the coins sent
            along; without it the call moves nothing.
        asset: what moves; the chain's own coin for msg.value.
        asset_from: the parameter that says what moves, a token's contract.
        destination: the parameter that says where it goes; the contract, without it.
        role: payment (the default), or allowance for a right to spend later.
        fixed: parameters that must have one value, each with it as a string.
        free: parameters that may have any value.
    """

    signature: Annotated[str, checked(abi.parse)]
    amount: str | None = None
    asset: AssetName | None = None
    asset_from: str | None = None
    destination: str | None = None
    role: Annotated[Role, Field(strict=False)] = Role.PAYMENT
    fixed: dict[str, str] = {}
    free: Many[str] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = [item for item in (self.asset, self.asset_from) if item is not None]
        wanted = 0 if self.amount in {None, VALUE} else 1
        if len(given) != wanted:
            raise ValueError(
                "give an asset or asset_from with an amount, and neither with msg.value or without"
            )
        if self.amount is None and self.destination is not None:
            raise ValueError("a destination needs an amount: nothing goes there without one")
        if self.role is Role.FEE:
            raise ValueError("role is payment or allowance")
        return self


class Contract(Table):
    """``[contracts.…]``: a contract whose calls are pinned.

    Attributes:
        address: with its ERC-55 checksum.
        chain_id: its EIP-155 chain.
        calls: the calls, by names of their own.
    """

    address: Annotated[str, checked(fields.ethereum)]
    chain_id: Positive
    calls: Annotated[dict[Name, Call], Field(min_length=1)]


class Hours(Table):
    """When a grant is open, on the wall clock of ``tz``; the end is excluded.

    Attributes:
        tz: an IANA time zone.
        days: days and ranges of days, like mon-fri or mon,wed.
        from_: the first minute, HH:MM.
        to: the first minute that is closed again, HH:MM up to 24:00; on the next day
            if it is before from.
        closed: dates that are closed all day, like 2026-12-25.
    """

    tz: Annotated[str, checked(hours.parse_zone)]
    days: Annotated[str, checked(hours.parse_days)]
    from_: Annotated[str, checked(hours.parse_minute), Field(alias="from")]
    to: Annotated[str, checked(_parse_end)]
    closed: Many[Annotated[str, checked(hours.parse_date)]] | None = None

    @model_validator(mode="after")
    def _lasting(self) -> Self:
        if self.from_ == self.to:
            raise ValueError(f"from and to are both {self.to}; all day is from 00:00 to 24:00")
        if self.to == "00:00":
            raise ValueError('midnight is the end of the day here: write to = "24:00"')
        return self


def _one_or_many(value: object) -> str:
    return MANY if isinstance(value, list) else ONE


Openings = Annotated[
    Annotated[Hours, Tag(ONE)] | Annotated[Many[Hours], Tag(MANY)], Discriminator(_one_or_many)
]


class Approval(Table):
    """Who must agree to larger amounts.

    Attributes:
        above: the largest amount of an asset that needs no approval.
        quorum: how many of the approvers must agree, at least 1.
        approvers: their SANs; nobody approves a request of their own.
    """

    above: Amount
    quorum: Positive
    approvers: Many[San]


class WorstPrice(Table):
    """How bad the price of an order may be, in whole units as the venue writes it.

    A side that has no price here may not be traded.

    Attributes:
        buy: the most that one unit may cost.
        sell: the least that one unit must bring.
    """

    buy: Amount | None = None
    sell: Amount | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.buy is None and self.sell is None:
            raise ValueError("bounds nothing; give it buy, sell or both")
        return self


class Holder(Table):
    """Whose a grant is; see ``Grant``."""

    id: Name
    callers: Many[San]


class Terms(Table):
    """What a grant lets its callers do; see ``Grant``."""

    action: str
    chain_ids: Many[Positive] | None = None
    assets: Many[AssetName] | None = None
    destinations: Many[Destination] | None = None
    sources: Many[Destination] | None = None
    venues: Many[Word] | None = None
    symbols: Many[Word] | None = None
    sides: Many[Annotated[Side, Field(strict=False)]] | None = None
    order_types: Many[Word] | None = None
    worst_price: WorstPrice | None = None
    session: bool = False
    networks: Many[Network] | None = None
    not_before: Instant | None = None
    expires: Instant | None = None
    lifetime: Span | None = None
    hours: Openings | None = None
    approval: Approval | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.assets is None) != (self.destinations is None):
            raise ValueError("assets and destinations belong together; give both, or neither")
        if self.assets is None and self.approval is not None:
            raise ValueError("approval needs assets: no amount is above a bound without them")
        if self.worst_price is not None and len(self.symbols or ()) != 1:
            raise ValueError("worst_price needs exactly one symbol in symbols")
        if self.not_before and self.expires and self.not_before >= self.expires:
            raise ValueError(f"not_before {self.not_before} is not before expires {self.expires}")
        return self


class Grant(Terms, Holder):
    """``[[keys.….grants]]``: who may do what with the key. Grants are OR.

    Attributes:
        id: the grant's name, unique on its key.
        callers: SANs, in full.
        action: one action of one of the key's payload formats.
        chain_ids: EIP-155 chains; required for Ethereum, not allowed elsewhere.
        assets: what may be moved; without assets and destinations the grant is for
            payloads that move nothing.
        destinations: addresses and @sets of addresses.
        sources: whose funds may be moved when they are not the key's own.
        venues: where orders go; required for payloads that name a venue.
        symbols: what they trade, as the venue writes it; required where it is named.
        sides: buy, sell; required where it is named.
        order_types: as the venue writes them; required where it is named.
        worst_price: the price of the one symbol that orders may be as bad as.
        session: allow logons, whose holder may do whatever the venue allows; default
            false.
        networks: where its callers are, as 10.1.0.0/16; anywhere, without it.
        not_before: when it begins, as 2027-01-01T00:00:00Z; at once, without it.
        expires: when it ends, the same way; never, without it.
        lifetime: how far ahead a payload may expire, 1s to 366d; without it, 1h for
            typed data of Ethereum and any time elsewhere.
        hours: when, one table or a list of them; always, without it.
        approval: who must agree to larger amounts; nobody, without it.
    """


class Window(Table):
    """One rolling window of a limit; it bounds a total, a count or both.

    Attributes:
        span: its length, 1s to 366d.
        total: the largest amount that may leave in it.
        count: the largest number of requests in it, at least 1; a count of 1 is a
            pause between requests.
        per: key (the default) counts everything, caller each caller on its own,
            destination each destination on its own.
    """

    span: Span
    total: Amount | None = None
    count: Positive | None = None
    per: Annotated[Per, Field(strict=False)] = Per.KEY

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.total is None and self.count is None:
            raise ValueError("bounds nothing; give it a total, a count or both")
        return self


class Limit(Table):
    """``[[keys.….limits]]``: how much of an asset may leave, whatever the grant.

    Attributes:
        asset: the asset; several limits on one asset all hold.
        per_request: the largest sum in one request.
        windows: rolling windows.
    """

    asset: AssetName
    per_request: Amount
    windows: Annotated[list[Window], Field(min_length=1)]


class Key(Table):
    """``[keys.…]``: a key on the token and everything it may be used for.

    Attributes:
        algorithm: what it signs with.
        payloads: the payload formats that it takes.
        version: the key's version that signs; default 1.
        durable_intent: commit the decision before the token is called; default false:
            the token may work meanwhile, and its signature is released afterwards.
        validators: SANs that may have a request of theirs decided without signing it,
            and are told what every grant and limit makes of it; nobody, without it.
        grants: who may do what.
        limits: how much may leave.
    """

    algorithm: Annotated[Algorithm, Field(strict=False)]
    payloads: Many[str]
    version: Positive = 1
    durable_intent: bool = False
    validators: Many[San] | None = None
    grants: Tables[Grant]
    limits: Tables[Limit]


class GroupLimit(Table):
    """``[[groups.….limits]]``: how much of an asset may leave the keys together.

    Attributes:
        asset: the asset; each key needs a limit of its own on what it moves.
        windows: rolling windows.
    """

    asset: AssetName
    windows: Annotated[list[Window], Field(min_length=1)]


class Group(Table):
    """``[groups.…]``: keys whose spending counts together, beside their own limits.

    Attributes:
        keys: the keys.
        limits: how much may leave them together.
    """

    keys: Many[Name]
    limits: Annotated[list[GroupLimit], Field(min_length=1)]


class Document(Table):
    """The whole policy.

    Attributes:
        groups: keys that share limits, by the group's name.
        schema_: the version of this shape, 1.
        assets: what is not a well-known coin, by name.
        addresses: named sets; each address with what people call it.
        contracts: contracts whose calls are pinned, by name.
        markets: what orders without a price count at, by the destination of the orders;
            without its market's price such an order is refused.
        keys: the keys, by name.
    """

    schema_: SchemaVersion
    assets: dict[AssetName, Asset] = {}
    addresses: dict[Name, Annotated[dict[Address, Label], Field(min_length=1)]] = {}
    contracts: dict[Name, Contract] = {}
    markets: dict[Address, WorstPrice] = {}
    groups: dict[Name, Group] = {}
    keys: dict[Name, Key]


class Outline(Document):
    """A document but for what its keys hold: there may be many, and each is read alone."""

    keys: dict[Name, Any]
