"""What an answer to a question is."""

from dataclasses import dataclass

from policy.model import Ask


@dataclass(frozen=True, slots=True)
class Step:
    """A request that the engine allows: when it comes and who approved it.

    ``payload`` is what says so, of an action whose payloads are written here.
    """

    ask: Ask
    at_ms: int
    approved_by: frozenset[str] = frozenset()
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """Whatever is asked and whenever, the policy holds to it."""


@dataclass(frozen=True, slots=True)
class Disproven:
    """The engine allows these requests, one after the other, which break the claim."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NotProven:
    """Neither a proof nor a request that breaks the claim was found; ``why`` says how so."""

    why: str


Answer = Proven | Disproven | NotProven
