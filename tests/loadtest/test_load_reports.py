"""Reports: they can be read again, need nothing beside them, and say what failed."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from loadtest import compare, page, report
from loadtest.cli import app
from loadtest.errors import LoadtestError
from loadtest.page import Appendix
from loadtest.report import Report, Step
from loadtest.scale import Scale, text
from loadtest.slo import Verdict
from tests.loadtest.samples import part_of, report_of

SLO = 'schema = 1\n[[objectives]]\nmetric = "p99_ms"\nat_most = {}\n'
README = Path(report.__file__).with_name("README.md").read_text(encoding="utf-8")


def _report(outcome: str = "SIGNED", lag: float = 0.0001) -> Report:
    return report_of(part_of([[0.001, 0.002, 0.010]] * 10, outcome, lag))


def _page(found: Report) -> str:
    rows = compare.compare(found, found)
    verdicts = [Verdict("p99_ms <= 5", met=False, found="10")]
    return page.render(found, Appendix(verdicts, rows, ["a <caveat>"]))


class _References(HTMLParser):
    """Collects whatever would be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements and attributes that refer to something."""
        if tag in {"script", "link", "img", "iframe", "object", "embed", "use", "base"}:
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_page_refers_to_nothing() -> None:
    """The page holds no script, link, image, import or address: it is complete in itself."""
    swept = replace(
        _report(), steps=[Step(10.0, 1.0, _report().total.latency_ms, 0.5, "")], knee=10.0
    )
    html = _page(swept)
    parser = _References()
    parser.feed(html)
    assert parser.found == []
    assert not re.search(r"https?:|url\(|@import|@font-face", html)


def test_the_plots_are_well_formed() -> None:
    """Each plot is well-formed XML with no coordinate that is not a number."""
    html = _page(_report())
    plots = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(plots) == 6
    for plot in plots:
        ET.fromstring(plot)
        assert not re.search(r"\b(nan|inf)\b", plot)


def test_the_page_says_what_failed() -> None:
    """Wrong outcomes, a late generator and missed objectives stand at the top, escaped."""
    html = _page(_report("WRONG_SIGNATURE", lag=1.0))
    banner = html[html.index('class="banner') : html.index('class="tiles"')]
    for expected in ("bad", "30 x order: WRONG_SIGNATURE", "sent late", "p99_ms &lt;= 5: 10"):
        assert expected in banner
    assert "a &lt;caveat&gt;" in html


def test_an_empty_run_has_a_page() -> None:
    """A run without a single call can be shown."""
    assert "</html>" in page.render(report_of(part_of([[]])), Appendix())


def test_a_report_can_be_read_again(tmp_path: Path) -> None:
    """What was written is what is read."""
    path = tmp_path / "report.json"
    report.write(_report(), path)
    assert report.read(path) == replace(_report(), created_time=report.read(path).created_time)


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    """A missing file, another document and another version are one line each."""
    path = tmp_path / "report.json"
    with pytest.raises(LoadtestError, match="No such file"):
        report.read(path)
    path.write_text('{"schema": 1}', encoding="utf-8")
    with pytest.raises(LoadtestError, match="not a report: Object missing required field"):
        report.read(path)
    report.write(replace(_report(), schema=2), path)
    with pytest.raises(LoadtestError, match="schema 2; this is version 1"):
        report.read(path)


VERDICTS = {
    "good": (_report(), "50.0", 0),
    "objective missed": (_report(), "5.0", 1),
    "wrong outcome": (_report("WRONG_SIGNATURE"), "50.0", 1),
    "generator late": (_report(lag=1.0), "50.0", 3),
    "late, so the objective says nothing": (_report(lag=1.0), "5.0", 3),
}


@pytest.mark.parametrize(("found", "bound", "code"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_exit_code_is_the_verdict(tmp_path: Path, found: Report, bound: str, code: int) -> None:
    """0: all is well; 1: something is wrong; 3: the run says nothing about the server."""
    path, slo = tmp_path / "report.json", tmp_path / "slo.toml"
    report.write(found, path)
    slo.write_text(SLO.format(bound), encoding="utf-8")
    arguments = ["show", str(path), "--slo", str(slo), "--compare", str(path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert ("pass  p99_ms" if bound == "50.0" else "FAIL  p99_ms") in result.output
    assert (tmp_path / "report.html").exists()


def test_an_error_is_a_line_and_not_a_traceback(tmp_path: Path) -> None:
    """What the user did wrong is said in a line on standard error."""
    result = CliRunner().invoke(app, ["show", str(tmp_path / "none.json")])
    assert result.exit_code == 1
    assert result.stderr == f"loadtest: {tmp_path}/none.json: No such file or directory\n"
    result = CliRunner().invoke(app, ["run", "loadtest/profiles/smoke.toml"])
    assert "give either --target" in result.stderr


def test_the_readmes_commands_exist() -> None:
    """Each command and option that the README shows is known to the program."""
    lines = re.findall(r"python -m loadtest (.+)", README)
    assert lines
    for line in lines:
        command, *rest = line.split()
        known = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for option in (word for word in rest if word.startswith("--")):
            assert option in known, (command, option)


TICKS = {
    "linear": (Scale.around([0.0, 45.0], 0, 100), [0, 20, 40]),
    "log": (Scale.around([3.0, 40.0], 0, 100, log=True), [2, 5, 10, 20, 50]),
    "decades": (Scale.around([1.0, 1e5], 0, 100, log=True), [1, 10, 100, 1000, 1e4, 1e5]),
}


@pytest.mark.parametrize(("scale", "expected"), TICKS.values(), ids=TICKS.keys())
def test_axes_have_round_ticks(scale: Scale, expected: list[float]) -> None:
    """Ticks are round numbers within the axis."""
    assert scale.ticks()[: len(expected)] == pytest.approx(expected)
    assert all(scale.low * 0.99 <= tick <= scale.high * 1.01 for tick in scale.ticks())


def test_numbers_are_short() -> None:
    """An axis shows numbers as people write them."""
    assert [text(value) for value in (0.25, 5.0, 1500.0, 2e6)] == ["0.25", "5", "1,500", "2M"]
