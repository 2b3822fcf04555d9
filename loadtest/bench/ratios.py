"""The service's cost beside the token's, from loads that take turns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.dev.environment import Environment
from loadtest.bench import alone, echo, signers, token
from loadtest.bench.closed import Client
from loadtest.bench.messages import Load
from loadtest.bench.remote import Remote
from loadtest.bench.sample import Sample
from loadtest.bench.subjects import SUBJECTS, Subject
from loadtest.bench.token import THREADS
from loadtest.bench.turns import Measure
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError
from loadtest.target import Target
from loadtest.usage import Cpu

SERVER_CPU, CLIENT_CPU = 0, 1
WARM_UP = 0.3  # of a measurement
CLIENTS = 4  # as many loads as are open side by side
ANSWER_BYTES = 200  # of an echo: about a signed response

# How many are under way: enough that the server never waits, and every batch is full.
UNARY, STREAM_CALLS, BATCH_CALLS, BATCH = 32, 4, 4, 64
METHODS: Mapping[str, tuple[int, int]] = {
    "unary": (UNARY, 1),
    "batch": (BATCH_CALLS, BATCH),
    "stream": (STREAM_CALLS, BATCH),
}
BARE: Mapping[str, tuple[int, int]] = {"echo": (UNARY, 1), "echoes": (STREAM_CALLS, BATCH)}
ONE, TWO = "one worker", "two workers"

# Token share: CPU time of the raw loop over that of all server processes, a signature.
SHARES: Mapping[str, Mapping[str, float]] = {
    "batch": {"P-256": 0.35, "secp256k1": 0.75, "Ed25519": 0.6, "RSA-2048": 0.8, "Ethereum": 0.7},
    "stream": {"P-256": 0.2, "secp256k1": 0.6, "Ed25519": 0.4, "RSA-2048": 0.65, "Ethereum": 0.6},
}
UNARY_COST = 1.6  # over the bare echo, the raw signature and the verification together
SECOND_WORKER = 1.15

Round = dict[str, Sample]
"""Samples by ``SUBJECT/WHAT``."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The processes that take turns, open for a whole run.

    Each of ``clients`` puts a load on a server, ``alone`` makes one call after the other.
    ``unused`` is an installation like theirs to copy.
    """

    raw: Remote[Sample]
    clients: Sequence[Remote[tuple[int, float]]]
    alone: Remote[list[float]]
    directory: Path
    unused: Environment
    targets: Mapping[str, Target]
    public_keys: Mapping[str, tuple[str, bytes]]

    def load(self, load: Load, seconds: float) -> Sample:
        """Put a load on its target and measure that target's CPU time."""
        with self.loads({"": load}) as measures:
            return measures[""](seconds)

    @contextmanager
    def loads(self, loads: Mapping[str, Load]) -> Iterator[dict[str, Measure]]:
        """Have loads open side by side, each at rest but while it is measured."""
        with ExitStack() as stack:
            clients = self.clients[: len(loads)]
            yield {
                name: stack.enter_context(_open(client, load))
                for (name, load), client in zip(loads.items(), clients, strict=True)
            }

    def load_of(self, subject: Subject, method: str, server: str) -> Load:
        """Return the load of one method on one server."""
        calls, batch = {**METHODS, **BARE}[method]
        bare = method in BARE
        return Load(
            self.targets["echo" if bare else server],
            subject.client,
            (subject.key,),
            subject.payload,
            method,
            calls,
            batch,
            size=ANSWER_BYTES if bare else 0,
            public_keys=() if bare else (self.public_keys[subject.name],),
            # Two workers have both cores, so that the client must share them.
            cpu=None if server == TWO else CLIENT_CPU,
        )


@contextmanager
def _open(client: Remote[tuple[int, float]], load: Load) -> Iterator[Measure]:
    cpu = Cpu(load.target.pids)

    def measure(seconds: float) -> Sample:
        client.call("settle", seconds * WARM_UP)
        before = cpu.seconds()
        count, taken = client.call("count", seconds)
        return Sample(count, taken, cpu.seconds() - before)

    client.call("open", load)
    try:
        yield measure
    except LoadtestError:
        client.call("drop")
        raise
    client.call("shut")


def opened(stack: ExitStack, directory: Path, *, two: bool = True) -> Bench:
    """Start everything: the token's process, the bare server, the signers and the client."""
    installed = signers.install(directory / ONE)
    unused = installed.copy(directory / "unused")
    one = stack.enter_context(signers.serving(installed, workers=1))
    targets = {ONE: one.target}
    if two:
        second = unused.copy(directory / TWO)
        targets[TWO] = stack.enter_context(signers.serving(second, workers=2)).target
    bare = stack.enter_context(Remote(echo.serve, installed.directory, SERVER_CPU))
    targets["echo"] = Target(bare.call(), installed.directory, (bare.pid,))
    return Bench(
        stack.enter_context(Remote(token.raw, installed.directory)),
        tuple(stack.enter_context(Remote(Client)) for _ in range(CLIENTS)),
        stack.enter_context(Remote(alone.measuring)),
        installed.directory,
        unused,
        targets,
        {subject.name: one.public_key(subject) for subject in SUBJECTS},
    )


def one_round(bench: Bench, seconds: float) -> Iterator[tuple[str, Sample]]:
    """Measure everything once, as ``SUBJECT/WHAT``."""
    for subject in SUBJECTS:
        name = subject.name
        yield f"{name}/token in C", token.plain_c(bench.directory, subject, THREADS, seconds / 2)
        yield f"{name}/token", bench.raw.call(subject, "sign", THREADS, seconds)
        yield f"{name}/verify", bench.raw.call(subject, "verify", 1, seconds / 4)
        for what, method, server in _loads(bench):
            yield f"{name}/{what}", bench.load(bench.load_of(subject, method, server), seconds)


def _loads(bench: Bench) -> Iterator[tuple[str, str, str]]:
    """Yield names, methods and servers; pairs that a ratio is of stand side by side."""
    for method in (*BARE, *METHODS):
        yield method, method, ONE
    for method in METHODS if TWO in bench.targets else ():
        yield f"{method}, {TWO}", method, TWO
        yield f"{method}, again", method, ONE


def figures(rounds: Sequence[Round]) -> list[Figure]:
    """Return what must hold, from the rounds."""
    found = []
    for subject in SUBJECTS:
        costs = [_costs(samples, subject) for samples in rounds]
        for method, bounds in SHARES.items():
            shares = tuple(cost["token"] / cost[method] for cost in costs)
            name = f"{subject.name}: token share, {method}"
            found.append(Figure(name, shares, bounds[subject.name], rising=True))
        found.append(_unary(subject, costs))
        if f"unary, {TWO}" in costs[0]:
            found += _of_two(subject, costs)
    return found


def _costs(samples: Round, subject: Subject) -> dict[str, float]:
    """Return the CPU microseconds of everything that was measured for a subject."""
    prefix = f"{subject.name}/"
    return {
        name.removeprefix(prefix): sample.cpu_us
        for name, sample in samples.items()
        if name.startswith(prefix)
    }


def _unary(subject: Subject, costs: Sequence[Mapping[str, float]]) -> Figure:
    values = tuple(
        cost["unary"] / (cost["echo"] + cost["token"] + cost["verify"]) for cost in costs
    )
    return Figure(
        f"{subject.name}: unary over echo + token + verify", values, UNARY_COST, rising=False
    )


def _of_two(subject: Subject, costs: Sequence[Mapping[str, float]]) -> list[Figure]:
    return [
        Figure(
            f"{subject.name}: {TWO} over one, {method}",
            tuple(cost[f"{method}, {TWO}"] / cost[f"{method}, again"] for cost in costs),
            SECOND_WORKER,
            rising=False,
        )
        for method in METHODS
    ]
