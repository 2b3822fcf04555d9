"""The benchmark of large policies measures what it says."""

import pytest

from loadtest import bench_policy
from loadtest.bench_policy import FEW_KEYS, GRANTS, Figures, document, main, measure, report
from policy.document import load
from policy.payloads import FORMATS


def test_its_policy_is_as_large_as_it_says() -> None:
    """So many keys, each with so many grants."""
    policy = load(document(3), FORMATS)
    assert [len(key.grants) for key in policy.keys.values()] == [GRANTS] * 3


def test_every_figure_is_measured() -> None:
    """A small run has them all, and its decisions are allowed."""
    figures = measure(FEW_KEYS, rounds=1)
    assert min(figures[1:]) > 0
    assert report(figures).startswith(f"{FEW_KEYS} keys, {GRANTS} grants each: loaded in 0.")


@pytest.mark.parametrize(
    ("load_s", "many_us", "code"), [(4.9, 1.09, 0), (5.1, 1.0, 1), (1.0, 1.2, 1)]
)
def test_a_bound_that_does_not_hold_fails_the_run(
    load_s: float, many_us: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too slow to load, or a decision that costs more with many keys."""
    figures = Figures(10_000, load_s, 10.0, 1.0, many_us)
    assert bench_policy.verdict(figures) == code


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """With as many keys as it is told."""
    main(["--keys=12"])
    assert capsys.readouterr().out.startswith("12 keys, 20 grants each")
