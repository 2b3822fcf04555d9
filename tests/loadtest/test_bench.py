"""The benchmarks as a smoke: real processes, real signatures, tiny loads."""

import itertools
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from loadtest.bench import (
    echo,
    gate,
    latency,
    ledgers,
    outcome,
    prefill,
    ratios,
    steady,
    token,
)
from loadtest.bench.calm import Calm
from loadtest.bench.closed import Client
from loadtest.bench.growth import Growth, Range, but_for_grpc, starts
from loadtest.bench.messages import Load, Messages
from loadtest.bench.outcome import Outcome
from loadtest.bench.ratios import BARE, ONE, Bench
from loadtest.bench.remote import Remote
from loadtest.bench.sample import Sample
from loadtest.bench.subjects import ED25519, P256, SUBJECTS, Subject
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError
from loadtest.target import Target
from loadtest.usage import Cpu
from signer.audit.merkle import leaf_hash, root_of
from signer.v1 import signing_service_pb2 as pb
from tests.loadtest.samples import part_of, report_of


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


def test_of_loads_side_by_side_only_one_is_at_work(bench: Bench) -> None:
    """While one is measured the others send nothing, and go on when it is their turn."""
    loads = {method: bench.load_of(P256, method, ONE) for method in ("stream", "echoes")}
    bare = Cpu(bench.targets["echo"].pids)
    with bench.loads(loads) as measures:
        for _ in range(2):
            assert measures["echoes"](0.3).count > 0
            before = bare.seconds()
            assert measures["stream"](0.5).count > 0
            assert bare.seconds() - before < 0.1


def test_a_measurement_ends_with_an_answer(bench: Bench) -> None:
    """It waits for the next one: what that cost is in it, so that must be, too."""
    serial, late = itertools.count(1), threading.Event()

    def answer(_message: bytes, _context: grpc.ServicerContext) -> bytes:
        if next(serial) > 2:
            late.wait(60)
        return b"answer"

    with ThreadPoolExecutor(1) as pool, Remote(Client) as client:
        server = grpc.server(pool)
        handler: Any = grpc.unary_unary_rpc_method_handler(answer)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("echo", {"1": handler}),)
        )
        key, chain, ca = ((bench.directory / name).read_bytes() for name in echo.FILES)
        tls = grpc.ssl_server_credentials([(key, chain)], ca, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", tls)
        server.start()
        target = Target(f"127.0.0.1:{port}", bench.directory)
        load = replace(bench.load_of(P256, "echo", ONE), target=target, size=1, calls=1)
        client.call("open", load)
        client.send("count", 0.2)
        time.sleep(1)
        late.set()
        count, seconds = client.result()
        assert count > 2
        assert seconds > 0.9
        client.call("drop")
        server.stop(None).wait()


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_signatures_are_verified(bench: Bench, subject: Subject) -> None:
    """Signatures of each algorithm pass, and those of another key of its kind do not."""
    load = bench.load_of(subject, "batch", ONE)
    assert bench.load(load, 0.3).count > 0
    other = P256 if subject is not P256 else ED25519
    wrong = (subject.key, bench.public_keys[other.name][1])
    with pytest.raises(LoadtestError, match="does not verify"):
        bench.load(replace(load, public_keys=(wrong,)), 0.3)


def test_a_refusal_stops_the_run(bench: Bench) -> None:
    """What a server refuses is no result: it would look fast."""
    load = replace(bench.load_of(P256, "batch", ONE), payload="intent-over-limit")
    with pytest.raises(LoadtestError, match="refused"):
        bench.load(load, 0.3)


def test_a_call_alone_and_a_sync_are_timed(bench: Bench) -> None:
    """Each call of a load, and each sync, gives a time; their medians make a ratio."""
    quiet = Calm()
    times = latency.one_round(bench, 1, quiet)
    assert times.calm.keys() == times.every.keys()
    assert all(seconds > 0 for seconds in times.calm.values())
    judged = [figure for figure in latency.figures([times]) if figure.bound is not None]
    assert [figure.name.partition(":")[0] for figure in judged] == [s.name for s in SUBJECTS]
    counted, every = latency.further([times], quiet).values()
    assert 1 <= counted <= every


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


def test_a_stall_in_one_round_is_the_machines_and_an_error_is_not() -> None:
    """Tails are judged by the rounds' median, and what was not expected by the worst of them."""
    calm, stalled = [0.001] * 1000, [0.001] * 900 + [0.1] * 100
    runs = [report_of(part_of([times])) for times in (calm, stalled, calm)]
    tail = steady.tail("p99_over_p50", 4.0, runs)
    assert tail.held
    assert max(tail.values) > 4
    runs[1] = report_of(part_of([calm], "KEY_DENIED"))
    assert not steady.tail(steady.UNEXPECTED, 0.0, runs).held


def test_a_stall_takes_nothing_from_what_generator_and_signer_can_do() -> None:
    """Each counts with its best round, so that a bad one of the signer's helps no generator."""
    assert steady.reach([1400.0, 9000.0, 2700.0], [2900.0, 1000.0]).value == pytest.approx(9 / 2.9)
    assert not steady.reach([8000.0, 2000.0], [2900.0, 1000.0]).held


def test_a_single_round_knows_no_noise() -> None:
    """Spread needs two values; equal ones have none."""
    assert math.isinf(Figure("x", (1.0,), 1, rising=True).spread)
    assert Figure("x", (2.0, 2.0), 1, rising=True).spread == pytest.approx(1)
    assert Figure("x", (1.0, 2.0), 1, rising=True).spread > 2


def figure(*values: float, rising: bool = True) -> Figure:
    """Return a figure with the values of some rounds."""
    return Figure("share", values, 0.5, rising=rising)


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (figure(1.0, 1.01, 0.99), figure(0.8, 0.81, 0.79), "lost"),
        (figure(1.0, 1.01, 0.99), figure(0.9, 0.91, 0.89), "same"),
        (figure(1.0, 1.01, 0.99), figure(1.2, 1.21, 1.19), "better"),
        (figure(1.0, 1.01, 0.99), figure(0.4, 0.8, 1.6), "unsure"),
        (figure(1.0), figure(0.5), "unsure"),
        (figure(1.0, 1.01, rising=False), figure(1.3, 1.31, rising=False), "lost"),
        (figure(1.0, 1.01, rising=False), figure(0.5, 0.51, rising=False), "better"),
    ],
)
def test_the_gate_tells_loss_from_chance(before: Figure, now: Figure, verdict: str) -> None:
    """More than 15 % worse is lost, whichever way the figure goes, unless chance explains it."""
    [change] = gate.compare([before], [now])
    assert change.verdict == verdict
    assert change.lost == (verdict == "lost")


def judged(path: Path, baseline: Path) -> tuple[int, str]:
    """Return the exit code and the text of a run that was recorded, beside the last release's."""
    command = [sys.executable, "-m", "loadtest.bench", f"--judge={path}", f"--baseline={baseline}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_the_gate_lets_the_same_through_and_no_loss(tmp_path: Path) -> None:
    """A recorded run passes beside itself; beside one that was a fifth better it fails."""
    now, better, missed = (tmp_path / name for name in ("now.json", "better.json", "missed.json"))
    outcome.write(Outcome({}, [figure(0.80, 0.81, 0.79)]), now)
    outcome.write(Outcome({}, [figure(1.00, 1.01, 0.99)]), better)
    outcome.write(Outcome({}, [figure(0.40, 0.41, 0.39)]), missed)
    assert judged(now, now)[0] == 0
    code, text = judged(now, better)
    assert code == 1
    assert "lost" in text
    assert judged(better, now)[0] == 0
    assert judged(missed, tmp_path / "none.json")[0] == 1  # below its bound, whatever was before
    code, text = judged(tmp_path / "none.json", now)
    assert code == 1
    assert text == f"bench: {tmp_path}/none.json: No such file or directory\n"


def test_a_prefilled_ledger_is_a_real_one(tmp_path: Path) -> None:
    """What is filled in has the root that its leaves have, and deciding goes on from there."""
    opened = ledgers.Opened(tmp_path, ("records", 1001))
    size, root = opened.ledger.head()
    bodies = [body for _, body in opened.ledger.leaves(0, size)]
    assert root == root_of(map(leaf_hash, bodies))
    assert len(bodies) > 1001
    decisions = [json.loads(body) for body in bodies if b"sign.decision" in body]
    assert [item["index"] for item in decisions] == list(range(2, 1003, 2))[: len(decisions)]
    assert {item["request_id"] for item in decisions} >= {prefill.request_id(2)}
    assert opened.measure(1).count == 64


def test_every_axis_of_growth_is_measured(bench: Bench, tmp_path: Path) -> None:
    """Each point gives a sample, and each axis a figure for every size after its first."""
    extent = Range((1, 2), (1, 2), (1000, 1001), (2,), (1, 40), starts=2, batches=2)
    with ExitStack() as stack:
        everything = Growth(stack, bench, tmp_path, extent, Calm())
        samples = dict(everything.one_round(0.2))
    assert all(item.count for item in samples.values())
    assert [len(seconds) for seconds in everything.started.values()] == [extent.starts]
    assert all(seconds > 0 for seconds in everything.started[2])
    names = [figure.name for figure in everything.figures([samples])]
    assert [name for name in names if "over" in name] == [
        "grants 2 over 1",
        "limits 2 over 1",
        "records 1,001 over 1,000",
        "keys: another for each payload over keys: 2",
        "connections 40 over 1",
        "connections 40 over 1, but for gRPC's own",
    ]


@pytest.mark.parametrize(("each", "wanted"), [(0, "bcda bcda"), (2, "baba dcdc"), (3, "bcab fdef")])
def test_how_many_keys_a_batch_has(each: int, wanted: str) -> None:
    """All take turns, or a batch has some of them and the next one others."""
    target, keys = Target("127.0.0.1:1", Path()), "abcdef" if each else "abcd"
    load = Load(target, "desk", tuple(keys), "intent", "batch", 1, batch=4, each=each)
    wires = Messages(load).wires
    batches = [pb.BatchSignPayloadsRequest.FromString(next(wires)) for _ in range(2)]
    names = ["".join(item.name[-1] for item in batch.requests) for batch in batches]
    assert names == wanted.split()


def test_a_start_that_grows_faster_than_its_keys() -> None:
    """What a start costs without keys counts for nothing, and what each one costs stays flat."""
    (flat,) = starts({10: [3.1], 1000: [4.1], 10_000: [13.1]})
    assert (flat.name, flat.held) == ("start, keys 10,000 over 1,000", True)
    assert flat.value == pytest.approx(0.99, rel=0.01)
    (square,) = starts({10: [3.1], 1000: [4.1], 10_000: [103.1]})
    assert not square.held
    assert list(starts({10: [3.1], 100: [3.2]})) == []


def test_one_slow_start_is_outvoted() -> None:
    """A neighbour that comes during one start of several decides nothing."""
    (held,) = starts({10: [3.1] * 3, 1000: [4.1] * 3, 10_000: [13.1, 103.1, 13.1]})
    assert (len(held.values), held.held) == (3, True)
    (missed,) = starts({10: [3.1] * 3, 1000: [4.1] * 3, 10_000: [103.1, 103.1, 13.1]})
    assert not missed.held


def test_connections_but_for_what_the_echo_grows_by() -> None:
    """What gRPC grows by is told apart from what the signer does, which is bound on its own."""

    def round_of(unary: float, echo: float) -> dict[str, Sample]:
        return {
            "connections: 1": Sample(1, 1.0, 400e-6),
            "connections: 500": Sample(1, 1.0, unary),
            "bare echo, connections: 1": Sample(1, 1.0, 130e-6),
            "bare echo, connections: 500": Sample(1, 1.0, echo),
        }

    (held,) = but_for_grpc((1, 10, 500), [round_of(440e-6, 170e-6)])
    assert held.name == "connections 500 over 1, but for gRPC's own"
    assert held.value == pytest.approx(1.0)
    assert held.held
    (missed,) = but_for_grpc((1, 10, 500), [round_of(490e-6, 170e-6)])
    assert not missed.held
    assert list(but_for_grpc((1,), [{}])) == []


@pytest.mark.parametrize("axis", ["grants", "limits"])
def test_policies_grow(tmp_path: Path, axis: str) -> None:
    """A policy with more of something still signs."""
    assert ledgers.measuring(tmp_path)((axis, 3), 1).count == 64
