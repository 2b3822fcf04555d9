"""From parts to figures: percentiles, validity, objectives, comparison, knee."""

import random
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import compare, knee, metrics, page, report, slo, summary, tally
from loadtest.checks import Checker
from loadtest.errors import LoadtestError
from loadtest.live import Lines
from loadtest.page import Appendix
from loadtest.plan import Plan
from loadtest.profile import Sweep
from loadtest.report import Report, Step
from loadtest.sending import Completion, Failure
from loadtest.slo import Objectives
from loadtest.tally import Record
from loadtest.target import Target
from tests.loadtest.samples import part_of, profile_of, report_of

STEADY = [[0.001, 0.002, 0.003, 0.010]] * 10


def _noisy(seed: int, scale: float = 1.0) -> Report:
    rng = random.Random(seed)
    return report_of(
        part_of([[scale * rng.lognormvariate(-6, 0.3) for _ in range(200)] for _ in range(20)])
    )


def test_latency_starts_when_a_call_was_due() -> None:
    """A call that was sent late, or never answered, is as slow as its caller saw it."""
    plan = Plan(array("d", [0.0, 1.0]), [0, 0], [True, True], [b"", b""])
    done = (0, 100.7, Failure("UNAVAILABLE"))
    record = Record(profile_of(), plan, array("d", [0.5, 1.0]), [done], start=100.0, ended=105.0)
    part = tally.part(record, Checker({}, 0.0, ""), 0.0)
    report = report_of(part)
    assert report.total.latency_ms["p50"] == pytest.approx(700, rel=0.001)
    assert report.total.latency_ms["max"] == pytest.approx(4000, rel=0.001)
    assert report.lag_ms["max"] == pytest.approx(500, rel=0.001)


def test_a_second_answer_is_reported() -> None:
    """Two completions of one call, and one of no call, are two too many."""
    plan = Plan(array("d", [0.0]), [0], [True], [b""])
    failure = Failure("UNAVAILABLE")
    completed: list[Completion] = [(0, 100.1, failure), (0, 100.2, failure), (None, 100.3, failure)]
    record = Record(profile_of(), plan, array("d", [0.0]), completed, start=100.0, ended=101.0)
    part = tally.part(record, Checker({}, 0.0, ""), 0.0)
    assert part.unexpected["any call: UNASKED"] == 2


def test_the_warm_up_is_left_out() -> None:
    """A slow call of an unmeasured phase is in no statistic but the timeline."""
    plan = Plan(array("d", [0.0, 1.0]), [0, 0], [False, True], [b"", b""])
    failure = Failure("UNAVAILABLE")
    completed: list[Completion] = [(0, 109.0, failure), (1, 101.001, failure)]
    record = Record(profile_of(), plan, array("d", [5.0, 1.0]), completed, start=100.0, ended=110.0)
    report = report_of(tally.part(record, Checker({}, 0.0, ""), 0.0))
    assert report.total.arrivals == 1
    assert report.total.latency_ms["max"] == pytest.approx(1, rel=0.001)
    assert report.lag_ms["max"] < 1
    assert report.timeline[0].latency_ms["max"] == pytest.approx(9000, rel=0.001)


def test_a_late_generator_makes_the_run_invalid() -> None:
    """A lag above the profile's bound says that the figures are not the server's."""
    assert report_of(part_of(STEADY, lag=0.009)).passed
    late = report_of(part_of(STEADY, lag=0.011))
    assert not late.passed
    assert "sent late: p99 11.0" in late.invalid[0]


def test_a_queue_that_grows_is_not_an_achieved_rate() -> None:
    """Calls that end after the measured time lower the achieved share."""
    part = part_of(STEADY)
    report = report_of(replace(part, last_end=20.0))
    assert metrics.achieved_share(report) == pytest.approx(0.5)
    assert metrics.achieved_share(report_of(part)) == 1.0


def test_a_profile_may_ask_for_too_much() -> None:
    """Where it does, a refusal that says so is no failure; a lost or a wrong answer is one."""
    counts = {"order: RATE_LIMITED": 3, "order: UNANSWERED": 2, "order: WRONG_SIGNATURE": 1}
    examples = [f"{label}, request id 1-0" for label in counts]
    part = replace(part_of(STEADY), unexpected=counts, examples=examples)
    wanted = profile_of()
    plain, overload = (
        report.summarise(wanted.model_copy(update={"overload": given}), "", [part], {}, 1.0)
        for given in (False, True)
    )
    assert (plain.unexpected, plain.shed) == (counts, {})
    assert overload.shed == {"order: RATE_LIMITED": 3}
    assert overload.unexpected == {"order: UNANSWERED": 2, "order: WRONG_SIGNATURE": 1}
    assert overload.examples == examples[1:]
    good = replace(overload, unexpected={}, examples=[])
    assert "of more than the server can do it shed 3 x order: rate_limited" in (
        page.render(good, Appendix()).lower()
    )
    assert "shed  3 x order: RATE_LIMITED" in summary.lines(good, Appendix())


OBJECTIVES = {
    "met": ({"metric": "p99_ms", "at_most": 10.5}, True),
    "missed": ({"metric": "p99_ms", "at_most": 9.0}, False),
    "at least": ({"metric": "achieved_share", "at_least": 0.99}, True),
    "not at least": ({"metric": "calls_per_second", "at_least": 5.0}, False),
    "both": ({"metric": "p50_ms", "at_least": 1.0, "at_most": 3.0}, True),
    "a ratio": ({"metric": "p99_over_p50", "at_most": 4.0}, False),
    "of one call": ({"metric": "max_ms", "at_most": 11.0, "call": "order"}, True),
    "of no call": ({"metric": "max_ms", "at_most": 11.0, "call": "other"}, False),
    "server": ({"metric": "server_cpu_us_per_payload", "at_most": 125_001.0}, True),
}


@pytest.mark.parametrize(("fields", "met"), OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_an_objective_is_met_or_not(fields: dict[str, object], *, met: bool) -> None:
    """Each objective is judged by its bounds; what was not measured is not met."""
    objectives = Objectives.model_validate({"schema": 1, "objectives": [fields]})
    (verdict,) = slo.judge(objectives, report_of(part_of(STEADY)))
    assert verdict.met is met
    assert str(verdict).startswith("pass" if met else "FAIL")


WRONG = {
    "unknown metric": ('metric = "p98_ms"\nat_most = 1.0', "no metric p98_ms; there are: p50_ms"),
    "no bound": ('metric = "p99_ms"', "bounds nothing; give it at_most or at_least"),
    "of a call": ('metric = "lag_p99_ms"\nat_most = 1.0\ncall = "x"', "lag_p99_ms is not of one"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_objective_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """A wrong objective is refused with the file and the place in it."""
    path = tmp_path / "slo.toml"
    path.write_text(f"schema = 1\n[[objectives]]\n{text}\n", encoding="utf-8")
    with pytest.raises(LoadtestError) as caught:
        slo.load(path)
    assert str(caught.value).startswith(f"{path}: objectives.0")
    assert expected in str(caught.value)


def test_unexpected_outcomes_are_a_share() -> None:
    """A run in which every payload came out wrong has a share of one, and achieved nothing."""
    found = metrics.of(report_of(part_of(STEADY, outcome="UNAVAILABLE")))
    assert found["unexpected_share"] == 1.0
    assert found["achieved_share"] == 0.0


def test_equal_runs_are_the_same_within_their_noise() -> None:
    """Two runs of one server differ by noise only, and the bounds say so."""
    rows = {row.metric: row for row in compare.compare(_noisy(1), _noisy(2))}
    assert rows["p50_ms"].verdict == rows["p99_ms"].verdict == "same"
    assert rows["p50_ms"].low is not None
    assert rows["p50_ms"].low < 1 < (rows["p50_ms"].high or 0)


def test_a_slower_run_is_worse() -> None:
    """A run that is a fifth slower is seen as worse, and the other way round as better."""
    slow, fast = _noisy(1, 1.2), _noisy(2)
    (row,) = [row for row in compare.compare(fast, slow) if row.metric == "p50_ms"]
    assert row.verdict == "worse"
    assert row.ratio == pytest.approx(1.2, rel=0.05)
    (row,) = [row for row in compare.compare(slow, fast) if row.metric == "p50_ms"]
    assert row.verdict == "better"


def test_short_runs_can_not_tell() -> None:
    """Without enough seconds there are no bounds, and no verdict."""
    short = report_of(part_of(STEADY[:3]))
    rows = compare.compare(short, short)
    assert {row.verdict for row in rows} == {"unknown"}


def test_what_can_not_be_compared_is_said() -> None:
    """Other profiles, machines and invalid runs come with a caveat."""
    good, late = report_of(part_of(STEADY)), report_of(part_of(STEADY, lag=1.0))
    assert compare.differences(good, good) == []
    assert "invalid" in compare.differences(good, late)[0]
    other = report_of(part_of(STEADY[:3]))
    assert "profiles differ" in compare.differences(good, other)[0]


SWEEP = Sweep(start=10)


def _step(latency: float, last_end: float = 5.0, unexpected: str = "") -> Step:
    before = [Step(10.0, 1.0, {"p99": 5.0}, None, "")]
    part = part_of([[latency] * 20] * 5)
    wrong = {f"order: {unexpected}": 1} if unexpected else {}
    report = report_of(replace(part, last_end=last_end, unexpected=wrong))
    return knee.step_of(20.0, report, before, SWEEP)


def test_a_step_below_the_knee_is_good() -> None:
    """A p99 that rises a little, or far but is still small, is no bend."""
    assert _step(0.006).bend == ""
    assert _step(0.019).bend == ""


def test_a_bend_of_the_tail_is_the_knee() -> None:
    """A p99 of many times the lowest one before is past the knee."""
    assert _step(0.030).bend == "p99 is 6.0 times the lowest"


def test_falling_behind_is_the_knee() -> None:
    """Less than the offered rate is past the knee."""
    assert _step(0.005, last_end=10.0).bend == "achieved 50% of the offered rate"


def test_overload_is_no_wrong_answer() -> None:
    """A step that ends in deadlines is past the knee; a bad signature is a failure."""
    assert _step(0.005, unexpected="DEADLINE_EXCEEDED").bend != "wrong answers"
    assert _step(0.005, unexpected="WRONG_SIGNATURE").bend == "wrong answers"


def test_the_generators_limit_is_not_called_the_servers() -> None:
    """A step whose calls were sent late ends the sweep with that reason."""
    late = part_of(STEADY, lag=1.0)
    step = knee.step_of(20.0, report_of(late), [], SWEEP)
    assert step.bend == "the generator's own limit, not the server's"


def test_a_profile_without_a_sweep_has_no_knee(tmp_path: Path) -> None:
    """Looking for the knee needs steps."""
    with pytest.raises(LoadtestError, match=r"no \[sweep\]"):
        knee.find(profile_of(), Target("", tmp_path), Lines(Console(quiet=True)))
