"""From stored records back to what was asked and decided: the inverse of ``ledger.entries``."""

import re
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import TypeVar

import msgspec

from policy import model, networks
from policy.algorithms import Algorithm
from policy.freezes import Freeze
from policy.model import Ask, Role, Side
from policy.reasons import Code, Reason
from policy.replay import Asked, Event, Frozen, Kind, Settled
from signer.audit import record
from signer.audit.record import Record
from signer.errors import SigngateError

_T = TypeVar("_T")
_KEY_VERSION = re.compile(r"keys/(?P<key>[^/]*)(?:/versions/(?P<version>[1-9][0-9]*))?", re.ASCII)
_INTEGER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_DECISIONS = frozenset({"sign.decision", "validate"})
_decode = msgspec.json.Decoder(Record).decode


class HistoryError(SigngateError):
    """A record cannot be read; the message says which and why."""


class CutError(HistoryError):
    """A record was too long to be stored whole, so that its facts are not all there."""


def event(body: bytes) -> Event | None:
    """Return what a record says of requests and freezes; None where it says nothing.

    Conflicts and answers that were given again decide nothing, and what no decoder
    could read has no facts: whatever the policy, it is refused.

    Raises:
        CutError: it is a decision whose record was cut.
        HistoryError: it is no record.
    """
    try:
        entry = _decode(body)
        return _event(entry)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise HistoryError(f"{body[:60].decode(errors='replace')}…: {error}") from None


def time_ms(text: str) -> int:
    """Return the milliseconds since the epoch of a record's time."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _event(entry: Record) -> Event | None:
    match entry.event:
        case "freeze" | "unfreeze":
            what = Freeze(entry.scope or "", entry.name or "")
            return Frozen(what, entry.event == "freeze")
        case "sign.outcome":
            return Settled(entry.decision or 0, _request(entry), entry.outcome == "refused")
        case name if name in _DECISIONS and entry.facts is not None:
            if entry.truncated:
                raise CutError(f"record {entry.index} was cut")
            return _asked(entry, entry.facts)
        case _:
            return None


def _asked(entry: Record, stored: record.Facts) -> Asked:
    caller, payload = _needed(entry.caller), _needed(entry.payload)
    named = _needed(_KEY_VERSION.fullmatch(entry.key_version or ""))
    reasons = tuple(Reason(Code[item.code], item.rule, item.detail) for item in entry.reasons)
    address = networks.host(caller.address)
    ask = Ask(named["key"], payload.format, caller.san, facts(stored), address)
    return Asked(
        entry.index,
        time_ms(entry.time),
        ask,
        _request(entry),
        _kind(entry),
        reasons,
        frozenset(entry.approvals),
        int(named["version"]) if _wrong_version(named["key"], reasons) else None,
    )


def _kind(entry: Record) -> Kind:
    if entry.event == "validate":
        return Kind.VALIDATED
    return Kind.RESUMED if entry.resumed else Kind.NEW


def _wrong_version(key: str, reasons: tuple[Reason, ...]) -> bool:
    return any(
        (item.code, item.rule) == (Code.KEY_DENIED, f"keys.{key}.version") for item in reasons
    )


def _request(entry: Record) -> Hashable:
    return _needed(entry.caller).san, entry.request_id


def facts(stored: record.Facts) -> model.Facts:
    """Return the facts that a decoder gave.

    Raises:
        ValueError: they are none that it could have given.
    """
    return model.Facts(
        action=stored.action,
        transfers=tuple(map(_transfer, stored.transfers)),
        chain_id=_optional(_integer, stored.chain_id),
        source=stored.source,
        expires_at=_optional(_integer, stored.expires_at),
        nonce=stored.nonce,
        venue=stored.venue,
        symbol=stored.symbol,
        side=_optional(Side, stored.side),
        order_type=stored.order_type,
        quantity=stored.quantity,
        price=stored.price,
        timestamp=_optional(_integer, stored.timestamp),
        session=stored.session,
        algorithm=_optional(Algorithm, stored.algorithm),
        key_version=stored.key_version,
        call=_call(stored.call) if stored.call else None,
        receives=_transfer(stored.receives) if stored.receives else None,
        text=stored.text,
    )


def _call(stored: record.Call) -> model.ContractCall:
    return model.ContractCall(stored.contract, _integer(stored.value), stored.data)


def _transfer(stored: record.Transfer) -> model.Transfer:
    role, amount = Role(stored.role), _integer(stored.amount)
    return model.Transfer(stored.asset, amount, stored.destination, role, stored.decimals)


def _optional(read: Callable[[str], _T], text: str | None) -> _T | None:
    return None if text is None else read(text)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text[:80]!a} is no whole number")
    return int(text)


def _needed(value: _T | None) -> _T:
    if value is None:
        raise ValueError("a member that every decision has is missing")
    return value
