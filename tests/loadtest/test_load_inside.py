"""The server's own figures in a report: read each second, as differences, by key and slot."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import inside, metrics, page, peers, profile, report, runner, summary
from loadtest.errors import LoadtestError
from loadtest.inside import Inside
from loadtest.live import Lines
from loadtest.page import Appendix
from loadtest.profile import Phase
from loadtest.scrape import Reading, Scraper, Series
from signer.metrics import families as of
from signer.metrics.endpoint import Endpoint
from signer.metrics.samples import Sample, number
from tests.loadtest.samples import part_of, report_of
from tests.loadtest.test_load_runs import PROFILES

Page = Callable[[], dict[str, tuple[Sample, ...]]]


def reading(*samples: tuple[str, float], **labels: str) -> Reading:
    """Return a page with some series that have the same labels."""
    return {Series(name, tuple(sorted(labels.items()))): value for name, value in samples}


def queue(counts: tuple[int, int, int], seconds: float, process: str = "signer") -> Reading:
    """Return a queue's histogram with buckets of 1 ms, 2 ms and everything."""
    name, labels = of.QUEUE_SECONDS.name, {"key": "orders", "slot": "a", "process": process}
    found = dict(reading((f"{name}_count", counts[2]), (f"{name}_sum", seconds), **labels))
    for bound, count in zip(("0.001", "0.002", "+Inf"), counts, strict=True):
        found |= reading((f"{name}_bucket", count), le=bound, **labels)
    return found


def test_figures_are_what_grew_in_the_measured_seconds() -> None:
    """What was counted before the run, in a warm-up or in an unmeasured second is left out."""
    readings = {
        0: queue((100, 100, 100), 9.0),
        1: queue((150, 150, 150), 9.5),
        2: queue((150, 160, 160), 9.515),
        3: queue((150, 160, 900), 99.0),
    }
    found = inside.summarise(readings, {1}, [])
    whole, one = found.spreads
    assert (whole.what, whole.key, whole.count) == ("queue", "", 10)
    assert whole.ms["mean"] == pytest.approx(1.5)
    assert whole.ms["p50"] == pytest.approx(1.5)  # half way through its bucket
    assert whole.ms["p99"] == pytest.approx(1.99)
    assert (one.key, one.slot, one.ms) == ("orders", "a", whole.ms)
    assert [item.second for item in found.seconds] == [0, 1, 2]
    assert found.seconds[0].times["queue"]["mean"] == pytest.approx(10)
    assert found.seconds[2].times["queue"]["p99"] == pytest.approx(2)  # no bound is above


def test_processes_add_up_and_begin_again() -> None:
    """Histograms of all processes are one; a counter that fell began at zero with its process."""
    one, two = queue((4, 4, 4), 0.002, "signing-0"), queue((0, 0, 0), 0.0, "signing-1")
    after = {**queue((1, 1, 1), 0.001, "signing-0"), **queue((0, 3, 3), 0.005, "signing-1")}
    [whole, _] = inside.summarise({0: {**one, **two}, 1: after}, {0}, []).spreads
    assert whole.count == 4
    assert whole.ms["mean"] == pytest.approx(1.5)


def test_reasons_and_failures_are_counted() -> None:
    """Refusals are counted by key and reason, the token's failures by class and code."""
    before = reading((of.PAYLOADS.name, 5), key="orders", outcome="SIGNED")
    after = {
        **reading((of.PAYLOADS.name, 9), key="orders", outcome="SIGNED"),
        **reading((of.PAYLOADS.name, 2), key="orders", outcome="RATE_LIMITED"),
        **reading((of.PAYLOADS.name, 1), key="payments", outcome="RATE_LIMITED"),
        **reading((of.ERRORS.name, 1), slot="a", code="CKR_DEVICE_ERROR", **{"class": "suspect"}),
        **reading((of.CALLS_IN_FLIGHT.name, 3), method="SignPayload"),
        **reading((of.CALLS.name, 4), method="SignPayload", code="OK"),
        **reading((of.CALLS.name, 3), method="SignPayload", code="RESOURCE_EXHAUSTED"),
        **reading((of.WAITING.name, 2), priority="0"),
        **reading((inside.CPU, 0.5), process="signer"),
    }
    found = inside.summarise({0: before, 1: after}, {0}, [])
    assert found.outcomes == {
        "orders: SIGNED": 4,
        "orders: RATE_LIMITED": 2,
        "payments: RATE_LIMITED": 1,
    }
    assert found.refused == {"RATE_LIMITED": 3}
    assert found.errors == {"a: suspect, CKR_DEVICE_ERROR": 1}
    assert found.calls == {"SignPayload: RESOURCE_EXHAUSTED": 3}
    assert found.cpu_seconds == {"signer": 0.5}
    [second] = found.seconds
    assert (second.in_flight, second.waiting, second.times) == (3, 2, {})
    assert second.outcomes == {"SIGNED": 4, "RATE_LIMITED": 3}


def test_a_missing_reading_loses_nothing() -> None:
    """What one reading would have shown is in the next one, and the failure is told."""
    readings = {0: queue((0, 0, 0), 0.0), 2: queue((6, 6, 6), 0.003)}
    found = inside.summarise(readings, {0, 1}, ["no metrics at …"])
    assert [item.second for item in found.seconds] == [1]
    assert found.spreads[0].count == 6
    assert found.failures == ["no metrics at …"]


def served(page_of: Page) -> Endpoint:
    """Serve metrics over a real socket."""
    endpoint = Endpoint("127.0.0.1:0", page_of)
    endpoint.start()
    return endpoint


def test_pages_are_read_each_second() -> None:
    """Every reading has its second's values; one that fails is noted and the rest goes on."""
    asked: list[int] = []

    def samples() -> dict[str, tuple[Sample, ...]]:
        asked.append(0)
        return {"signer": (number(of.PAYLOADS, len(asked), "orders", "SIGNED"),)}

    with closing(served(samples)) as endpoint, Scraper(endpoint.address) as scraper:
        scraper.start(time.monotonic() - 0.9)
        while len(scraper.readings) < 2:
            time.sleep(0.01)
        scraper.stop()
        labels = {"key": "orders", "outcome": "SIGNED", "process": "signer"}
        series = Series(of.PAYLOADS.name, tuple(sorted(labels.items())))
        values = [scraper.readings[second][series] for second in sorted(scraper.readings)]
    assert sorted(set(values)) == values
    assert min(scraper.readings) == 0


def test_a_page_that_goes_away_is_noted() -> None:
    """A run goes on when the server's metrics are gone; the report says how often."""
    endpoint = served(lambda: {"signer": ()})
    with Scraper(endpoint.address) as scraper:
        endpoint.close()
        scraper.start(time.monotonic())
        while not scraper.failures:
            time.sleep(0.01)
    assert scraper.failures[0].startswith(f"no metrics at http://{endpoint.address}/metrics: ")


def test_a_wrong_address_is_found_before_the_run() -> None:
    """Nobody at the address is one line."""
    with pytest.raises(LoadtestError, match=r"no metrics at http://127\.0\.0\.1:1/metrics"):
        Scraper("127.0.0.1:1")


def of_a_run() -> Inside:
    """Return the figures of a second with a queue, signatures and a refusal."""
    after = {
        **queue((1, 3, 4), 0.02),
        **{
            Series(series.name.replace("queue", "service"), series.labels): value
            for series, value in queue((4, 4, 4), 0.002).items()
        },
        **reading((of.PAYLOADS.name, 2), key="orders", outcome="RATE_LIMITED"),
    }
    return inside.summarise({0: {}, 1: after}, {0}, ["timed out"])


def test_the_page_shows_the_server_beside_its_callers() -> None:
    """Queue, token, refusals and CPU have their place, or a line that says why not."""
    plain = report_of(part_of([[0.001]] * 2))
    html = page.render(plain, Appendix())
    assert html.count("metrics have no address here") == 3
    html = page.render(replace(plain, inside=of_a_run()), Appendix())
    assert "Not read" not in html
    for expected in ("queue p99", "token p50", "RATE_LIMITED", "1 readings failed", ">orders<"):
        assert expected in html


def test_the_summary_and_the_objectives_know_the_server() -> None:
    """Its times are lines at the end of a run, and can be bounded."""
    plain = report_of(part_of([[0.001]] * 2))
    assert metrics.of(plain)["queue_p99_ms"] is None
    found = replace(plain, inside=of_a_run())
    assert metrics.of(found)["queue_mean_ms"] == pytest.approx(5)
    assert metrics.of(found)["token_p99_ms"] == pytest.approx(0.99)
    text = "\n".join(summary.lines(found, Appendix()))
    assert "server queue" in text
    assert "server refused: RATE_LIMITED 2" in text
    assert "were not read" in "\n".join(summary.lines(plain, Appendix()))


def test_a_signer_is_read_while_it_is_loaded(tmp_path: Path) -> None:
    """A run against a real signer has its queue, token, commits, refusals and CPU, and is kept."""
    wanted = profile.load(PROFILES / "smoke.toml")
    phases = [
        Phase(name="warm-up", seconds=1, rate=20, measured=False),
        Phase(name="steady", seconds=2, rate=20),
    ]
    wanted = wanted.model_copy(update={"phases": phases, "workers": 1, "max_lag_ms": 1000.0})
    with peers.signer(tmp_path / "signer") as target:
        pidless = replace(target, pids=())
        found = runner.run(wanted, pidless, Lines(Console(quiet=True)))
    assert found.inside is not None
    assert {item.what for item in found.inside.spreads} == {"queue", "service", "commit"}
    assert {item.key for item in found.inside.spreads} >= {"orders", "wd-usdc"}
    assert set(found.inside.refused) == {"LIMIT_PER_REQUEST"}
    assert found.inside.failures == []
    assert metrics.server_cores(found)  # without a process to watch: as the server says
    path = tmp_path / "report.json"
    report.write(found, path)
    assert report.read(path).inside == found.inside
