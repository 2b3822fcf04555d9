"""Whether a signature costs the same however much there is of everything else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.dev.environment import Environment
from loadtest.bench import ledgers, signers
from loadtest.bench.calm import Calm
from loadtest.bench.ledgers import Point
from loadtest.bench.messages import Load
from loadtest.bench.ratios import ONE, Bench
from loadtest.bench.remote import Remote
from loadtest.bench.sample import Sample
from loadtest.bench.signers import Signer
from loadtest.bench.subjects import ETHEREUM, P256
from loadtest.bench.turns import in_turns
from loadtest.bench.verdict import Figure

LEDGER_AXES = ("grants", "limits", "records")
FLAT = 1.1  # of the least to the most
LINEAR = 1.5  # of starts, which are few, so that chance has its share
PER_KIB_US = 20.0  # for each further KiB of payload: hashing, TLS and decoding are not free
A_SECOND = 2000  # signatures of a signer, at least
OFTEN = 3  # times as long, where a tenth must be told from nothing

# A batch of 64 that touches 64 windows and not ten is no growth of anything: shown, not bound.
EACH_ITS_OWN = "keys: another for each payload"

# Where tokens with many keys lie, whose files would each be synced.
MEMORY = Path("/dev/shm")  # noqa: S108 - in a directory of its own

Round = dict[str, Sample]


@dataclass(frozen=True, slots=True)
class Range:
    """How far each axis goes; the first of each is what the others are compared with.

    Attributes:
        grants, limits: on one key.
        records: audit records in the ledger.
        keys: on the token and in the policy of a signer of its own; a batch has as many of
            them as the first one has, the next batch the next.
        connections: from one client, each used in turn; as many calls under way over all.
        starts: of each signer that holds many keys, in turns.
        batches: in one turn of a ledger; so many that a checkpoint of its log is among them.
    """

    grants: tuple[int, ...] = (1, 10, 100, 1000)
    limits: tuple[int, ...] = (1, 10, 100, 1000)
    records: tuple[int, ...] = (1000, 100_000, 10_000_000)
    keys: tuple[int, ...] = (10, 1000, 10_000)
    connections: tuple[int, ...] = (1, 10, 100, 500)
    starts: int = 3
    batches: int = 100


QUICK = Range((1, 1000), (1, 1000), (1000, 100_000), (10, 100), (1, 100), starts=1, batches=10)


class Growth:
    """Everything that is compared, open for a whole run.

    Signers are loaded over the network. Grants, limits and records cost the ledger only, so
    that is measured alone, and what it adds is set against the whole of a signature.

    Attributes:
        started: CPU seconds of each start of a signer, turn by turn, by the number of its keys.
    """

    def __init__(
        self, stack: ExitStack, bench: Bench, directory: Path, extent: Range, calm: Calm
    ) -> None:
        self._bench = bench
        self._calm = calm
        self._extent = extent
        (directory / "ledgers").mkdir()
        self._ledger: Remote[Sample] = stack.enter_context(
            Remote(ledgers.measuring, directory / "ledgers")
        )
        memory = TemporaryDirectory(
            prefix="signgate-bench-", dir=MEMORY if MEMORY.is_dir() else None
        )
        tokens = Path(stack.enter_context(memory))
        filled = {
            keys: signers.filled(bench.unused.copy(tokens / str(keys)), keys)
            for keys in extent.keys
        }
        self.started: dict[int, list[float]] = {keys: [] for keys in filled}
        for _ in range(extent.starts - 1):
            with ExitStack() as turn:
                self._start(turn, filled)
        self._holding = self._start(stack, filled)
        for axis in LEDGER_AXES:
            for size in getattr(extent, axis):
                self._ledger.call((axis, size), 0)
        for keys in extent.keys:  # each signs for the first time
            bench.load(self._load_over(keys), keys / A_SECOND)

    def _start(self, stack: ExitStack, filled: Mapping[int, Environment]) -> dict[int, Signer]:
        """Start the signers, one after the other."""
        holding = {
            keys: stack.enter_context(signers.serving(made, workers=1))
            for keys, made in filled.items()
        }
        for keys, signer in holding.items():
            self.started[keys].append(signer.start_seconds)
        return holding

    def _load_over(self, keys: int) -> Load:
        """Return batches that have another key for each payload, as far as there are so many."""
        batch = self._bench.load_of(P256, "batch", ONE)
        names = tuple(signers.key_names(keys))
        return replace(batch, target=self._holding[keys].target, keys=names, public_keys=())

    def _decided(self, point: Point, _seconds: float) -> Sample:
        """Measure a ledger by whole batches, however long they take."""
        return self._ledger.call(point, self._extent.batches)

    def one_round(self, seconds: float) -> Iterator[tuple[str, Sample]]:
        """Measure every point once."""
        for axis in LEDGER_AXES:
            points = {_name(axis, size): (axis, size) for size in getattr(self._extent, axis)}
            decided = {name: partial(self._decided, point) for name, point in points.items()}
            yield from in_turns(decided, seconds, self._calm)
        yield "whole", self._bench.load(self._bench.load_of(P256, "batch", ONE), seconds)
        for loads in (self._over_keys(), *self._over_connections()):
            with self._bench.loads(loads) as measures:
                yield from in_turns(measures, OFTEN * seconds, self._calm)
        long = self._bench.load_of(ETHEREUM, "batch", ONE)
        for kib, payload in ((0, "transfer"), (1, "transfer-1k"), (16, "transfer-16k")):
            calls = min(long.batch, 16)  # 64 of 16 KiB would be a megabyte a call
            load = replace(long, payload=payload, batch=calls)
            yield _name("payload KiB", kib), self._bench.load(load, seconds)

    def _over_keys(self) -> dict[str, Load]:
        loads = {
            _name("keys", keys): replace(self._load_over(keys), each=self._extent.keys[0])
            for keys in self._extent.keys
        }
        return loads | {EACH_ITS_OWN: self._load_over(self._extent.keys[-1])}

    def _over_connections(self) -> Iterator[dict[str, Load]]:
        unary, echo = (self._bench.load_of(P256, method, ONE) for method in ("unary", "echo"))
        numbers = self._extent.connections
        yield {_name("connections", each): replace(unary, connections=each) for each in numbers}
        yield {  # which shows what of that is gRPC's own
            _bare(_name("connections", each)): replace(echo, connections=each)
            for each in (numbers[0], numbers[-1])
        }

    def figures(self, rounds: Sequence[Round]) -> list[Figure]:
        """Compare each axis's points with its first."""
        found = [
            figure
            for axis in LEDGER_AXES
            for figure in _against_first(axis, getattr(self._extent, axis), rounds, _added)
        ]
        found += _against_first("keys", self._extent.keys, rounds, _ratio)
        first = _name("keys", self._extent.keys[0])
        wide = tuple(_ratio(samples, first, EACH_ITS_OWN) for samples in rounds)
        found.append(Figure(f"{EACH_ITS_OWN} over {first}", wide, None, rising=False))
        found += _against_first("connections", self._extent.connections, rounds, _ratio)
        found += but_for_grpc(self._extent.connections, rounds)
        costs = tuple(
            (samples[_name("payload KiB", 16)].cpu_us - samples[_name("payload KiB", 0)].cpu_us)
            / 16
            for samples in rounds
        )
        kib = Figure("each further KiB of payload", costs, PER_KIB_US, rising=False, unit="µs")
        return [*found, kib, *starts(self.started)]


def but_for_grpc(numbers: Sequence[int], rounds: Sequence[Round]) -> Iterator[Figure]:
    """Compare the most connections with the fewest, without what a bare echo grows by."""
    fewest, most = (_name("connections", each) for each in (numbers[0], numbers[-1]))
    if fewest == most:
        return
    values = tuple(
        (samples[most].cpu_us - samples[_bare(most)].cpu_us + samples[_bare(fewest)].cpu_us)
        / samples[fewest].cpu_us
        for samples in rounds
    )
    name = f"connections {numbers[-1]:,} over {numbers[0]:,}, but for gRPC's own"
    yield Figure(name, values, FLAT, rising=False)


def starts(used: Mapping[int, Sequence[float]]) -> Iterator[Figure]:
    """Compare what each further key costs a start with what it costs among fewer.

    Args:
        used: CPU seconds of starts, turn by turn, by the number of keys, the least first.
    """
    least, *more = used
    each = {
        keys: [
            (seconds - base) / (keys - least)
            for base, seconds in zip(used[least], used[keys], strict=True)
        ]
        for keys in more
    }
    for keys in more[1:]:
        ratios = tuple(many / few for few, many in zip(each[more[0]], each[keys], strict=True))
        yield Figure(f"start, keys {keys:,} over {more[0]:,}", ratios, LINEAR, rising=False)


def _name(axis: str, size: int) -> str:
    return f"{axis}: {size:,}"


def _bare(name: str) -> str:
    return f"bare echo, {name}"


Compare = Callable[[Mapping[str, Sample], str, str], float]


def _ratio(samples: Mapping[str, Sample], first: str, other: str) -> float:
    return samples[other].cpu_us / samples[first].cpu_us


def _added(samples: Mapping[str, Sample], first: str, other: str) -> float:
    """Return by how much a whole signature costs more when the ledger costs so much more."""
    return 1 + (samples[other].cpu_us - samples[first].cpu_us) / samples["whole"].cpu_us


def _against_first(
    axis: str, sizes: Sequence[int], rounds: Sequence[Round], compare: Compare
) -> Iterator[Figure]:
    first = _name(axis, sizes[0])
    for size in sizes[1:]:
        other = _name(axis, size)
        values = tuple(compare(samples, first, other) for samples in rounds)
        yield Figure(f"{axis} {size:,} over {sizes[0]:,}", values, FLAT, rising=False)
