"""What one measurement gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """So many operations, in so much time, for so much CPU time of the side that is measured."""

    count: int
    seconds: float
    cpu_seconds: float

    def __add__(self, other: "Sample") -> "Sample":
        """Return both as one."""
        return Sample(
            self.count + other.count,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
        )

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an operation."""
        return self.cpu_seconds * 1e6 / self.count


NOTHING = Sample(0, 0.0, 0.0)
