"""What a Prometheus server reads: every process, over real sockets."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from signer.errors import ConfigError, LedgerUnavailableError
from signer.metrics import families
from signer.metrics.endpoint import Endpoint
from signer.metrics.exchange import Exchange, Place, everybody
from signer.metrics.meter import Meter
from signer.metrics.samples import Sample


def read(address: str, path: str = "/metrics", accept: str = "") -> str:
    """Fetch a page."""
    request = urllib.request.Request(f"http://{address}{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        text: str = response.read().decode()
        return text


def values(text: str) -> dict[tuple[str, ...], float]:
    """Return all values by name and sorted labels."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): float(
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def meter() -> Meter:
    """A meter that has counted one of each."""
    meter = Meter()
    meter.know(["key"])
    meter.signed("key", "slot", queued=[0.00005], served=[0.002], total=20)
    meter.finished("key", "SIGNED")
    return meter


@pytest.fixture
def endpoint(meter: Meter) -> Iterator[Endpoint]:
    """An endpoint of one plain process."""
    with closing(Endpoint("127.0.0.1:0", lambda: {"signer": meter.snapshot()})) as made:
        made.start()
        yield made


def test_histograms_are_cumulative(endpoint: Endpoint) -> None:
    """Each bucket counts all values up to its bound, as the format wants it."""
    found = values(read(endpoint.address))
    for name, below, above in (("queue", 1, 1), ("service", 0, 1), ("total", 0, 0)):
        labels = ("key=key", "le={}", "process=signer", "slot=slot")
        metric = f"signgate_hsm_{name}_seconds"
        bucket = (f"{metric}_bucket", *labels)
        assert found[tuple(part.format("0.0001") for part in bucket)] == below
        assert found[tuple(part.format("10.0") for part in bucket)] == above
        assert found[tuple(part.format("+Inf") for part in bucket)] == 1
        assert found[(f"{metric}_count", "key=key", "process=signer", "slot=slot")] == 1
    assert found[("signgate_hsm_total_seconds_sum", "key=key", "process=signer", "slot=slot")] == 20


def test_openmetrics_when_asked_for(endpoint: Endpoint) -> None:
    """The newer format is spoken, too."""
    text = read(endpoint.address, accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_only_one_path(endpoint: Endpoint) -> None:
    """Anything else is not found."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(endpoint.address, "/")


def test_a_silent_client_does_not_end_it(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that connects and says nothing is dropped, and the next one is served."""
    # The real time-out would hold the test up for as long.
    monkeypatch.setattr(endpoint._server.RequestHandlerClass, "timeout", 0.1)
    host, _, port = endpoint.address.rpartition(":")
    with socket.create_connection((host, int(port))):
        assert "signgate_process_up" in read(endpoint.address)


def test_a_busy_address_is_one_clear_line(endpoint: Endpoint) -> None:
    """An address that is taken is named."""
    with pytest.raises(ConfigError, match=f"{endpoint.address}: can't listen there"):
        Endpoint(endpoint.address, dict)


def test_every_process_is_a_label(meter: Meter, tmp_path: Path) -> None:
    """The others are asked; one that does not answer is shown as not up, and hides nobody."""
    control, worker = Place("control", tmp_path), Place("signing-0", tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(control.socket_of("signing-1"))
    with closing(Exchange(worker, meter.snapshot)) as exchange:
        exchange.start()
        read_all = partial(everybody, control, Meter().snapshot)
        with closing(Endpoint("127.0.0.1:0", read_all)) as endpoint:
            endpoint.start()
            found = values(read(endpoint.address))
    up = {name: found["signgate_process_up", f"process={name}"] for name in found_processes(found)}
    assert up == {"control": 1, "signing-0": 1, "signing-1": 0}
    payloads = ("signgate_payloads_total", "key=key", "outcome=SIGNED", "process=signing-0")
    assert found[payloads] == 1


def found_processes(found: dict[tuple[str, ...], float]) -> set[str]:
    """Return every value of the label ``process``."""
    return {
        label.removeprefix("process=")
        for labels in found
        for label in labels
        if label.startswith("process=")
    }


def test_a_restarted_process_takes_its_place_again(meter: Meter, tmp_path: Path) -> None:
    """The socket of a process that died is no hindrance."""
    place = Place("signing-0", tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(place.socket_of("signing-0"))
    with closing(Exchange(place, meter.snapshot)) as exchange:
        exchange.start()
        found = everybody(Place("control", tmp_path), Meter().snapshot)
    assert found["signing-0"] == meter.snapshot()


def test_a_source_that_fails_is_left_out(meter: Meter) -> None:
    """What can't be read now does not keep the rest from being read."""

    def fails() -> list[Sample]:
        raise LedgerUnavailableError("gone")

    before = meter.snapshot()
    meter.watch(fails)
    assert meter.snapshot() == before


def test_names_follow_the_conventions() -> None:
    """Counters end in _total, histograms in a unit, and no name is taken twice."""
    names = [family.name for family in families.FAMILIES]
    assert len(set(names)) == len(names)
    for family in families.FAMILIES:
        assert family.name.endswith("_total") == (family.kind is families.Kind.COUNTER)
        if family.kind is families.Kind.HISTOGRAM:
            assert family.name.endswith(("_seconds", "_requests"))
