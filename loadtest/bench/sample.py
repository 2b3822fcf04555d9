"""What one measurement gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """So many operations, in so much time, for so much CPU time of the side that is measured."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an operation."""
        return self.cpu_seconds * 1e6 / self.count
