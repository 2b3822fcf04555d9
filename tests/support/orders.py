"""Signatures that are on their way, of a token that is a stand-in."""

from dataclasses import dataclass


@dataclass
class Order:
    """One that is done already; notes whether it was dropped."""

    signatures: list[bytes | Exception]
    dropped: bool = False

    def results(self) -> list[bytes | Exception]:
        """Return them: nobody may, once it was dropped."""
        assert not self.dropped
        return self.signatures

    def drop(self) -> None:
        """Note it."""
        self.dropped = True
