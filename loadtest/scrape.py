"""Reads the server's own metrics once a second while a run is under way."""

import http.client
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

from prometheus_client.parser import text_string_to_metric_families

from loadtest.errors import LoadtestError

READ_SECONDS = 5.0  # for one page: a server that is busy answers late
PATH = "/metrics"


class Series(NamedTuple):
    """One series of the page: its name, and its labels in the order of their names."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str:
        """Return a label's value, empty where there is none."""
        return dict(self.labels).get(name, "")


Reading = Mapping[Series, float]
"""All series of one page."""


def read(address: str) -> Reading:
    """Read the page of ``[metrics] listen``, host:port.

    Raises:
        LoadtestError: nobody answers, or with something else.
    """
    try:
        body = _fetch(address)
        return {
            Series(sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
            for family in text_string_to_metric_families(body)
            for sample in family.samples
        }
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LoadtestError(f"no metrics at http://{address}{PATH}: {error}") from None


def _fetch(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=READ_SECONDS)
    try:
        connection.request("GET", PATH, headers={"Accept": "text/plain"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise ValueError(f"status {answer.status}")
        return body.decode()
    finally:
        connection.close()


class Scraper:
    """Reads the page at the begin of each second of a run, in a thread of its own.

    A page that comes late delays no call and no other figure.

    Attributes:
        readings: by second from the run's start.
        failures: what went wrong, one a reading.
    """

    def __init__(self, address: str) -> None:
        """Read the page once, so that a wrong address is found before anything is sent.

        Raises:
            LoadtestError: there is no such page.
        """
        self._address = address
        read(address)
        self.readings: dict[int, Reading] = {}
        self.failures: list[str] = []
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, start: float) -> None:
        """Read from ``start`` on, seconds of ``time.monotonic``."""
        self._thread = threading.Thread(target=self._run, args=(start,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, start: float) -> None:
        second = 0
        while not self._stopped.wait(max(start + second - time.monotonic(), 0.0)):
            try:
                self.readings[second] = read(self._address)
            except LoadtestError as error:
                self.failures.append(str(error))
            # A page that took seconds is one reading, not several at once.
            second = max(second + 1, int(time.monotonic() - start) + 1)
