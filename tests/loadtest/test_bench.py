"""The benchmarks as a smoke: real processes, real signatures, tiny loads."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from loadtest.bench import ratios, token
from loadtest.bench.ratios import BARE, ONE, Bench
from loadtest.bench.sample import Sample
from loadtest.bench.subjects import SUBJECTS, Subject
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError

P256 = SUBJECTS[0]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Everything that takes turns, with one worker."""
    with ExitStack() as stack:
        yield ratios.opened(stack, tmp_path_factory.mktemp("bench"), two=False)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_token_alone_is_measured(bench: Bench, subject: Subject) -> None:
    """Each algorithm's loop gives signatures and verifications, by Python and by C."""
    found = [
        bench.raw.call(subject, "sign", 2, 0.1),
        bench.raw.call(subject, "verify", 1, 0.1),
        token.plain_c(bench.directory, subject, 2, 0.1),
    ]
    assert all(sample.count and sample.cpu_seconds > 0 for sample in found)


@pytest.mark.parametrize("method", ["unary", "stream", *BARE])
def test_every_method_is_measured(bench: Bench, method: str) -> None:
    """A load of each method is answered, and the server's CPU time is seen."""
    sample = bench.load(bench.load_of(P256, method, ONE), 0.3)
    assert sample.count > 0
    assert sample.cpu_seconds > 0


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_signatures_are_verified(bench: Bench, subject: Subject) -> None:
    """Signatures of each algorithm pass, and those of another key of its kind do not."""
    load = bench.load_of(subject, "batch", ONE)
    assert bench.load(load, 0.3).count > 0
    other = SUBJECTS[0] if subject is not P256 else SUBJECTS[2]
    wrong = (subject.key, bench.public_keys[other.name][1])
    with pytest.raises(LoadtestError, match="does not verify"):
        bench.load(replace(load, public_keys=(wrong,)), 0.3)


def test_a_refusal_stops_the_run(bench: Bench) -> None:
    """What a server refuses is no result: it would look fast."""
    load = replace(bench.load_of(P256, "batch", ONE), payload="intent-over-limit")
    with pytest.raises(LoadtestError, match="refused"):
        bench.load(load, 0.3)


def sample(cpu_us: float) -> Sample:
    """Return a sample of one operation."""
    return Sample(1, 1.0, cpu_us / 1e6)


def test_figures_are_ratios_within_a_round() -> None:
    """A share is the token's cost over the server's, and is judged by the rounds' median."""
    costs = {"token": 100, "verify": 50, "echo": 150, "unary": 450, "batch": 200, "stream": 400}
    rounds = [
        {
            f"{subject.name}/{what}": sample(cost * machine)
            for subject in SUBJECTS
            for what, cost in costs.items()
        }
        for machine in (1, 2, 3)
    ]
    found = {figure.name: figure for figure in ratios.figures(rounds)}
    assert found["P-256: token share, batch"].values == pytest.approx((0.5, 0.5, 0.5))
    assert found["P-256: token share, batch"].held
    assert not found["Ed25519: token share, batch"].held
    assert found["P-256: token share, stream"].value == pytest.approx(0.25)
    unary = found["P-256: unary over echo + token + verify"]
    assert unary.value == pytest.approx(1.5)
    assert unary.held
    assert not replace(unary, values=(1.7, 1.7, 1.5)).held


def test_a_single_round_knows_no_noise() -> None:
    """Spread needs two values; equal ones have none."""
    assert math.isinf(Figure("x", (1.0,), 1, rising=True).spread)
    assert Figure("x", (2.0, 2.0), 1, rising=True).spread == pytest.approx(1)
    assert Figure("x", (1.0, 2.0), 1, rising=True).spread > 2
