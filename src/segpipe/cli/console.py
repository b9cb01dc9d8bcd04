"""A run as a person watches it: one line per component, a bar for what runs now; plain lines where no one watches."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from segpipe.progress import Progress

_MARKS = {"done": ("✓", "green"), "reused": ("↺", "cyan"), "failed": ("✗", "red"), "not run": ("·", "bright_black")}
_PLAIN_INTERVAL_S = 10.0


class RunConsole:
    """Shows the nodes of a run as they start, work and finish."""

    def __init__(self, stream: TextIO, nodes: Sequence[str]):
        self._console = Console(file=stream, highlight=False)
        self.plan(nodes)
        self._live: Live | None = None
        self._running: str | None = None
        self._started_s = 0.0
        self._progress: Progress | None = None
        self._last_plain_s = 0.0

    def plan(self, nodes: Sequence[str]) -> None:
        """Gives the column of names the width of the longest."""
        self._width = max(len(node) for node in nodes)

    @contextmanager
    def open(self) -> Iterator["RunConsole"]:
        """Keeps the live line at the bottom while the run lasts."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(get_renderable=self._render, console=self._console, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield self
        self._live = None

    def node_started(self, node: str) -> None:
        """Shows the node as running."""
        self._running, self._started_s, self._progress = node, time.monotonic(), None

    def node_finished(self, node: str, status: str, seconds: float, note: str) -> None:
        """Prints the node's line for good."""
        self._running = self._progress = None
        mark, colour = _MARKS[status]
        took = f"{seconds:6.1f} s" if status in ("done", "failed") else " " * 8
        line = Text.assemble((mark, colour), f" {node:<{self._width}} ", (took, "bright_black"), f"  {note}")
        if status == "not run":
            line.stylize("bright_black")
        self._console.print(line, soft_wrap=True)

    def progress(self, progress: Progress) -> None:
        """Moves the bar of the running node."""
        self._progress = progress
        finished = progress.total is not None and progress.done >= progress.total
        now = time.monotonic()
        if not self._console.is_terminal and (finished or now - self._last_plain_s >= _PLAIN_INTERVAL_S):
            self._last_plain_s = now
            self._console.print(f"  {self._running or ''} {_describe(progress)}", soft_wrap=True)

    def say(self, text: str) -> None:
        """Prints a line of its own."""
        self._console.print(text, soft_wrap=True)

    def _render(self) -> Table | Text:
        if self._running is None:
            return Text("")
        row = Table.grid(padding=(0, 1))
        seconds = f"{time.monotonic() - self._started_s:6.1f} s"
        cells: list[RenderableType] = [
            Spinner("dots"),
            Text(f"{self._running:<{self._width}}"),
            Text(seconds, style="bright_black"),
        ]
        if self._progress is not None:
            if self._progress.total:
                width = min(24, max(6, self._console.width - 76))  # The numbers matter more than the bar.
                cells.append(ProgressBar(total=self._progress.total, completed=self._progress.done, width=width))
            cells.append(Text(_describe(self._progress), overflow="ellipsis", no_wrap=True))
        row.add_row(*cells)
        return row


def shown(path: Path) -> str:
    """A path as a person would type it here: relative below the working directory, absolute elsewhere."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _describe(progress: Progress) -> str:
    count = f"{progress.done}/{progress.total}" if progress.total is not None else str(progress.done)
    names = {name: name.replace("_", " ").replace("iou", "IoU") for name in progress.numbers}
    numbers = "  ".join(f"{names[name]} {value:.3g}" for name, value in progress.numbers.items())
    return f"{progress.what}  {count}  {numbers}".rstrip()


@contextmanager
def library_output_to(log: Path, verbose: bool) -> Iterator[TextIO]:
    """Sends everything that libraries print, C++ included, to a file; yields a stream to the person.

    With `verbose` nothing is redirected.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if verbose:
        yield sys.stderr
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    kept_out, kept_err = os.dup(1), os.dup(2)
    # TensorFlow's C++ code writes to the descriptors themselves, so replacing sys.stderr would not be enough.
    with log.open("ab", buffering=0) as file, os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as person:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield person
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept_out, 1)
            os.dup2(kept_err, 2)
            os.close(kept_out)
            os.close(kept_err)


@contextmanager
def plain_progress(stream: TextIO) -> Iterator[Callable[[Progress], None]]:
    """A bar for verbs that do one thing: live on a terminal, a line now and then elsewhere."""
    console = RunConsole(stream, [""])
    with console.open():
        console.node_started("")
        yield console.progress
