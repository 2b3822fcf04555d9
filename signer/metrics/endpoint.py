"""From the processes' snapshots to what a Prometheus server reads."""

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

import structlog
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from signer.errors import ConfigError
from signer.metrics.exchange import in_thread
from signer.metrics.families import BOUNDS, FAMILIES, SECONDS, Family, Kind
from signer.metrics.samples import Sample, Spread

Read = Callable[[], Mapping[str, tuple[Sample, ...]]]  # the samples of each process
PATH: Final = "/metrics"
CLIENT_SECONDS: Final = 5.0  # how long a client may take to ask or to read

_log = structlog.get_logger(__name__)


class Endpoint:
    """Serves ``/metrics`` over plain HTTP, to one client at a time.

    Raises:
        ConfigError: the address can't be bound.
    """

    def __init__(self, address: str, read: Read) -> None:
        registry = CollectorRegistry()
        registry.register(_Processes(read))
        host, _, port = address.rpartition(":")
        host = host.strip("[]")

        class Server(HTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        try:
            self._server = Server((host, int(port)), _handler(registry))
        except OSError as error:
            raise ConfigError(f"{address}: can't listen there: {error.strerror}") from None
        self.address = f"{address.rpartition(':')[0]}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve from now on."""
        in_thread(self._server)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS
        server_version = "signgate"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != PATH:
                self.send_error(404, f"only {PATH} is here")
                return
            encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
            body = encoder(registry)
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            _log.debug("metrics", request=format % args)

    return Handler


class _Processes(Collector):
    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that any process has, with the process as a label."""
        processes = self._read()
        for family in FAMILIES:
            metric = _metric(family)
            for process, samples in processes.items():
                found = (sample for sample in samples if sample.name == family.name)
                for sample in found:
                    _add(metric, (*sample.labels, process), sample)
            if metric.samples:
                yield metric


_METRICS: Final = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


def _metric(family: Family) -> Metric:
    labels = (*family.labels, "process")
    metric: Metric = _METRICS[family.kind](family.name, family.help, labels=labels)
    return metric


def _add(metric: Metric, labels: Iterable[str], sample: Sample) -> None:
    if isinstance(sample, Spread):
        metric.add_metric(labels, _cumulative(sample), sample.sum)  # type: ignore[attr-defined] # each kind has its own
    else:
        metric.add_metric(labels, sample.value)  # type: ignore[attr-defined] # the same


def _cumulative(spread: Spread) -> list[tuple[str, float]]:
    bounds = (*map(str, BOUNDS.get(spread.name, SECONDS)), "+Inf")
    total, buckets = 0, []
    for bound, count in zip(bounds, spread.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
