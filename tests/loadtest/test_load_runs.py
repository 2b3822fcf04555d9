"""Real runs over TLS against the echo server: what it does wrong must show."""

import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

import loadtest
from loadtest import knee, peers, profile, runner
from loadtest.answers import Signer
from loadtest.checks import Fault
from loadtest.echo import Echo
from loadtest.errors import LoadtestError
from loadtest.live import Lines
from loadtest.profile import Call, Profile, Sweep
from loadtest.target import Target
from signer.v1 import resources_pb2
from signer.v1 import signing_service_pb2 as pb
from tests.loadtest.samples import ORDER, POLICY, profile_of, run_here

PROFILES = Path(loadtest.__file__).parent / "profiles"
STREAM = ORDER.model_copy(update={"name": "stream", "method": "stream"})
BATCH = Call(
    name="batch", client="wallet", key="wd-usdc", payload="transfer", method="batch", batch=3
)


class Spoilt:
    """A signer whose answers a test spoils."""

    def __init__(self) -> None:
        self._signer = Signer(POLICY)
        self._number = 0
        self._lock = threading.Lock()

    def public_key(self, key: str) -> resources_pb2.PublicKey:
        """Return the right one."""
        return self._signer.public_key(key)

    def result(self, caller: str, request: pb.SignPayloadRequest) -> pb.SignPayloadResult:
        """Answer, and spoil it."""
        with self._lock:
            self._number += 1
            number = self._number
            self.hold(number)
        result = self._signer.result(caller, request)
        self.spoil(result, number)
        return result

    def hold(self, number: int) -> None:
        """Keep everybody waiting."""

    def spoil(self, result: pb.SignPayloadResult, number: int) -> None:
        """Change a result."""


class Stalling(Spoilt):
    """Stops for a second at its fortieth request."""

    def hold(self, number: int) -> None:
        """Sleep while nobody else can go on."""
        if number == 40:
            time.sleep(1.0)


class Lying(Spoilt):
    """Signs something else every tenth time."""

    def spoil(self, result: pb.SignPayloadResult, number: int) -> None:
        """Change the signature's first byte."""
        if number % 10 == 0:
            first = result.response.signature[0] ^ 1
            result.response.signature = bytes([first]) + result.response.signature[1:]


class Forgetful(Spoilt):
    """Answers every tenth request under an id that nobody used."""

    def spoil(self, result: pb.SignPayloadResult, number: int) -> None:
        """Lose the request id."""
        if number % 10 == 0:
            result.request_id = result.response.request_id = "nobody"


class Breaking(Spoilt):
    """Breaks down at its twentieth request."""

    def spoil(self, result: pb.SignPayloadResult, number: int) -> None:
        """Raise what a bug would."""
        if number == 20:
            raise RuntimeError(f"a bug at {result.request_id}")


def test_two_processes_get_what_they_expect(certificates: Path) -> None:
    """A mix of all methods from two processes is answered, checked and counted in full."""
    wanted = profile.load(PROFILES / "smoke.toml").model_copy(update={"max_lag_ms": 1000.0})
    view = Lines(Console(quiet=True))
    with peers.echo(certificates) as target:
        report = runner.run(wanted, target, view)
    assert report.passed, (report.unexpected, report.invalid)
    assert report.total.arrivals == sum(second.due for second in report.timeline if second.measured)
    assert report.total.payloads == sum(report.total.outcomes.values())
    assert {call.name: set(call.outcomes) for call in report.calls} == {
        "order": {"SIGNED"},
        "order-stream": {"SIGNED"},
        "payout-batch": {"SIGNED"},
        "over-limit": {"LIMIT_PER_REQUEST"},
    }
    signed = report.total.outcomes["SIGNED"]
    assert report.verified > signed  # those of the warm-up too
    assert sum(second.server_cores or 0 for second in report.timeline) > 0


@pytest.mark.parametrize("call", [ORDER, STREAM], ids=["unary", "stream"])
def test_a_stall_is_not_omitted(certificates: Path, call: Call) -> None:
    """A server that stops for a second shows that second in p99, and its half in p90.

    A quarter of the calls were due in it. A generator that waits for answers before it
    sends would count one or a few slow calls, and p99 would look fine.
    """
    with Echo(certificates, Stalling()) as server:
        report = run_here(profile_of(call, seconds=4.0, rate=40), server.address, certificates)
    assert report.passed
    assert report.total.latency_ms["max"] >= 990
    assert report.total.latency_ms["p99"] >= 900
    assert report.total.latency_ms["p90"] >= 500
    assert report.total.latency_ms["p50"] < 500  # most calls did not wait for it
    assert report.lag_ms["p99"] < 500  # and went on sending in it


@pytest.mark.parametrize("call", [ORDER, STREAM, BATCH], ids=["unary", "stream", "batch"])
def test_wrong_signatures_fail_the_run(certificates: Path, call: Call) -> None:
    """A signature that does not fit the public key is found by every method."""
    with Echo(certificates, Lying()) as server:
        report = run_here(profile_of(call), server.address, certificates)
    wrong = report.unexpected[f"{call.name}: {Fault.WRONG_SIGNATURE}"]
    assert wrong == 50 * call.batch // 10
    assert not report.passed


def test_a_lost_and_a_surplus_answer_fail_the_run(certificates: Path) -> None:
    """An answer to nobody is one too many, and its request is one that got none."""
    wanted = profile_of(STREAM, timeout_seconds=0.5)
    with Echo(certificates, Forgetful()) as server:
        report = run_here(wanted, server.address, certificates)
    assert report.unexpected == {"any call: UNASKED": 5, "stream: UNANSWERED": 5}


def test_a_refusal_that_nobody_expects_fails_the_run(certificates: Path, signer: Signer) -> None:
    """Every payload over the limit is reported with the reason that came."""
    call = ORDER.model_copy(update={"payload": "intent-over-limit"})
    with Echo(certificates, signer) as server:
        report = run_here(profile_of(call), server.address, certificates)
    assert report.unexpected == {"order: LIMIT_PER_REQUEST": 50}


def test_a_server_that_goes_away_is_an_outcome(certificates: Path) -> None:
    """Calls and stream messages that meet no server have the transport's outcome."""

    class Leaving(Spoilt):
        def hold(self, number: int) -> None:
            if number == 20:
                threading.Thread(target=server.__exit__).start()

    server = Echo(certificates, Leaving())
    with server:
        report = run_here(
            profile_of(ORDER, STREAM, seconds=1, timeout_seconds=0.5), server.address, certificates
        )
    assert report.unexpected
    names = {label.partition(": ")[2] for label in report.unexpected}
    assert names <= {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "STREAM_ENDED", "UNANSWERED"}


def test_a_stream_that_ends_fails_all_that_was_in_it(certificates: Path) -> None:
    """What waits in a broken stream, and what is sent into it later, has its status."""
    with Echo(certificates, Breaking()) as server:
        report = run_here(profile_of(STREAM), server.address, certificates)
    assert report.unexpected == {"stream: UNKNOWN": 31}
    assert report.total.outcomes == {"UNKNOWN": 31, "SIGNED": 19}


def test_a_target_that_is_not_there_stops_the_run(certificates: Path) -> None:
    """Nobody at the address, and a certificate that is not there, are one line each."""
    with pytest.raises(LoadtestError, match="no TLS connection as desk"):
        Target("127.0.0.1:1", certificates).connect("desk", seconds=0.2)
    with pytest.raises(LoadtestError, match=r"nobody\.key: No such file"):
        Target("127.0.0.1:1", certificates).connect("nobody")


def test_a_key_that_is_not_granted_stops_the_run(certificates: Path) -> None:
    """A public key that can't be fetched is an error before anything is sent."""
    with Echo(certificates, Signer(POLICY)) as server:
        target = Target(server.address, certificates)
        call = ORDER.model_copy(update={"key": "no-such-key"})
        with pytest.raises(LoadtestError, match="public key of no-such-key as desk"):
            target.public_keys(profile_of(call))


def test_a_worker_that_fails_says_why(certificates: Path) -> None:
    """What stops a worker process reaches the user, in its words."""
    wanted = profile_of(ORDER.model_copy(update={"client": "nobody"}))
    task = runner.tasks(wanted, Target("127.0.0.1:1", certificates), 0.0)
    with pytest.raises(LoadtestError, match=r"nobody\.key"), runner.Workers(task) as workers:
        workers.ready()


class Slow(Spoilt):
    """Takes 5 ms for each request, one after the other: 200 a second at most."""

    def hold(self, number: int) -> None:
        """Sleep while nobody else can go on."""
        time.sleep(0.005)


def test_a_sweep_comes_closer_to_the_knee(certificates: Path) -> None:
    """Past the first step that bends it goes on between that and the last good one."""
    sweep = Sweep(start=20, factor=30, warm_up_seconds=0.1, seconds=0.7, steps=5, refinements=2)
    wanted: Profile = profile_of().model_copy(update={"sweep": sweep})
    with Echo(certificates, Slow()) as server:
        target = Target(server.address, certificates)
        report = knee.find(wanted, target, Lines(Console(quiet=True)), 0.0)
    rates = [step.rate for step in report.steps]
    assert rates == sorted(rates)
    assert len(rates) == 4
    assert rates[0] == 20
    assert rates[-1] == 600
    assert report.steps[-1].bend
    assert report.knee in [step.rate for step in report.steps if not step.bend]
    lower, upper = [step.rate for step in report.steps][1:3]
    assert any(rate == pytest.approx((20 * 600) ** 0.5) for rate in (lower, upper))


def test_a_sweep_ends_at_wrong_answers(certificates: Path) -> None:
    """A sweep over a server that signs wrongly ends with its first step, and fails."""
    sweep = Sweep(start=20, warm_up_seconds=0.1, seconds=0.5, steps=2)
    wanted: Profile = profile_of().model_copy(update={"sweep": sweep})
    with Echo(certificates, Lying()) as server:
        target = Target(server.address, certificates)
        report = knee.find(wanted, target, Lines(Console(quiet=True)))
    assert [step.bend for step in report.steps] == ["wrong answers"]
    assert report.knee is None
    assert not report.passed
