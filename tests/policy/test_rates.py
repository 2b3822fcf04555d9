"""Emergency rates: what they count and what they stop."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.engine import Unused
from policy.model import Ask, Charge, Counter, Facts, LimitState, Transfer, Used
from policy.rates import SPAN_MS, Slowed, slowed
from policy.reasons import Code, Reason
from policy.rules import Policy

ASK = Ask("pay", "intent", "spiffe://firm.example/bot", Facts("a", (Transfer("USD", 1, "acme"),)))


@pytest.fixture
def policy(tree: dict[str, Any], compiled: Callable[[dict[str, Any]], Policy]) -> Policy:
    """The document as it stands."""
    return compiled(tree)


class Two:
    """Windows with two requests each."""

    def used(self, counter: Counter) -> Used:
        """Return two requests, for the rates' own counters only."""
        assert (counter.asset, counter.span_ms) == ("", SPAN_MS)
        return Used(0, 2)


@pytest.mark.parametrize(
    ("rates", "over"),
    [
        ({("key", "pay"): 3}, []),
        ({("key", "pay"): 2}, ["rates.key"]),
        (
            {("all", ""): 0, ("asset", "USD"): 1, ("caller", ASK.caller): 9},
            ["rates.all", "rates.asset"],
        ),
        ({("destination", "acme"): 2}, ["rates.destination"]),
    ],
)
def test_a_rate_counts_what_it_touches(
    policy: Policy, rates: dict[tuple[str, str], int], over: list[str]
) -> None:
    """Every rate in scope counts one request, and names itself where that is too many."""
    found = slowed(rates, ASK, policy, Two())
    assert [reason.rule for reason in found.reasons] == over
    assert {reason.code for reason in found.reasons} <= {Code.EMERGENCY_RATE}
    assert [(charge.amount, charge.requests) for charge in found.charges] == [(0, 1)] * len(rates)
    assert [state.max_requests for state in found.limits] == [rates[name] for name in sorted(rates)]


@pytest.mark.parametrize("rates", [{}, {("key", "wd"): 0, ("group", "desk"): 0}])
def test_other_rates_do_not(policy: Policy, rates: dict[tuple[str, str], int]) -> None:
    """What the request does not touch counts nothing."""
    assert slowed(rates, ASK, policy, Unused()) == Slowed()


def test_everything_can_be_slowed_by_its_name(policy: Policy) -> None:
    """The reason names what is slowed, and to how much."""
    [reason] = slowed({("all", ""): 0}, ASK, policy, Unused()).reasons
    assert reason.detail == "everything is slowed to 0 requests a minute"


def test_each_rate_has_a_counter_of_its_own(policy: Policy) -> None:
    """It is named after scope and name, and shown before and after with its bound."""
    found = slowed({("key", "pay"): 1, ("caller", ASK.caller): 5}, ASK, policy, Two())
    names = (f"rate caller {ASK.caller}", "rate key pay")
    counters = [Counter(name, "", SPAN_MS) for name in names]
    assert found.charges == tuple(Charge(counter, 0) for counter in counters)
    assert found.limits == tuple(
        LimitState(counter, Used(0, 2), Used(0, 3), None, most)
        for counter, most in zip(counters, (5, 1), strict=True)
    )
    detail = "pay is slowed to 1 requests a minute"
    assert found.reasons == (Reason(Code.EMERGENCY_RATE, "rates.key", detail),)
