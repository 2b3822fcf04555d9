"""Loads a signing port on a fixed schedule, checks every answer, and reports."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtest import compare, knee, live, page, peers, profile, report, runner, slo, summary
from loadtest.errors import LoadtestError
from loadtest.live import View
from loadtest.page import Appendix
from loadtest.profile import Profile
from loadtest.report import Report
from loadtest.target import Target

CALIBRATION = Path(__file__).parent / "profiles" / "calibration.toml"
OUT = Path(".dev/loadtest")
FAILED, INVALID = 1, 3  # 2 is a wrong command line

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)

ProfileFile = Annotated[Path, typer.Argument(help="Such as loadtest/profiles/mix.toml.")]
Address = Annotated[str, typer.Option(help="The signing port, host:port.")]
Certificates = Annotated[
    Path, typer.Option(help="A directory with ca.crt and each client's NAME.crt and NAME.key.")
]
Pids = Annotated[
    list[int] | None, typer.Option("--pid", help="A server process whose CPU time to watch.")
]
Metrics = Annotated[
    str, typer.Option(help="The server's [metrics] listen, host:port: its own times and CPU.")
]
Serve = Annotated[
    Path | None,
    typer.Option(help="Make a throw-away signer in this directory, emptied first, and load that."),
]
Out = Annotated[Path, typer.Option(help="Where report.json and report.html are written.")]
Objectives = Annotated[Path | None, typer.Option("--slo", help="Objectives to meet.")]
Earlier = Annotated[Path | None, typer.Option("--compare", help="An earlier report.json.")]
Verify = Annotated[
    float, typer.Option(min=0, max=1, help="The share of signatures to verify after the run.")
]
Processes = Annotated[
    int | None, typer.Option(min=1, help="Sending processes, instead of the profile's.")
]
Scale = Annotated[float, typer.Option(min=0.001, help="Multiplies all rates of the profile.")]
ReportFile = Annotated[Path, typer.Argument(help="A report.json.")]
Directory = Annotated[Path, typer.Argument(help="Certificates; made when there are none.")]
Plain = Annotated[bool, typer.Option(help="Answer with a constant instead of a signature.")]

Load = Callable[[Profile, Target, View, float], Report]


@dataclass(frozen=True, slots=True)
class Extras:
    """The files that a report is judged by, and where it goes."""

    out: Path
    slo: Path | None
    compare: Path | None


@app.command()
def run(
    *,
    profile_file: ProfileFile,
    target: Address = "",
    certificates: Certificates = Path(),
    pid: Pids = None,
    metrics: Metrics = "",
    serve: Serve = None,
    out: Out = OUT,
    slo_file: Objectives = None,
    compare_file: Earlier = None,
    verify: Verify = 1.0,
    workers: Processes = None,
    scale: Scale = 1.0,
) -> None:
    """Run a profile once. Exit 1: an objective missed or a wrong answer; 3: invalid."""
    with _errors():
        wanted = _profile(profile_file, workers).scaled(scale)
        extras = Extras(out, slo_file, compare_file)
        with _target(Target(target, certificates, tuple(pid or ()), metrics), serve) as server:
            _load(runner.run, wanted, server, verify, extras)


@app.command("knee")
def find_knee(
    *,
    profile_file: ProfileFile,
    target: Address = "",
    certificates: Certificates = Path(),
    pid: Pids = None,
    metrics: Metrics = "",
    serve: Serve = None,
    out: Out = OUT,
    slo_file: Objectives = None,
    compare_file: Earlier = None,
    verify: Verify = 1.0,
    workers: Processes = None,
) -> None:
    """Go up the rate in the profile's steps until the latency bends; report the last good one."""
    with _errors():
        extras = Extras(out, slo_file, compare_file)
        with _target(Target(target, certificates, tuple(pid or ()), metrics), serve) as server:
            _load(knee.find, _profile(profile_file, workers), server, verify, extras)


@app.command()
def calibrate(
    *, profile_file: Annotated[Path, typer.Argument()] = CALIBRATION, out: Out = OUT / "calibration"
) -> None:
    """Show what the generator itself can do: it alone against an echo that costs little."""
    with _errors(), peers.quick_echo(out / "certificates") as server:
        _load(knee.find, _profile(profile_file, None), server, 0.0, Extras(out, None, None))


@app.command()
def echo(directory: Directory, *, plain: Plain = False) -> None:
    """Serve echoes until interrupted: a peer to try a profile against."""
    with _errors(), peers.echo(directory, plain=plain) as server:
        typer.echo(f"--target {server.address} --certificates {directory} --pid {server.pids[0]}")
        typer.get_text_stream("stdin").read()


@app.command()
def show(
    report_file: ReportFile, *, slo_file: Objectives = None, compare_file: Earlier = None
) -> None:
    """Judge a report.json again and write its report.html."""
    with _errors():
        found = report.read(report_file)
        _conclude(found, Extras(report_file.parent, slo_file, compare_file), live.view(Console()))


def _profile(path: Path, workers: int | None) -> Profile:
    found = profile.load(path)
    return found if workers is None else found.model_copy(update={"workers": workers})


@contextmanager
def _target(given: Target, serve: Path | None) -> Iterator[Target]:
    if (serve is None) == (not given.address):
        raise LoadtestError("give either --target and --certificates, or --serve")
    if serve is None:
        yield given
    else:
        with peers.signer(serve) as target:
            yield target


def _load(load: Load, wanted: Profile, target: Target, verify: float, extras: Extras) -> None:
    view = live.view(Console())
    found = load(wanted, target, view, verify)
    extras.out.mkdir(parents=True, exist_ok=True)
    report.write(found, extras.out / "report.json")
    _conclude(found, extras, view)


def _conclude(found: Report, extras: Extras, view: View) -> None:
    appendix = _appendix(found, extras)
    html = extras.out / "report.html"
    html.write_text(page.render(found, appendix), encoding="utf-8")
    for line in summary.lines(found, appendix):
        view.say(line)
    view.say(f"report: {html}")
    if found.unexpected or (not found.invalid and not all(v.met for v in appendix.verdicts)):
        raise typer.Exit(FAILED)
    if found.invalid:
        raise typer.Exit(INVALID)


def _appendix(found: Report, extras: Extras) -> Appendix:
    verdicts = slo.judge(slo.load(extras.slo), found) if extras.slo else []
    if extras.compare is None:
        return Appendix(verdicts)
    earlier = report.read(extras.compare)
    rows, caveats = compare.compare(earlier, found), compare.differences(earlier, found)
    return Appendix(verdicts, rows, caveats)


@contextmanager
def _errors() -> Iterator[None]:
    """Show what is wrong in lines, not in a traceback."""
    try:
        yield
    except LoadtestError as error:
        typer.echo(f"loadtest: {error}", err=True)
        sys.exit(FAILED)
