"""The meter measures what it says."""

import sys

import pytest

from benchmarks import meter
from segpipe.errors import RunError


def test_a_command_is_charged_its_children_memory_and_its_time(tmp_path):
    child = "import time; block = bytearray(200 << 20); time.sleep(0.8)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = meter.watch([sys.executable, "-c", parent], tmp_path / "log")
    assert 0.8 < cost.seconds < 20
    assert 200 < cost.peak_rss_mb < 400


def test_a_failed_command_names_its_log(tmp_path):
    with pytest.raises(RunError, match=r"status 3.*deep/log"):
        meter.watch([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "deep" / "log")
    assert (tmp_path / "deep" / "log").read_text() == "why\n"


class Counter:
    def count(self, to):
        return sum(range(to))


def test_a_method_is_timed_call_by_call_and_works_as_before():
    with meter.timed_method(Counter, "count") as calls:
        assert Counter().count(to=3_000_000) == 4_499_998_500_000
        Counter().count(3)
    assert Counter.count.__name__ == "count"
    assert len(calls) == 2
    assert calls[0].cpu_seconds > calls[1].cpu_seconds >= 0
    assert calls[0].seconds > 0


def test_clocks_add_up():
    total = sum([meter.Clock(1.0, 2.0), meter.Clock(0.5, 0.25)], meter.Clock())
    assert total == meter.Clock(1.5, 2.25)
    assert total - meter.Clock(0.5, 0.25) == meter.Clock(1.0, 2.0)
