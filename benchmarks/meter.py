"""A command or a method in, what it cost out: seconds, processor seconds, peak memory."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from segpipe.errors import RunError


@dataclass(frozen=True)
class Cost:
    """What a finished process cost.

    Attributes:
      seconds: from its start to its end, imports included.
      peak_rss_mb: the most memory that it and its children held at once; pages that they share count for each.
    """

    seconds: float
    peak_rss_mb: float


def watch(command: Sequence[str], log: Path, interval_s: float = 0.1) -> Cost:
    """Runs a command to its end, its output to `log`.

    Raises:
      RunError: it failed; says where its output is.
    """
    started, peak = time.monotonic(), 0
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file, psutil.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            peak = max(peak, _tree_rss(process))
            time.sleep(interval_s)
    seconds = time.monotonic() - started
    if process.returncode:
        raise RunError(f"{' '.join(command)} ended with status {process.returncode}; its output is in {log}.")
    return Cost(seconds, peak / 2**20)


def _tree_rss(process: psutil.Process) -> int:
    """Resident bytes of a process and all its children."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.Error:  # It ended between the listing and the look.
            continue
    return total


@dataclass(frozen=True)
class Clock:
    """A moment of this process, or the time between two.

    Attributes:
      seconds: by the wall.
      cpu_seconds: of this process and its finished children, on all cores; a busy machine changes them little.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @classmethod
    def now(cls) -> "Clock":
        """This moment."""
        return cls(time.monotonic(), sum(os.times()[:4]))

    def __add__(self, other: "Clock") -> "Clock":
        return Clock(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)

    def __sub__(self, other: "Clock") -> "Clock":
        return Clock(self.seconds - other.seconds, self.cpu_seconds - other.cpu_seconds)


@contextmanager
def timed_method(owner: type, name: str) -> Iterator[list[Clock]]:
    """Times every call of a method; the list that it yields gets one entry per call."""
    calls: list[Clock] = []
    original = getattr(owner, name)

    def timed(*arguments: Any, **keywords: Any) -> Any:
        started = Clock.now()
        try:
            return original(*arguments, **keywords)
        finally:
            calls.append(Clock.now() - started)

    with mock.patch.object(owner, name, timed):
        yield calls
