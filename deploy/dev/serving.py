"""A server process, from its start until it has drained."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.dev.environment import Environment


UNSTARTED_SECONDS = 10  # for one that does not serve yet, to end in order


class Serving:
    """Starts ``signgate serve`` and waits until it serves; drains it at the end.

    Raises:
        RuntimeError: it did not start; its log says why.

    Attributes:
        signing, control: the addresses of the two ports.
        metrics: the address of the metrics; empty without.
    """

    def __init__(self, environment: Environment, *options: str) -> None:
        self.process = environment.serve(*options)
        self.log: list[str] = []
        self.metrics = ""
        try:
            self.signing, self.control = self._wait_until_serving()
        except BaseException:  # a time-out or Ctrl-C as well: nobody else could end it
            self.process.send_signal(signal.SIGTERM)  # so that its processes end as well
            with contextlib.suppress(TimeoutExpired):
                self.process.wait(UNSTARTED_SECONDS)
            self.process.kill()
            self._reaped(30)
            raise
        # A pipe that nobody reads would stop the server when it is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _wait_until_serving(self) -> tuple[str, str]:
        addresses: dict[str, str] = {}
        for line in self._lines():
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "serving":
                addresses |= event
            if addresses.keys() >= {"signing", "control"}:
                self.metrics = addresses.get("metrics", "")
                return addresses["signing"], addresses["control"]
        raise RuntimeError(f"the server did not start: {''.join(self.log)}")

    def _lines(self) -> Iterator[str]:
        for line in self.process.stderr or ():
            self.log.append(line)
            yield line

    def _read(self) -> None:
        for _ in self._lines():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self, seconds: float = 45) -> int:
        """Send SIGTERM and wait for the drain; return the exit code.

        Raises:
            TimeoutExpired: it did not drain in time; it is killed.
        """
        self.process.send_signal(signal.SIGTERM)
        try:
            return self._ended(seconds)
        except TimeoutExpired:  # nobody else could end it
            self.kill()
            raise

    def kill(self) -> None:
        """Send SIGKILL: no drain, no last words."""
        self.process.kill()
        self._ended(30)

    def _ended(self, seconds: float) -> int:
        self.process.wait(seconds)
        self._reader.join()
        return self._reaped(seconds)

    def _reaped(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        if self.process.stderr:
            self.process.stderr.close()
        return code
