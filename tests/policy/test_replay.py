"""Recorded events decided again, one by one: what no ledger's history shows by itself."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.freezes import Freeze
from policy.model import Ask, Counter, Facts, Transfer, Used
from policy.reasons import Code, Reason
from policy.replay import Asked, Frozen, Kind, Replay, Settled
from policy.rules import Policy

Tree = dict[str, Any]

BOT, CHECKER = "spiffe://firm.example/bot", "spiffe://firm.example/checker"
PLACE = "acme"
SLOWED = Reason(Code.EMERGENCY_RATE, "rates.key", "slowed")
LIMIT = Reason(Code.LIMIT_PER_REQUEST, "keys.pay.limits.USD.per_request", "too much")
FULL = Reason(Code.LIMIT_WINDOW_TOTAL, "keys.pay.limits.USD.windows.1h.total", "too much")
HOUR = Counter("pay", "USD", 3_600_000)


@pytest.fixture
def policy(tree: Tree, compiled: Callable[[Tree], Policy]) -> Policy:
    """At most 10.00 in a request and 25 in an hour, and above 5.00 only what one has approved."""
    tree["addresses"]["suppliers"] = {PLACE: "Acme Ltd"}
    approval = {"above": "5", "quorum": 1, "approvers": [CHECKER]}
    tree["keys"]["pay"]["grants"][0]["approval"] = approval
    return compiled(tree)


def _asked(
    index: int, amount: int, *reasons: Reason, kind: Kind = Kind.NEW, request: str = ""
) -> Asked:
    facts = Facts("intent.transfer", (Transfer("USD", amount, PLACE),))
    ask = Ask("pay", "intent", BOT, facts)
    request = request or f"r{index}"
    return Asked(index, index, ask, request, kind, reasons, frozenset({CHECKER}))


def _used(replay: Replay) -> Used:
    return replay.used(HOUR)


def test_nothing_is_used_before_the_first_event(policy: Policy) -> None:
    """The windows of a new replay are empty."""
    assert _used(Replay(policy)) == Used(0, 0)


def test_all_history_is_decided_again_by_default(policy: Policy) -> None:
    """From the first millisecond on."""
    replay = Replay(policy)
    assert replay.step(_asked(0, 1001)) is not None
    assert replay.decided == 1


@pytest.mark.parametrize("since_ms", [0, 9])
def test_what_was_approved_then_is_approved(policy: Policy, since_ms: int) -> None:
    """An approval is part of the history, before the candidate and under it."""
    replay = Replay(policy, since_ms)
    assert replay.step(_asked(1, 501)) is None
    assert _used(replay) == Used(501, 1)


def test_what_is_frozen_charges_nothing(policy: Policy) -> None:
    """The change that a freeze makes says so itself: no charges beside its reasons."""
    replay = Replay(policy)
    replay.step(Frozen(Freeze("key", "pay"), begins=True))
    change = replay.step(_asked(1, 100))
    assert change is not None
    assert change.decision.reasons[0].code is Code.FROZEN
    assert change.decision.charges == ()


def test_going_on_with_what_was_refused_needs_room(policy: Policy) -> None:
    """A second attempt has its room only if the candidate allowed the first."""
    replay = Replay(policy)
    for index in range(3):
        replay.step(_asked(index, 800))
    assert replay.step(_asked(3, 200, FULL, request="r")) is None
    change = replay.step(_asked(4, 200, kind=Kind.RESUMED, request="r"))
    assert change is not None
    assert change.decision.reasons[0].code is Code.LIMIT_WINDOW_TOTAL


def test_an_only_attempt_gives_all_back(policy: Policy) -> None:
    """Its amount and its request, with which the hour would be full."""
    replay = Replay(policy)
    replay.step(_asked(1, 500, request="r"))
    replay.step(Settled(1, "r", returned=True))
    assert _used(replay) == Used(0, 0)


def test_a_first_attempt_gives_nothing_back_after_a_second(policy: Policy) -> None:
    """However late its end is recorded: the second may have signed."""
    replay = Replay(policy)
    replay.step(_asked(1, 500, request="r"))
    replay.step(_asked(2, 500, kind=Kind.RESUMED, request="r"))
    replay.step(Settled(1, "r", returned=True))
    assert _used(replay) == Used(500, 1)


@pytest.mark.parametrize("reasons", [(SLOWED, LIMIT), (LIMIT, SLOWED)])
def test_what_people_said_comes_where_it_came(policy: Policy, reasons: tuple[Reason, ...]) -> None:
    """Before what the candidate says or after it, as in the record: the answer is the same."""
    assert Replay(policy).step(_asked(1, 1001, *reasons)) is None
