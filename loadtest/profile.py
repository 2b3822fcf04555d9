"""Profiles: what is sent, when, and what must come back."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loadtest import documents, payloads
from loadtest.documents import Table
from policy.reasons import Code as PolicyCode
from signer.codes import Code as ServiceCode

SIGNED = "SIGNED"
REASONS = frozenset(code.value for code in (*PolicyCode, *ServiceCode))
MAX_BATCH = 256  # signing_service.proto, BatchSignPayloads

Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _known_payload(name: str) -> str:
    if name not in payloads.KINDS:
        raise ValueError(f"no payload {name}; there are: {', '.join(sorted(payloads.KINDS))}")
    return name


def _known_outcome(name: str) -> str:
    if name != SIGNED and name not in REASONS:
        raise ValueError(f"{name} is neither {SIGNED} nor a reason of the service")
    return name


class Call(Table):
    """``[[calls]]``: one kind of call in the mix.

    Attributes:
        name: what the report calls it.
        client: the certificate to use, NAME.crt and NAME.key.
        key: the key's name, without ``keys/``.
        payload: which payload to send, by its name in ``loadtest.payloads``.
        method: unary, batch or stream.
        batch: payloads in a batch, 1 to 256; 1 for the other methods.
        weight: its share of the arrivals, beside the other calls' weights.
        expect: SIGNED, or the reason with which each payload must be refused.
    """

    name: Name
    client: Name
    key: Name
    payload: Annotated[str, AfterValidator(_known_payload)]
    method: Literal["unary", "batch", "stream"] = "unary"
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)] = 1
    weight: Positive = 1.0
    expect: Annotated[str, AfterValidator(_known_outcome)] = SIGNED

    @model_validator(mode="after")
    def _batch_only(self) -> Self:
        if self.batch != 1 and self.method != "batch":
            raise ValueError(f"batch = {self.batch} needs method = batch, not {self.method}")
        return self


class Phase(Table):
    """``[[phases]]``: a time with one rate, or with one that changes evenly.

    Attributes:
        name: what the report calls it.
        seconds: how long it takes.
        rate: calls a second, over all workers.
        to_rate: the rate at its end; the same as ``rate`` without it.
        measured: whether it counts in the statistics; a warm-up does not.
    """

    name: Name
    seconds: Positive
    rate: Positive
    to_rate: Positive | None = None
    measured: bool = True

    @property
    def end_rate(self) -> float:
        """Calls a second at the phase's end."""
        return self.rate if self.to_rate is None else self.to_rate


class Sweep(Table):
    """``[sweep]``: the steps that ``loadtest knee`` goes up.

    Attributes:
        start: calls a second of the first step.
        factor: each step's rate over the one before, above 1.
        steps: the most steps to take.
        refinements: further steps between the last good rate and the first that was
            not, each half way in proportion; default 2.
        warm_up_seconds: not measured, at the step's rate.
        seconds: measured.
        bend: the knee is passed when p99 is this many times the lowest of the
            steps before, and above ``bend_ms``.
        bend_ms: so that noise on a small p99 is no knee; milliseconds.
        achieved: the knee is passed below this share of the offered rate.
    """

    start: Positive
    factor: Annotated[float, Field(gt=1)] = 1.25
    steps: Annotated[int, Field(ge=2, le=100)] = 15
    refinements: Annotated[int, Field(ge=0, le=10)] = 2
    warm_up_seconds: Positive = 1.0
    seconds: Positive = 5.0
    bend: Annotated[float, Field(gt=1)] = 4.0
    bend_ms: Positive = 20.0
    achieved: Annotated[float, Field(gt=0, le=1)] = 0.95


class Profile(Table):
    """The whole file.

    Attributes:
        schema_: the version of this shape, 1.
        description: a sentence for the report.
        seed: of the arrivals and the mix: the same seed, the same schedule.
        arrivals: poisson (independent clients) or uniform (a metronome).
        workers: processes that send.
        connections: connections of each client in each worker.
        timeout_seconds: each call's deadline.
        overload: whether the rate is more than the server can do, so that a refusal that
            says so is no failure of the run.
        max_lag_ms: the run is invalid when its senders were later than this, p99.
        calls: the mix.
        phases: in order.
        sweep: for ``loadtest knee``.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")]
    description: str
    seed: int = 1
    arrivals: Literal["poisson", "uniform"] = "poisson"
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    connections: Annotated[int, Field(ge=1, le=64)] = 1
    timeout_seconds: Positive = 10.0
    overload: bool = False
    max_lag_ms: Positive = 10.0
    calls: Annotated[list[Call], Field(min_length=1)]
    phases: Annotated[list[Phase], Field(min_length=1)]
    sweep: Sweep | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [call.name for call in self.calls]
        if len(set(names)) != len(names):
            raise ValueError("calls: two of them have the same name")
        if not any(phase.measured for phase in self.phases):
            raise ValueError("phases: none is measured")
        return self

    def scaled(self, factor: float) -> "Profile":
        """Return the profile with all rates multiplied."""
        phases = [
            phase.model_copy(
                update={"rate": phase.rate * factor, "to_rate": phase.end_rate * factor}
            )
            for phase in self.phases
        ]
        return self.model_copy(update={"phases": phases})

    def at_rate(self, rate: float, sweep: Sweep) -> "Profile":
        """Return the profile as one step of a sweep."""
        warm_up = Phase(name="warm-up", seconds=sweep.warm_up_seconds, rate=rate, measured=False)
        step = Phase(name="step", seconds=sweep.seconds, rate=rate)
        return self.model_copy(update={"phases": [warm_up, step]})


def load(path: Path) -> Profile:
    """Read a profile.

    Raises:
        LoadtestError: every problem, each with the file and the place in it.
    """
    return documents.read(path, Profile)
