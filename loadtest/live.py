"""What is shown while a run is under way: a table on a terminal, else plain lines."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Progress:
    """A run so far; times in milliseconds, of the last second only.

    ``offered`` and ``completed`` are calls in the last second, ``cores`` the
    server's CPU in it, None when not watched.
    """

    elapsed: float
    seconds: float
    phase: str
    offered: int
    completed: int
    in_flight: int
    p50: float
    p99: float
    slowest: float
    lag_p99: float
    cores: float | None


class View(Protocol):
    """Shows a run."""

    def running(self) -> AbstractContextManager[object]:
        """Show until the context ends."""

    def show(self, progress: Progress) -> None:
        """Show the state of the last second."""

    def say(self, text: str) -> None:
        """Show a line that stays."""


class Lines:
    """A line a second."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def running(self) -> AbstractContextManager[object]:
        """Need nothing."""
        return nullcontext()

    def show(self, progress: Progress) -> None:
        """Write one line."""
        self._console.print(_line(progress), highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write the text."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Screen(Lines):
    """A table that is drawn again each second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def running(self) -> AbstractContextManager[object]:
        """Take a part of the screen."""
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        return self._live

    def show(self, progress: Progress) -> None:
        """Draw the table."""
        self._live.update(_table(progress), refresh=True)


def view(console: Console) -> View:
    """Return what suits the console."""
    return Screen(console) if console.is_terminal else Lines(console)


def _line(progress: Progress) -> str:
    cores = "" if progress.cores is None else f", server {progress.cores:.2f} cores"
    return (
        f"{progress.elapsed:5.0f} s  {progress.phase}: {progress.offered} offered, "
        f"{progress.completed} done, {progress.in_flight} in flight, p50 {progress.p50:.2f} ms, "
        f"p99 {progress.p99:.2f} ms, lag p99 {progress.lag_p99:.2f} ms{cores}"
    )


def _table(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column()
    bar = ProgressBar(total=progress.seconds, completed=progress.elapsed, width=40)
    table.add_row("time", f"{progress.elapsed:.0f} / {progress.seconds:.0f} s", bar)
    table.add_row("phase", f"[bold]{progress.phase}[/bold]")
    table.add_row("offered", f"{progress.offered} /s")
    table.add_row("completed", f"{progress.completed} /s", f"{progress.in_flight} in flight")
    table.add_row("p50", f"[bold green]{progress.p50:.2f} ms[/bold green]")
    table.add_row("p99", f"[bold yellow]{progress.p99:.2f} ms[/bold yellow]")
    table.add_row("slowest", f"{progress.slowest:.2f} ms")
    table.add_row("generator lag p99", f"{progress.lag_p99:.2f} ms")
    if progress.cores is not None:
        table.add_row("server CPU", f"{progress.cores:.2f} cores")
    return table
